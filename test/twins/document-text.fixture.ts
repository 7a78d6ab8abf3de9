import { createHash } from 'node:crypto';
import { ed25519 } from '@noble/curves/ed25519.js';
import { concatBytes, toBase64, utf8 } from '../../src/base/bytes.ts';
import { RsaKey } from '../../src/crypto/rsa.ts';
import { sha1, sha256 } from '../../src/crypto/sha.ts';
import { attachSignatures, signedAlgorithm, signText } from '../../src/directory/consensus-signatures.ts';
import {
  type DocumentLine,
  documentBytes,
  formatObject,
  parseLines,
} from '../../src/directory/document-lines.ts';
import { signedText } from '../../src/directory/status-document.ts';

/** Changes to a captured document, and the signatures that then fit it again. */

export type Edit = (text: string) => string;

/** The lines of a captured document, of which a twin changes one. */
function linesOf(text: string, keyword: string): DocumentLine[] {
  const lines = parseLines(text, 1_000_000);
  if (!lines.ok) throw new Error(lines.fault.code);
  const found = lines.value.filter(line => line.keyword === keyword);
  if (found.length === 0) throw new Error(`no ${keyword} in the captured document`);
  return found;
}

/** The keywords of a document's lines, each once. */
export function keywordsOf(text: string): readonly string[] {
  const lines = parseLines(text, 1_000_000);
  if (!lines.ok) throw new Error(lines.fault.code);
  return [...new Set(lines.value.map(({ keyword }) => keyword))];
}

const cut = (text: string, { start, end }: DocumentLine) => text.slice(0, start) + text.slice(end);

/** Without any line of that keyword; of the router entries, without the first. */
export const without =
  (keyword: string): Edit =>
  text =>
    cut(text, linesOf(text, keyword)[0]);
export const twice =
  (keyword: string): Edit =>
  text => {
    const [{ start, end }] = linesOf(text, keyword);
    return text.slice(0, end) + text.slice(start, end) + text.slice(end);
  };
/** Another line in place of that one, whose object, if it has one, stays. */
export const replaced =
  (keyword: string, line: string): Edit =>
  text => {
    const [{ start, lineEnd }] = linesOf(text, keyword);
    return `${text.slice(0, start)}${line}\n${text.slice(lineEnd)}`;
  };
export const before =
  (keyword: string, line: string): Edit =>
  text => {
    const [{ start }] = linesOf(text, keyword);
    return `${text.slice(0, start)}${line}\n${text.slice(start)}`;
  };
/** The line of one keyword before that of another. */
export const moved =
  (keyword: string, to: string): Edit =>
  text => {
    const [line] = linesOf(text, keyword);
    const rest = cut(text, line);
    const [{ start }] = linesOf(rest, to);
    return rest.slice(0, start) + text.slice(line.start, line.end) + rest.slice(start);
  };
/** Another object below that line. */
export const objectOf =
  (keyword: string, change: Edit): Edit =>
  text => {
    const [{ lineEnd, end }] = linesOf(text, keyword);
    return text.slice(0, lineEnd) + change(text.slice(lineEnd, end)) + text.slice(end);
  };

/** The signing keys of a C tor relay, as its data directory holds them. */
export interface RelaySecrets {
  /** PKCS#8 or PKCS#1 PEM. */
  readonly rsa: string;
  /** Expanded Ed25519 secret: scalar and prefix, 64 bytes. */
  readonly signing: Uint8Array;
}

/** An Ed25519 signature by an expanded secret, as C tor stores its keys: there is no seed that Node could take. */
function signExpanded(secret: Uint8Array, message: Uint8Array): Uint8Array {
  const { Point } = ed25519;
  const number = (bytes: Uint8Array) => BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
  const hashed = (...parts: Uint8Array[]) =>
    Point.Fn.create(
      number(
        createHash('sha512')
          .update(concatBytes(...parts))
          .digest(),
      ),
    );
  const scalar = Point.Fn.create(number(secret.subarray(0, 32)));
  const publicKey = Point.BASE.multiply(scalar).toBytes();
  const nonce = hashed(secret.subarray(32), message);
  const commitment = Point.BASE.multiply(nonce).toBytes();
  const proof = Point.Fn.create(nonce + hashed(commitment, publicKey, message) * scalar);
  return concatBytes(commitment, Point.Fn.toBytes(proof));
}

/** A server descriptor with both its signatures made anew. */
export function signDescriptor(text: string, { rsa, signing }: RelaySecrets): string {
  const at = text.lastIndexOf('router-sig-ed25519 ');
  if (at < 0) return text;
  const body = text.slice(0, at + 'router-sig-ed25519 '.length);
  const digest = sha256(concatBytes(utf8('Tor router descriptor signature v1'), documentBytes(body)));
  const signed = `${body}${toBase64(signExpanded(signing, digest))}\nrouter-signature\n`;
  return signed + formatObject('SIGNATURE', new RsaKey(rsa).signDigest(sha1(documentBytes(signed))));
}

/** The certificate of an authority's key with its certification made anew. */
export function signCertificate(text: string, identity: RsaKey): string {
  const last = '\ndir-key-certification\n';
  const at = text.indexOf(last);
  if (at < 0) return text;
  const signed = text.slice(0, at + last.length);
  return signed + formatObject('SIGNATURE', identity.signDigest(sha1(documentBytes(signed))));
}

/** A vote with its signature made anew. */
export function signVote(text: string, signingKey: RsaKey, v3Ident: Uint8Array): string {
  const signed = signedText(text);
  return attachSignatures(signed, 'ns', [signText(signed, 'sha1', { v3Ident, signingKey })]);
}

/** A consensus with its one signature made anew. */
export function signConsensus(text: string, signingKey: RsaKey, v3Ident: Uint8Array): string {
  const flavor = text.startsWith('network-status-version 3 microdesc') ? 'microdesc' : 'ns';
  const signed = signedText(text);
  return attachSignatures(signed, flavor, [
    signText(signed, signedAlgorithm[flavor], { v3Ident, signingKey }),
  ]);
}

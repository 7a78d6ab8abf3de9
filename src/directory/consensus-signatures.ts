import type { RsaKey } from '../crypto/rsa.ts';
import { sha1, sha256 } from '../crypto/sha.ts';
import type { ConsensusFlavor } from './consensus-entry.ts';
import { documentBytes } from './document-lines.ts';
import { formatSignature, type StatusSignature } from './status-document.ts';

/** An authority that signs. */
export interface StatusSigner {
  /** SHA-1 of the identity key, 20 bytes. */
  readonly v3Ident: Uint8Array;
  readonly signingKey: RsaKey;
}

/** spec: dir-spec/consensus-formats (directory-signature): flavour ns signs SHA-1, for the sake of old clients */
export const signedAlgorithm = { ns: 'sha1', microdesc: 'sha256' } as const;

/** @param signed text that ends with `directory-signature` and its space. */
export function signText(
  signed: string,
  algorithm: StatusSignature['algorithm'],
  { v3Ident, signingKey }: StatusSigner,
): StatusSignature {
  const bytes = documentBytes(signed);
  const signature = signingKey.signDigest(algorithm === 'sha1' ? sha1(bytes) : sha256(bytes));
  return { algorithm, v3Ident, signingKeyDigest: signingKey.fingerprint, signature };
}

/** The whole consensus: the signed text and these signatures. */
export function attachSignatures(
  signed: string,
  flavor: ConsensusFlavor,
  signatures: readonly StatusSignature[],
): string {
  // Flavour ns names no algorithm.
  const keyword = flavor === 'ns' ? 'directory-signature' : `directory-signature ${signedAlgorithm[flavor]}`;
  const head = signed.slice(0, -'directory-signature '.length);
  const sorted = [...signatures].sort((a, b) => Buffer.compare(a.v3Ident, b.v3Ident));
  return head + sorted.map(each => formatSignature(keyword, each)).join('');
}

import { fromHex, toHex } from '../base/bytes.ts';
import { type Fault, fail, ok, type Result } from '../base/fault.ts';
import { detachedSignaturesBytesMax } from '../base/limits.ts';
import type { ConsensusFlavor } from './consensus-entry.ts';
import { argumentsOf, type DocumentFault, LineIndex, parseLines } from './document-lines.ts';
import {
  formatSignature,
  formatTimes,
  readSignatures,
  readTimes,
  type StatusSignature,
  type StatusTimes,
} from './status-document.ts';

/** One flavour of a consensus by the digest that is signed, and signatures under it. */
export interface SignedDigest {
  /** SHA-1 of flavour ns, SHA-256 of flavour microdesc. */
  readonly digest: Uint8Array;
  readonly signatures: readonly StatusSignature[];
}

/** Signatures under a consensus, without its text: what authorities exchange. spec: dir-spec/exchanging-detached-signatures */
export interface DetachedSignatures {
  readonly times: StatusTimes;
  readonly signed: Readonly<Record<ConsensusFlavor, SignedDigest>>;
}

export type DetachedSignaturesFault = DocumentFault | Fault<'SIGNATURES_BAD'>;

export function formatDetachedSignatures({ times, signed }: DetachedSignatures): string {
  const { ns, microdesc } = signed;
  return [
    `consensus-digest ${toHex(ns.digest).toUpperCase()}\n`,
    formatTimes(times),
    `additional-digest microdesc sha256 ${toHex(microdesc.digest).toUpperCase()}\n`,
    ...microdesc.signatures.map(each => formatSignature('additional-signature microdesc sha256', each)),
    ...ns.signatures.map(each => formatSignature('directory-signature', each)),
  ].join('');
}

/** Flavours and algorithms that we do not sign are passed over. Verifies nothing. */
export function parseDetachedSignatures(text: string): Result<DetachedSignatures, DetachedSignaturesFault> {
  const lines = parseLines(text, detachedSignaturesBytesMax);
  if (!lines.ok) return lines;
  const bad = (detail: string) => fail('SIGNATURES_BAD', detail);
  const index = new LineIndex(lines.value);
  const times = readTimes(index);
  if (typeof times === 'string') return bad(times);
  const additional = (keyword: string) =>
    index.all(keyword).filter(line => line.rest.startsWith('microdesc sha256 '));
  const nsDigest = fromHex(index.one('consensus-digest')?.rest ?? '');
  const [microdescLine, ...more] = additional('additional-digest');
  const microdescDigest = fromHex(microdescLine === undefined ? '' : argumentsOf(microdescLine)[2]);
  if (nsDigest?.length !== 20 || microdescDigest?.length !== 32 || more.length > 0) return bad('digests');
  const ns = readSignatures(index.all('directory-signature'));
  // Without the flavour's name the line reads as it will stand in the consensus.
  const microdesc = readSignatures(
    additional('additional-signature').map(line => ({ ...line, rest: line.rest.slice('microdesc '.length) })),
  );
  if (ns === undefined || microdesc === undefined) return bad('signatures');
  return ok({
    times,
    signed: {
      ns: { digest: nsDigest, signatures: ns },
      microdesc: { digest: microdescDigest, signatures: microdesc },
    },
  });
}

import { fromBase64, toBase64 } from '../base/bytes.ts';
import { type Fault, fail, ok, type Result } from '../base/fault.ts';
import { sha256 } from '../crypto/sha.ts';
import type { Endpoint } from '../ports.ts';
import {
  argumentsOf,
  type DocumentFault,
  documentBytes,
  formatObject,
  LineIndex,
  parseLines,
} from './document-lines.ts';
import { parseBracketedEndpoint } from './endpoint-text.ts';
import { formatPortPolicy, type PortPolicy, parsePortPolicy } from './port-policy.ts';
import { formatPrice, parsePrice } from './price-line.ts';
import type { RelayPrice } from './relay-info.ts';

/** The part of a descriptor that clients need. spec: dir-spec/computing-microdescriptors */
export interface Microdescriptor {
  /** Curve25519, 32 bytes. */
  readonly ntorKey: Uint8Array;
  readonly ed25519: Uint8Array | undefined;
  readonly ipv6: Endpoint | undefined;
  readonly family: readonly string[];
  /** Families that it has proven to be of. spec: proposal 321 */
  readonly familyIds: readonly string[];
  readonly exitPolicy: PortPolicy | undefined;
  readonly exitPolicyIpv6: PortPolicy | undefined;
  readonly price: RelayPrice | undefined;
  /** SHA-256 of exactly the bytes of `text`. */
  readonly digest: Uint8Array;
  readonly text: string;
}

export type MicrodescriptorFault = DocumentFault | Fault<'MICRODESCRIPTOR_BAD'>;

/** C tor caps nothing here, but a microdescriptor is cut from a descriptor of at most 20,000 bytes. */
const microdescriptorBytesMax = 20_000;
const familyMembersMax = 500;

export interface MicrodescriptorFacts extends Omit<Microdescriptor, 'ipv6' | 'digest' | 'text'> {
  /** RSA-1024, as PKCS #1; undefined: left out, since nobody uses it any more. */
  readonly tapKey: Uint8Array | undefined;
}

/** The order of lines is part of the format, since the digest is over the bytes. */
export function formatMicrodescriptor(facts: MicrodescriptorFacts): string {
  const tapKey = facts.tapKey === undefined ? '' : formatObject('RSA PUBLIC KEY', facts.tapKey);
  const lines = [`ntor-onion-key ${toBase64(facts.ntorKey)}`];
  if (facts.family.length > 0) lines.push(`family ${facts.family.join(' ')}`);
  if (facts.familyIds.length > 0) lines.push(`family-ids ${facts.familyIds.join(' ')}`);
  if (facts.exitPolicy !== undefined) lines.push(`p ${formatPortPolicy(facts.exitPolicy)}`);
  if (facts.exitPolicyIpv6 !== undefined) lines.push(`p6 ${formatPortPolicy(facts.exitPolicyIpv6)}`);
  if (facts.ed25519 !== undefined) lines.push(`id ed25519 ${toBase64(facts.ed25519)}`);
  if (facts.price !== undefined) lines.push(`naulon-price ${formatPrice(facts.price)}`);
  return `onion-key\n${tapKey}${lines.join('\n')}\n`;
}

export function parseMicrodescriptor(text: string): Result<Microdescriptor, MicrodescriptorFault> {
  const lines = parseLines(text, microdescriptorBytesMax);
  if (!lines.ok) return lines;
  const bad = (detail: string) => fail('MICRODESCRIPTOR_BAD', detail);
  const index = new LineIndex(lines.value);
  const [first] = lines.value;
  if (first?.keyword !== 'onion-key' || argumentsOf(first).length > 0)
    return bad('onion-key comes first, and alone');
  if (first.object !== undefined && first.object.label !== 'RSA PUBLIC KEY') return bad('onion-key');
  const repeated = index.repeats([
    'onion-key',
    'ntor-onion-key',
    'p',
    'p6',
    'family',
    'family-ids',
    'naulon-price',
  ]);
  if (repeated !== undefined) return bad(`${repeated} stands twice`);
  const ntorLine = index.one('ntor-onion-key');
  const ntorKey = ntorLine && fromBase64(argumentsOf(ntorLine)[0] ?? '');
  // Nobody can shake hands with a key of zeros.
  if (ntorKey?.length !== 32 || ntorKey.every(byte => byte === 0)) return bad('ntor-onion-key');
  const ed25519 = ed25519Of(index);
  if (ed25519 === null) return bad('id');
  const priceLine = index.one('naulon-price');
  const price = priceLine === undefined ? undefined : parsePrice(priceLine.rest);
  if (priceLine !== undefined && price === undefined) return bad('naulon-price');
  const members = (keyword: string): string[] => {
    const line = index.one(keyword);
    return line === undefined ? [] : argumentsOf(line).slice(0, familyMembersMax);
  };
  const ipv6Line = index.all('a')[0];
  return ok({
    ntorKey,
    ed25519,
    ipv6: ipv6Line === undefined ? undefined : parseBracketedEndpoint(ipv6Line.rest),
    family: members('family'),
    familyIds: members('family-ids'),
    exitPolicy: policyOf(index, 'p'),
    exitPolicyIpv6: policyOf(index, 'p6'),
    price,
    digest: sha256(documentBytes(text)),
    text,
  });
}

/** One that cannot be read refuses all, as none does. */
function policyOf(index: LineIndex, keyword: string): PortPolicy | undefined {
  const line = index.one(keyword);
  return line && parsePortPolicy(line.rest);
}

/** Null: there, but wrong. */
function ed25519Of(index: LineIndex): Uint8Array | undefined | null {
  const lines = index.all('id').map(argumentsOf);
  const named = lines.filter(([kind]) => kind === 'ed25519');
  if (named.length > 1 || lines.some(words => words.length < 2)) return null;
  if (named.length === 0) return undefined;
  const key = fromBase64(named[0][1]);
  return key?.length === 32 ? key : null;
}

/**
 * Cuts the answer to `/tor/micro/d/…` into microdescriptors, which simply follow each other: each starts with
 * `onion-key`. Pieces beyond `countMax` are dropped.
 */
export function splitMicrodescriptors(text: string, countMax: number): string[] {
  const pieces: string[] = [];
  let at = startOf(text, 0);
  while (at >= 0 && pieces.length < countMax) {
    const next = startOf(text, at + 1);
    pieces.push(text.slice(at, next < 0 ? text.length : next));
    at = next;
  }
  return pieces;
}

function startOf(text: string, from: number): number {
  if (from === 0 && text.startsWith('onion-key')) return 0;
  const at = text.indexOf('\nonion-key', Math.max(from - 1, 0));
  return at < 0 ? -1 : at + 1;
}

/**
 * What votes and consensuses have in common: preamble, authorities, a group of lines for each relay, footer with
 * signatures. spec: dir-spec/consensus-formats
 */
import { fromHex, toHex } from '../base/bytes.ts';
import { consensusRelaysMax } from '../base/limits.ts';
import { formatDocumentTime, parseDocumentTime } from './calendar.ts';
import { argumentsOf, type DocumentLine, formatObject, LineIndex } from './document-lines.ts';
import { parseCount, parsePort } from './endpoint-text.ts';
import { formatProtocols, type Protocols, parseProtocols } from './protocols.ts';

/** When a status document holds. */
export interface StatusTimes {
  readonly validAfterMs: number;
  readonly freshUntilMs: number;
  readonly validUntilMs: number;
}

/** When a status document holds, and the rules of the network. */
export interface StatusHead extends StatusTimes {
  /** Seconds for votes, seconds for signatures. */
  readonly votingDelay: readonly [number, number];
  /** Sorted. */
  readonly knownFlags: readonly string[];
  readonly params: ReadonlyMap<string, number>;
  /** Empty where nothing is recommended or required. */
  readonly protocols: Readonly<Record<ProtocolDemand, Protocols>>;
}

/** What nodes should and must speak; each node looks only at its own. In the order in which C tor writes them. */
export const protocolDemands = [
  'recommended-client-protocols',
  'recommended-relay-protocols',
  'required-client-protocols',
  'required-relay-protocols',
] as const;
/** Lines of the head that may be left out, and stand at most once. */
export const headOnceOnly = ['client-versions', 'server-versions', 'params', ...protocolDemands];
export type ProtocolDemand = (typeof protocolDemands)[number];

/** A table over all demands. */
export function eachDemand(of: (demand: ProtocolDemand) => Protocols): StatusHead['protocols'] {
  return Object.fromEntries(protocolDemands.map(demand => [demand, of(demand)])) as StatusHead['protocols'];
}

/** An authority as a status document presents it. */
export interface StatusAuthority {
  readonly nickname: string;
  /** SHA-1 of its identity key, 20 bytes. */
  readonly v3Ident: Uint8Array;
  readonly hostname: string;
  readonly address: string;
  readonly dirPort: number;
  readonly orPort: number;
  readonly contact: string;
}

/** One authority's signature under a status document. */
export interface StatusSignature {
  readonly algorithm: 'sha1' | 'sha256';
  /** SHA-1 of the identity key, 20 bytes. */
  readonly v3Ident: Uint8Array;
  /** SHA-1 of the signing key. */
  readonly signingKeyDigest: Uint8Array;
  readonly signature: Uint8Array;
}

const authoritiesMax = 64;
const signaturesMax = 128;
/** As C tor wants it, in test networks too. */
const votingDelaySecondsMin = 2;

/** All from the first byte through the space behind the first `directory-signature`. */
export function signedText(text: string): string {
  const at = text.indexOf('\ndirectory-signature ');
  return at < 0 ? text : text.slice(0, at + 21);
}

export interface StatusParts {
  readonly preamble: readonly DocumentLine[];
  readonly authorities: readonly (readonly DocumentLine[])[];
  readonly entries: readonly (readonly DocumentLine[])[];
  readonly footer: readonly DocumentLine[];
}

/** Preamble, then authorities (`dir-source`), then routers (`r`), then the footer: each line opens or extends a group. */
export function splitStatusDocument(lines: readonly DocumentLine[]): StatusParts | undefined {
  const groups = { preamble: [] as DocumentLine[], footer: [] as DocumentLine[] };
  const authorities: DocumentLine[][] = [];
  const entries: DocumentLine[][] = [];
  let group = groups.preamble;
  for (const line of lines) {
    if (line.keyword === 'dir-source') {
      if (entries.length > 0 || group === groups.footer || authorities.length === authoritiesMax)
        return undefined;
      authorities.push((group = []));
    } else if (line.keyword === 'r') {
      if (group === groups.footer || entries.length === consensusRelaysMax) return undefined;
      entries.push((group = []));
    } else if (line.keyword === 'directory-footer' || line.keyword === 'directory-signature') {
      group = groups.footer;
    }
    group.push(line);
  }
  return { ...groups, authorities, entries };
}

/** The times, or the keyword of the one that is missing, malformed or not after the one before. */
export function readTimes(index: LineIndex): StatusTimes | string {
  const time = (keyword: string) => parseDocumentTime(index.one(keyword)?.rest ?? '');
  const validAfterMs = time('valid-after');
  const freshUntilMs = time('fresh-until');
  const validUntilMs = time('valid-until');
  if (validAfterMs === undefined) return 'valid-after';
  if (freshUntilMs === undefined || validAfterMs >= freshUntilMs) return 'fresh-until';
  if (validUntilMs === undefined || freshUntilMs >= validUntilMs) return 'valid-until';
  return { validAfterMs, freshUntilMs, validUntilMs };
}

/** The head, or the keyword of the line that is missing or wrong. */
export function readHead(index: LineIndex): StatusHead | string {
  const times = readTimes(index);
  if (typeof times === 'string') return times;
  const delayLine = index.one('voting-delay');
  const delays = delayLine === undefined ? [] : argumentsOf(delayLine).map(parseCount);
  if (delays[0] === undefined || delays[1] === undefined) return 'voting-delay';
  if (Math.min(delays[0], delays[1]) < votingDelaySecondsMin) return 'voting-delay';
  const flagsLine = index.one('known-flags');
  const knownFlags = flagsLine === undefined ? undefined : argumentsOf(flagsLine);
  if (knownFlags === undefined || !ascends(knownFlags)) return 'known-flags';
  const paramsLine = index.all('params')[0];
  const params = paramsLine === undefined ? new Map<string, number>() : readNumbers(paramsLine);
  if (params === undefined || (paramsLine !== undefined && !ascends(argumentsOf(paramsLine))))
    return 'params';
  const protocols = eachDemand(demand => parseProtocols(index.one(demand)?.rest ?? '') ?? new Map());
  return { ...times, votingDelay: [delays[0], delays[1]], knownFlags, params, protocols };
}

export function formatTimes({ validAfterMs, freshUntilMs, validUntilMs }: StatusTimes): string {
  return [
    `valid-after ${formatDocumentTime(validAfterMs)}\n`,
    `fresh-until ${formatDocumentTime(freshUntilMs)}\n`,
    `valid-until ${formatDocumentTime(validUntilMs)}\n`,
  ].join('');
}

export function formatRules({ knownFlags, params, protocols }: StatusHead): string {
  return [
    `known-flags ${knownFlags.join(' ')}\n`,
    ...protocolDemands.map(demand => `${demand} ${formatProtocols(protocols[demand])}\n`),
    params.size === 0 ? '' : `params ${formatNumbers(params)}\n`,
  ].join('');
}

function ascends(words: readonly string[]): boolean {
  return words.every((word, i) => i === 0 || words[i - 1] < word);
}

/** `name=number` pairs; the numbers are signed 32-bit. A Map, since names come from a peer. */
export function readNumbers(line: DocumentLine): Map<string, number> | undefined {
  const numbers = new Map<string, number>();
  for (const pair of argumentsOf(line)) {
    const match = /^([^=]{1,200})=(-?[0-9]{1,10})$/.exec(pair);
    const value = Number(match?.[2]);
    if (match === null || value < -(2 ** 31) || value > 2 ** 31 - 1 || numbers.has(match[1]))
      return undefined;
    numbers.set(match[1], value);
  }
  return numbers;
}

/** Sorted as text, as C tor checks: `p1=0` stands before `p=0`. */
export function formatNumbers(numbers: ReadonlyMap<string, number>): string {
  return [...numbers]
    .map(([name, value]) => `${name}=${value}`)
    .sort()
    .join(' ');
}

export function readAuthority(lines: readonly DocumentLine[]): StatusAuthority | undefined {
  const [nickname, ident, hostname, address, dirPortText, orPortText] = argumentsOf(lines[0]);
  const v3Ident = fromHex(ident ?? '');
  const dirPort = parsePort(dirPortText ?? '');
  const orPort = parsePort(orPortText ?? '');
  if (v3Ident?.length !== 20 || dirPort === undefined || orPort === undefined) return undefined;
  const contact = new LineIndex(lines).one('contact')?.rest ?? '';
  return { nickname, v3Ident, hostname, address, dirPort, orPort, contact };
}

export function formatAuthority(authority: StatusAuthority): string {
  const { nickname, v3Ident, hostname, address, dirPort, orPort, contact } = authority;
  const ident = toHex(v3Ident).toUpperCase();
  const source = `dir-source ${nickname} ${ident} ${hostname} ${address} ${dirPort} ${orPort}`;
  return `${source}\ncontact ${contact === '' ? 'none' : contact}\n`;
}

/** The relays, or the line that is wrong. They are sorted by identity, and an identity stands once. */
export function readRelays<Entry extends { readonly rsaId: Uint8Array }>(
  groups: StatusParts['entries'],
  read: (lines: readonly DocumentLine[]) => Entry | string,
): Entry[] | string {
  const relays: Entry[] = [];
  for (const lines of groups) {
    const entry = read(lines);
    const [nickname = ''] = argumentsOf(lines[0]);
    if (typeof entry === 'string') return `${entry} of router ${nickname}`;
    const last = relays.at(-1);
    if (last !== undefined && Buffer.compare(last.rsaId, entry.rsaId) >= 0)
      return `r of router ${nickname}: routers are sorted by identity`;
    relays.push(entry);
  }
  return relays;
}

/** @param keyword `directory-signature`, with the rest of what stands before the names of keys. */
export function formatSignature(keyword: string, made: StatusSignature): string {
  const names = `${toHex(made.v3Ident).toUpperCase()} ${toHex(made.signingKeyDigest).toUpperCase()}`;
  return `${keyword} ${names}\n${formatObject('SIGNATURE', made.signature)}`;
}

/** Undefined: one of them is malformed, or there are too many. */
export function readSignatures(lines: readonly DocumentLine[]): readonly StatusSignature[] | undefined {
  if (lines.length > signaturesMax) return undefined;
  const signatures: StatusSignature[] = [];
  for (const line of lines) {
    const words = argumentsOf(line);
    const algorithm = words.length >= 3 ? words[0] : 'sha1';
    const [ident, keyDigest] = words.length >= 3 ? words.slice(1) : words;
    const v3Ident = fromHex(ident ?? '');
    const signingKeyDigest = fromHex(keyDigest ?? '');
    if (v3Ident?.length !== 20 || signingKeyDigest?.length !== 20) return undefined;
    if (line.object?.label !== 'SIGNATURE') return undefined;
    // spec: dir-spec/consensus-formats: signatures by algorithms that we do not know are passed over
    if (algorithm !== 'sha1' && algorithm !== 'sha256') continue;
    signatures.push({ algorithm, v3Ident, signingKeyDigest, signature: line.object.bytes });
  }
  return signatures;
}

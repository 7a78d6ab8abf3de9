import { fromBase64, toBase64 } from '../base/bytes.ts';
import { parseIpv4 } from '../base/ip.ts';
import type { Endpoint } from '../ports.ts';
import { formatDocumentTime, parseDocumentTime } from './calendar.ts';
import { argumentsOf, type DocumentLine, LineIndex } from './document-lines.ts';
import { formatEndpoint, parseBracketedEndpoint, parseCount, parsePort } from './endpoint-text.ts';
import { formatPortPolicy, type PortPolicy, parsePortPolicy } from './port-policy.ts';
import { formatPrice, parsePrice } from './price-line.ts';
import { formatProtocols, type Protocols, parseProtocols } from './protocols.ts';
import type { RelayPrice } from './relay-info.ts';

/** `ns` names server descriptors and is read by relays and authorities, `microdesc` names microdescriptors, for clients. */
export type ConsensusFlavor = 'ns' | 'microdesc';

/** One relay in a consensus. spec: dir-spec/consensus-formats (r, a, s, v, pr, w, p, m) */
export interface ConsensusEntry {
  readonly nickname: string;
  readonly rsaId: Uint8Array;
  /** When the descriptor was made; `publishedUnknownMs` in flavour microdesc. */
  readonly publishedMs: number;
  readonly address: Endpoint;
  readonly ipv6: Endpoint | undefined;
  readonly dirPort: number;
  /** SHA-1 of the server descriptor; flavour ns alone. */
  readonly descriptorDigest: Uint8Array | undefined;
  /** SHA-256 of the microdescriptor; flavour microdesc alone. */
  readonly microdescriptorDigest: Uint8Array | undefined;
  readonly flags: ReadonlySet<string>;
  /** `Tor 0.4.9.11`, or what the relay's platform says; may be empty. */
  readonly version: string;
  readonly protocols: Protocols;
  readonly bandwidth: number;
  /** Not measured, but taken from what the relay says. */
  readonly unmeasured: boolean;
  /** Flavour ns alone. */
  readonly exitPolicy: PortPolicy | undefined;
  readonly price: RelayPrice | undefined;
}

/** Stands in flavour microdesc in place of the publication time. spec: dir-spec/consensus-formats (method 33) */
export const publishedUnknownMs = 2_145_916_800_000;

/** The flag of relays on whose Ed25519 identity the authorities do not agree; it follows from their votes. */
export const noEdConsensus = 'NoEdConsensus';

export function formatEntry(entry: ConsensusEntry, flavor: ConsensusFlavor): string {
  const lines = formatRouter(entry, flavor);
  if (flavor === 'microdesc' && entry.microdescriptorDigest !== undefined)
    lines.push(`m ${toBase64(entry.microdescriptorDigest)}`);
  lines.push(`s ${[...entry.flags].sort().join(' ')}`);
  if (entry.version !== '') lines.push(`v ${entry.version}`);
  lines.push(`pr ${formatProtocols(entry.protocols)}`);
  lines.push(`w Bandwidth=${entry.bandwidth}${entry.unmeasured ? ' Unmeasured=1' : ''}`);
  if (flavor === 'ns' && entry.exitPolicy !== undefined)
    lines.push(`p ${formatPortPolicy(entry.exitPolicy)}`);
  if (entry.price !== undefined) lines.push(`naulon-price ${formatPrice(entry.price)}`);
  return `${lines.join('\n')}\n`;
}

/** The lines `r` and `a`. */
export function formatRouter(
  entry: Router & Pick<ConsensusEntry, 'ipv6'>,
  flavor: ConsensusFlavor,
): string[] {
  const id = toBase64(entry.rsaId);
  const digest = flavor === 'ns' ? ` ${toBase64(entry.descriptorDigest ?? new Uint8Array(20))}` : '';
  const published = formatDocumentTime(flavor === 'ns' ? entry.publishedMs : publishedUnknownMs);
  const where = `${entry.address.host} ${entry.address.port} ${entry.dirPort}`;
  const router = `r ${entry.nickname} ${id}${digest} ${published} ${where}`;
  return entry.ipv6 === undefined ? [router] : [router, `a ${formatEndpoint(entry.ipv6)}`];
}

const nicknamePattern = /^[A-Za-z0-9]{1,19}$/;

export function isNickname(text: string): boolean {
  return nicknamePattern.test(text);
}

/** The entry, or what is wrong with it. */
export function readEntry(lines: readonly DocumentLine[], flavor: ConsensusFlavor): ConsensusEntry | string {
  const index = new LineIndex(lines);
  const repeated = index.repeats(['s', 'v', 'pr', 'w', 'p', 'naulon-price']);
  if (repeated !== undefined) return `${repeated} stands twice`;
  const router = readRouter(lines[0], flavor);
  if (router === undefined) return 'r';
  const flagsLine = index.one('s');
  if (flagsLine === undefined) return 's';
  const protocolsLine = index.one('pr');
  const protocols = protocolsLine && parseProtocols(protocolsLine.rest);
  if (protocols === undefined) return 'pr';
  const weight = readWeight(index.one('w'));
  if (weight === undefined) return 'w';
  const policyLine = index.one('p');
  const exitPolicy = policyLine === undefined ? undefined : parsePortPolicy(policyLine.rest);
  if (policyLine !== undefined && exitPolicy === undefined) return 'p';
  const priceLine = index.one('naulon-price');
  const price = priceLine === undefined ? undefined : parsePrice(priceLine.rest);
  if (priceLine !== undefined && price === undefined) return 'naulon-price';
  const digest = microdescriptorDigestOf(index, flavor);
  if (digest === null) return 'm';
  return {
    ...router,
    ipv6: index.all('a').map(line => parseBracketedEndpoint(line.rest))[0],
    microdescriptorDigest: digest,
    flags: new Set(argumentsOf(flagsLine)),
    version: index.one('v')?.rest ?? '',
    protocols,
    ...weight,
    exitPolicy,
    price,
  };
}

function microdescriptorDigestOf(index: LineIndex, flavor: ConsensusFlavor): Uint8Array | undefined | null {
  if (flavor !== 'microdesc') return undefined;
  const digest = fromBase64(index.one('m')?.rest ?? '');
  return digest?.length === 32 ? digest : null;
}

type Router = Pick<
  ConsensusEntry,
  'nickname' | 'rsaId' | 'descriptorDigest' | 'publishedMs' | 'address' | 'dirPort'
>;

/** spec: dir-spec/consensus-formats: the digest stands in flavour ns alone */
function readRouter(line: DocumentLine, flavor: ConsensusFlavor): Router | undefined {
  const words = argumentsOf(line);
  const [nickname, id] = words;
  const digestText = flavor === 'ns' ? words[2] : undefined;
  const [day, time, host, orPortText, dirPortText] = words.slice(flavor === 'ns' ? 3 : 2);
  const rsaId = fromBase64(id ?? '');
  const descriptorDigest = flavor === 'ns' ? fromBase64(digestText ?? '') : undefined;
  const publishedMs = parseDocumentTime(`${day} ${time}`);
  const port = parsePort(orPortText ?? '');
  const dirPort = parsePort(dirPortText ?? '');
  if (!isNickname(nickname ?? '') || rsaId?.length !== 20 || publishedMs === undefined) return undefined;
  if (flavor === 'ns' && descriptorDigest?.length !== 20) return undefined;
  if (parseIpv4(host ?? '') === undefined || port === undefined || port === 0 || dirPort === undefined)
    return undefined;
  return { nickname, rsaId, descriptorDigest, publishedMs, address: { host, port }, dirPort };
}

function readWeight(
  line: DocumentLine | undefined,
): Pick<ConsensusEntry, 'bandwidth' | 'unmeasured'> | undefined {
  if (line === undefined) return { bandwidth: 0, unmeasured: true };
  let bandwidth: number | undefined = 0;
  let unmeasured = false;
  for (const word of argumentsOf(line)) {
    if (word.startsWith('Bandwidth=')) bandwidth = parseCount(word.slice(10));
    if (word === 'Unmeasured=1') unmeasured = true;
  }
  // 32 bits, as everybody else counts it; a sum over all relays then stays exact.
  if (bandwidth === undefined || bandwidth > 0xffffffff) return undefined;
  return { bandwidth, unmeasured };
}

import { toHex } from '../base/bytes.ts';
import { formatIp, parseIpv4 } from '../base/ip.ts';
import {
  allowsAnyPort,
  formatPortPolicy,
  type PortPolicy,
  type PortRange,
  parsePortRange,
} from './port-policy.ts';

/** One `accept` or `reject` line of a server descriptor, over IPv4. spec: dir-spec/server-descriptor-format (exitpattern) */
export interface PolicyRule {
  readonly accept: boolean;
  /** Four bytes and how many leading bits count; undefined: any address. */
  readonly network: { readonly address: Uint8Array; readonly bits: number } | undefined;
  readonly ports: PortRange;
}

const allPorts: PortRange = { low: 1, high: 65535 };

export const acceptEverything: PolicyRule = { accept: true, network: undefined, ports: allPorts };
export const rejectEverything: PolicyRule = { accept: false, network: undefined, ports: allPorts };

/** Reads `accept 10.0.0.0/8:80-443`, and without ports all of them; undefined when it is none. */
export function parsePolicyRule(keyword: string, pattern: string): PolicyRule | undefined {
  const match = /^([0-9.*]{1,15})(?:\/([0-9]{1,2}|[0-9.]{7,15}))?(?::([0-9*-]{1,11}))?$/.exec(pattern.trim());
  if (match === null || (keyword !== 'accept' && keyword !== 'reject')) return undefined;
  const ports = match[3] === undefined || match[3] === '*' ? allPorts : parsePortRange(match[3]);
  if (ports === undefined) return undefined;
  const accept = keyword === 'accept';
  if (match[1] === '*') return match[2] === undefined ? { accept, network: undefined, ports } : undefined;
  const address = parseIpv4(match[1]);
  const bits = bitsOf(match[2]);
  if (address === undefined || bits === undefined) return undefined;
  return { accept, network: bits === 0 ? undefined : { address, bits }, ports };
}

/** A count of bits, or a netmask of leading ones. */
function bitsOf(text: string | undefined): number | undefined {
  if (text === undefined) return 32;
  if (!text.includes('.')) return Number(text) <= 32 ? Number(text) : undefined;
  const mask = parseIpv4(text);
  if (mask === undefined) return undefined;
  const binary = [...mask].map(byte => byte.toString(2).padStart(8, '0')).join('');
  return /^1*0*$/.test(binary) ? binary.lastIndexOf('1') + 1 : undefined;
}

export function formatPolicyRule({ accept, network, ports }: PolicyRule): string {
  const address =
    network === undefined ? '*' : formatIp(network.address) + (network.bits === 32 ? '' : `/${network.bits}`);
  const { low, high } = ports;
  const range = low === 1 && high === 65535 ? '*' : low === high ? `${low}` : `${low}-${high}`;
  return `${accept ? 'accept' : 'reject'} ${address}:${range}`;
}

/** Networks whose rejection says nothing of an exit's use. */
const privateNetworks: readonly (readonly [string, number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
];
const privateKeys = new Set(privateNetworks.map(([host, bits]) => `${toHex(parseIpv4(host)!)}/${bits}`));

/** A port that is rejected for more addresses than two /8 counts as rejected. spec: dir-spec/consensus-formats (p) */
const rejectedAddressesMax = 2 ** 25;
/** Characters of a list of ports with what stands before it. C tor: MAX_EXITPOLICY_SUMMARY_LEN. */
const summaryCharactersMax = 1_000;

/**
 * The ports that an exit reaches at most addresses: what `p` lines say. A port is accepted only by a rule for all
 * addresses. Of `accept` and `reject` the shorter is written; where both are too long, as many accepted ports as there is room for.
 */
export function summarisePolicy(rules: readonly PolicyRule[]): PortPolicy {
  const edges = new Set([1, 65536]);
  for (const { ports } of rules) edges.add(ports.low).add(ports.high + 1);
  const starts = [...edges].sort((a, b) => a - b);
  const accepted: PortRange[] = [];
  const rejected: PortRange[] = [];
  for (let i = 0; i + 1 < starts.length; i++) {
    const range = { low: starts[i], high: starts[i + 1] - 1 };
    appendRange(isAccepted(rules, range.low) ? accepted : rejected, range);
  }
  if (accepted.length === 0) return { kind: 'reject', ranges: [allPorts] };
  const accepts: PortPolicy = { kind: 'accept', ranges: accepted };
  const rejects: PortPolicy = { kind: 'reject', ranges: rejected };
  const [acceptsLength, rejectsLength] = [accepts, rejects].map(policy => formatPortPolicy(policy).length);
  if (Math.min(acceptsLength, rejectsLength) > summaryCharactersMax) return cut(accepts);
  return rejected.length > 0 && rejectsLength < acceptsLength ? rejects : accepts;
}

function cut({ kind, ranges }: PortPolicy): PortPolicy {
  const whole = formatPortPolicy({ kind, ranges });
  const fits = whole.slice(0, whole.lastIndexOf(',', summaryCharactersMax));
  return { kind, ranges: ranges.slice(0, fits.split(',').length) };
}

function isAccepted(rules: readonly PolicyRule[], port: number): boolean {
  let rejectedAddresses = 0;
  for (const rule of rules) {
    if (port < rule.ports.low || port > rule.ports.high) continue;
    if (rule.accept && rule.network === undefined) return rejectedAddresses <= rejectedAddressesMax;
    if (rule.accept || isPrivate(rule)) continue;
    rejectedAddresses += rule.network === undefined ? 2 ** 32 : 2 ** (32 - rule.network.bits);
  }
  return false;
}

function isPrivate({ network }: PolicyRule): boolean {
  return network !== undefined && privateKeys.has(`${toHex(network.address)}/${network.bits}`);
}

function appendRange(ranges: PortRange[], range: PortRange): void {
  const last = ranges.at(-1);
  if (last !== undefined && last.high + 1 === range.low)
    ranges[ranges.length - 1] = { low: last.low, high: range.high };
  else ranges.push(range);
}

/** Whether the rules refuse every destination. */
export function refusesAll(rules: readonly PolicyRule[]): boolean {
  return !rules.some(rule => rule.accept) || !allowsAnyPort(summarisePolicy(rules));
}

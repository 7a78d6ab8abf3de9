import { fail, ok, type Result } from '../src/base/fault.ts';
import { parseIp, parseIpv4 } from '../src/base/ip.ts';
import { type PolicyRule, rejectEverything } from '../src/directory/address-policy.ts';
import { type PortPolicy, type PortRange, parsePortRange } from '../src/directory/port-policy.ts';

/** Which addresses and ports an exit connects to. The first rule that matches decides. */
export class ExitPolicy {
  readonly #rules: readonly ExitRule[];

  constructor(rules: readonly ExitRule[]) {
    this.#rules = rules;
  }

  /** @param ip 4 or 16 bytes. IPv6 addresses that carry an IPv4 address are judged as both. */
  allows(ip: Uint8Array, port: number): boolean {
    if (port < 1 || port > 65_535) return false;
    const carried = carriedIpv4(ip);
    if (carried !== undefined && !this.#accepts(carried, port)) return false;
    return this.#accepts(ip, port);
  }

  /** True when there is an address and a port that it accepts, as far as the rules tell. */
  get exits(): boolean {
    for (const rule of this.#rules) {
      if (rule.accept) return true;
      if (rule.bits === 0 && rule.family === undefined && rule.low <= 1 && rule.high === 65_535) return false;
    }
    return false;
  }

  /** The rules on IPv4 addresses, as a server descriptor states them. spec: dir-spec/server-descriptor-format */
  descriptorRules(): readonly PolicyRule[] {
    const rules: PolicyRule[] = [];
    for (const { accept, family, network, bits, low, high, stated } of this.#rules) {
      if (family === 6 || !stated) continue;
      rules.push({
        accept,
        network: bits === 0 ? undefined : { address: network, bits },
        ports: { low, high },
      });
    }
    return rules.length > 0 ? rules : [rejectEverything];
  }

  /** The ports that are open on public IPv6 addresses; undefined: none. */
  ipv6Ports(): PortPolicy | undefined {
    const ranges: PortRange[] = [];
    let start: number | undefined;
    // The answer changes where a rule begins or ends, and nowhere else.
    const edges = new Set([1, 65_536, ...this.#rules.flatMap(({ low, high }) => [low, high + 1])]);
    for (const port of [...edges].sort((a, b) => a - b)) {
      const open = this.allows(publicIpv6, port);
      if (open) start ??= port;
      else if (start !== undefined) {
        ranges.push({ low: start, high: port - 1 });
        start = undefined;
      }
    }
    return ranges.length === 0 ? undefined : { kind: 'accept', ranges };
  }

  #accepts(ip: Uint8Array, port: number): boolean {
    for (const rule of this.#rules) if (matches(rule, ip, port)) return rule.accept;
    return false;
  }
}

export interface ExitRule {
  readonly accept: boolean;
  /** Undefined: both families. */
  readonly family: 4 | 6 | undefined;
  /** Network address; empty when `bits` is 0. */
  readonly network: Uint8Array;
  readonly bits: number;
  readonly low: number;
  readonly high: number;
  /** False: nobody's business but ours, or clear to everybody. */
  readonly stated: boolean;
}

export interface ExitPolicySettings {
  /** `ExitRelay`; undefined: an exit only if there are ExitPolicy lines. */
  readonly exitRelay: boolean | undefined;
  /** Values of the `ExitPolicy` lines. */
  readonly lines: readonly string[];
  /** `ExitPolicyRejectPrivate`. */
  readonly rejectPrivate: boolean;
  readonly ipv6Exit: boolean;
  /** Never connected to, whatever the lines say: our own addresses, and bitcoind's. */
  readonly never: readonly { readonly ip: Uint8Array; readonly port: number | undefined }[];
}

/** Addresses that reach into somebody's own network: Tor's `private`. */
const privateNetworks = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '[::]/8',
  '[fc00::]/7',
  '[fe80::]/10',
  '[fec0::]/10',
  '[ff00::]/8',
];

/**
 * Shared, benchmark, multicast and reserved ranges, and IPv6 that is translated into IPv4. Refused like the above, but not
 * stated: clients would count them as a large part of the address space, and take us for no exit.
 */
const unroutedNetworks = [
  '100.64.0.0/10',
  '192.0.0.0/24',
  '198.18.0.0/15',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '[64:ff9b::]/96',
  '[2002::]/16',
];

/** C tor's default exit policy: mail, news, Windows file sharing and file swapping ports are refused. */
const defaultLines = [
  'reject *:25',
  'reject *:119',
  'reject *:135-139',
  'reject *:445',
  'reject *:563',
  'reject *:1214',
  'reject *:4661-4666',
  'reject *:6346-6429',
  'reject *:6699',
  'reject *:6881-6999',
  'accept *:*',
];

const publicIpv6 = new Uint8Array(16).fill(0x26, 0, 1);

/** True for an address of `private`, or one that carries such an IPv4 address. @param ip 4 or 16 bytes. */
export function isPrivateAddress(ip: Uint8Array): boolean {
  return !publicOnly.allows(ip, 1);
}

/** A policy that refuses everything: relays that are no exits. */
export const noExit = new ExitPolicy([]);

/** The fault's detail says what is wrong with which line. */
export function makeExitPolicy(settings: ExitPolicySettings): Result<ExitPolicy> {
  const { exitRelay, lines, rejectPrivate, ipv6Exit, never } = settings;
  if (!(exitRelay ?? lines.length > 0)) return ok(noExit);
  const rules: ExitRule[] = never.map(({ ip, port }) => ({
    accept: false,
    family: ip.length === 4 ? 4 : 6,
    network: ip,
    bits: ip.length * 8,
    low: port ?? 1,
    high: port ?? 65_535,
    stated: false,
  }));
  const all = [...(rejectPrivate ? ['reject private:*'] : []), ...(ipv6Exit ? [] : ['reject *6:*'])];
  for (const line of [...all, ...lines.flatMap(line => line.split(',')), ...defaultLines]) {
    const parsed = parseRule(line.trim());
    if (parsed === undefined) return fail('EXIT_POLICY_BAD', `cannot read "${line.trim()}"`);
    rules.push(...parsed);
    // What follows a rule on everything is never reached.
    if (
      parsed.some(
        rule => rule.bits === 0 && rule.family === undefined && rule.low === 1 && rule.high === 65_535,
      )
    )
      break;
  }
  return ok(new ExitPolicy(rules));
}

/** `accept|reject[6] address[/bits][:ports]`; several rules for `private`. */
function parseRule(line: string): readonly ExitRule[] | undefined {
  const match =
    /^(accept|reject)(6?)\s+(\*[46]?|private|\[[^\]]+\]|[0-9.]+)(?:\/([0-9.]+))?(?::(\*|[0-9]+(?:-[0-9]+)?))?$/i.exec(
      line,
    );
  if (match === null) return undefined;
  const accept = match[1].toLowerCase() === 'accept';
  const ports =
    match[5] === undefined || match[5] === '*' ? { low: 1, high: 65_535 } : parsePortRange(match[5]);
  if (ports === undefined) return undefined;
  const address = match[3].toLowerCase();
  const six = match[2] === '6';
  if (address === 'private') {
    const rulesOn = (networks: readonly string[], stated: boolean) =>
      networks.flatMap(text => {
        const network = parseNetwork(text);
        return network === undefined ? [] : [{ accept, ...ports, ...network, stated }];
      });
    return [...rulesOn(privateNetworks, true), ...rulesOn(unroutedNetworks, false)];
  }
  if (address.startsWith('*')) {
    if (match[4] !== undefined) return undefined;
    const family = six || address === '*6' ? 6 : address === '*4' ? 4 : undefined;
    return [{ accept, family, network: new Uint8Array(0), bits: 0, ...ports, stated: true }];
  }
  const network = parseNetwork(match[4] === undefined ? match[3] : `${match[3]}/${match[4]}`);
  if (network === undefined || (six && network.family === 4)) return undefined;
  return [{ accept, ...network, ...ports, stated: true }];
}

function parseNetwork(text: string): Pick<ExitRule, 'family' | 'network' | 'bits'> | undefined {
  const [address, mask] = text.split('/');
  const network = parseIp(address);
  if (network === undefined) return undefined;
  const bits = mask === undefined ? network.length * 8 : mask.includes('.') ? maskBits(mask) : Number(mask);
  if (bits === undefined || !Number.isInteger(bits) || bits < 0 || bits > network.length * 8)
    return undefined;
  return { family: network.length === 4 ? 4 : 6, network, bits };
}

/** The length of a netmask such as 255.255.0.0; undefined when it has holes. */
function maskBits(text: string): number | undefined {
  const mask = parseIpv4(text);
  if (mask === undefined) return undefined;
  const bits = [...mask].map(byte => byte.toString(2).padStart(8, '0')).join('');
  return /^1*0*$/.test(bits) ? bits.replace(/0+$/, '').length : undefined;
}

function matches(rule: ExitRule, ip: Uint8Array, port: number): boolean {
  if (port < rule.low || port > rule.high) return false;
  if (rule.family !== undefined && ip.length !== (rule.family === 4 ? 4 : 16)) return false;
  const whole = rule.bits >> 3;
  for (let i = 0; i < whole; i++) if (rule.network[i] !== ip[i]) return false;
  const rest = rule.bits & 7;
  return rest === 0 || (rule.network[whole] ^ ip[whole]) >> (8 - rest) === 0;
}

/** The IPv4 address within an IPv4-mapped, IPv4-compatible, 6to4 or NAT64 address. */
function carriedIpv4(ip: Uint8Array): Uint8Array | undefined {
  if (ip.length !== 16) return undefined;
  if (ip[0] === 0x20 && ip[1] === 0x02) return ip.subarray(2, 6);
  const nat64 = ip[0] === 0 && ip[1] === 0x64 && ip[2] === 0xff && ip[3] === 0x9b;
  const zeros = (from: number, to: number): boolean => ip.subarray(from, to).every(byte => byte === 0);
  if (nat64 && zeros(4, 12)) return ip.subarray(12);
  const mapped = zeros(0, 10) && ip[10] === 0xff && ip[11] === 0xff;
  // :: and ::1 carry nothing: they are the unspecified address and this machine's own.
  const compatible = zeros(0, 12) && !zeros(12, 15);
  return mapped || compatible ? ip.subarray(12) : undefined;
}

const publicOnly = new ExitPolicy([
  ...(parseRule('reject private:*') ?? []),
  ...(parseRule('accept *:*') ?? []),
]);

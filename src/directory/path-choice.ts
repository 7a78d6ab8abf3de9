import { toHex } from '../base/bytes.ts';
import { type Fault, fail, ok, type Result } from '../base/fault.ts';
import { parseIp } from '../base/ip.ts';
import { exitsPerPathMax, hopsMax } from '../base/limits.ts';
import type { Entropy } from '../ports.ts';
import { type PathPosition, relayWeight } from './bandwidth-weights.ts';
import type { NetworkView } from './network-view.ts';
import { allowsAnyPort, allowsPort } from './port-policy.ts';
import type { RelayInfo } from './relay-info.ts';
import { chooseWeighted } from './weighted-choice.ts';

/** What a path must be good for. spec: path-spec/path-selection-constraints */
export interface PathWish {
  readonly view: NetworkView;
  /** 1: a single hop, which is the exit where `exitTo` is given. */
  readonly hops: number;
  /** Where the exit must be willing to connect to: a name or an IP literal, and a port. */
  readonly exitTo?: { readonly host: string; readonly port: number };
  /** Relays that must not be the exit: hex of RSA identities. */
  readonly notExits?: ReadonlySet<string>;
  /** First hops to choose among, best first, as a GuardSet holds them; the first that fits is taken. Absent: any guard. */
  readonly guards?: readonly Uint8Array[];
  /** Relays that must stand at these hops (by index); the rest is chosen around them. */
  readonly fixed?: ReadonlyMap<number, RelayInfo>;
  readonly accepts?: (relay: RelayInfo) => boolean;
  /** No two relays within one IPv4 /16 or IPv6 /32. torrc EnforceDistinctSubnets; false in labs. */
  readonly distinctSubnets: boolean;
  readonly entropy: Entropy;
}

export type PathFault = Fault<
  'PATH_BAD_WISH' | 'PATH_NO_EXIT' | 'PATH_NO_GUARD' | 'PATH_NO_MIDDLE' | 'PATH_CONFLICT'
>;

/**
 * Chooses relays, first hop first: the exit before the guard before the middles, since exits are the scarcest. An exit
 * that no guard or middle goes with is left for another one. No relay stands twice, nor beside one of its family. Where no
 * relay has a flag that a place asks for, the place stays empty: a fault.
 */
export function choosePath(wish: PathWish): Result<RelayInfo[], PathFault> {
  const { hops, exitTo } = wish;
  if (!Number.isInteger(hops) || hops < 1 || hops > hopsMax) return fail('PATH_BAD_WISH', `${hops} hops`);
  const path = new Array<RelayInfo | undefined>(hops).fill(undefined);
  for (const [hop, relay] of wish.fixed ?? []) {
    if (hop < 0 || hop >= hops) return fail('PATH_BAD_WISH', `no hop ${hop}`);
    if (path.includes(relay)) return fail('PATH_CONFLICT', 'a relay twice');
    path[hop] = relay;
  }
  const last = hops - 1;
  const asked = path[last];
  if (exitTo === undefined) return fill(wish, path);
  if (asked !== undefined)
    return exitAllows(asked, exitTo)
      ? fill(wish, path)
      : fail('PATH_NO_EXIT', 'the relay asked for refuses that destination');
  const notExits = new Set(wish.notExits);
  let none: Result<RelayInfo[], PathFault> = fail('PATH_NO_EXIT');
  for (let tries = 0; tries < exitsPerPathMax; tries++) {
    const exit = chooseHop({ ...wish, notExits }, 'exit', path);
    if (exit === undefined) break;
    const filled = fill(wish, path.with(last, exit));
    if (filled.ok) return filled;
    none = filled;
    notExits.add(toHex(exit.rsaId));
  }
  return none;
}

/** Chooses for the places that are empty, the last before the first before those between. */
function fill(wish: PathWish, given: readonly (RelayInfo | undefined)[]): Result<RelayInfo[], PathFault> {
  const path = [...given];
  for (const hop of new Set([path.length - 1, 0, ...path.keys()])) {
    if (path[hop] !== undefined) continue;
    const position = hop === 0 && wish.hops > 1 ? 'guard' : 'middle';
    const chosen = chooseHop(wish, position, path);
    if (chosen === undefined) return fail(noneAt[position]);
    path[hop] = chosen;
  }
  return ok(path as RelayInfo[]);
}

const noneAt = { guard: 'PATH_NO_GUARD', middle: 'PATH_NO_MIDDLE' } as const;

function chooseHop(
  wish: PathWish,
  position: PathPosition,
  path: readonly (RelayInfo | undefined)[],
): RelayInfo | undefined {
  const taken = path.filter(relay => relay !== undefined);
  const fits = (relay: RelayInfo): boolean =>
    (wish.accepts?.(relay) ?? true) &&
    isUsable(relay, position, wish) &&
    taken.every(other => mayShareCircuit(relay, other, wish.distinctSubnets));
  if (position === 'guard' && wish.guards !== undefined) {
    for (const id of wish.guards) {
      const relay = wish.view.relayById(id);
      if (relay !== undefined && fits(relay)) return relay;
    }
    return undefined;
  }
  const candidates = preferred(wish.view.relays.filter(fits), isLongLived(wish.exitTo));
  const weigh = (relay: RelayInfo): number => relayWeight(relay, position, wish.view.bandwidthWeights);
  return chooseWeighted(candidates, weigh, wish.entropy);
}

/**
 * Those that are fast, and stable where a stream is to live long; where there are none, all, as C tor has it.
 * spec: path-spec/path-selection-constraints
 */
function preferred(candidates: readonly RelayInfo[], longLived: boolean): readonly RelayInfo[] {
  const good = candidates.filter(({ flags }) => flags.has('Fast') && (!longLived || flags.has('Stable')));
  return good.length > 0 ? good : candidates;
}

/** C tor's LongLivedPorts: logins and chats, which suffer when one relay of the circuit goes. */
const longLivedPorts: ReadonlySet<number> = new Set([
  21, 22, 706, 1863, 5050, 5190, 5222, 5223, 6523, 6667, 6697, 8300,
]);

/** True for a stream whose circuit is to be of stable relays. */
export function isLongLived(to: { readonly port: number } | undefined): boolean {
  return to !== undefined && longLivedPorts.has(to.port);
}

/** Running and Valid are implied by being listed. spec: path-spec/path-selection-constraints */
function isUsable(relay: RelayInfo, position: PathPosition, wish: PathWish): boolean {
  if (relay.flags.has('BadExit') && position === 'exit') return false;
  if (position === 'exit' && wish.notExits?.has(toHex(relay.rsaId))) return false;
  if (position === 'exit') return wish.exitTo !== undefined && exitAllows(relay, wish.exitTo);
  if (position === 'guard') return isGuardCandidate(relay);
  return true;
}

export function isGuardCandidate(relay: RelayInfo): boolean {
  return relay.flags.has('Guard') && relay.flags.has('V2Dir');
}

/** A name may resolve to either family, and exits are asked for IPv4 first. */
export function exitAllows(relay: RelayInfo, to: { readonly host: string; readonly port: number }): boolean {
  const ipv6 = parseIp(to.host)?.length === 16;
  const policy = ipv6 ? relay.exitPolicyIpv6 : relay.exitPolicy;
  // Port 0 stands for RESOLVE: any exit can look names up.
  return to.port === 0 ? allowsAnyPort(policy) : allowsPort(policy, to.port);
}

export function mayShareCircuit(a: RelayInfo, b: RelayInfo, distinctSubnets: boolean): boolean {
  if (toHex(a.rsaId) === toHex(b.rsaId)) return false;
  return !sameFamily(a, b) && !(distinctSubnets && sameSubnet(a, b));
}

/** A relay as its operator knows it. `family`: what its MyFamily names. */
export type OwnRelay = Pick<RelayInfo, 'nickname' | 'rsaId' | 'address' | 'ipv6' | 'family'>;

/** True for a relay that whoever runs `own` must not send own traffic through: itself, and whose operator is the same. */
export function isOwnKin(own: OwnRelay, relay: RelayInfo, distinctSubnets: boolean): boolean {
  if (toHex(own.rsaId) === toHex(relay.rsaId) || names(own, relay)) return true;
  return distinctSubnets && sameSubnet(own, relay);
}

function sameSubnet(a: Pick<RelayInfo, 'address' | 'ipv6'>, b: Pick<RelayInfo, 'address' | 'ipv6'>): boolean {
  if (prefixOf(a.address.host, 2) === prefixOf(b.address.host, 2)) return true;
  return (
    a.ipv6 !== undefined && b.ipv6 !== undefined && prefixOf(a.ipv6.host, 4) === prefixOf(b.ipv6.host, 4)
  );
}

function prefixOf(host: string, bytes: number): string {
  const ip = parseIp(host);
  return ip === undefined ? host : toHex(ip.subarray(0, bytes));
}

/** Relays are of one family when each names the other, or both have proven to be of it. spec: path-spec/path-selection-constraints */
function sameFamily(a: RelayInfo, b: RelayInfo): boolean {
  return (names(a, b) && names(b, a)) || a.familyIds.some(id => b.familyIds.includes(id));
}

function names(a: Pick<RelayInfo, 'family'>, b: Pick<RelayInfo, 'nickname' | 'rsaId'>): boolean {
  const id = toHex(b.rsaId).toUpperCase();
  const nickname = b.nickname.toLowerCase();
  return a.family.some(member => {
    const fingerprint = /^\$?([0-9A-Fa-f]{40})/.exec(member);
    return fingerprint === null ? member.toLowerCase() === nickname : fingerprint[1].toUpperCase() === id;
  });
}

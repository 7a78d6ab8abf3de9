import { toHex } from '../base/bytes.ts';
import type { Endpoint } from '../ports.ts';
import { type PolicyRule, refusesAll, summarisePolicy } from './address-policy.ts';
import { isNickname } from './consensus-entry.ts';
import { type ConsensusMethod, pricedMethod } from './consensus-method.ts';
import { formatMicrodescriptor } from './microdescriptor.ts';
import { allowsAnyPort, type PortPolicy } from './port-policy.ts';
import type { Protocols } from './protocols.ts';
import type { RelayPrice } from './relay-info.ts';

/** Bytes per second. */
export interface DescriptorBandwidth {
  readonly rate: number;
  readonly burst: number;
  /** What the relay has seen itself carry. */
  readonly observed: number;
}

/** What a relay says of itself, besides its keys. spec: dir-spec/server-descriptor-format */
export interface DescriptorFacts {
  readonly nickname: string;
  /** IPv4 address and OR port. */
  readonly address: Endpoint;
  readonly ipv6: Endpoint | undefined;
  /** 0: none. */
  readonly dirPort: number;
  /** `naulon 0.1.0 on Node`. */
  readonly platform: string;
  readonly protocols: Protocols;
  readonly publishedMs: number;
  readonly uptimeSeconds: number;
  readonly bandwidth: DescriptorBandwidth;
  /** First match counts; IPv4. */
  readonly exitPolicy: readonly PolicyRule[];
  readonly ipv6Policy: PortPolicy | undefined;
  readonly family: readonly string[];
  readonly contact: string | undefined;
  /** Answers BEGIN_DIR. */
  readonly servesDirectory: boolean;
  readonly hibernating: boolean;
  readonly price: RelayPrice | undefined;
}

/** A descriptor whose signatures were verified. */
export interface ServerDescriptor extends DescriptorFacts {
  readonly rsaId: Uint8Array;
  readonly ed25519: Uint8Array;
  /** Families whose keys have signed that it is one of theirs: `ed25519:` and the key in base64, sorted. */
  readonly familyIds: readonly string[];
  readonly ntorKey: Uint8Array;
  /** RSA-1024, as PKCS #1; undefined: it has none. */
  readonly tapKey: Uint8Array | undefined;
  /** SHA-1 through `router-signature`, 20 bytes. */
  readonly digest: Uint8Array;
  readonly text: string;
}

/** What naulon's own relays implement. FlowCtrl=2 with Relay=4: C tor asks exits for congestion control, by ntor-v3. */
export const relayProtocolsText =
  'Cons=2 Desc=2 DirCache=2 FlowCtrl=1-2 Link=3-5 LinkAuth=3 Microdesc=2 Relay=2,4';

/** Added by a relay that asks a price: clients look for it where authorities do not pass it on. */
export const paidProtocol = { name: 'Pay', version: 1 } as const;

/**
 * The microdescriptor that every authority makes of this descriptor for a consensus by that method. Undefined: none can
 * be made. spec: dir-spec/computing-microdescriptors
 */
export function microdescriptorOf(descriptor: ServerDescriptor, method: ConsensusMethod): string | undefined {
  const { rsaId, ntorKey, tapKey, ed25519, family, familyIds, exitPolicy, ipv6Policy, price } = descriptor;
  const priced = method === pricedMethod;
  if (!priced && tapKey === undefined) return undefined;
  const exits = !refusesAll(exitPolicy);
  return formatMicrodescriptor({
    ntorKey,
    tapKey: priced ? undefined : tapKey,
    ed25519,
    family: family.length === 0 ? [] : canonicalFamily(family, rsaId),
    familyIds,
    exitPolicy: exits ? summarisePolicy(exitPolicy) : undefined,
    exitPolicyIpv6: ipv6Policy !== undefined && allowsAnyPort(ipv6Policy) ? ipv6Policy : undefined,
    price: priced ? price : undefined,
  });
}

/**
 * The relay and its family, sorted, each named in one way: `$` and hex in upper case, or a nickname in lower case.
 * spec: dir-spec/computing-microdescriptors (canonicalizing family lines)
 */
function canonicalFamily(family: readonly string[], self: Uint8Array): string[] {
  const members = family.map(member => {
    const hex = /^\$?([0-9a-f]{40})(?:[=~][a-z0-9]{1,19})?$/i.exec(member)?.[1];
    if (hex !== undefined) return `$${hex.toUpperCase()}`;
    return isNickname(member) ? member.toLowerCase() : member;
  });
  return [...new Set([`$${toHex(self).toUpperCase()}`, ...members])].sort();
}

/** No version is longer; what a relay says of itself fills no vote. */
const versionCharactersMax = 128;

/** What consensus entries say as `v`: `Tor 0.4.9.11` of `Tor 0.4.9.11 on Linux`. */
export function versionOf(platform: string): string {
  return platform.split(' ').slice(0, 2).join(' ').slice(0, versionCharactersMax);
}

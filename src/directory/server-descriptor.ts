import type { Endpoint } from '../ports.ts';
import { type PolicyRule, refusesAll, summarisePolicy } from './address-policy.ts';
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
  readonly ntorKey: Uint8Array;
  /** SHA-1 through `router-signature`, 20 bytes. */
  readonly digest: Uint8Array;
  readonly text: string;
}

/** What naulon's own relays implement: plain ntor and fixed windows, so no C tor asks for more. */
export const relayProtocolsText =
  'Cons=2 Desc=2 DirCache=2 FlowCtrl=1 Link=3-5 LinkAuth=3 Microdesc=2 Relay=2';

/** Added by a relay that asks a price: clients look for it where authorities do not pass it on. */
export const paidProtocol = { name: 'Pay', version: 1 } as const;

/** The microdescriptor that every authority makes of this descriptor. spec: dir-spec/computing-microdescriptors */
export function microdescriptorOf(descriptor: ServerDescriptor): string {
  const { ntorKey, ed25519, ipv6, family, exitPolicy, ipv6Policy, price } = descriptor;
  const exits = !refusesAll(exitPolicy);
  return formatMicrodescriptor({
    ntorKey,
    ed25519,
    ipv6,
    family,
    exitPolicy: exits ? summarisePolicy(exitPolicy) : undefined,
    exitPolicyIpv6: ipv6Policy !== undefined && allowsAnyPort(ipv6Policy) ? ipv6Policy : undefined,
    price,
  });
}

/** What consensus entries say as `v`: `Tor 0.4.9.11` of `Tor 0.4.9.11 on Linux`. */
export function versionOf(platform: string): string {
  return platform.split(' ').slice(0, 2).join(' ');
}

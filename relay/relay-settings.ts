import { relayQueueBytesMax } from '../src/base/limits.ts';
import type { DirectoryAuthority } from '../src/directory/directory-authority.ts';
import type { LinkProtocol } from '../src/link/link-faults.ts';
import type { Endpoint } from '../src/ports.ts';
import { type ExitPolicy, noExit } from './exit-policy.ts';

/** What a relay's configuration comes down to; torrc and pay.yaml are read in config.ts. */
export interface RelaySettings {
  readonly nickname: string;
  /** IPv4 address and OR port by which others reach us. */
  readonly address: Endpoint;
  readonly ipv6: Endpoint | undefined;
  readonly contact: string | undefined;
  /** Fingerprints and names, as MyFamily lists them. */
  readonly family: readonly string[];
  readonly authorities: readonly DirectoryAuthority[];
  readonly linkProtocols: readonly LinkProtocol[];
  readonly exitPolicy: ExitPolicy;
  /** Circuits may be extended to private addresses: labs. torrc ExtendAllowPrivateAddresses */
  readonly extendPrivate: boolean;
  /** Whether descriptors are uploaded. torrc PublishServerDescriptor */
  readonly publishes: boolean;
  /** Bytes per second over all links, in each direction; from `unlimitedRate` on nothing is counted. torrc BandwidthRate */
  readonly bandwidthRate: number;
  /** Bytes. torrc BandwidthBurst */
  readonly bandwidthBurst: number;
  /** Links with private addresses are limited too. torrc CountPrivateBandwidth */
  readonly countsPrivate: boolean;
  /** `naulon 0.1.0 on Node` */
  readonly platform: string;
  /** Millisatoshi for 2^20 cells; 0: free. */
  readonly priceMsatPer2Pow20: bigint;
  /** Bytes that may wait in queues over all links. torrc MaxMemInQueues */
  readonly queueBytesMax: number;
  /** What the operator says of denial-of-service defences, by the names of torrc; the consensus says the rest. */
  readonly dos: ReadonlyMap<string, number>;
  readonly directoryRetryMs: readonly [first: number, longest: number];
  /** Who stands behind the payments that it takes, to whom it passes on what clients ask; undefined: nobody does. */
  readonly broker: Endpoint | undefined;
}

/** C tor's default of BandwidthRate and BandwidthBurst: more than a relay carries. */
export const unlimitedRate = 2 ** 30;

/** What a relay does when its configuration says nothing: it is free, and no exit. */
export const defaultRelaySettings: Omit<RelaySettings, 'nickname' | 'address' | 'authorities'> = {
  ipv6: undefined,
  contact: undefined,
  family: [],
  linkProtocols: [3, 4, 5],
  exitPolicy: noExit,
  extendPrivate: false,
  publishes: true,
  platform: 'naulon 0 on Node',
  bandwidthRate: unlimitedRate,
  bandwidthBurst: unlimitedRate,
  countsPrivate: false,
  priceMsatPer2Pow20: 0n,
  queueBytesMax: relayQueueBytesMax,
  dos: new Map(),
  directoryRetryMs: [1_000, 60_000],
  broker: undefined,
};

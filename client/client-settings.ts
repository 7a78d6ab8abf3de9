import type { DirectoryAuthority } from '../src/directory/directory-authority.ts';
import type { OwnRelay } from '../src/directory/path-choice.ts';
import type { LinkProtocol } from '../src/link/link-faults.ts';
import type { Endpoint } from '../src/ports.ts';
import type { PoolSettings } from './circuit-pool.ts';

/** What a client's configuration comes down to; torrc and pay.yaml are read in config.ts. */
export interface ClientSettings {
  readonly authorities: readonly DirectoryAuthority[];
  readonly linkProtocols: readonly LinkProtocol[];
  /** Hops of a circuit for streams. */
  readonly hops: number;
  /** No two relays of a circuit within one /16. torrc EnforceDistinctSubnets */
  readonly distinctSubnets: boolean;
  /** Guards sampled. */
  readonly guards: number;
  /** The relay that runs in the same process, if one does. */
  readonly ownRelay?: OwnRelay | undefined;
  readonly directoryRetryMs: readonly [first: number, longest: number];
  readonly pool: PoolSettings;
  readonly internal: InternalAddresses;
  readonly payment: PaymentSettings;
}

/** What is done with addresses of somebody's own network; anything but in labs they are refused. */
export interface InternalAddresses {
  /** Exits are asked to connect there. torrc ClientRejectInternalAddresses 0 */
  readonly asked: boolean;
  /** Exits are believed that a name leads there. torrc ClientDNSRejectInternalAddresses 0 */
  readonly believed: boolean;
}

export interface PaymentSettings {
  /** Schemes to pay by, by name or a module's path, the preferred one first; empty: only free relays are used. */
  readonly schemes: readonly string[];
  /** Cells that one payment buys. */
  readonly window: number | 'auto';
  /** The highest price worth paying, msat for 2^20 cells. */
  readonly priceMsatMax: bigint | undefined;
  /** What a channel may lock up at one hop, msat. */
  readonly channelMsat: bigint;
  /** Spending limits in msat; undefined: none. */
  readonly circuitMsatMax: bigint | undefined;
  readonly relayMsatMax: bigint | undefined;
  readonly dayMsatMax: bigint | undefined;
  /** The broker whose parties are asked through circuits; undefined: they are asked directly, or there are none. */
  readonly askedThroughCircuits: BrokerContact | undefined;
}

/** Where the broker is asked, and the key that it signs with. */
export interface BrokerContact {
  readonly address: Endpoint;
  readonly key: Uint8Array;
}

export const defaultPoolSettings: PoolSettings = {
  dirtinessMsMax: 600_000,
  cleanMsMax: 1_800_000,
  buildMsMax: 60_000,
  closeMsMax: 5_000,
  preemptive: 1,
  waitMsMax: 120_000,
  exitsMax: 3,
  buildsMax: 8,
  careMs: 1_000,
};

/** A GiB of traffic at 100,000 sat/GiB, the price that labs use. */
export const defaultChannelMsat = 100_000_000n;

/** What a client does when its configuration says nothing: it pays nobody and uses free relays. */
export const defaultClientSettings: Omit<ClientSettings, 'authorities'> = {
  linkProtocols: [3, 4, 5],
  hops: 3,
  distinctSubnets: true,
  guards: 20,
  directoryRetryMs: [1_000, 60_000],
  pool: defaultPoolSettings,
  internal: { asked: false, believed: false },
  payment: {
    schemes: [],
    window: 'auto',
    priceMsatMax: undefined,
    channelMsat: defaultChannelMsat,
    circuitMsatMax: undefined,
    relayMsatMax: undefined,
    dayMsatMax: undefined,
    askedThroughCircuits: undefined,
  },
};

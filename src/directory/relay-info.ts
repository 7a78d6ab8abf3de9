import type { Endpoint } from '../ports.ts';
import type { PortPolicy } from './port-policy.ts';
import type { Protocols } from './protocols.ts';

/** What a relay asks for being used: msat for 2^20 cells, and the payment schemes it takes. Price 0: free. */
export interface RelayPrice {
  readonly priceMsatPer2Pow20: bigint;
  readonly paySchemes: readonly number[];
}

/** A relay as a client sees it: its consensus entry joined with its microdescriptor. */
export interface RelayInfo extends RelayPrice {
  readonly nickname: string;
  /** SHA-1 of the RSA identity key, 20 bytes. */
  readonly rsaId: Uint8Array;
  /** 32 bytes. */
  readonly ed25519: Uint8Array;
  /** Curve25519 onion key, 32 bytes. */
  readonly ntorKey: Uint8Array;
  /** OR port over IPv4. */
  readonly address: Endpoint;
  readonly ipv6: Endpoint | undefined;
  /** 0: none. */
  readonly dirPort: number;
  readonly flags: ReadonlySet<string>;
  /** Consensus weight: kB/s as measured, or as the relay says. */
  readonly bandwidth: number;
  readonly exitPolicy: PortPolicy;
  readonly exitPolicyIpv6: PortPolicy;
  readonly version: string;
  readonly protocols: Protocols;
  /** Fingerprints (hex, upper case) and names that the relay calls its family. */
  readonly family: readonly string[];
  /** Families that it has proven to be of; relays of one are kin, whatever `family` says. */
  readonly familyIds: readonly string[];
  /** SHA-256 of the microdescriptor, 32 bytes. */
  readonly microdescriptorDigest: Uint8Array;
}

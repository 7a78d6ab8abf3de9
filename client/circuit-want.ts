import type { HopTarget } from '../src/circuit/extend.ts';
import type { DirectoryAuthority } from '../src/directory/directory-authority.ts';
import type { RelayInfo } from '../src/directory/relay-info.ts';

/** What a circuit is for. */
export type CircuitPurpose =
  /** Any stream, as far as isolation allows. */
  | 'general'
  /** One hop, for directory documents. */
  | 'directory'
  /** Questions to one party of payments; no stream goes there. */
  | 'asks'
  /** Bound to whoever asked for it by path, length or terms; nobody else's streams go there. */
  | 'fixed';

/** How a circuit pays, where it differs from pay.yaml. */
export interface CircuitTerms {
  /** Cells that one payment buys. */
  readonly window?: number | 'auto';
  /** Millisatoshi that the circuit may cost at most, over all hops. */
  readonly maxSpendMsat?: bigint;
}

/** A hop as the client plans it. */
export interface PlannedHop extends HopTarget {
  /** Undefined for an authority before the first consensus: torrc names it by its RSA identity alone. */
  readonly relay: RelayInfo | undefined;
}

export interface CircuitWant {
  readonly purpose: CircuitPurpose;
  readonly path: readonly PlannedHop[];
  readonly terms: CircuitTerms;
  /** Its relays were chosen for streams that live long. */
  readonly longLived?: boolean;
}

/** Where a stream goes, for the choice of an exit; port 0 stands for RESOLVE. */
export interface ExitGoal {
  readonly host: string;
  readonly port: number;
}

export function hopOfRelay(relay: RelayInfo): PlannedHop {
  const { nickname, rsaId, ed25519, ntorKey, address } = relay;
  return { nickname, rsaId, ed25519, ntorKey, address, relay };
}

/** A hop for CREATE_FAST, which needs no onion key. */
export function hopOfAuthority(authority: DirectoryAuthority): PlannedHop {
  const { nickname, rsaId, orAddress } = authority;
  const unknown = new Uint8Array(32);
  return { nickname, rsaId, ed25519: unknown, ntorKey: unknown, address: orAddress, relay: undefined };
}

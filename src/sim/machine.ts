import type { Endpoint, ResolvedAddress } from '../ports.ts';
import type { Carrier, ConnectionEnd } from './sim-connection.ts';

/** Takes a connection that arrives at a port; says who uses it, before the first news of it. */
export type Acceptor = (end: ConnectionEnd, from: Endpoint) => void;

/** What the link and stream ports of a node need of the machine they run on. */
export interface Machine extends Carrier {
  /** How long looking a name up takes. */
  readonly resolveUs: number;
  newEnd(): ConnectionEnd;
  listen(port: number, acceptor: Acceptor): void;
  /** Opens a connection; `end` hears 'opened' or 'closed'. @param roundTrips until it is up: 1 for TCP, 2 with TLS. */
  connect(end: ConnectionEnd, to: Endpoint, roundTrips: number): void;
  lookUp(name: string): readonly ResolvedAddress[];
}

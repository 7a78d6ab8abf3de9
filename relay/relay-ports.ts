import type {
  ChainPort,
  Clock,
  ComputePort,
  Entropy,
  LinkPort,
  Observer,
  PartyPort,
  StorePort,
  StreamPort,
} from '../src/ports.ts';

/** All that a relay needs of the world. */
export interface RelayPorts {
  readonly links: LinkPort;
  readonly streams: StreamPort;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly store: StorePort;
  readonly chain: ChainPort;
  readonly parties: PartyPort;
  readonly observer: Observer;
  /** Absent: the core does all by itself. */
  readonly compute?: ComputePort;
}

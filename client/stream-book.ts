import type { Clock } from '../src/ports.ts';
import type { CircuitPool, PoolSettings } from './circuit-pool.ts';
import type { InternalAddresses } from './client-settings.ts';
import type { RequestedStream, StreamHost, StreamStep } from './requested-stream.ts';

/** The streams that programs asked for, from the wish to the end, and what they all need. */
export class StreamBook implements StreamHost {
  readonly pool: CircuitPool;
  readonly clock: Clock;
  readonly internal: InternalAddresses;
  /** torrc __LeaveStreamsUnattached */
  leavesUnattached = false;
  /** Hosts that controllers have mapped to others, in lower case: programs that ask for the first are led to the second. */
  readonly mapped = new Map<string, string>();
  readonly #tell: (stream: RequestedStream, step: StreamStep) => void;
  readonly #streams = new Map<number, RequestedStream>();
  #lastId = 0;

  constructor(
    pool: CircuitPool,
    clock: Clock,
    internal: InternalAddresses,
    tell: (stream: RequestedStream, step: StreamStep) => void = () => {},
  ) {
    this.pool = pool;
    this.clock = clock;
    this.internal = internal;
    this.#tell = tell;
  }

  get patience(): Pick<PoolSettings, 'waitMsMax' | 'exitsMax'> {
    return this.pool.settings;
  }

  get streams(): Iterable<RequestedStream> {
    return this.#streams.values();
  }

  get(id: number): RequestedStream | undefined {
    return this.#streams.get(id);
  }

  newId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }

  onStep(stream: RequestedStream, step: StreamStep): void {
    if (step.kind === 'new') this.#streams.set(stream.id, stream);
    if (step.kind === 'closed') this.#streams.delete(stream.id);
    this.#tell(stream, step);
  }
}

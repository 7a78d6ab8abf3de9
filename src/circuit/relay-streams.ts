import { assert } from '../base/assert.ts';
import type { Fault } from '../base/fault.ts';
import { cellsPerRunMax, freeSignalsMax, streamBurstCells, streamsPerCircuitMax } from '../base/limits.ts';
import { endReason, endUnpaid, relayCommand } from '../cell/commands.ts';
import {
  decodeBegin,
  decodeEnd,
  decodeResolve,
  encodeEnd,
  encodeResolved,
  type ResolvedMessage,
} from '../cell/relay-messages.ts';
import { DirectoryStream } from '../stream/directory-stream.ts';
import { ExitStream } from '../stream/exit-stream.ts';
import type { RelayStream, RelayStreamCircuit } from '../stream/relay-stream.ts';
import type { Fare } from './fares.ts';
import { HalfClosedStreams } from './half-closed.ts';
import type { RelayCircuitHost } from './relay-circuit-host.ts';

/** What the streams of a circuit, as a whole, ask of it. */
export interface StreamsCircuit extends RelayStreamCircuit {
  /** True once exits may be used. */
  readonly paid: boolean;
  /** A cell towards the client, for which there need be no stream. */
  originate(command: number, streamId: number, body: Uint8Array, fare: Fare): void;
}

/**
 * The streams of one circuit at one relay: whether one may be opened, where its cells go, and whose turn it is when the
 * circuit's window opens. Most circuits of a relay that is no exit have none, so that what holds them is made when it is needed.
 */
export class RelayStreams<Circuit extends StreamsCircuit> {
  readonly #circuit: Circuit;
  readonly #host: RelayCircuitHost<Circuit>;
  #open: Map<number, RelayStream> | undefined;
  #half: HalfClosedStreams;
  /** In turn. No Set: it would leave a table behind with every few turns (as in `link/cell-scheduler`). */
  #waiting: RelayStream[] | undefined;
  /** RESOLVEs that wait for an answer count as streams. */
  #resolving: Set<number> | undefined;
  /** XOFF and XON cells of directory streams, which cost nothing. */
  #freeSignals = 0;

  constructor(circuit: Circuit, host: RelayCircuitHost<Circuit>) {
    this.#circuit = circuit;
    this.#host = host;
    this.#half = new HalfClosedStreams(circuit.flow);
  }

  /** True for an id that the client may not open a stream with now. */
  taken(id: number): boolean {
    return this.#open?.has(id) || this.#resolving?.has(id) || false;
  }

  /** Those that wait to be resolved too. */
  get size(): number {
    return (this.#open?.size ?? 0) + (this.#resolving?.size ?? 0);
  }

  get full(): boolean {
    return this.size >= streamsPerCircuitMax;
  }

  get(id: number): RelayStream | undefined {
    return this.#open?.get(id);
  }

  /** Exit or directory, for a stream that is open or half closed. */
  kindOf(id: number): RelayStream['kind'] | undefined {
    return this.#open?.get(id)?.kind ?? this.#half.kindOf(id);
  }

  add(stream: RelayStream): void {
    assert(!this.taken(stream.id), 'the stream id is free');
    this.#half.forget(stream.id);
    this.#open ??= new Map();
    this.#open.set(stream.id, stream);
  }

  // What opens a stream; for an id in use it is dropped

  onBegin(id: number, body: Uint8Array): void {
    if (this.taken(id)) return;
    const message = decodeBegin(body);
    if (message === undefined) this.#refuse(id, endReason.torProtocol, 'any');
    else if (this.#admits(id)) {
      const stream = new ExitStream(id, this.#circuit, this.#host);
      this.add(stream);
      this.#host.beginExit(this.#circuit, stream, message);
    }
  }

  onBeginDir(id: number): void {
    if (this.taken(id)) return;
    const service = this.full ? undefined : this.#host.directory(this.#circuit);
    if (service === undefined) {
      this.#refuse(id, endReason.notDirectory, 'none');
      return;
    }
    const stream = new DirectoryStream(id, this.#circuit, service);
    this.add(stream);
    stream.open();
  }

  onResolve(id: number, body: Uint8Array): void {
    if (this.taken(id) || !this.#admits(id)) return;
    this.#half.forget(id);
    this.#resolving ??= new Set();
    this.#resolving.add(id);
    const name = decodeResolve(body);
    if (name === undefined) this.onResolved(id, { addresses: [], error: 'permanent' });
    else this.#host.resolve(this.#circuit, id, name);
  }

  /** The answer to a RESOLVE, unless the question was given up. */
  onResolved(id: number, answer: ResolvedMessage): void {
    if (this.#resolving?.delete(id))
      this.#circuit.originate(relayCommand.resolved, id, encodeResolved(answer), 'any');
  }

  /** What goes outside must have been paid for, and is limited; otherwise the stream is refused. */
  #admits(id: number): boolean {
    const reason = !this.#circuit.paid ? endUnpaid : this.full ? endReason.resourceLimit : undefined;
    if (reason !== undefined) this.#refuse(id, reason, 'any');
    return reason === undefined;
  }

  #refuse(id: number, reason: number, fare: Fare): void {
    this.#circuit.originate(relayCommand.end, id, encodeEnd({ reason }), fare);
  }

  // Those that are open

  release(stream: RelayStream, half: boolean): void {
    const place = this.#waiting?.indexOf(stream) ?? -1;
    if (place >= 0) this.#waiting?.splice(place, 1);
    if (this.#open?.get(stream.id) !== stream) return;
    this.#open.delete(stream.id);
    if (half) this.#half.add(stream);
  }

  wait(stream: RelayStream): void {
    this.#waiting ??= [];
    if (!this.#waiting.includes(stream)) this.#waiting.push(stream);
  }

  /** Lets the waiting streams send, a burst each in turn, while `allowed()`; one that waits alone keeps nobody from his. */
  pump(allowed: () => boolean): void {
    const waiting = this.#waiting;
    while (waiting !== undefined && waiting.length > 0 && allowed()) {
      const stream = waiting.shift()!;
      const burst = waiting.length === 0 ? cellsPerRunMax : streamBurstCells;
      if (stream.pump(burst) && this.#open?.get(stream.id) === stream) this.wait(stream);
    }
  }

  /** DATA, END, SENDME, XOFF and XON of a stream, open or not; several cells only of full DATA. A fault ends the circuit. */
  onCell(id: number, command: number, body: Uint8Array, cells: number): Fault | undefined {
    const stream = this.#open?.get(id);
    if (command === relayCommand.end) {
      if (decodeEnd(body) === undefined) return { code: 'END_WITHOUT_REASON' };
      this.#resolving?.delete(id);
      if (stream !== undefined) {
        this.release(stream, false);
        stream.onEnd();
        return undefined;
      }
    }
    const signals = command === relayCommand.xoff || command === relayCommand.xon;
    if (signals && this.kindOf(id) === 'directory' && ++this.#freeSignals > freeSignalsMax)
      return { code: 'XON_UNEXPECTED' };
    if (stream === undefined) return this.#half.onCell(id, command);
    return command === relayCommand.data ? stream.onData(body, cells) : stream.onFlow(command, body);
  }

  /** The circuit is gone. */
  abandon(): void {
    const streams = [...(this.#open?.values() ?? [])];
    this.#open?.clear();
    this.#waiting?.splice(0);
    this.#resolving?.clear();
    for (const stream of streams) stream.abandon();
  }
}

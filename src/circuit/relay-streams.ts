import { assert } from '../base/assert.ts';
import type { Fault } from '../base/fault.ts';
import { cellsPerRunMax, freeSignalsMax, streamBurstCells, streamsPerCircuitMax } from '../base/limits.ts';
import { relayCommand } from '../cell/commands.ts';
import { decodeEnd } from '../cell/relay-messages.ts';
import type { CircuitFlow } from '../flow/flow-control.ts';
import type { RelayStream } from '../stream/relay-stream.ts';
import { HalfClosedStreams } from './half-closed.ts';

/**
 * The streams of one circuit at one relay, and whose turn it is when the circuit's window opens. Most circuits of a relay
 * that is no exit have none, so that what holds them is made when it is needed.
 */
export class RelayStreams {
  #open: Map<number, RelayStream> | undefined;
  #half: HalfClosedStreams;
  /** In turn. No Set: it would leave a table behind with every few turns (as in `link/cell-scheduler`). */
  #waiting: RelayStream[] | undefined;
  /** RESOLVEs that wait for an answer count as streams. */
  #resolving: Set<number> | undefined;
  /** XOFF and XON cells of directory streams, which cost nothing. */
  #freeSignals = 0;

  constructor(flow: CircuitFlow) {
    this.#half = new HalfClosedStreams(flow);
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

  addResolving(id: number): void {
    this.#half.forget(id);
    this.#resolving ??= new Set();
    this.#resolving.add(id);
  }

  /** False: the question was given up. */
  removeResolving(id: number): boolean {
    return this.#resolving?.delete(id) ?? false;
  }

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

import { endedStreamCellsMax, endedStreamsMax, streamsPerCircuitMax } from '../base/limits.ts';
import { relayCommand } from '../cell/commands.ts';
import type { ClientStream } from '../stream/client-stream.ts';

/** A stream that we ended; what is under way on it is tolerated, within its window. */
interface EndedStream {
  readonly stream: ClientStream;
  /** DATA cells that may still come, and others. */
  dataLeft: number;
  othersLeft: number;
}

const idMax = 65_535;

/**
 * The streams of one circuit by their ids, those that we ended among them until the far side has ended them too, or
 * so many have ended since that nothing of them can be under way.
 */
export class StreamTable {
  #open = new Map<number, ClientStream>();
  #ended = new Map<number, EndedStream>();
  #lastId = 0;

  get size(): number {
    return this.#open.size;
  }

  /** An id that neither side uses; undefined when there are too many streams. */
  freeId(): number | undefined {
    if (this.#open.size >= streamsPerCircuitMax) return undefined;
    for (let tried = 0; tried < idMax; tried++) {
      this.#lastId = (this.#lastId % idMax) + 1;
      if (!this.#open.has(this.#lastId) && !this.#ended.has(this.#lastId)) return this.#lastId;
    }
    return undefined;
  }

  add(stream: ClientStream): void {
    this.#open.set(stream.id, stream);
  }

  /** The stream that has or had this id at that hop. */
  known(id: number, hop: number): ClientStream | undefined {
    const stream = this.#open.get(id) ?? this.#ended.get(id)?.stream;
    return stream?.hop === hop ? stream : undefined;
  }

  /** False: it was not open. `lingers`: the far side may still send on it. */
  remove(stream: ClientStream, lingers: boolean): boolean {
    if (this.#open.get(stream.id) !== stream) return false;
    this.#open.delete(stream.id);
    if (lingers) this.#keepEnded(stream);
    return true;
  }

  /** A cell of a stream that is not open. `idle`: it cannot have been under way when we ended the stream. */
  onLateCell(id: number | undefined, command: number): 'idle' | undefined {
    const ended = id === undefined ? undefined : this.#ended.get(id);
    if (id === undefined || ended === undefined) return 'idle';
    if (command === relayCommand.end || command === relayCommand.resolved) this.#ended.delete(id);
    const left = command === relayCommand.data ? ended.dataLeft-- : ended.othersLeft--;
    return left > 0 ? undefined : 'idle';
  }

  /** All open streams; the table is empty then. */
  clear(): ClientStream[] {
    const streams = [...this.#open.values()];
    this.#open.clear();
    this.#ended.clear();
    return streams;
  }

  #keepEnded(stream: ClientStream): void {
    const { receiveWindow } = stream;
    this.#ended.set(stream.id, { stream, dataLeft: receiveWindow, othersLeft: endedStreamCellsMax });
    if (this.#ended.size <= endedStreamsMax) return;
    const [oldest] = this.#ended.keys();
    this.#ended.delete(oldest);
  }
}

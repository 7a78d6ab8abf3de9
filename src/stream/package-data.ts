import { relayBodyBytesMax } from '../base/limits.ts';
import type { StreamSender } from '../flow/flow-control.ts';

/** A circuit, for streams that send DATA. All of it is harmless once the circuit is gone. */
export interface DataSender<Stream> {
  /** DATA cells of the stream that may go out at once; 0 when the circuit is over, its window closed, or its link behind. */
  dataRoom(stream: Stream): number;
  /** A DATA cell with bytes[at .. at + length). */
  sendData(stream: Stream, bytes: Uint8Array, at: number, length: number): void;
  /** As many full ones as `dataRoom` allows, with bytes[at .. at + count * 498). */
  sendFullData(stream: Stream, bytes: Uint8Array, at: number, count: number): void;
}

/** Sends bytes[at ..] as DATA, at most `cells` cells of it, as far as stream and circuit allow. Returns how far it came. */
export function packageData<Stream>(
  stream: Stream,
  sender: StreamSender,
  circuit: DataSender<Stream>,
  bytes: Uint8Array,
  at: number,
  cells: number,
): number {
  while (at < bytes.length && sender.open) {
    const room = Math.min(cells, circuit.dataRoom(stream));
    if (room <= 0) break;
    const most = Math.min(room, Math.floor((bytes.length - at) / relayBodyBytesMax));
    if (most > 1) {
      let count = 0;
      for (; count < most && sender.open; count++) sender.package(relayBodyBytesMax);
      circuit.sendFullData(stream, bytes, at, count);
      at += count * relayBodyBytesMax;
      cells -= count;
      continue;
    }
    const length = Math.min(relayBodyBytesMax, bytes.length - at);
    sender.package(length);
    circuit.sendData(stream, bytes, at, length);
    at += length;
    cells -= 1;
  }
  return at;
}

import { relayBodyBytesMax } from '../base/limits.ts';
import type { StreamSender } from '../flow/flow-control.ts';
import type { RelayStream, RelayStreamCircuit } from './relay-stream.ts';

/** Sends bytes[at ..] as DATA, at most `cells` cells of it, as far as stream and circuit allow. Returns how far it came. */
export function packageData(
  stream: RelayStream,
  sender: StreamSender,
  circuit: RelayStreamCircuit,
  bytes: Uint8Array,
  at: number,
  cells: number,
): number {
  while (at < bytes.length && sender.open) {
    const most = Math.min(cells, circuit.dataRoom, Math.floor((bytes.length - at) / relayBodyBytesMax));
    if (most > 1) {
      let count = 0;
      for (; count < most && sender.open; count++) sender.package(relayBodyBytesMax);
      circuit.sendFullData(stream, bytes, at, count);
      at += count * relayBodyBytesMax;
      cells -= count;
      continue;
    }
    if (cells === 0 || circuit.dataRoom === 0) break;
    const length = Math.min(relayBodyBytesMax, bytes.length - at);
    sender.package(length);
    circuit.sendData(stream, bytes, at, length);
    at += length;
    cells -= 1;
  }
  return at;
}

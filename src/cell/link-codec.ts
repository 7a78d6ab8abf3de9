import { assert } from '../base/assert.ts';
import type { Fault } from '../base/fault.ts';
import { variableCellBytesMax } from '../base/limits.ts';
import { cellCommand, isVariableCommand } from './commands.ts';

/** Bytes of a fixed cell's payload, in every link protocol. */
export const cellPayloadBytes = 509;

/** Bytes of a circuit id: 2 up to link protocol 3, 4 from then on. */
export type CircuitIdBytes = 2 | 4;

/** Takes cells as the codec finds them. `bytes` may be changed in place and is valid during the call alone. */
export interface CellHandler {
  /** The payload is bytes[at .. at + 509). */
  onFixed(circuit: number, command: number, bytes: Uint8Array, at: number): void;
  /** `cell` is the whole cell with its header, as the link handshake digests it. */
  onVariable(circuit: number, command: number, payload: Uint8Array, cell: Uint8Array): void;
}

/**
 * Cuts the bytes of one link into cells. Cells are handed on where they lie; only a cell that a read cut in two is
 * put together in a buffer of its own.
 *
 *     fixed:    id (2 or 4) | command (1) | payload (509)
 *     variable: id (2 or 4) | command (1) | length (2) | payload (length)
 *
 * spec: tor-spec/cell-packet-format
 */
export class LinkCodec {
  #idBytes: CircuitIdBytes = 2;
  #kept = new Uint8Array(1_024);
  #keptLength = 0;
  #stopped = false;

  get circuitIdBytes(): CircuitIdBytes {
    return this.#idBytes;
  }

  /** The version that VERSIONS agreed on; counts from the next cell on, also within the same read. */
  useProtocol(protocol: 3 | 4 | 5): void {
    this.#idBytes = protocol === 3 ? 2 : 4;
  }

  /** Nothing more is handed on: the link has been closed, perhaps by the handler of an earlier cell of this read. */
  stop(): void {
    this.#stopped = true;
  }

  /** Hands on every cell that `bytes` completes. A fault means that the link cannot go on. */
  push(bytes: Uint8Array, handler: CellHandler): Fault<'CELL_TOO_LONG'> | undefined {
    let at = 0;
    while (this.#keptLength > 0 && !this.#stopped) {
      const need = this.#bytesNeeded(this.#kept, 0, this.#keptLength);
      if (need > cellBytesMax) return tooLong;
      if (need <= this.#keptLength) {
        this.#keptLength = 0;
        this.#deliver(this.#kept, 0, need, handler);
        break;
      }
      const take = Math.min(need - this.#keptLength, bytes.length - at);
      this.#keep(bytes, at, take);
      at += take;
      if (this.#keptLength < need) return undefined;
    }
    while (at < bytes.length && !this.#stopped) {
      const need = this.#bytesNeeded(bytes, at, bytes.length - at);
      if (need > cellBytesMax) return tooLong;
      if (need > bytes.length - at) {
        this.#keep(bytes, at, bytes.length - at);
        return undefined;
      }
      this.#deliver(bytes, at, need, handler);
      at += need;
    }
    return undefined;
  }

  /** Length of the cell at `at`, or how much of its header must be there to know it. */
  #bytesNeeded(bytes: Uint8Array, at: number, have: number): number {
    const head = this.#idBytes + 1;
    if (have < head) return head;
    if (!isVariableCommand(bytes[at + head - 1])) return head + cellPayloadBytes;
    if (have < head + 2) return head + 2;
    return head + 2 + ((bytes[at + head] << 8) | bytes[at + head + 1]);
  }

  #deliver(bytes: Uint8Array, at: number, length: number, handler: CellHandler): void {
    const idBytes = this.#idBytes;
    const circuit = readCircuitId(bytes, at, idBytes);
    const command = bytes[at + idBytes];
    if (isVariableCommand(command)) {
      const payload = bytes.subarray(at + idBytes + 3, at + length);
      handler.onVariable(circuit, command, payload, bytes.subarray(at, at + length));
    } else {
      handler.onFixed(circuit, command, bytes, at + idBytes + 1);
    }
  }

  #keep(bytes: Uint8Array, at: number, length: number): void {
    if (this.#keptLength + length > this.#kept.length) {
      const larger = new Uint8Array(cellBytesMax);
      larger.set(this.#kept.subarray(0, this.#keptLength));
      this.#kept = larger;
    }
    this.#kept.set(bytes.subarray(at, at + length), this.#keptLength);
    this.#keptLength += length;
  }
}

const cellBytesMax = 4 + 1 + 2 + variableCellBytesMax;
const tooLong = { code: 'CELL_TOO_LONG' } as const;

function readCircuitId(bytes: Uint8Array, at: number, idBytes: CircuitIdBytes): number {
  const low = (bytes[at] << 8) | bytes[at + 1];
  return idBytes === 2 ? low : low * 65_536 + ((bytes[at + 2] << 8) | bytes[at + 3]);
}

function writeCircuitId(into: Uint8Array, at: number, idBytes: CircuitIdBytes, circuit: number): void {
  if (idBytes === 4) {
    into[at++] = circuit >>> 24;
    into[at++] = (circuit >>> 16) & 0xff;
  }
  into[at++] = (circuit >>> 8) & 0xff;
  into[at] = circuit & 0xff;
}

/** Bytes of a fixed cell with ids of that width: 512 or 514. */
export function fixedCellBytes(idBytes: CircuitIdBytes): number {
  return idBytes + 1 + cellPayloadBytes;
}

/** Writes a fixed cell at `offset`, its payload copied from payload[at .. at + 509). Returns the offset behind it. */
export function encodeFixed(
  into: Uint8Array,
  offset: number,
  idBytes: CircuitIdBytes,
  circuit: number,
  command: number,
  payload: Uint8Array,
  at: number,
): number {
  writeCircuitId(into, offset, idBytes, circuit);
  into[offset + idBytes] = command;
  const start = offset + idBytes + 1;
  into.set(payload.subarray(at, at + cellPayloadBytes), start);
  return start + cellPayloadBytes;
}

/** A whole variable-length cell. */
export function encodeVariable(
  idBytes: CircuitIdBytes,
  circuit: number,
  command: number,
  payload: Uint8Array,
): Uint8Array {
  assert(isVariableCommand(command) && payload.length <= variableCellBytesMax, 'a variable-length cell');
  const cell = new Uint8Array(idBytes + 3 + payload.length);
  writeCircuitId(cell, 0, idBytes, circuit);
  cell[idBytes] = command;
  cell[idBytes + 1] = payload.length >>> 8;
  cell[idBytes + 2] = payload.length & 0xff;
  cell.set(payload, idBytes + 3);
  return cell;
}

/** VERSIONS goes out before a version is agreed, so its id always has 2 bytes. spec: tor-spec/negotiating-channels */
export function encodeVersionsCell(payload: Uint8Array): Uint8Array {
  return encodeVariable(2, 0, cellCommand.versions, payload);
}

import { assert } from '../base/assert.ts';
import type { Fault } from '../base/fault.ts';
import { cellsPerRunMax, variableCellBytesMax } from '../base/limits.ts';
import { cellMemory, kernels, readArea, writeArea } from '../crypto/kernels/cell-memory.ts';
import { countSame } from '../crypto/kernels/cell-runs.ts';
import { cellCommand, isVariableCommand } from './commands.ts';

/** Bytes of a fixed cell's payload, in every link protocol. */
export const cellPayloadBytes = 509;

/** Bytes of a circuit id: 2 up to link protocol 3, 4 from then on. */
export type CircuitIdBytes = 2 | 4;

/** Takes cells as the codec finds them. `bytes` may be changed in place and is valid during the call alone. */
export interface CellHandler {
  /** The payload is bytes[at .. at + 509). */
  onFixed(circuit: number, command: number, bytes: Uint8Array, at: number): void;
  /** RELAY cells of one circuit that came one behind the other; their payloads lie `stride` bytes apart. */
  onRun(circuit: number, bytes: Uint8Array, at: number, stride: number, count: number): void;
  /** `cell` is the whole cell with its header, as the link handshake digests it. */
  onVariable(circuit: number, command: number, payload: Uint8Array, cell: Uint8Array): void;
}

/**
 * Cuts the bytes of one link into cells, in the cell memory, where they are handed on. RELAY cells of one circuit that follow
 * each other are handed on as a run.
 *
 *     fixed:    id (2 or 4) | command (1) | payload (509)
 *     variable: id (2 or 4) | command (1) | length (2) | payload (length)
 *
 * spec: tor-spec/cell-packet-format
 */
export class LinkCodec {
  #idBytes: CircuitIdBytes = 2;
  #kept: Uint8Array = nothing;
  #keptLength = 0;
  /** Bytes without which what is kept is no cell. */
  #wanted = 0;
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
    if (this.#keptLength + bytes.length < this.#wanted) {
      this.#append(bytes);
      return undefined;
    }
    // Whoever listens to what a core writes reads cells while the core reads its own.
    if (readAreaBusy) return this.#pushIn(new Uint8Array(readArea.bytes), 0, bytes, handler);
    readAreaBusy = true;
    try {
      return this.#pushIn(cellMemory, readArea.at, bytes, handler);
    } finally {
      readAreaBusy = false;
    }
  }

  /** Cuts in memory[start ..], as long as the read area. */
  #pushIn(
    memory: Uint8Array,
    start: number,
    bytes: Uint8Array,
    handler: CellHandler,
  ): Fault<'CELL_TOO_LONG'> | undefined {
    for (let from = 0; from < bytes.length && !this.#stopped; ) {
      const take = Math.min(bytes.length - from, readArea.bytes - this.#keptLength);
      memory.set(this.#kept.subarray(0, this.#keptLength), start);
      memory.set(bytes.subarray(from, from + take), start + this.#keptLength);
      const fault = this.#cut(memory, start, start + this.#keptLength + take, handler);
      if (fault !== undefined) return fault;
      from += take;
    }
    return undefined;
  }

  /** Hands on the cells in memory[at .. end), and keeps what is left of them. */
  #cut(
    memory: Uint8Array,
    at: number,
    end: number,
    handler: CellHandler,
  ): Fault<'CELL_TOO_LONG'> | undefined {
    this.#wanted = 0;
    while (at < end && !this.#stopped) {
      const need = this.#bytesNeeded(memory, at, end - at);
      if (need > cellBytesMax) return tooLong;
      if (need > end - at) {
        this.#wanted = need;
        break;
      }
      at += this.#deliver(memory, at, end, need, handler);
    }
    if (!this.#stopped) this.#keep(memory, at, end - at);
    return undefined;
  }

  /** Length of the cell at `at`, or how much of its header must be there to know it. */
  #bytesNeeded(memory: Uint8Array, at: number, have: number): number {
    const head = this.#idBytes + 1;
    if (have < head) return head;
    if (!isVariableCommand(memory[at + head - 1])) return head + cellPayloadBytes;
    if (have < head + 2) return head + 2;
    return head + 2 + ((memory[at + head] << 8) | memory[at + head + 1]);
  }

  /** Hands on the cell at `at`, and those that make a run with it. Returns how many bytes they are. */
  #deliver(memory: Uint8Array, at: number, end: number, length: number, handler: CellHandler): number {
    const idBytes = this.#idBytes;
    const circuit = readCircuitId(memory, at, idBytes);
    const command = memory[at + idBytes];
    if (isVariableCommand(command)) {
      const payload = memory.subarray(at + idBytes + 3, at + length);
      handler.onVariable(circuit, command, payload, memory.subarray(at, at + length));
      return length;
    }
    if (command !== cellCommand.relay) {
      handler.onFixed(circuit, command, memory, at + idBytes + 1);
      return length;
    }
    const most = Math.min(Math.floor((end - at) / length), cellsPerRunMax);
    const count = countSame(memory, at + idBytes + 1, length, most, idBytes + 1);
    handler.onRun(circuit, memory, at + idBytes + 1, length, count);
    return count * length;
  }

  #keep(memory: Uint8Array, at: number, length: number): void {
    this.#keptLength = 0;
    // The room for a long cell, which only handshakes have, is not kept for the life of the link.
    if (this.#kept.length > keptBytes) this.#kept = nothing;
    this.#append(memory.subarray(at, at + length));
  }

  /** A cell that comes in many pieces is copied once, however small these are. */
  #append(bytes: Uint8Array): void {
    const length = this.#keptLength + bytes.length;
    if (length > this.#kept.length) {
      const before = this.#kept;
      this.#kept = new Uint8Array(length > keptBytes ? cellBytesMax : keptBytes);
      this.#kept.set(before.subarray(0, this.#keptLength));
    }
    this.#kept.set(bytes, this.#keptLength);
    this.#keptLength = length;
  }
}

let readAreaBusy = false;

const nothing = new Uint8Array(0);
/** The longest fixed cell. */
const keptBytes = 514;

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

/**
 * The RELAY cells of a run as they go over a link, their payloads copied from bytes[at], `stride` bytes apart. A view that
 * the next call overwrites.
 */
export function encodeRun(
  idBytes: CircuitIdBytes,
  circuit: number,
  bytes: Uint8Array,
  at: number,
  stride: number,
  count: number,
): Uint8Array {
  assert(count <= cellsPerRunMax, 'a run fits the write area');
  const cellBytes = fixedCellBytes(idBytes);
  const into = cellMemory.subarray(writeArea.at, writeArea.at + count * cellBytes);
  if (bytes === cellMemory) {
    // Little-endian words, as the memory has them, of a head that is big-endian.
    const first = idBytes === 2 ? swapped16(circuit) | (cellCommand.relay << 16) : swapped32(circuit);
    kernels.moveCells(at, stride, count, writeArea.at, cellBytes, idBytes + 1, first, cellCommand.relay);
    return into;
  }
  let offset = 0;
  for (let cell = 0; cell < count; cell++, at += stride)
    offset = encodeFixed(into, offset, idBytes, circuit, cellCommand.relay, bytes, at);
  return into;
}

function swapped16(value: number): number {
  return (value >>> 8) | ((value & 0xff) << 8);
}

function swapped32(value: number): number {
  return swapped16(value >>> 16) | (swapped16(value & 0xffff) << 16);
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

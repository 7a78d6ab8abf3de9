import { cellMemory, digestArea, kernels, streamArea } from './cell-memory.ts';

/**
 * What is done to a run of cells: `count` payloads of 509 bytes, the first at bytes[at], the next `stride` bytes on. Runs in
 * the cell memory are treated by kernels, runs elsewhere byte by byte, with the same result.
 */

const payloadBytes = 509;
/** Offset and length of the fields in a payload. spec: tor-spec/relay-cells */
const recognisedAt = 1;
const digestAt = 5;
const digestBytes = 4;

/** Exclusive-ors stream[from ..] into the run, 509 bytes a cell. */
export function xorRun(
  bytes: Uint8Array,
  at: number,
  stride: number,
  count: number,
  stream: Uint8Array,
  from: number,
): void {
  if (bytes === cellMemory) {
    cellMemory.set(stream.subarray(from, from + count * payloadBytes), streamArea.at);
    kernels.xorCells(at, stride, count, streamArea.at);
    return;
  }
  for (let cell = 0; cell < count; cell++, at += stride)
    for (let i = at; i < at + payloadBytes; ) bytes[i++] ^= stream[from++];
}

/** The run's payloads, close together, with their digest fields zero. A view that the next call overwrites. */
export function gatherForDigest(bytes: Uint8Array, at: number, stride: number, count: number): Uint8Array {
  if (bytes === cellMemory) {
    kernels.gatherForDigest(at, stride, count, digestArea.at);
    return cellMemory.subarray(digestArea.at, digestArea.at + count * payloadBytes);
  }
  const gathered = new Uint8Array(count * payloadBytes);
  for (let cell = 0; cell < count; cell++, at += stride) {
    const to = cell * payloadBytes;
    gathered.set(bytes.subarray(at, at + payloadBytes), to);
    gathered.fill(0, to + digestAt, to + digestAt + digestBytes);
  }
  return gathered;
}

/** How many cells, from the first on, have the same `headBytes` before their payloads. */
export function countSame(
  bytes: Uint8Array,
  at: number,
  stride: number,
  count: number,
  headBytes: number,
): number {
  if (bytes === cellMemory) return kernels.countSame(at, stride, count, headBytes);
  const head = at - headBytes;
  let same = 1;
  for (let other = head + stride; same < count; same++, other += stride)
    for (let i = 0; i < headBytes; i++) if (bytes[head + i] !== bytes[other + i]) return same;
  return same;
}

/** How many cells, from the first on, are surely for another hop: their recognised field is not zero. */
export function countForeign(bytes: Uint8Array, at: number, stride: number, count: number): number {
  if (bytes === cellMemory) return kernels.countForeign(at, stride, count);
  let foreign = 0;
  for (; foreign < count && isForeign(bytes, at); foreign++) at += stride;
  return foreign;
}

/** How many cells, from the first on, may be for this hop. */
export function countOwn(bytes: Uint8Array, at: number, stride: number, count: number): number {
  let own = 0;
  for (; own < count && !isForeign(bytes, at); own++) at += stride;
  return own;
}

function isForeign(bytes: Uint8Array, at: number): boolean {
  return (bytes[at + recognisedAt] | bytes[at + recognisedAt + 1]) !== 0;
}

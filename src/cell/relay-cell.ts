import { assert } from '../base/assert.ts';
import { concatBytes } from '../base/bytes.ts';
import { cellsPerRunMax, relayBodyBytesMax } from '../base/limits.ts';
import { bodyArea, cellMemory, dataArea, kernels, packArea } from '../crypto/kernels/cell-memory.ts';
import type { Entropy } from '../ports.ts';
import { relayCommand } from './commands.ts';
import { cellPayloadBytes } from './link-codec.ts';

/**
 * A relay cell's header, read and written where it lies: the payload is bytes[at .. at + 509).
 *
 *     command (1) | recognised (2) | stream id (2) | digest (4) | length (2) | body (length) | padding
 *
 * spec: tor-spec/relay-cells
 */
export const relayHeaderBytes = 11;
export const digestOffset = 5;

export function relayCommandOf(bytes: Uint8Array, at: number): number {
  return bytes[at];
}

/** 0 in a cell for this hop, whose digest then decides. */
export function recognisedOf(bytes: Uint8Array, at: number): number {
  return (bytes[at + 1] << 8) | bytes[at + 2];
}

export function streamIdOf(bytes: Uint8Array, at: number): number {
  return (bytes[at + 3] << 8) | bytes[at + 4];
}

/** The four bytes of digest as one number. */
export function digestOf(bytes: Uint8Array, at: number): number {
  return readDigest(bytes, at + digestOffset);
}

export function setDigest(bytes: Uint8Array, at: number, digest: number): void {
  const start = at + digestOffset;
  bytes[start] = digest >>> 24;
  bytes[start + 1] = (digest >>> 16) & 0xff;
  bytes[start + 2] = (digest >>> 8) & 0xff;
  bytes[start + 3] = digest & 0xff;
}

/** The first four bytes of a digest, as digestOf tells them. */
export function readDigest(digest: Uint8Array, at = 0): number {
  return ((digest[at] << 24) | (digest[at + 1] << 16) | (digest[at + 2] << 8) | digest[at + 3]) >>> 0;
}

/** Length of the body as the cell claims it; larger than relayBodyBytesMax only from a peer that breaks the rules. */
export function bodyLengthOf(bytes: Uint8Array, at: number): number {
  return (bytes[at + 9] << 8) | bytes[at + 10];
}

/** A view of the body, or undefined when its length is impossible. */
export function bodyOf(bytes: Uint8Array, at: number): Uint8Array | undefined {
  const length = bodyLengthOf(bytes, at);
  if (length > relayBodyBytesMax) return undefined;
  return bytes.subarray(at + relayHeaderBytes, at + relayHeaderBytes + length);
}

/** Writes a whole relay cell with its padding; recognised and digest are left 0 for the onion layer. */
export function writeRelayCell(
  bytes: Uint8Array,
  at: number,
  command: number,
  streamId: number,
  body: Uint8Array,
  random: Entropy,
): void {
  assert(body.length <= relayBodyBytesMax, 'a body fits its relay cell');
  writeRelayHeader(bytes, at, command, streamId, body.length);
  bytes.set(body, at + relayHeaderBytes);
  padRelayCell(bytes, at, body.length, random);
}

/** The header alone, for callers that put the body in place themselves. */
export function writeRelayHeader(
  bytes: Uint8Array,
  at: number,
  command: number,
  streamId: number,
  length: number,
): void {
  bytes[at] = command;
  bytes[at + 1] = 0;
  bytes[at + 2] = 0;
  bytes[at + 3] = streamId >>> 8;
  bytes[at + 4] = streamId & 0xff;
  setDigest(bytes, at, 0);
  bytes[at + 9] = length >>> 8;
  bytes[at + 10] = length & 0xff;
}

/** Makes full DATA cells of a stream from bytes[at ..], in the pack area: an address in the cell memory, 509 bytes a cell. */
export function packFullData(bytes: Uint8Array, at: number, count: number, streamId: number): number {
  assert(count <= cellsPerRunMax, 'a run fits the pack area');
  cellMemory.set(bytes.subarray(at, at + count * relayBodyBytesMax), bodyArea.at);
  kernels.packData(bodyArea.at, packArea.at, count, streamId);
  return packArea.at;
}

/**
 * The bodies, close together, of the full DATA cells of one stream that a run begins with; empty when it begins with another
 * cell. A view that the next call overwrites.
 */
export function takeFullData(bytes: Uint8Array, at: number, stride: number, count: number): Uint8Array {
  if (bytes === cellMemory) {
    const taken = kernels.takeData(at, stride, count, dataArea.at);
    return cellMemory.subarray(dataArea.at, dataArea.at + taken * relayBodyBytesMax);
  }
  const bodies: Uint8Array[] = [];
  const streamId = streamIdOf(bytes, at);
  for (; count > 0 && isFullData(bytes, at, streamId); count--, at += stride)
    bodies.push(bytes.subarray(at + relayHeaderBytes, at + cellPayloadBytes));
  return concatBytes(...bodies);
}

function isFullData(bytes: Uint8Array, at: number, streamId: number): boolean {
  if (relayCommandOf(bytes, at) !== relayCommand.data || streamIdOf(bytes, at) !== streamId) return false;
  return bodyLengthOf(bytes, at) === relayBodyBytesMax;
}

/**
 * Four zero bytes, then random ones: a SENDME digest must not be predictable by a client that was not sent the cell.
 * spec: tor-spec/relay-cells
 */
export function padRelayCell(bytes: Uint8Array, at: number, length: number, random: Entropy): void {
  const start = at + relayHeaderBytes + length;
  const end = at + cellPayloadBytes;
  const zeros = Math.min(4, end - start);
  bytes.fill(0, start, start + zeros);
  if (start + zeros < end) bytes.set(random.bytes(end - start - zeros), start + zeros);
}

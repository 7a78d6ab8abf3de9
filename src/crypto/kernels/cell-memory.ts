import { cellMemoryPages, cellsPerRunMax, variableCellBytesMax } from '../../base/limits.ts';
import { kernelsBase64 } from './kernels-wasm.ts';

/**
 * The memory in which runs of cells are treated by kernels: one for a whole process, since a core works through one event at
 * a time and keeps nothing here between events. Its size is fixed, so that views of it stay valid.
 */

/** A range of the memory with one use. */
export interface Area {
  readonly at: number;
  readonly bytes: number;
}

/** The functions of assembly/. Addresses and lengths are bytes. */
export interface Kernels {
  xorCells(at: number, stride: number, count: number, stream: number): void;
  gatherForDigest(at: number, stride: number, count: number, to: number): void;
  countForeign(at: number, stride: number, count: number): number;
  digestBytes(state: number, at: number, length: number): void;
  digestNow(state: number, to: number): void;
  sealCells(state: number, at: number, stride: number, count: number): void;
  takeData(at: number, stride: number, count: number, to: number): number;
  countSame(at: number, stride: number, count: number, headBytes: number): number;
  packData(from: number, to: number, count: number, stream: number): void;
  moveCells(
    at: number,
    stride: number,
    count: number,
    to: number,
    toStride: number,
    headBytes: number,
    first: number,
    rest: number,
  ): void;
  walkChain(at: number, wordAt: number, steps: number): void;
}

/** What of the WebAssembly interface is used; the language's own types leave it to browsers' ones. */
declare const WebAssembly: {
  readonly Memory: new (size: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer };
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
};

const memory = new WebAssembly.Memory({ initial: cellMemoryPages, maximum: cellMemoryPages });
const module = new WebAssembly.Module(new Uint8Array(Buffer.from(kernelsBase64, 'base64')));

export const cellMemory = new Uint8Array(memory.buffer);
const instance = new WebAssembly.Instance(module, { env: { memory } });
/** A copy: tests look on, which a module's own exports do not let them. */
export const kernels: Kernels = { ...(instance.exports as Kernels) };

/** Below it is what the kernels need themselves, and their constants (assembly/digests.ts). */
let end = 4_096;
function area(bytes: number): Area {
  const at = end;
  // 64 spare bytes: a kernel may load, never store, a block beyond the end.
  end += Math.ceil((bytes + 64) / 64) * 64;
  if (end > cellMemory.length) throw new Error('the areas do not fit the cell memory');
  return { at, bytes };
}

const payloadBytes = 509;
/** What was read from a link and is cut into cells. */
export const readArea = area(2 * (4 + 1 + 2 + variableCellBytesMax));
/** Key stream of one run. */
export const streamArea = area(cellsPerRunMax * payloadBytes);
/** Bytes that become the bodies of DATA cells. */
export const bodyArea = area(cellsPerRunMax * payloadBytes);
/** DATA cells before they are copied to their link. */
export const packArea = area(cellsPerRunMax * payloadBytes);
/** Bodies of DATA cells that came. */
export const dataArea = area(cellsPerRunMax * payloadBytes);
/** State of the digest at hand, and behind it what it has come to. */
export const digestStateArea = area(128);
/** A run as it goes over a link. */
export const writeArea = area(cellsPerRunMax * (4 + 1 + payloadBytes));
/** A padded message of two blocks, and what the walk along a chain needs. */
export const chainArea = area(128 + 544);
/** Payloads of one run, close together. */
export const digestArea = area(cellsPerRunMax * payloadBytes);

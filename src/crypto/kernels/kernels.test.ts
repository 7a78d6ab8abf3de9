import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { compileKernels } from '../../../scripts/build-kernels.ts';
import { toHex } from '../../base/bytes.ts';
import { encodeRun, fixedCellBytes } from '../../cell/link-codec.ts';
import { packFullData, takeFullData, writeRelayHeader } from '../../cell/relay-cell.ts';
import { AesCtr } from '../aes-ctr.ts';
import { SealingDigest } from '../sealing-digest.ts';
import { cellMemory, kernels, readArea } from './cell-memory.ts';
import { countForeign, countSame, gatherForDigest, xorRun } from './cell-runs.ts';
import { kernelsBase64 } from './kernels-wasm.ts';

/** A run twice: for the kernels, in the cell memory, and for the plain way, elsewhere. */
const anyRun = fc
  .record({
    count: fc.integer({ min: 1, max: 40 }),
    stride: fc.constantFrom(509, 512, 514, 600),
    offset: fc.nat(20),
    seed: fc.nat(1_000_000),
    /** Cells whose recognised field is zero. */
    own: fc.uniqueArray(fc.nat(39), { maxLength: 40 }),
  })
  .map(({ count, stride, offset, seed, own }) => {
    const bytes = new Uint8Array(offset + count * stride);
    const stream = createHash('shake256', { outputLength: bytes.length }).update(String(seed)).digest();
    bytes.set(stream);
    for (const cell of own)
      if (cell < count) bytes.fill(0, offset + cell * stride + 1, offset + cell * stride + 3);
    return { count, stride, offset, bytes };
  });

function inMemory(bytes: Uint8Array): number {
  cellMemory.set(bytes, readArea.at);
  return readArea.at;
}

const memoryAfter = (length: number) => toHex(cellMemory.slice(readArea.at, readArea.at + length));

afterEach(() => {
  vi.restoreAllMocks();
});

describe('kernels', () => {
  it('are what their source compiles to', { timeout: 120_000 }, async () => {
    expect(kernelsBase64).toBe(await compileKernels());
  });

  it('exclusive-or as the plain way does, and touch nothing else', () => {
    const kernel = vi.spyOn(kernels, 'xorCells');
    const ran = fc.check(
      fc.property(anyRun, fc.nat(50), ({ count, stride, offset, bytes }, from) => {
        const stream = new Uint8Array(from + count * 509).map((_, i) => i * 7 + (i >> 8));
        const at = inMemory(bytes) + offset;
        xorRun(cellMemory, at, stride, count, stream, from);
        xorRun(bytes, offset, stride, count, stream, from);
        expect(memoryAfter(bytes.length)).toBe(toHex(bytes));
      }),
    );
    expect(ran.failed).toBe(false);
    expect(kernel).toHaveBeenCalledTimes(ran.numRuns);
  });

  it('gather, count and frame as the plain way does', () => {
    const used = (['gatherForDigest', 'countForeign', 'moveCells'] as const).map(name =>
      vi.spyOn(kernels, name),
    );
    fc.assert(
      fc.property(
        anyRun,
        fc.constantFrom(2 as const, 4 as const),
        fc.nat(0xffff_ffff),
        (run, idBytes, id) => {
          const { count, stride, offset, bytes } = run;
          const at = inMemory(bytes) + offset;
          const circuit = idBytes === 2 ? id & 0xffff : id;
          const both = [
            () => gatherForDigest(cellMemory, at, stride, count),
            () => gatherForDigest(bytes, offset, stride, count),
          ].map(gathered => toHex(gathered()));
          expect(both[0]).toBe(both[1]);
          expect(countForeign(cellMemory, at, stride, count)).toBe(
            countForeign(bytes, offset, stride, count),
          );
          const framed = [
            () => encodeRun(idBytes, circuit, cellMemory, at, stride, count),
            () => encodeRun(idBytes, circuit, bytes, offset, stride, count),
          ].map(run => toHex(run()));
          expect(framed[0]).toBe(framed[1]);
          expect(framed[0].length).toBe(2 * count * fixedCellBytes(idBytes));
        },
      ),
    );
    for (const kernel of used) expect(kernel.mock.calls.length).toBeGreaterThan(50);
  });

  it('apply a key stream in runs as byte by byte', () => {
    fc.assert(
      fc.property(fc.array(anyRun, { minLength: 1, maxLength: 8 }), runs => {
        const key = new Uint8Array(16).fill(3);
        const [fast, plain] = [new AesCtr(key), new AesCtr(key)];
        for (const { count, stride, offset, bytes } of runs) {
          const at = inMemory(bytes) + offset;
          fast.applyToCells(cellMemory, at, stride, count);
          for (let cell = 0; cell < count; cell++) plain.apply(bytes, offset + cell * stride, 509);
          expect(memoryAfter(bytes.length)).toBe(toHex(bytes));
        }
      }),
      { numRuns: 30 },
    );
  });

  it('seal as SHA-1 would', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 20, maxLength: 20 }),
        fc.array(anyRun, { maxLength: 5 }),
        (seed, runs) => {
          const [fast, elsewhere] = [new SealingDigest(seed), new SealingDigest(seed)];
          const plain = createHash('sha1').update(seed);
          for (const { count, stride, offset, bytes } of runs) {
            const at = inMemory(bytes) + offset;
            fast.seal(cellMemory, at, stride, count);
            elsewhere.seal(bytes, offset, stride, count);
            expect(memoryAfter(bytes.length)).toBe(toHex(bytes));
            for (let cell = 0; cell < count; cell++) {
              const payload = bytes.slice(offset + cell * stride, offset + cell * stride + 509);
              const field = toHex(payload.subarray(5, 9));
              plain.update(payload.fill(0, 5, 9));
              expect(field).toBe(plain.copy().digest('hex').slice(0, 8));
            }
          }
          expect(toHex(fast.peek())).toBe(plain.copy().digest('hex'));
        },
      ),
      { numRuns: 30 },
    );
  });

  it('pack DATA cells as they are written one by one', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 128 }), fc.integer({ min: 1, max: 65_535 }), (count, stream) => {
        const body = new Uint8Array(count * 498).map((_, i) => i + (i >> 7));
        const at = packFullData(body, 0, count, stream);
        const cell = new Uint8Array(509);
        for (let i = 0; i < count; i++) {
          writeRelayHeader(cell, 0, 2, stream, 498);
          cell.set(body.subarray(i * 498, (i + 1) * 498), 11);
          expect(toHex(cellMemory.slice(at + i * 509, at + (i + 1) * 509))).toBe(toHex(cell));
        }
      }),
      { numRuns: 30 },
    );
  });

  it('take the DATA that a run begins with as the plain way does', () => {
    const taking = vi.spyOn(kernels, 'takeData');
    const anyCell = fc.record({
      command: fc.constantFrom(2, 2, 2, 2, 3),
      stream: fc.constantFrom(7, 7, 7, 7, 8),
      length: fc.constantFrom(498, 498, 498, 498, 497),
    });
    let taken = 0;
    fc.assert(
      fc.property(anyRun, fc.array(anyCell, { minLength: 1, maxLength: 40 }), (run, heads) => {
        const { count, stride, offset, bytes } = run;
        for (let cell = 0; cell < Math.min(count, heads.length); cell++) {
          const { command, stream, length } = heads[cell];
          writeRelayHeader(bytes, offset + cell * stride, command, stream, length);
        }
        const at = inMemory(bytes) + offset;
        const plain = toHex(takeFullData(bytes, offset, stride, count));
        expect(toHex(takeFullData(cellMemory, at, stride, count))).toBe(plain);
        expect(memoryAfter(bytes.length)).toBe(toHex(bytes));
        taken += plain.length / 2 / 498;
      }),
    );
    expect(taking.mock.calls.length).toBeGreaterThan(50);
    expect(taken).toBeGreaterThan(50);
  });

  it('count the cells with one head as the plain way does', () => {
    const counting = vi.spyOn(kernels, 'countSame');
    fc.assert(
      fc.property(anyRun, fc.constantFrom(3, 5), fc.nat(40), (run, headBytes, other) => {
        const { count, stride, bytes } = run;
        const start = headBytes;
        const cells = new Uint8Array(start + bytes.length + stride);
        cells.set(bytes, start);
        for (let cell = 0; cell < count; cell++) {
          const head = start + cell * stride - headBytes;
          cells.fill(cell === other ? 9 : 4, head, head + headBytes);
        }
        const at = inMemory(cells) + start;
        const same = countSame(cells, start, stride, count, headBytes);
        expect(countSame(cellMemory, at, stride, count, headBytes)).toBe(same);
        expect(same).toBe(other === 0 ? 1 : Math.min(count, other));
      }),
    );
    expect(counting.mock.calls.length).toBeGreaterThan(50);
  });
});

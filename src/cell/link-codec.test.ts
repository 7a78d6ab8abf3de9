import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toHex } from '../base/bytes.ts';
import { variableCellBytesMax } from '../base/limits.ts';
import { cellCommand, isVariableCommand } from './commands.ts';
import {
  type CellHandler,
  cellPayloadBytes,
  encodeFixed,
  encodeVariable,
  encodeVersionsCell,
  fixedCellBytes,
  LinkCodec,
} from './link-codec.ts';

interface Seen {
  circuit: number;
  command: number;
  payload: string;
}

function collector(): { seen: Seen[]; handler: CellHandler } {
  const seen: Seen[] = [];
  return {
    seen,
    handler: {
      onFixed(circuit, command, bytes, at) {
        seen.push({ circuit, command, payload: toHex(bytes.subarray(at, at + cellPayloadBytes)) });
      },
      onRun(circuit, bytes, at, stride, count) {
        for (; count > 0; count--, at += stride) this.onFixed(circuit, cellCommand.relay, bytes, at);
      },
      onVariable(circuit, command, payload) {
        seen.push({ circuit, command, payload: toHex(payload) });
      },
    },
  };
}

const anyCell = fc.record({
  circuit: fc.nat(0xffff),
  command: fc.nat(255),
  payload: fc.uint8Array({ maxLength: 600 }),
});

function encode(idBytes: 2 | 4, cell: { circuit: number; command: number; payload: Uint8Array }): Uint8Array {
  if (isVariableCommand(cell.command)) {
    return encodeVariable(idBytes, cell.circuit, cell.command, cell.payload);
  }
  const payload = new Uint8Array(cellPayloadBytes);
  payload.set(cell.payload.subarray(0, cellPayloadBytes));
  const bytes = new Uint8Array(fixedCellBytes(idBytes));
  expect(encodeFixed(bytes, 0, idBytes, cell.circuit, cell.command, payload, 0)).toBe(bytes.length);
  return bytes;
}

describe('link codec', () => {
  it.each([
    [3, 2, 512],
    [4, 4, 514],
    [5, 4, 514],
  ] as const)('reads what was written in protocol %i, in pieces of any size', (protocol, idBytes, length) => {
    expect(fixedCellBytes(idBytes)).toBe(length);
    fc.assert(
      fc.property(
        fc.array(anyCell, { minLength: 1, maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1 }),
        (cells, sizes) => {
          const wire = Buffer.concat(cells.map(cell => encode(idBytes, cell)));
          const whole = collector();
          const codec = new LinkCodec();
          codec.useProtocol(protocol);
          expect(codec.push(Uint8Array.from(wire), whole.handler)).toBeUndefined();
          expect(whole.seen.length).toBe(cells.length);
          for (const [i, cell] of cells.entries()) {
            expect(whole.seen[i].circuit).toBe(cell.circuit);
            expect(whole.seen[i].command).toBe(cell.command);
            expect(whole.seen[i].payload.startsWith(toHex(cell.payload.subarray(0, 509)))).toBe(true);
          }
          const pieces = collector();
          const second = new LinkCodec();
          second.useProtocol(protocol);
          for (let at = 0, i = 0; at < wire.length; i++) {
            const size = sizes[i % sizes.length];
            second.push(Uint8Array.from(wire.subarray(at, at + size)), pieces.handler);
            at += size;
          }
          expect(pieces.seen).toEqual(whole.seen);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('reads the same cells split at every byte, over the change of id width', () => {
    const versions = encodeVersionsCell(Uint8Array.of(0, 3, 0, 4, 0, 5));
    const certs = encode(4, { circuit: 0, command: cellCommand.certs, payload: new Uint8Array(40).fill(7) });
    const create = encode(4, { circuit: 0x80000001, command: 10, payload: new Uint8Array(20).fill(1) });
    const wire = Buffer.concat([versions, certs, create]);
    for (let cut = 0; cut <= wire.length; cut++) {
      const { seen, handler } = collector();
      const codec = new LinkCodec();
      const switching: CellHandler = {
        ...handler,
        onVariable(circuit, command, payload, cell) {
          expect(cell.length).toBeGreaterThan(payload.length);
          if (command === cellCommand.versions) codec.useProtocol(5);
          handler.onVariable(circuit, command, payload, cell);
        },
      };
      codec.push(Uint8Array.from(wire.subarray(0, cut)), switching);
      codec.push(Uint8Array.from(wire.subarray(cut)), switching);
      expect(seen.map(each => [each.circuit, each.command])).toEqual([
        [0, 7],
        [0, 129],
        [0x80000001, 10],
      ]);
    }
  });

  it('refuses a variable cell above the cap as soon as its length is read', () => {
    for (const cut of [0, 1, 2, 3, 4]) {
      const head = Uint8Array.of(0, 0, 129, 0xff, 0xff);
      const codec = new LinkCodec();
      const { seen, handler } = collector();
      const first = codec.push(head.slice(0, cut), handler);
      expect(first ?? codec.push(head.slice(cut), handler)).toEqual({ code: 'CELL_TOO_LONG' });
      expect(seen).toEqual([]);
    }
  });

  it('takes a variable cell at the cap, and empty ones', () => {
    const { seen, handler } = collector();
    const codec = new LinkCodec();
    for (const length of [variableCellBytesMax, 0]) {
      const cell = encodeVariable(2, 0, 200, new Uint8Array(length));
      for (const byte of cell) codec.push(Uint8Array.of(byte), handler);
    }
    expect(seen.map(each => each.payload.length / 2)).toEqual([variableCellBytesMax, 0]);
  });

  it('hands nothing on after stop, also within the same bytes', () => {
    const codec = new LinkCodec();
    let cells = 0;
    const handler: CellHandler = {
      onFixed() {
        cells += 1;
        codec.stop();
      },
      onRun() {},
      onVariable() {},
    };
    codec.push(new Uint8Array(512 * 3), handler);
    codec.push(new Uint8Array(512 * 3), handler);
    expect(cells).toBe(1);
  });
});

describe('what the codecs of many links hold', () => {
  const certs = encodeVariable(2, 0, cellCommand.certs, new Uint8Array(3_000));
  const codecs = Array.from({ length: 500 }, () => new LinkCodec());
  const { handler } = collector();

  it('is a long cell as long as a part of it is missing, and nothing between cells', () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const now = (): number => {
      // The second waits for what the first still frees in the background.
      collect();
      collect();
      return process.memoryUsage().arrayBuffers;
    };
    const before = now();
    const held = (): number => now() - before;
    for (const codec of codecs) codec.push(certs.subarray(0, 2_000), handler);
    expect(held()).toBeGreaterThan(codecs.length * 16_384);
    for (const codec of codecs) codec.push(certs.subarray(2_000), handler);
    expect(held()).toBeLessThan(codecs.length * 200);
  });
});

import { createCipheriv, createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toHex } from '../base/bytes.ts';
import { bodyOf, relayCommandOf, streamIdOf, writeRelayCell } from '../cell/relay-cell.ts';
import { cellMemory, readArea } from '../crypto/kernels/cell-memory.ts';
import type { Entropy } from '../ports.ts';
import { ClientLayers } from './client-layers.ts';
import { TestLayers, takeCell } from './one-cell.fixture.ts';
import { RelayLayer } from './relay-layer.ts';

function keysOf(seed: number) {
  const bytes = (label: string, length: number) =>
    new Uint8Array(createHash('sha256').update(`${label}${seed}`).digest().subarray(0, length));
  return {
    forwardDigest: bytes('Df', 20),
    backwardDigest: bytes('Db', 20),
    forwardKey: bytes('Kf', 16),
    backwardKey: bytes('Kb', 16),
  };
}

const padding: Entropy = { bytes: length => new Uint8Array(length).fill(0x5a) };

function cell(command: number, stream: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(512);
  writeRelayCell(bytes, 3, command, stream, body, padding);
  return bytes;
}

function network(hops: number): { client: TestLayers; relays: RelayLayer[] } {
  const client = new TestLayers();
  const relays = Array.from({ length: hops }, (_, hop) => {
    client.push(keysOf(hop));
    return new RelayLayer(keysOf(hop));
  });
  return { client, relays };
}

/** The hop that recognises a cell of the client, or undefined. */
function towardsExit(relays: RelayLayer[], bytes: Uint8Array): number | undefined {
  for (const [hop, relay] of relays.entries()) if (takeCell(relay, bytes, 3)) return hop;
  return undefined;
}

function towardsClient(relays: RelayLayer[], bytes: Uint8Array, from: number): void {
  relays[from].originate(bytes, 3, 509, 1);
  for (let hop = from - 1; hop >= 0; hop--) relays[hop].toClient(bytes, 3, 509, 1);
}

describe('onion layers', () => {
  it('bring every cell to its hop and back, in any interleaving, whoever rests in between', () => {
    const step = fc.record({
      up: fc.boolean(),
      rests: fc.boolean(),
      hop: fc.nat(7),
      command: fc.nat(255),
      stream: fc.nat(65_535),
      body: fc.uint8Array({ maxLength: 498 }),
    });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.array(step, { maxLength: 60 }), (hops, steps) => {
        const { client, relays } = network(hops);
        for (const { up, rests, hop: wanted, command, stream, body } of steps) {
          const hop = wanted % hops;
          // Twice, since whoever was used since the last time does not rest yet.
          for (const relay of rests ? [...relays, ...relays] : []) relay.rest();
          const bytes = cell(command, stream, body);
          if (up) {
            client.seal(bytes, 3, 509, 1, hop);
            expect(towardsExit(relays, bytes)).toBe(hop);
            expect(client.lastForwardDigest(hop)).toEqual(relays[hop].lastForwardDigest());
          } else {
            towardsClient(relays, bytes, hop);
            expect(client.openCell(bytes, 3)).toBe(hop);
            expect(client.lastBackwardDigest(hop)).toEqual(relays[hop].lastBackwardDigest());
          }
          expect(relayCommandOf(bytes, 3)).toBe(command);
          expect(streamIdOf(bytes, 3)).toBe(stream);
          expect(bodyOf(bytes, 3)).toEqual(body);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('hold no key stream once they have rested, however much they carried', () => {
    const run = new Uint8Array(128 * 509);
    const layers = Array.from({ length: 100 }, (_, seed) => new RelayLayer(keysOf(seed)));
    const before = process.memoryUsage().arrayBuffers;
    const held = () => process.memoryUsage().arrayBuffers - before;
    for (const layer of layers) layer.toClient(run, 0, 509, 128);
    expect(held()).toBeGreaterThan(2_000_000);
    for (const layer of layers) layer.rest();
    expect(held()).toBeGreaterThan(2_000_000);
    for (const layer of layers) layer.rest();
    expect(held()).toBeLessThan(200_000);
  });

  it('open a run as its cells one by one, whoever sent them and wherever a digest is asked for', () => {
    const sent = fc.array(fc.record({ hop: fc.nat(2), body: fc.uint8Array({ maxLength: 498 }) }), {
      minLength: 1,
      maxLength: 40,
    });
    fc.assert(
      fc.property(sent, fc.integer({ min: 1, max: 10 }), fc.boolean(), (cells, most, inMemory) => {
        const { client: plain, relays } = network(3);
        const one: string[] = [];
        const run = new Uint8Array(cells.length * 512);
        for (const [i, { hop, body }] of cells.entries()) {
          const bytes = cell(2, i + 1, body);
          towardsClient(relays, bytes, hop);
          run.set(bytes, i * 512);
          const from = plain.openCell(bytes, 3);
          one.push(`${from} ${toHex(bytes.subarray(3))}`);
        }
        const whole: string[] = [];
        const layers = new ClientLayers({
          opened(hop, bytes, at, stride, count) {
            expect(count).toBeLessThanOrEqual(most);
            for (; count > 0; count--, at += stride) whole.push(`${hop} ${toHex(bytes.slice(at, at + 509))}`);
            return true;
          },
          unrecognised: () => false,
          cellsToMark: () => most,
        });
        for (let hop = 0; hop < 3; hop++) layers.push(keysOf(hop));
        if (inMemory) cellMemory.set(run, readArea.at);
        if (inMemory) layers.open(cellMemory, readArea.at + 3, 512, cells.length);
        else layers.open(run, 3, 512, cells.length);
        expect(whole).toEqual(one);
        for (let hop = 0; hop < 3; hop++)
          expect(layers.lastBackwardDigest(hop)).toEqual(plain.lastBackwardDigest(hop));
      }),
      { numRuns: 100 },
    );
  });

  it('hand nothing on of a run behind the first cell that nobody sent', () => {
    const { relays } = network(1);
    const run = new Uint8Array(10 * 512);
    for (let i = 0; i < 10; i++) {
      const bytes = cell(2, i + 1, new Uint8Array(3));
      towardsClient(relays, bytes, 0);
      run.set(bytes, i * 512);
    }
    run[6 * 512 + 100] ^= 1;
    let opened = 0;
    let unrecognised = 0;
    const layers = new ClientLayers({
      opened(_hop, _bytes, _at, _stride, count) {
        opened += count;
        return true;
      },
      unrecognised() {
        unrecognised += 1;
        return false;
      },
      cellsToMark: () => 100,
    });
    layers.push(keysOf(0));
    layers.open(run, 3, 512, 10);
    expect([opened, unrecognised]).toEqual([6, 1]);
  });

  it('recognise no cell of which one bit was changed on the way', () => {
    fc.assert(
      fc.property(fc.nat(509 * 8 - 1), fc.nat(2), (bit, hop) => {
        const { client, relays } = network(3);
        const bytes = cell(2, 1, new Uint8Array(498).fill(3));
        client.seal(bytes, 3, 509, 1, hop);
        bytes[3 + (bit >> 3)] ^= 1 << (bit & 7);
        expect(towardsExit(relays, bytes)).toBeUndefined();
        const back = cell(2, 1, new Uint8Array(498).fill(3));
        towardsClient(relays, back, hop);
        back[3 + (bit >> 3)] ^= 1 << (bit & 7);
        expect(client.openCell(back, 3)).toBeUndefined();
      }),
      { numRuns: 300 },
    );
  });

  it('stay as they were after a cell that is not theirs, even when its recognised field is zero', () => {
    const { client, relays } = network(2);
    const decoy = new Uint8Array(512);
    // What decrypts to zeros at the first hop: recognised is zero and the digest cannot be.
    const stream = createCipheriv('aes-128-ctr', keysOf(0).forwardKey, new Uint8Array(16)).update(
      new Uint8Array(509),
    );
    decoy.set(stream, 3);
    expect(takeCell(relays[0], decoy, 3)).toBe(false);
    expect(toHex(decoy)).toBe('00'.repeat(512));
    client.seal(cell(1, 1, new Uint8Array(0)), 3, 509, 1, 0);
    const fresh = network(1);
    const skipped = cell(1, 1, new Uint8Array(0));
    fresh.client.seal(skipped, 3, 509, 1, 0);
    expect(client.lastForwardDigest(0)).toEqual(fresh.client.lastForwardDigest(0));
  });

  it('write what tor1 is defined to be', () => {
    const keys = keysOf(0);
    const bytes = cell(2, 7, Uint8Array.of(1, 2, 3));
    const plain = Buffer.from(bytes.subarray(3));
    const digest = createHash('sha1').update(keys.forwardDigest).update(plain).digest();
    digest.copy(plain, 5, 0, 4);
    const expected = createCipheriv('aes-128-ctr', keys.forwardKey, new Uint8Array(16)).update(plain);
    const { client } = network(1);
    client.seal(bytes, 3, 509, 1, 0);
    expect(toHex(bytes.subarray(3))).toBe(expected.toString('hex'));
    expect(toHex(client.lastForwardDigest(0))).toBe(digest.toString('hex'));
  });

  it('forget hops that were truncated', () => {
    const { client, relays } = network(3);
    client.truncate(2);
    expect(client.hops).toBe(2);
    const bytes = cell(2, 1, new Uint8Array(3));
    towardsClient(relays, bytes, 1);
    expect(client.openCell(bytes, 3)).toBe(1);
  });
});

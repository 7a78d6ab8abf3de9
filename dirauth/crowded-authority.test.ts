import { expect, test } from 'vitest';
import { authorityCircuitsMax } from '../src/base/limits.ts';
import { cellCommand } from '../src/cell/commands.ts';
import { cellPayloadBytes } from '../src/cell/link-codec.ts';
import { HeldBytes } from '../src/circuit/held-bytes.ts';
import { seededEntropy } from '../src/circuit/relay-path.fixture.ts';
import type { NodeKeys } from '../src/crypto/node-keys.ts';
import type { DirectoryCache } from '../src/directory/directory-cache.ts';
import { encodeRequest } from '../src/directory/http-codec.ts';
import { Crowd } from '../src/link/crowded-queues.fixture.ts';
import type { LinkMux } from '../src/link/link-mux.ts';
import type { StreamId, StreamPort } from '../src/ports.ts';
import { DirPort } from './dir-port.ts';
import { OrResponder } from './or-responder.ts';

const cellBytes = 514;

/** An OR port, and the circuits that it has ended. */
function orPort() {
  const crowd = new Crowd([], 1_000);
  const ended: string[] = [];
  const mux = {
    acceptsCircuit: () => true,
    send: () => true,
    releaseCircuit: (link: number, id: number, reason?: number) => void ended.push(`${link}/${id} ${reason}`),
  } as unknown as LinkMux;
  const responder = new OrResponder({
    mux,
    keys: {} as NodeKeys,
    entropy: seededEntropy(1),
    observer: { count() {}, gauge() {}, log() {} } as never,
    clock: crowd.clock,
    streams: {} as StreamPort,
    directory: {} as DirectoryCache,
    held: new HeldBytes(crowd.clock, crowd.mux),
  });
  const creates = (link: number, id: number): void =>
    responder.onCell(link, id, cellCommand.createFast, new Uint8Array(cellPayloadBytes), 0);
  return { responder, ended, creates };
}

test('an authority keeps no more circuits than there is room for, and those of whoever has most give way', () => {
  const { responder, ended, creates } = orPort();
  creates(1, 1);
  for (let id = 1; id < authorityCircuitsMax; id++) creates(2, id);
  creates(3, 1);
  for (let id = authorityCircuitsMax; id < authorityCircuitsMax + 10; id++) creates(2, id);
  expect(responder.circuitCount).toBe(authorityCircuitsMax);
  expect(ended).toEqual(Array.from({ length: 11 }, (_, at) => `2/${at + 1} 5`));
  responder.onLinkLost(2);
  expect(responder.circuitCount).toBe(2);
});

/** A directory port whose askers take one piece of an answer, if that. */
function dirPort(body: Uint8Array, shared: boolean) {
  const crowd = new Crowd([], 1_000);
  const closed: StreamId[] = [];
  const port = {
    write: () => false,
    end() {},
    close: (stream: StreamId) => void closed.push(stream),
  } as unknown as StreamPort;
  const directory = { encoded: () => ({ head: new Uint8Array(100), body, shared }) };
  const held = new HeldBytes(crowd.clock, crowd.mux);
  const dir = new DirPort(port, crowd.clock, directory as unknown as DirectoryCache, () => 1_000_000, held);
  const asks = (stream: StreamId, bytes = encodeRequest('GET', '/tor/server/all', 'a')): void => {
    dir.onAccepted(stream, { host: `10.0.0.${stream}`, port: 1 });
    dir.onBytes(stream, bytes);
    crowd.clock.advance(1_000);
  };
  return { dir, held, asks, closed };
}

test('askers who read nothing hold so much of a directory port and no more', () => {
  const { dir, held, asks, closed } = dirPort(new Uint8Array(200 * cellBytes), false);
  for (let stream = 1; stream <= 10; stream++) asks(stream);
  expect(closed).toEqual([1, 2, 3, 4, 5, 6]);
  expect(held.bytes).toBeLessThanOrEqual(1_000 * cellBytes);
  for (let stream = 7; stream <= 10; stream++) dir.onClosed(stream);
  expect(held.bytes).toBe(0);
});

test('a consensus is there anyway, however many read it slowly', () => {
  const { held, asks, closed } = dirPort(new Uint8Array(200 * cellBytes), true);
  for (let stream = 1; stream <= 10; stream++) asks(stream);
  expect([closed, held.bytes]).toEqual([[], 0]);
});

test('uploads that are never whole give way to each other', () => {
  const { held, asks, closed } = dirPort(new Uint8Array(0), false);
  const begun = encodeRequest('POST', '/tor/', 'a', { body: new Uint8Array(300 * cellBytes) }).subarray(
    0,
    -1,
  );
  for (let stream = 1; stream <= 4; stream++) asks(stream, begun);
  expect(closed).toEqual([1, 2]);
  expect(held.bytes).toBeLessThanOrEqual(1_000 * cellBytes);
});

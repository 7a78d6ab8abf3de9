import { expect, test } from 'vitest';
import { concatBytes } from '../base/bytes.ts';
import { circuitQueueCellsMax, nodeQueueCellsMax } from '../base/limits.ts';
import { cellCommand, destroyReason } from '../cell/commands.ts';
import { encodeFixed, encodeVersionsCell, fixedCellBytes } from '../cell/link-codec.ts';
import { encodeNetinfo, encodeVersions } from '../cell/link-messages.ts';
import type { LinkId } from '../ports.ts';
import { makeLinkIdentity, makeTlsCertificate } from './link-certificates.ts';
import { LinkMux } from './link-mux.ts';
import {
  entropy,
  keysOf,
  ManualClock,
  MemoryPort,
  observer,
  RecordingUser,
  wallMs,
} from './two-nodes.fixture.ts';

const payload = new Uint8Array(509);
const keys = keysOf(0);
const facts = {
  peerCertificate: new Uint8Array(0),
  ownCertificate: makeTlsCertificate(keys, wallMs),
  exporter: () => new Uint8Array(32),
};

/** Links that the peer does not read are full from the first byte on. */
class StallingPort extends MemoryPort {
  readonly stalled = new Set<LinkId>();
  written = 0;
  readonly #pending = new Map<LinkId, number>();

  override write(link: LinkId, bytes: Uint8Array): boolean {
    this.written += bytes.length;
    if (!this.stalled.has(link)) return true;
    this.#pending.set(link, this.pendingBytes(link) + bytes.length);
    return false;
  }

  override pendingBytes(link: LinkId): number {
    return this.stalled.has(link) ? (this.#pending.get(link) ?? 0) : 0;
  }

  read(link: LinkId): void {
    this.stalled.delete(link);
    this.#pending.delete(link);
  }
}

/** A relay to which so many clients have open links, numbered from 1. */
function relayWith(links: number) {
  const port = new StallingPort(facts);
  const clock = new ManualClock();
  const user = new RecordingUser();
  const identity = makeLinkIdentity(keys, () => wallMs);
  const mux = new LinkMux({
    port,
    clock,
    entropy,
    observer,
    identity,
    protocols: [4],
    ownAddresses: ['127.0.0.1'],
    user,
  });
  const netinfo = new Uint8Array(fixedCellBytes(4));
  encodeFixed(
    netinfo,
    0,
    4,
    0,
    cellCommand.netinfo,
    encodeNetinfo({ time: 0, other: '127.0.0.1', own: [] }),
    0,
  );
  const hello = concatBytes(encodeVersionsCell(encodeVersions([4])), netinfo);
  for (let link = 1; link <= links; link++) {
    mux.onAccepted(link, { host: '10.0.0.1', port: link });
    mux.onBytes(link, hello.slice());
  }
  expect(user.ready).toHaveLength(links);
  /** The peer stops reading, and the next cell makes the port say so. */
  const stall = (link: LinkId): void => {
    port.stalled.add(link);
    mux.send(link, 1, cellCommand.relay, payload, 0);
    clock.advance(0);
  };
  return { mux, port, clock, user, stall };
}

/** Ids that a client may choose. */
const idOf = (index: number): number => 0x8000_0001 + index;

function fill(mux: LinkMux, link: LinkId, cells: number, firstId = 0): void {
  for (let queued = 0; queued < cells; queued++)
    mux.send(link, idOf(firstId + Math.floor(queued / circuitQueueCellsMax)), cellCommand.relay, payload, 0);
}

test('circuits that their client ends hold nothing, though it does not read', () => {
  const { mux, stall } = relayWith(1);
  stall(1);
  const before = process.memoryUsage().arrayBuffers;
  for (let index = 0; index < 20_000; index++) {
    expect(mux.acceptsCircuit(1, idOf(index))).toBe(true);
    mux.send(1, idOf(index), cellCommand.createdFast, payload, 0);
    mux.releaseCircuit(1, idOf(index));
  }
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8_000_000);
  expect(mux.queuedCells).toBe(0);
});

test('a client that is refused circuits and does not read is given up before it fills the memory', () => {
  const { mux, clock, user, stall } = relayWith(1);
  stall(1);
  for (let index = 0; index <= nodeQueueCellsMax; index++) {
    mux.acceptsCircuit(1, idOf(index));
    mux.releaseCircuit(1, idOf(index), destroyReason.protocol);
  }
  clock.advance(0);
  expect(user.lost).toEqual([{ code: 'LINK_STALLED' }]);
  expect(mux.queuedCells).toBe(0);
});

test('when the node is full the link that has stood still for longest is given up, the others go on', () => {
  const { mux, port, clock, user, stall } = relayWith(4);
  for (const link of [2, 1, 3]) {
    stall(link);
    clock.advance(1_000);
  }
  // What the links themselves hold counts too: a cell each, twice.
  const room = nodeQueueCellsMax - 3 * 2 - 2;
  fill(mux, 1, room / 2);
  fill(mux, 2, room / 4);
  fill(mux, 3, room / 4);
  clock.advance(0);
  expect(user.lost).toEqual([]);
  const { written } = port;
  // Who comes last is not the one who is to blame.
  expect(mux.send(4, idOf(0), cellCommand.relay, payload, 0)).toBe(true);
  clock.advance(0);
  expect(port.written - written).toBe(fixedCellBytes(4));
  for (let more = 0; more < 3; more++)
    expect(mux.send(3, idOf(99), cellCommand.relay, payload, 0)).toBe(true);
  clock.advance(0);
  expect(user.lost).toEqual([{ code: 'LINK_STALLED' }]);
  expect(mux.linkCount).toBe(3);
  expect(mux.queuedCells).toBe((3 * room) / 4 + 3);
});

test('a link that takes cells now and then stands still from its last one on', () => {
  const { mux, port, clock, user, stall } = relayWith(2);
  stall(1);
  clock.advance(1_000);
  stall(2);
  clock.advance(1_000);
  fill(mux, 1, circuitQueueCellsMax);
  fill(mux, 2, nodeQueueCellsMax - circuitQueueCellsMax);
  port.read(1);
  mux.onWritable(1);
  stall(1);
  fill(mux, 2, circuitQueueCellsMax + 1, 1_000);
  mux.send(1, idOf(0), cellCommand.relay, payload, 0);
  clock.advance(0);
  expect([user.lost.length, mux.linkCount]).toEqual([1, 1]);
  expect(mux.allocateCircuit(1)).toBeDefined();
});

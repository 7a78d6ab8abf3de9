import { expect, test } from 'vitest';
import { endReason, relayCommand } from '../cell/commands.ts';
import { fixedFlow } from '../flow/sendme-window.ts';
import { Crowd } from '../link/crowded-queues.fixture.ts';
import type { StreamPort } from '../ports.ts';
import { ExitStream } from '../stream/exit-stream.ts';
import type { RelayStreamCircuit } from '../stream/relay-stream.ts';
import { HeldBytes } from './held-bytes.ts';

const cellBytes = 514;
const idle = { pause() {}, resume() {}, write: () => true, end() {}, close() {} } as unknown as StreamPort;

/** An exit: its links, and streams whose circuits take nothing until they are told to. */
function exitWith(crowd: Crowd, streams: number) {
  const held = new HeldBytes(crowd.clock, crowd.mux);
  const ended: number[] = [];
  const taking = new Set<number>();
  const made = Array.from({ length: streams }, (_, id) => {
    const circuit: RelayStreamCircuit = {
      flow: fixedFlow(),
      dataRoom: () => (taking.has(id) ? 1 : 0),
      sendFullData() {},
      sendData() {},
      sendControl(_stream, command, body) {
        if (command === relayCommand.end && body[0] === endReason.resourceLimit) ended.push(id);
      },
      wait() {},
      wake() {},
      release() {},
    };
    const stream = new ExitStream(id, circuit, {
      port: idle,
      finished() {},
      holds: (which, bytes) => held.holds(which, bytes),
    });
    stream.connection = id;
    stream.onConnected('8.8.8.8', 1);
    return stream;
  });
  const receives = (id: number, bytes: number): void => made[id].onBytes(new Uint8Array(bytes));
  /** Its circuit takes so many cells. */
  const takes = (id: number, cells: number): void => {
    taking.add(id);
    made[id].pump(cells);
    taking.delete(id);
  };
  return { held, ended, receives, takes };
}

const clients = (count: number) => Array.from({ length: count }, () => 'client' as const);

test('a stream that must hold 60 KB goes on where clients that stood still for a minute fill the queues', () => {
  const crowd = new Crowd(clients(20), 12_000);
  const { ended, receives } = exitWith(crowd, 1);
  for (let link = 1; link <= 20; link++) crowd.stalls(link, 256);
  crowd.clock.advance(60_000);
  // 379 of them its port takes, which count twice; there is room for 60 more.
  crowd.gives(1, 1, 12_000 - 20 * 256 * 2 - 379 - 60);
  expect(crowd.lost).toEqual([]);
  receives(0, 60_000);
  crowd.clock.advance(0);
  expect(ended).toEqual([]);
  expect(crowd.lost).toEqual([1]);
});

test('streams do not end for queues that fill up within a turn', () => {
  const crowd = new Crowd(clients(2), 11_000);
  const { ended, receives } = exitWith(crowd, 3);
  crowd.stalls(1, 1);
  crowd.clock.advance(60_000);
  for (const id of [0, 1, 2]) receives(id, 10_000);
  crowd.clock.advance(1);
  crowd.gives(1, 1, 11_010, () => receives(2, 10));
  expect([ended, crowd.lost]).toEqual([[], [1]]);
});

test('what has waited for its circuit longer than any cell ends before them', () => {
  const crowd = new Crowd(clients(3), 11_000);
  const { ended, receives } = exitWith(crowd, 3);
  receives(0, 400 * cellBytes);
  receives(1, 10);
  crowd.clock.advance(60_000);
  receives(2, 1_000);
  crowd.stalls(1, 256);
  crowd.clock.advance(1_000);
  crowd.stalls(2, 8_000);
  expect([ended, crowd.lost]).toEqual([[], []]);
  crowd.gives(2, 2, 3_000);
  // A few bytes are not worth an end, however long they wait.
  expect([ended, crowd.lost]).toEqual([
    [0, 2],
    [1, 2],
  ]);
});

test('streams alone end by age, and one that takes a little now and then is no younger for it', () => {
  const crowd = new Crowd(clients(1), 1_000);
  const { held, ended, receives, takes } = exitWith(crowd, 4);
  for (const id of [0, 1, 2]) {
    receives(id, 300 * cellBytes);
    crowd.clock.advance(1_000);
  }
  takes(0, 1);
  // The second has taken all, and holds what came later.
  takes(1, 400);
  receives(1, 300 * cellBytes);
  crowd.clock.advance(1_000);
  receives(3, 300 * cellBytes);
  expect(ended).toEqual([]);
  crowd.clock.advance(0);
  expect(ended).toEqual([0]);
  expect(held.bytes).toBe(900 * cellBytes);
});

test('streams that begin to wait while all is full cost no look at every link each', () => {
  const crowd = new Crowd(clients(40), 11_000);
  const { receives } = exitWith(crowd, 500);
  for (let link = 1; link <= 40; link++) crowd.stalls(link, 100);
  crowd.clock.advance(1_000);
  crowd.gives(1, 1, 2_500);
  const { looks } = crowd.port;
  for (let id = 0; id < 500; id++) receives(id, 10_000);
  crowd.clock.advance(0);
  expect(crowd.port.looks - looks).toBeLessThan(3 * 40);
  expect(crowd.lost).not.toEqual([]);
});

test('any number of streams end at once', () => {
  const crowd = new Crowd([], 1_000);
  const { held, ended, receives } = exitWith(crowd, 20_000);
  for (let id = 0; id < 20_000; id++) receives(id, 1_000);
  crowd.clock.advance(0);
  expect(held.bytes).toBeLessThan(1_000 * cellBytes);
  expect(ended).toHaveLength(20_000 - held.bytes / 1_000);
});

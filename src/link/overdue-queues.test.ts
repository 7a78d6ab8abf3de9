import { expect, test } from 'vitest';
import { Crowd } from './crowded-queues.fixture.ts';

const twentyClients = Array.from({ length: 20 }, () => 'client' as const);
/** Of those links, which come after an honest relay's, link 1. */
const clientLinks = twentyClients.map((_, index) => index + 2);
/** What fills a relay for which twenty links hold 256 cells each, twice. */
const nearlyFull = 12_500;

test('after 50 days of uptime it is still clients that read nothing who give way, not an honest circuit', () => {
  const crowd = new Crowd(['relay', ...twentyClients], nearlyFull);
  crowd.clock.advance(2 ** 32);
  for (const link of clientLinks) crowd.stalls(link, 256);
  crowd.clock.advance(60_000);
  crowd.isBusy(1);
  crowd.clock.advance(5);
  crowd.gives(2, 1, 2_000);
  expect(crowd.ended).toEqual([]);
  expect(crowd.lost).toContain(2);
  expect(crowd.lost).not.toContain(1);
});

test('clients that took a little of the last write a minute ago give way before an honest circuit of now', () => {
  const crowd = new Crowd(['relay', ...twentyClients], nearlyFull);
  for (const link of clientLinks) {
    crowd.stalls(link, 256);
    crowd.port.reads(link, 1_000);
  }
  crowd.clock.advance(60_000);
  crowd.isBusy(1);
  crowd.clock.advance(5);
  crowd.gives(2, 1, 2_000);
  expect(crowd.ended).toEqual([]);
  expect(crowd.lost).toContain(2);
  expect(crowd.lost).not.toContain(1);
});

test('a client that reads a little now and then gives way before one that keeps up', () => {
  const crowd = new Crowd(['client', 'client'], 2_000);
  crowd.stalls(2, 256);
  crowd.clock.advance(60_000);
  crowd.port.reads(2, 1_000);
  // It took all that was written a second ago.
  crowd.stalls(1, 256);
  crowd.clock.advance(1_000);
  crowd.gives(1, 1, 127);
  crowd.port.reads(1, 256 * 514);
  crowd.clock.advance(1_000);
  crowd.port.reads(2, 1_000);
  crowd.gives(2, 1, 1_500);
  expect(crowd.lost).toEqual([2]);
});

test('a circuit whose first cell comes after some quiet seconds has not waited that long', () => {
  const crowd = new Crowd(['relay', 'client'], 5_000);
  crowd.isBusy(1);
  crowd.clock.advance(3_000);
  crowd.stalls(2, 640);
  crowd.clock.advance(3_000);
  crowd.gives(1, 2, 1);
  crowd.clock.advance(5);
  crowd.gives(2, 1, 3_000);
  expect([crowd.ended, crowd.lost]).toEqual([[1], [2]]);
});

test("peers that read nothing outlive no honest circuit by showing a relay's keys that they made up", () => {
  const crowd = new Crowd(
    Array.from({ length: 21 }, () => 'relay' as const),
    nearlyFull,
  );
  for (const link of clientLinks) {
    crowd.stalls(link, 256);
    crowd.clock.advance(1_000);
  }
  crowd.isBusy(1, 3);
  crowd.clock.advance(5);
  crowd.gives(2, 1, 2_000);
  expect(crowd.ended).toEqual([]);
  expect(crowd.lost).not.toContain(1);
  // What is left are links that stood still for a shorter time, the longest first.
  crowd.gives(1, 4, 4_000);
  crowd.gives(1, 5, 4_000);
  expect(crowd.lost.slice(0, 8)).toEqual([2, 3, 4, 5, 6, 7, 8, 9]);
});

test("a relay's link that is slow for a moment loses circuits, not all of them at once", () => {
  const crowd = new Crowd(['relay', 'relay'], 3_000);
  crowd.isBusy(1, 3);
  crowd.clock.advance(5_000);
  crowd.isBusy(2);
  crowd.gives(2, 2, 450);
  crowd.gives(2, 3, 100);
  expect(crowd.lost).toEqual([]);
  expect(crowd.ended.length).toBeGreaterThan(0);
});

test('of links that only words about ended circuits wait on, the one goes that has stood still for longest', () => {
  const crowd = new Crowd(['relay', 'relay', 'relay'], 4_000);
  for (const link of [2, 3, 1]) {
    crowd.stalls(link, 640);
    crowd.clock.advance(1_000);
  }
  crowd.gives(1, 2, 300);
  expect(crowd.lost).toEqual([2]);
});

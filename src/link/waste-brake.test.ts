import { expect, test } from 'vitest';
import { relayWasteFactor, wasteCellsBurst, wasteCellsPerSecond } from '../base/limits.ts';
import { SpareBlocks } from './cell-queue.ts';
import { LinkState } from './link-state.ts';
import { ManualClock, MemoryPort, observer } from './two-nodes.fixture.ts';
import { WasteBrake } from './waste-brake.ts';

const none = new Uint8Array(0);

function brakeOf() {
  const told: string[] = [];
  class ToldPort extends MemoryPort {
    override pause(): void {
      told.push('pause');
    }
    override resume(): void {
      told.push('resume');
    }
  }
  const clock = new ManualClock();
  const port = new ToldPort({ peerCertificate: none, ownCertificate: none, exporter: () => none });
  const link = () => new LinkState(1, false, { host: '10.0.0.1', port: 1 }, {}, new SpareBlocks());
  return { brake: new WasteBrake({ port, clock, observer }), clock, told, link };
}

test('a link that brings too much of no use is not read until that is made up for', () => {
  const { brake, clock, told, link } = brakeOf();
  const state = link();
  brake.count(state, wasteCellsBurst - 1);
  expect(told).toEqual([]);
  brake.count(state, 1);
  expect(told).toEqual(['pause']);
  // What had been read already.
  brake.count(state, 2 * wasteCellsPerSecond);
  clock.advance(1);
  clock.advance(1_900);
  expect(told).toEqual(['pause']);
  clock.advance(200);
  clock.advance(1_000);
  expect(told).toEqual(['pause', 'resume']);
});

test('a relay may bring as much as its many circuits leave under way', () => {
  const { brake, told, link } = brakeOf();
  const state = link();
  state.peer = { kind: 'relay', rsaId: none, ed25519: none, rsaPublicDer: none };
  brake.count(state, wasteCellsBurst * relayWasteFactor - 1);
  expect(told).toEqual([]);
});

import { expect, it } from 'vitest';
import { linkHandshakeMsMax, probesMax } from '../src/base/limits.ts';
import type { ServerDescriptor } from '../src/directory/server-descriptor.ts';
import { SimNode } from '../src/sim/sim-node.ts';
import { VirtualClock } from '../src/sim/virtual-clock.ts';
import { World } from '../src/sim/world.ts';
import { ReachabilityProbe } from './reachability-probe.ts';

const roundMs = 4 * linkHandshakeMsMax;

function relayOf(n: number): ServerDescriptor {
  const id = (length: number) => Uint8Array.from({ length }, (_, at) => (at < 2 ? (n >> (8 * at)) & 255 : 7));
  const address = { host: `9.9.${n >> 8}.${n & 255}`, port: 1 };
  return { rsaId: id(20), ed25519: id(32), address } as unknown as ServerDescriptor;
}

/** Relays of which the last answers while `answers` says so, and the others never do. */
function lab(silent: number) {
  const world = new World({ seed: 1 });
  const node = new SimNode(world, 'authority');
  const clock = new VirtualClock(node);
  const relays = Array.from({ length: silent + 1 }, (_, n) => relayOf(n));
  const honest = relays[silent];
  const state = { answers: true, asked: 0, changes: 0 };
  let last = 0;
  const probe: ReachabilityProbe = new ReachabilityProbe(
    {
      open(to) {
        const link = ++last;
        const { rsaId, ed25519 } = honest;
        const peer = { kind: 'relay', rsaId, ed25519, rsaPublicDer: rsaId } as const;
        if (to.host === honest.address.host) state.asked += 1;
        if (to.host === honest.address.host && state.answers)
          clock.after(10, () => probe.onLinkReady(link, peer));
        else clock.after(linkHandshakeMsMax, () => probe.onLinkLost(link));
        return link;
      },
      close() {},
    },
    clock,
    roundMs,
    () => {
      state.changes += 1;
    },
  );
  const pass = (virtualMs: number) => world.runUntil(() => false, { virtualMs });
  return { probe, node, relays, honest, state, pass };
}

it('finds a relay that answers behind more that never do than one round has time for', () => {
  const { probe, node, relays, honest, pass } = lab(3 * probesMax * (roundMs / linkHandshakeMsMax));
  node.turn(() => probe.watch(() => relays));
  pass(5 * roundMs);
  expect(probe.isReachable(honest)).toBe(true);
});

it('looks after a relay that answers in every round, whoever else does not, and notices when it ceases to', () => {
  const { probe, node, relays, honest, state, pass } = lab(3 * probesMax * (roundMs / linkHandshakeMsMax));
  node.turn(() => probe.watch(() => relays));
  pass(5 * roundMs);
  const before = state.asked;
  pass(10 * roundMs);
  expect(state.asked - before).toBe(10);
  state.answers = false;
  pass(4 * roundMs);
  expect([probe.isReachable(honest), state.changes]).toEqual([false, 2]);
});

it('forgets relays that are no longer to be watched', () => {
  const { probe, node, relays, honest, state, pass } = lab(10);
  let watched = relays;
  node.turn(() => probe.watch(() => watched));
  pass(3 * roundMs);
  expect([probe.isReachable(honest), relays.map(each => probe.neverAnswered(each))]).toEqual([
    true,
    relays.map(each => each !== honest),
  ]);
  watched = [];
  pass(2 * roundMs);
  const before = state.asked;
  pass(4 * roundMs);
  expect([probe.isReachable(honest), probe.neverAnswered(relays[0]), state.asked]).toEqual([
    false,
    false,
    before,
  ]);
});

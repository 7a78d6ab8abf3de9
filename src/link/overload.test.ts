import { expect, test } from 'vitest';
import { relayLinkStallMs } from '../base/limits.ts';
import { cellCommand } from '../cell/commands.ts';
import { SpareBlocks } from './cell-queue.ts';
import type { LinkPeer } from './link-faults.ts';
import { LinkState } from './link-state.ts';
import { oldestFirst } from './overload.ts';

const payload = new Uint8Array(509);
const none = new Uint8Array(0);
const relay: LinkPeer = { kind: 'relay', rsaId: none, ed25519: none, rsaPublicDer: none };

test('circuits go by their oldest cell, clients that read nothing with their links', () => {
  const spares = new SpareBlocks();
  const linkTo = (id: number, peer: LinkPeer): LinkState => {
    const state = new LinkState(id, false, { host: '10.0.0.1', port: id }, {}, spares);
    state.peer = peer;
    return state;
  };
  const links = [
    linkTo(1, relay),
    linkTo(2, { kind: 'client' }),
    linkTo(3, { kind: 'client' }),
    linkTo(4, relay),
    linkTo(5, relay),
  ];
  const [one, two, three, four, five] = links;
  const nowMs = 3_000_000_001;
  const push = (state: LinkState, circuit: number, atMs: number): void => {
    spares.nowMs = atMs;
    state.scheduler.push(circuit, cellCommand.relay, payload, 0);
  };
  push(one, 11, 500);
  push(one, 12, 300);
  push(one, 12, 900);
  push(two, 21, 100);
  push(three, 31, 50);
  push(four, 41, 3_000_000_000);
  push(five, 51, 350);
  // Links that stand still; a relay's goes as a whole only when it has for long.
  for (const [state, waitingSinceMs] of [
    [one, nowMs - relayLinkStallMs + 1],
    [two, 400],
    [five, nowMs - relayLinkStallMs],
  ] as const)
    Object.assign(state, { pendingBytes: 1, waitingSinceMs });
  const order = () =>
    oldestFirst(links, undefined, nowMs).map(one => one.state && [one.state.id, one.circuit]);
  expect(order()).toEqual([
    [3, 31],
    [1, 12],
    [2, undefined],
    [1, 11],
    [5, undefined],
    [4, 41],
  ]);
  // The next cell of a circuit is younger.
  one.scheduler.fill(new Uint8Array(2 * 512), 2, []);
  expect(order()).toEqual([
    [3, 31],
    [2, undefined],
    [1, 12],
    [5, undefined],
    [4, 41],
  ]);
});

import { expect, test } from 'vitest';
import { linksMax } from '../base/limits.ts';
import { pairOf } from './two-nodes.fixture.ts';

const from = { host: '10.0.0.1', port: 4_000 };

test('where links are as many as may be, the one that has had no circuit for longest gives way', () => {
  const pair = pairOf({ client: true });
  pair.settle();
  const { clock, mux, user } = pair.responder;
  const busy = 1;
  const circuit = pair.initiator.mux.allocateCircuit(busy) ?? 0;
  expect(mux.acceptsCircuit(busy, circuit)).toBe(true);
  for (let link = 2; link <= linksMax; link++) {
    clock.advance(1);
    mux.onAccepted(link, from);
  }
  expect([mux.linkCount, user.lost]).toEqual([linksMax, []]);
  mux.onAccepted(linksMax + 1, from);
  mux.onAccepted(linksMax + 2, from);
  expect(mux.linkCount).toBe(linksMax);
  expect(user.lostLinks).toEqual([2, 3]);
  expect(user.lost.map(({ code }) => code)).toEqual(['LINK_IDLE', 'LINK_IDLE']);
  // One that has just lost its last circuit is not the one.
  mux.releaseCircuit(busy, circuit);
  mux.onAccepted(linksMax + 3, from);
  expect(user.lostLinks).toEqual([2, 3, 4]);
});

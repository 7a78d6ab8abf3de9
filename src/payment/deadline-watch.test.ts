import { expect, it } from 'vitest';
import { SimNode } from '../sim/sim-node.ts';
import { VirtualClock } from '../sim/virtual-clock.ts';
import { World } from '../sim/world.ts';
import { DeadlineWatch } from './deadline-watch.ts';

/** A watch, and the seconds of its beginning at which it looked. */
function watching(look: (second: number) => number | undefined = () => undefined) {
  const world = new World({ seed: 'deadlines' });
  const node = new SimNode(world, 'node');
  const clock = new VirtualClock(node);
  const startSecond = Math.floor(clock.wallMs() / 1_000);
  const looked: number[] = [];
  const watch = new DeadlineWatch(clock, () => {
    looked.push(Math.round(clock.monotonicMs() / 1_000));
    const next = look(looked[looked.length - 1]);
    return next === undefined ? undefined : startSecond + next;
  });
  return { world, clock, looked, by: (second: number) => node.turn(() => watch.by(startSecond + second)) };
}

it('looks when something is due, the first of it first, and then at the next', () => {
  const { world, looked, by } = watching(second => (second < 50 ? 90 : undefined));
  by(60);
  by(30);
  by(70);
  world.runFor(600_000);
  expect(looked).toEqual([30, 90]);
});

it('sees within ten minutes that the time of day has jumped', () => {
  const { world, clock, looked, by } = watching(() => undefined);
  by(86_400);
  world.runFor(10_000);
  clock.jumpWall(90_000_000);
  world.runFor(600_000);
  expect(looked).toEqual([600]);
});

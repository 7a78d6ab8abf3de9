import { expect, it } from 'vitest';
import { circuitRestRoundMs, circuitRestTurnMs } from '../base/limits.ts';
import { SimNode } from '../sim/sim-node.ts';
import { VirtualClock } from '../sim/virtual-clock.ts';
import { World } from '../sim/world.ts';
import { CircuitRest } from './circuit-rest.ts';

it('asks each circuit about once a round, a few at a time, while circuits come and go', () => {
  const world = new World({ seed: 'rest' });
  const node = new SimNode(world, 'relay');
  const asked = new Map<number, number>();
  let together = 0;
  const circuitOf = (id: number) => ({
    rest: () => {
      asked.set(id, (asked.get(id) ?? 0) + 1);
      together += 1;
    },
  });
  const circuits = new Set(Array.from({ length: 1_000 }, (_, id) => circuitOf(id)));
  const rest = new CircuitRest(circuits, new VirtualClock(node));
  node.turn(() => rest.start());
  let most = 0;
  for (let ms = 0; ms < 4 * circuitRestRoundMs; ms += circuitRestTurnMs) {
    together = 0;
    world.runFor(circuitRestTurnMs);
    most = Math.max(most, together);
    const [first] = circuits;
    circuits.delete(first);
    circuits.add(circuitOf(1_000 + ms));
  }
  const left = [...asked].filter(([id]) => id >= 300 && id < 1_000).map(([, times]) => times);
  expect(left).toHaveLength(700);
  expect(Math.min(...left)).toBeGreaterThanOrEqual(3);
  expect(Math.max(...left)).toBeLessThanOrEqual(4);
  expect(most).toBeLessThanOrEqual(167);
  node.turn(() => rest.stop());
  expect(world.runUntilIdle()).toBe('idle');
});

it('asks the only circuit no more often than one of many', () => {
  const world = new World({ seed: 'rest' });
  const node = new SimNode(world, 'relay');
  let asked = 0;
  const rest = new CircuitRest(new Set([{ rest: () => void asked++ }]), new VirtualClock(node));
  node.turn(() => rest.start());
  world.runFor(10 * circuitRestRoundMs);
  expect(asked).toBeGreaterThanOrEqual(4);
  expect(asked).toBeLessThanOrEqual(10);
});

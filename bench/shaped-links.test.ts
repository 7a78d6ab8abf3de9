import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { VirtualTime } from '../src/flow/virtual-link.fixture.ts';
import { SystemClock } from '../src/node-io/system-clock.ts';
import { tlsWorld } from '../src/node-io/tls-world.fixture.ts';
import { linkPortKit } from '../src/sim/port-kits.ts';
import { ShapedLinks } from './shaped-links.ts';
import { ShapedPath } from './shaped-path.ts';

const clock = new SystemClock();
afterAll(() => clock.stop());

linkPortKit('ShapedLinks', () =>
  tlsWorld(links => new ShapedLinks(links, clock, { delayMs: 3, bytesPerSecond: 50_000_000 })),
);

/** Sends as much as the path takes, and counts what arrives. */
function loaded(delayMs: number, bytesPerSecond: number, chunk: number) {
  const time = new VirtualTime();
  const arrived: { readonly index: number; readonly atMs: number }[] = [];
  let sent = 0;
  const fill = (): void => {
    for (let room = true; room; ) {
      const index = sent++;
      room = path.send(chunk, () => arrived.push({ index, atMs: time.monotonicMs() }));
    }
  };
  const path = new ShapedPath(time, { delayMs, bytesPerSecond }, fill);
  return { time, path, arrived, fill, sent: () => sent };
}

describe('a shaped path', () => {
  it('carries its rate after its delay, in order, and lets no more wait than a socket', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 500 }),
        fc.integer({ min: 500_000, max: 10_000_000 }),
        fc.integer({ min: 4_096, max: 65_536 }),
        (delayMs, bytesPerSecond, chunk) => {
          const { time, arrived, fill, sent } = loaded(delayMs, bytesPerSecond, chunk);
          fill();
          expect(sent() * chunk).toBeLessThan(262_144 + 2 * chunk);
          time.runUntil(delayMs + 2_000);
          expect(arrived[0].atMs).toBeGreaterThan(delayMs);
          expect(arrived.map(({ index }) => index)).toEqual(arrived.map((_, index) => index));
          expect(arrived.length * chunk).toBeLessThan(bytesPerSecond * 2.01 + chunk);
          expect(arrived.length * chunk).toBeGreaterThan(bytesPerSecond * 1.98 - 2 * chunk);
        },
      ),
      { numRuns: 20 },
    );
  });

  it('holds what arrives until it is let go', () => {
    const { time, path, arrived } = loaded(10, 1_000_000, 512);
    path.send(512, () => arrived.push({ index: 0, atMs: time.monotonicMs() }));
    path.hold();
    time.runUntil(100);
    expect(arrived).toEqual([]);
    path.release();
    time.runUntil(200);
    expect(arrived).toHaveLength(1);
  });
});

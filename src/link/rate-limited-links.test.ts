import fc from 'fast-check';
import { expect, test } from 'vitest';
import { rateTurnMs } from '../base/limits.ts';
import { VirtualTime } from '../flow/virtual-link.fixture.ts';
import type { LinkHandler, LinkId } from '../ports.ts';
import { RateLimitedLinks } from './rate-limited-links.ts';
import { MemoryPort } from './two-nodes.fixture.ts';

const none = new Uint8Array(0);
const writeBytes = 16_384;
const from = { host: '203.0.113.1', port: 1 };
const near = { host: '127.0.0.1', port: 1 };

/** Counts what passes, and brings what the peer sends unless the link is paused. */
class Wire extends MemoryPort {
  readonly sent = new Map<LinkId, number>();
  readonly paused = new Set<LinkId>();
  readonly stuck = new Set<LinkId>();

  override write(link: LinkId, bytes: Uint8Array): boolean {
    this.sent.set(link, (this.sent.get(link) ?? 0) + bytes.length);
    return !this.stuck.has(link);
  }

  override pause(link?: LinkId): void {
    this.paused.add(link!);
  }

  override resume(link?: LinkId): void {
    this.paused.delete(link!);
  }
}

/** Cores that always have something to write, on so many links, and a peer that always sends. */
function busyLinks(links: number, rate: number, burst: number) {
  const time = new VirtualTime();
  const wire = new Wire({ peerCertificate: none, ownCertificate: none, exporter: () => none });
  const limited = new RateLimitedLinks(wire, time, { rate, burst, counts: ({ host }) => host === from.host });
  const read = new Map<LinkId, number>();
  const told: string[] = [];
  const batch = new Uint8Array(writeBytes);
  const write = (link: LinkId): void => {
    // A guard, for a limit that never says full.
    for (let i = 0; i < 10_000 && limited.write(link, batch); i++);
  };
  const handler: LinkHandler = {
    onAccepted: write,
    onOpen() {},
    onBytes: (link, bytes) => void read.set(link, (read.get(link) ?? 0) + bytes.length),
    onWritable: write,
    onClosed: link => void told.push(`closed ${link}`),
  };
  limited.attach(handler);
  for (let link = 1; link <= links; link++) limited.onAccepted(link, from);
  /** The peers fill every link that is read, each millisecond. */
  const run = (ms: number): void => {
    for (let now = 0; now < ms; now++) {
      for (let link = 1; link <= links; link++)
        for (let i = 0; i < 100 && !wire.paused.has(link); i++) limited.onBytes(link, batch);
      time.runUntil(time.monotonicMs() + 1);
    }
  };
  return { time, wire, limited, read, told, run };
}

const sumOf = (counts: ReadonlyMap<LinkId, number>): number =>
  [...counts.values()].reduce((sum, each) => sum + each, 0);

test('both directions keep to the rate, whatever the number of links, and lose nothing of it', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 100_000, max: 10_000_000 }),
      fc.integer({ min: 1, max: 3 }),
      (links, rate, bursts) => {
        const { wire, read, run } = busyLinks(links, rate, rate * bursts);
        run(2_000);
        const allowed = rate * bursts + rate * 2;
        const once = (links + 1) * writeBytes;
        const turns = (rate * rateTurnMs * 2) / 1_000;
        for (const count of [sumOf(wire.sent), sumOf(read)]) {
          expect(count).toBeLessThanOrEqual(allowed + once);
          expect(count).toBeGreaterThan(allowed - once - turns);
        }
      },
    ),
    { numRuns: 30 },
  );
});

test('links take turns', () => {
  const { wire, read, run } = busyLinks(5, 1_000_000, 1_000_000);
  run(1_000);
  const [sent, got] = [new Map(wire.sent), new Map(read)];
  run(10_000);
  for (let link = 1; link <= 5; link++) {
    expect(wire.sent.get(link)! - sent.get(link)!).toBeGreaterThan(1_700_000);
    expect(read.get(link)! - got.get(link)!).toBeGreaterThan(1_700_000);
  }
});

test('links that do not count are as fast as ever, and wait for nobody', () => {
  const { wire, limited } = busyLinks(1, 100_000, 100_000);
  limited.onAccepted(2, near);
  expect(wire.sent.get(2)).toBe(10_000 * writeBytes);
  limited.onBytes(2, new Uint8Array(1_000_000));
  expect(wire.paused.has(2)).toBe(false);
});

test('a link whose port is full waits for the port, then for its turn', () => {
  const { time, wire, limited } = busyLinks(0, 1_000_000, 1_000_000);
  wire.stuck.add(1);
  limited.onAccepted(1, from);
  expect(sumOf(wire.sent)).toBe(writeBytes);
  time.runUntil(5_000);
  expect(sumOf(wire.sent)).toBe(writeBytes);
  wire.stuck.delete(1);
  limited.onWritable(1);
  expect(sumOf(wire.sent)).toBeGreaterThan(1_000_000);
});

test('a link that is gone has no turn any more', () => {
  const { time, wire, limited, told } = busyLinks(2, 1_000_000, 1_000_000);
  const sent = sumOf(wire.sent);
  limited.close(1, 'done');
  limited.onClosed(2, 'reset');
  time.runUntil(10_000);
  expect(sumOf(wire.sent)).toBe(sent);
  expect(told).toEqual(['closed 2']);
});

test('what the core paused stays so until it wants more', () => {
  const { time, wire, limited } = busyLinks(1, 1_000_000, 1_000_000);
  limited.onBytes(1, new Uint8Array(2_000_000));
  limited.pause(1);
  time.runUntil(10_000);
  expect(wire.paused.has(1)).toBe(true);
  limited.resume(1);
  expect(wire.paused.has(1)).toBe(false);
});

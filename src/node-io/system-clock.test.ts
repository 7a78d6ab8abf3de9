import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { SystemClock } from './system-clock.ts';
import { SystemEntropy } from './system-entropy.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('timers run once, in their time, unless they are cancelled', () => {
  const clock = new SystemClock();
  const ran: string[] = [];
  clock.after(20, () => ran.push('later'));
  clock.after(10, () => ran.push('soon'));
  const cancel = clock.after(15, () => ran.push('never'));
  clock.after(0, () => ran.push('at once'));
  expect(ran).toEqual([]);
  cancel();
  cancel();
  vi.advanceTimersByTime(100);
  expect(ran).toEqual(['at once', 'soon', 'later']);
});

test('a wait longer than setTimeout can count is waited for in full', () => {
  const clock = new SystemClock();
  const days = 60 * 86_400_000;
  let ran = 0;
  clock.after(days, () => {
    ran += 1;
  });
  vi.advanceTimersByTime(days - 1);
  expect(ran).toBe(0);
  vi.advanceTimersByTime(1);
  expect(ran).toBe(1);
});

test('after stop nothing runs and nothing waits', () => {
  const clock = new SystemClock();
  clock.after(0, () => expect.unreachable());
  clock.after(5, () => expect.unreachable());
  clock.after(2 ** 40, () => expect.unreachable());
  clock.stop();
  expect(vi.getTimerCount()).toBe(0);
});

test('monotonic time does not follow the wall', () => {
  vi.useRealTimers();
  const clock = new SystemClock();
  const [monotonic, wall] = [clock.monotonicMs(), clock.wallMs()];
  expect(clock.monotonicMs()).toBeGreaterThanOrEqual(monotonic);
  expect(wall).toBeGreaterThan(1_700_000_000_000);
});

test('entropy hands each byte out once, in any size', () => {
  const entropy = new SystemEntropy();
  const seen = new Set<string>();
  for (let i = 0; i < 2_000; i++) {
    const bytes = entropy.bytes(20);
    expect(bytes).toHaveLength(20);
    expect(bytes.constructor).toBe(Uint8Array);
    seen.add(Buffer.from(bytes).toString('hex'));
  }
  expect(seen.size).toBe(2_000);
  expect([0, 1, 1_024, 1_025, 100_000].map(length => entropy.bytes(length).length)).toEqual([
    0, 1, 1_024, 1_025, 100_000,
  ]);
  expect(entropy.bytes(100_000).every(byte => byte === 0)).toBe(false);
});

import { describe, expect, it } from 'vitest';
import type { Clock } from '../../ports.ts';
import { IdleDeposit } from './idle-deposit.ts';

/** A clock whose timers run when it is told to go on. */
function handClock() {
  let now = 0;
  let timers: { readonly at: number; readonly run: () => void }[] = [];
  const clock: Clock = {
    monotonicMs: () => now,
    wallMs: () => now,
    after(ms, run) {
      const timer = { at: now + ms, run };
      timers.push(timer);
      return () => {
        timers = timers.filter(each => each !== timer);
      };
    },
  };
  const goOn = (ms: number): void => {
    const end = now + ms;
    for (;;) {
      const next = timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      timers = timers.filter(each => each !== next);
      now = next.at;
      next.run();
    }
    now = end;
  };
  return { clock, goOn };
}

describe('coins that nobody pays on with', () => {
  it.each([
    ['at once by a relay that spends nothing', false, 3_000],
    ['a day later by one that may spend them', true, 3_000 + 86_400_000],
  ])('are handed in %s', (_, pays, afterMs) => {
    const { clock, goOn } = handClock();
    let handed = 0;
    const idle = new IdleDeposit(
      clock,
      () => pays,
      () => {
        handed += 1;
      },
    );
    for (const session of [1, 2]) idle.paid(session);
    idle.ended(1);
    goOn(2 * afterMs);
    expect(handed).toBe(0);
    idle.ended(2);
    goOn(afterMs - 1);
    expect(handed).toBe(0);
    goOn(1);
    expect(handed).toBe(1);
    goOn(2 * afterMs);
    expect(handed).toBe(1);
  });

  it('wait anew when somebody pays meanwhile', () => {
    const { clock, goOn } = handClock();
    let handed = 0;
    const idle = new IdleDeposit(
      clock,
      () => true,
      () => {
        handed += 1;
      },
    );
    idle.left();
    goOn(80_000_000);
    idle.paid(1);
    goOn(80_000_000);
    idle.ended(1);
    goOn(80_000_000);
    expect(handed).toBe(0);
    goOn(6_403_000);
    expect(handed).toBe(1);
  });
});

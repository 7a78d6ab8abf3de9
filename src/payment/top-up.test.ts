import fc from 'fast-check';
import { expect, test } from 'vitest';
import { paymentTripMsMax, receiptMsMax } from '../base/limits.ts';
import { TopUp } from './top-up.ts';

/** Cells pass at a steady rate, payments take a round trip, one at a time. Returns how far below its mark the least of the later half was. */
function shortage(window: number, cellsPerMs: number, roundTripMs: number): number {
  const topUp = new TopUp(window);
  topUp.needs(1_000);
  // As long as a circuit's first payment, before any stream, has taken.
  topUp.onRoundTrip(roundTripMs);
  let cells = 0;
  // Enough for the rate to be known.
  let bought = 10 * cellsPerMs * (roundTripMs + 200);
  let arrival: { readonly atMs: number; readonly cells: number } | undefined;
  let worst = 0;
  const ms = 60 * roundTripMs;
  for (let now = 0; now < ms; now++) {
    if (arrival !== undefined && arrival.atMs <= now) {
      bought += arrival.cells;
      arrival = undefined;
      topUp.onRoundTrip(roundTripMs);
    }
    // What is not prepaid does not pass.
    cells += Math.min(cellsPerMs, bought - cells);
    topUp.measure(cells, now);
    const due = topUp.due(bought - cells);
    if (arrival === undefined && due > 0) arrival = { atMs: now + roundTripMs, cells: due };
    if (now > ms / 2) worst = Math.max(worst, topUp.keepCells - (bought - cells));
  }
  return worst;
}

test('payments come before less is left than must stay prepaid, if a window is twice what passes until the next', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 100_000 }),
      fc.integer({ min: 1, max: 100 }),
      fc.integer({ min: 1, max: 600 }),
      (more, cellsPerMs, roundTripMs) => {
        const window = 2 * cellsPerMs * roundTripMs + more;
        // Of the millisecond in which it is noticed, and of the rounding of rate and way.
        expect(shortage(window, cellsPerMs, roundTripMs)).toBeLessThanOrEqual(2 * cellsPerMs + 2);
      },
    ),
    { numRuns: 50 },
  );
});

test('near by, a small window stays as small as it was asked to be', () => {
  const topUp = new TopUp(256);
  topUp.needs(1_000);
  for (let now = 0; now < 10_000; now++) topUp.measure(now * 10, now);
  topUp.onRoundTrip(2);
  expect(topUp.lowCells).toBe(topUp.keepCells + 256);
  expect(topUp.due(topUp.lowCells - 1)).toBe(256);
  expect(topUp.due(topUp.lowCells)).toBe(0);
});

test('far away, a small window does not hold back a far end that doubles its rate each round trip', () => {
  const [window, roundTripMs, needed, fullRate] = [256, 300, 1_000, 8];
  const topUp = new TopUp(window);
  topUp.needs(needed);
  topUp.onRoundTrip(roundTripMs);
  const arrivals: { readonly atMs: number; readonly cells: number }[] = [];
  let [cells, wanted, bought, credited, rate, held] = [0, 0, 2 * needed, 2 * needed, 1, false];
  for (let now = 0; now < 20 * roundTripMs; now++) {
    for (; arrivals[0]?.atMs === now; arrivals.shift()) credited += arrivals[0].cells;
    if (now % roundTripMs === 0) {
      // What waited for a payment looks like a queue on the way.
      rate = held ? Math.max(1, rate / 2) : Math.min(fullRate, 2 * rate);
      held = false;
    }
    wanted += rate;
    cells = Math.min(Math.floor(wanted), credited - needed);
    held ||= cells < Math.floor(wanted);
    topUp.measure(cells, now);
    for (let due = topUp.due(bought - cells); due > 0; due = topUp.due(bought - cells)) {
      bought += due;
      arrivals.push({ atMs: now + roundTripMs, cells: due });
    }
  }
  expect(rate).toBe(fullRate);
});

test('a hop that withholds a RECEIPT is not paid many windows ahead for it', () => {
  const [window, needed, cellsPerMs] = [1_024, 1_000, 2];
  const bought = (roundTripMs: number): number => {
    const topUp = new TopUp(window);
    topUp.needs(needed);
    topUp.onRoundTrip(roundTripMs);
    for (let now = 0; now < 2_000; now++) topUp.measure(now * cellsPerMs, now);
    return topUp.due(0);
  };
  expect(bought(receiptMsMax)).toBe(bought(paymentTripMsMax));
  expect(bought(receiptMsMax)).toBeLessThan(needed + window + 4 * paymentTripMsMax * cellsPerMs);
});

import { describe, expect, it } from 'vitest';
import { readCongestionParams } from './congestion-params.ts';
import { ClockDoubt, RoundTrip } from './round-trip.ts';
import { clockVectors, roundTripVectors, windowVectors } from './vectors/congestion.ts';
import { Vegas } from './vegas.ts';

const params = readCongestionParams((_, otherwise) => otherwise);

describe('round trips', () => {
  it('are doubted as C tor doubts them', () => {
    const clock = new ClockDoubt();
    for (const [averageUs, sampleUs, slowStart, stalled, doubted] of clockVectors) {
      const settled = !slowStart && averageUs > 0;
      expect([clock.doubts(sampleUs, averageUs, settled), clock.stalled]).toEqual([doubted, stalled]);
    }
  });

  it('are averaged as C tor averages them', () => {
    const roundTrip = new RoundTrip();
    for (const [sentUs, answeredUs, atLeast, slowStart, averageUs, leastUs] of roundTripVectors) {
      const reset = atLeast && !slowStart ? params.resetPercent : undefined;
      expect(roundTrip.measure(answeredUs - sentUs, 2, !slowStart, reset)).toBe(true);
      expect([roundTrip.averageUs, roundTrip.leastUs]).toEqual([averageUs, leastUs]);
    }
  });

  it('say nothing while the clock stands still', () => {
    const roundTrip = new RoundTrip();
    expect(roundTrip.measure(0, 2, false, undefined)).toBe(false);
    expect(roundTrip.averageUs).toBe(0);
  });
});

describe('the window', () => {
  it.each(Object.entries(windowVectors))('moves as C tor moves it: %s', (_, steps) => {
    const vegas = new Vegas(params, params.sendmeCells);
    for (const [sentUs, answeredUs, blocked, inflight, ...after] of steps) {
      vegas.onSendme(answeredUs - sentUs, inflight, blocked);
      const { averageUs, leastUs } = vegas.roundTrip;
      expect([averageUs, leastUs, vegas.cells, vegas.slowStart, vegas.full]).toEqual(after);
    }
  });

  it('stays as it is while no round trip can be measured', () => {
    const vegas = new Vegas(params, params.sendmeCells);
    for (let answer = 0; answer < 100; answer++) vegas.onSendme(0, 124, answer % 2 === 0);
    expect(vegas.cells).toBe(params.initialCells);
  });

  it('keeps to the consensus: its first size, its least and its most', () => {
    const wide = readCongestionParams((name, otherwise) => (name === 'cc_cwnd_init' ? 2_000 : otherwise));
    expect(new Vegas(wide, 31).cells).toBe(2_000);
    const small = readCongestionParams((name, otherwise) => (name === 'cc_cwnd_max' ? 500 : otherwise));
    const vegas = new Vegas(small, 31);
    for (let answer = 0; answer < 1_000; answer++) vegas.onSendme(50_000, vegas.cells, false);
    expect(vegas.cells).toBe(500);
    for (let answer = 0; answer < 20_000; answer++) vegas.onSendme(50_000 + answer, vegas.cells, true);
    expect(vegas.cells).toBe(small.leastCells);
  });
});

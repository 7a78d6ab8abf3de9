import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { congestionFlow } from './congestion-flow.ts';
import { readCongestionParams } from './congestion-params.ts';
import { CongestionCeiling, CongestionWindow } from './congestion-window.ts';
import { VirtualCircuit, VirtualLink, VirtualTime } from './virtual-link.fixture.ts';

const params = readCongestionParams((_, otherwise) => otherwise);
const sendmeCells = params.sendmeCells;

function flowAt(clock: VirtualTime, end: 'client' | 'exit' = 'exit') {
  return congestionFlow({ params, sendmeCells, clock, blocked: () => false, end });
}

function circuitOver(link: VirtualLink, time: VirtualTime) {
  const flow = flowAt(time);
  const far = flowAt(time, 'client');
  const window = flow.sent as CongestionWindow;
  return { circuit: new VirtualCircuit(flow, far, link), window, far };
}

/** Cells a millisecond that arrive between two times. */
function rateBetween(time: VirtualTime, circuit: VirtualCircuit, fromMs: number, toMs: number): number {
  time.runUntil(fromMs);
  const before = circuit.delivered;
  time.runUntil(toMs);
  return (circuit.delivered - before) / (toMs - fromMs);
}

describe('a congestion window', () => {
  // 2 cells a millisecond are 1 MB/s; bandwidth times round trip is 20 to 2,000 cells.
  it.each([
    [2, 10],
    [2, 100],
    [10, 50],
    [20, 100],
    [2, 400],
  ])('fills a link of %d cells/ms and %d ms, and hardly more', (cellsPerMs, roundTripMs) => {
    const time = new VirtualTime();
    const link = new VirtualLink(time, cellsPerMs, roundTripMs);
    const { circuit, window } = circuitOver(link, time);
    circuit.pump();
    const startMs = 60 * roundTripMs;
    const rate = rateBetween(time, circuit, startMs, startMs + 20 * roundTripMs);
    expect(rate).toBeGreaterThan(0.95 * cellsPerMs);
    expect(rate).toBeLessThanOrEqual(1.01 * cellsPerMs);
    // What it keeps in queues is what the consensus wants there.
    expect(link.queued).toBeLessThan(params.delta);
    expect(window.size).toBeLessThan(cellsPerMs * roundTripMs + params.delta);
  });

  it('shares a link with another circuit, also when that one came later', () => {
    const time = new VirtualTime();
    const link = new VirtualLink(time, 10, 50);
    const first = circuitOver(link, time).circuit;
    const second = circuitOver(link, time).circuit;
    first.pump();
    time.runUntil(3_000);
    second.pump();
    time.runUntil(30_000);
    const [before, beside] = [first.delivered, second.delivered];
    time.runUntil(60_000);
    const share = (second.delivered - beside) / (first.delivered - before + second.delivered - beside);
    expect(share).toBeGreaterThan(0.3);
    expect(share).toBeLessThan(0.7);
    expect(link.queued).toBeLessThan(2 * params.delta);
  });

  it('follows a link that becomes slower, and one that becomes fast again', () => {
    const time = new VirtualTime();
    const link = new VirtualLink(time, 10, 60);
    const { circuit, window } = circuitOver(link, time);
    circuit.pump();
    time.runUntil(5_000);
    link.cellsPerMs = 2;
    expect(rateBetween(time, circuit, 20_000, 25_000)).toBeGreaterThan(1.9);
    expect(link.queued).toBeLessThan(1.5 * params.delta);
    const narrow = window.size;
    link.cellsPerMs = 10;
    expect(rateBetween(time, circuit, 120_000, 125_000)).toBeGreaterThan(9);
    expect(window.size).toBeGreaterThan(narrow);
  });

  it('has no more under way than the widest window so far, in every network', () => {
    const step = fc.record({
      cellsPerMs: fc.integer({ min: 1, max: 20 }),
      roundTripMs: fc.integer({ min: 1, max: 200 }),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 4 }), steps => {
        const time = new VirtualTime();
        const link = new VirtualLink(time, 10, 50);
        const { circuit, window, far } = circuitOver(link, time);
        let widest = window.size;
        const wrong: object[] = [];
        circuit.check = () => {
          widest = Math.max(widest, window.size);
          const { inflight, size, cells } = window;
          const right = inflight >= 0 && inflight <= widest && size <= params.mostCells;
          if (!right || cells !== Math.max(size - inflight, 0)) wrong.push({ inflight, size, cells, widest });
        };
        circuit.pump();
        for (const [at, { cellsPerMs, roundTripMs }] of steps.entries()) {
          link.cellsPerMs = cellsPerMs;
          link.roundTripMs = roundTripMs;
          time.runUntil((at + 1) * 1_000);
        }
        expect(wrong).toEqual([]);
        // What the far end expected at most was enough.
        expect(widest).toBeLessThanOrEqual(far.received.cellsMost);
      }),
      { numRuns: 15 },
    );
  });

  it('ends the circuit for a SENDME that is early, wrong, or one too many', () => {
    const time = new VirtualTime();
    const digest = (n: number) => new Uint8Array(20).fill(n);
    const window = new CongestionWindow({ params, sendmeCells, clock: time, blocked: () => false });
    expect(window.sendme(digest(0))).toEqual({ code: 'SENDME_UNEXPECTED' });
    for (let cell = 1; cell <= 2 * sendmeCells; cell++) {
      const marked = window.package();
      expect(marked).toBe(cell % sendmeCells === 0);
      if (marked) window.expectDigest(digest(cell / sendmeCells));
      else expect(window.inflight).toBe(cell);
    }
    time.runUntil(50);
    expect(window.sendme(digest(1))).toBeUndefined();
    expect(window.inflight).toBe(sendmeCells);
    expect(window.sendme(digest(1))).toEqual({ code: 'SENDME_WRONG_DIGEST' });
    expect(window.sendme(digest(2))).toEqual({ code: 'SENDME_UNEXPECTED' });
  });

  it('narrows when the link to the next hop is behind', () => {
    const time = new VirtualTime();
    let blocked = false;
    const window = new CongestionWindow({ params, sendmeCells, clock: time, blocked: () => blocked });
    const answerWindow = () => {
      let digest = 0;
      while (window.open) if (window.package()) window.expectDigest(Uint8Array.of(digest++));
      time.runUntil(time.monotonicMs() + 50);
      for (let answered = 0; answered < digest; answered++) {
        expect(window.sendme(Uint8Array.of(answered))).toBeUndefined();
        if (window.inflight < sendmeCells) break;
      }
    };
    answerWindow();
    expect(window.size).toBeGreaterThan(params.initialCells);
    const wide = window.size;
    blocked = true;
    answerWindow();
    expect(window.size).toBeLessThanOrEqual(wide + params.gamma);
    const after = window.size;
    for (let turn = 0; turn < 20; turn++) answerWindow();
    expect(window.size).toBeLessThan(after);
  });
});

describe('what a far end may send', () => {
  it('begins with its first window and ends with the widest of slow start', () => {
    const ceiling = new CongestionCeiling(params, sendmeCells);
    expect(ceiling.cells).toBe(params.initialCells + params.gamma);
    expect(ceiling.rise).toBe(31);
    for (let answers = 0; answers < 5_000; answers++) ceiling.onSendme();
    expect(ceiling.cells).toBe(params.slowStartMax + params.gamma);
    expect(ceiling.rise).toBe(0);
  });
});

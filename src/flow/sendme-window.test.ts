import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CircuitDeliverWindow,
  CircuitPackageWindow,
  StreamDeliverWindow,
  StreamPackageWindow,
} from './sendme-window.ts';

const digest = (n: number) => new Uint8Array(20).fill(n);

describe('circuit window', () => {
  it('closes after 1000 cells and opens by 100 for each right SENDME', () => {
    const window = new CircuitPackageWindow();
    let marked = 0;
    for (let cell = 0; cell < 1_000; cell++) {
      expect(window.open).toBe(true);
      if (window.package()) window.expectDigest(digest(++marked));
    }
    expect(window.open).toBe(false);
    for (let answer = 1; answer <= marked; answer++) expect(window.sendme(digest(answer))).toBeUndefined();
    expect(window.cells).toBe(1_000);
  });

  it('accepts exactly the digests of cells 100, 200, … in their order', () => {
    const window = new CircuitPackageWindow();
    for (let cell = 1; cell <= 300; cell++) {
      const marked = window.package();
      expect(marked).toBe(cell % 100 === 0);
      if (marked) window.expectDigest(digest(cell / 100));
    }
    expect(window.sendme(digest(1))).toBeUndefined();
    expect(window.cells).toBe(800);
    expect(window.sendme(digest(3))).toEqual({ code: 'SENDME_WRONG_DIGEST' });
  });

  it('refuses early and superfluous SENDMEs', () => {
    const window = new CircuitPackageWindow();
    expect(window.sendme(digest(0))).toEqual({ code: 'SENDME_UNEXPECTED' });
    for (let cell = 0; cell < 99; cell++) window.package();
    expect(window.sendme(digest(0))).toEqual({ code: 'SENDME_UNEXPECTED' });
    window.package();
    window.expectDigest(digest(0));
    expect(window.sendme(digest(0))).toBeUndefined();
    expect(window.sendme(digest(0))).toEqual({ code: 'SENDME_UNEXPECTED' });
  });

  it('agrees with a receiver in every interleaving', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('send', 'arrive', 'answer'), { maxLength: 4_000 }), steps => {
        const sender = new CircuitPackageWindow();
        const receiver = new CircuitDeliverWindow();
        const wire: number[] = [];
        const answers: number[] = [];
        let sent = 0;
        for (const step of steps) {
          if (step === 'send' && sender.open) {
            wire.push(++sent);
            if (sender.package()) sender.expectDigest(digest((sent / 100) % 256));
          } else if (step === 'arrive' && wire.length > 0) {
            const cell = wire.shift()!;
            expect(receiver.deliver(1)).toBeUndefined();
            if (receiver.marked) {
              receiver.acknowledge();
              answers.push(cell / 100);
            }
          } else if (step === 'answer' && answers.length > 0) {
            expect(sender.sendme(digest(answers.shift()! % 256))).toBeUndefined();
          }
        }
      }),
      { numRuns: 50 },
    );
  });
});

describe('stream window', () => {
  it('closes after 500 cells and opens by 50', () => {
    const window = new StreamPackageWindow();
    expect(window.onSendme()).toEqual({ code: 'SENDME_UNEXPECTED' });
    for (let cell = 0; cell < 500; cell++) {
      expect(window.open).toBe(true);
      window.package();
    }
    expect(window.open).toBe(false);
    expect(window.onSendme()).toBeUndefined();
    expect(window.open).toBe(true);
  });
});

describe('deliver window', () => {
  it('of a circuit marks each cell that a SENDME answers, and faults beyond its start', () => {
    const window = new CircuitDeliverWindow();
    for (let cell = 1; cell <= 1_000; cell++) {
      expect(window.deliver(1)).toBeUndefined();
      expect(window.marked).toBe(cell % 100 === 0);
    }
    expect(window.deliver(1)).toEqual({ code: 'DATA_BEYOND_WINDOW' });
    window.acknowledge();
    expect([window.cells, window.cellsMost, window.grantCells]).toEqual([100, 1_000, 100]);
  });

  it('of a stream faults beyond its start, owes a SENDME a step', () => {
    const window = new StreamDeliverWindow();
    for (let cell = 1; cell <= 500; cell++) {
      expect(window.deliver(1)).toBeUndefined();
      expect(window.due).toBe(cell >= 50);
    }
    expect(window.deliver(1)).toEqual({ code: 'DATA_BEYOND_WINDOW' });
    for (let owed = 0; owed < 10; owed++) window.acknowledge();
    expect(window.due).toBe(false);
  });
});

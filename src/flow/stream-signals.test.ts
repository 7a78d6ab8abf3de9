import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { congestionCellsMax, relayBodyBytesMax } from '../base/limits.ts';
import { BacklogRoom, StreamBacklog } from './stream-backlog.ts';
import { StreamValve } from './stream-valve.ts';
import { VirtualTime } from './virtual-link.fixture.ts';

const xoffBytes = 244_000;
const xonRateBytes = 249_000;
const spacing = { xoffBytes, xonBytes: xoffBytes };

function newBacklog(time: VirtualTime, room = new BacklogRoom()) {
  return new StreamBacklog({ clock: time, room, xoffBytes, xonRateBytes });
}

/** So many bytes in full cells; says what was wrong with them. */
function deliver(backlog: StreamBacklog, bytes: number, full: boolean) {
  for (let left = bytes; left > 0; left -= relayBodyBytesMax) {
    const fault = backlog.deliver(1, Math.min(left, relayBodyBytesMax), full);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

describe('what nobody reads', () => {
  it('stops the far end beyond its length, and lets it go on at the rate at which it was read', () => {
    const time = new VirtualTime();
    const backlog = newBacklog(time);
    deliver(backlog, xoffBytes, true);
    expect(backlog.signal()).toBeUndefined();
    deliver(backlog, 1_000, true);
    expect(backlog.signal()).toEqual({ kind: 'xoff' });
    expect(backlog.signal()).toBeUndefined();
    time.runUntil(245);
    expect(backlog.signal()).toBeUndefined();
    backlog.drained();
    expect(backlog.signal()).toEqual({ kind: 'xon', rate: 1_000 });
    expect(backlog.signal()).toBeUndefined();
  });

  it('is nothing while it is read at once', () => {
    const backlog = newBacklog(new VirtualTime());
    deliver(backlog, 100 * xoffBytes, false);
    expect(backlog.signal()).toBeUndefined();
  });

  it('doubles the rate that it told while nothing waits, until there is no limit', () => {
    const time = new VirtualTime();
    const backlog = newBacklog(time);
    deliver(backlog, xoffBytes + 1, true);
    backlog.signal();
    time.runUntil(100);
    backlog.drained();
    const rates: number[] = [];
    for (let turn = 0; turn < 12; turn++) {
      const signal = backlog.signal();
      if (signal?.kind === 'xon') rates.push(signal.rate);
      deliver(backlog, xonRateBytes, false);
    }
    expect(rates).toEqual([2_440, 4_880, 9_760, 19_520, 39_040, 78_080, 156_160, 312_320, 624_640, 0]);
  });

  it('may not be more than any window holds, over all streams of a circuit', () => {
    const time = new VirtualTime();
    const room = new BacklogRoom();
    const [one, other] = [newBacklog(time, room), newBacklog(time, room)];
    const most = congestionCellsMax * relayBodyBytesMax;
    expect(deliver(one, xoffBytes + most, true)).toBeUndefined();
    expect(deliver(other, xoffBytes, true)).toBeUndefined();
    expect(deliver(other, 1, true)).toEqual({ code: 'DATA_BEYOND_WINDOW' });
    one.stop();
    expect(deliver(other, xoffBytes, true)).toBeUndefined();
  });
});

describe('a stream that is sent', () => {
  function newValve(checked: boolean) {
    const time = new VirtualTime();
    let opened = 0;
    const onOpen = () => {
      opened += 1;
    };
    const valve = new StreamValve({ clock: time, spacing: checked ? spacing : undefined, onOpen });
    return { time, valve, opened: () => opened };
  }

  it('is held by XOFF and let go by XON', () => {
    const { valve } = newValve(false);
    expect(valve.open).toBe(true);
    expect(valve.onXoff()).toBeUndefined();
    expect(valve.open).toBe(false);
    expect(valve.onXon(0)).toBeUndefined();
    expect(valve.open).toBe(true);
    for (let cell = 0; cell < 100_000; cell++) valve.package(498);
    expect(valve.open).toBe(true);
  });

  it('has no SENDMEs', () => {
    expect(newValve(false).valve.onSendme()).toEqual({ code: 'SENDME_UNEXPECTED' });
  });

  it('keeps to the rate that XON tells, and opens by itself again', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5_000 }), rate => {
        const { time, valve, opened } = newValve(false);
        valve.onXon(rate);
        let bytes = 0;
        for (let ms = 0; ms <= 10_000; ms++) {
          time.runUntil(ms);
          while (valve.open) {
            valve.package(498);
            bytes += 498;
          }
        }
        // A second's worth at once, then ten seconds' worth, a cell more or less.
        expect(Math.abs(bytes - 11_000 * rate)).toBeLessThanOrEqual(10 * rate + 498);
        expect(opened()).toBeGreaterThan(0);
        valve.stop();
        const before = opened();
        time.runUntil(20_000);
        expect(opened()).toBe(before);
      }),
      { numRuns: 20 },
    );
  });

  it('takes a signal for a fault at a client that has not sent enough to cause it', () => {
    const early = newValve(true).valve;
    expect(early.onXoff()).toEqual({ code: 'XOFF_UNEXPECTED' });
    expect(newValve(true).valve.onXon(0)).toEqual({ code: 'XON_UNEXPECTED' });
    const { valve } = newValve(true);
    for (let bytes = 0; bytes < xoffBytes; bytes += 488) valve.package(488);
    expect(valve.onXoff()).toBeUndefined();
    expect(valve.onXon(100)).toBeUndefined();
    expect(valve.onXoff()).toEqual({ code: 'XOFF_UNEXPECTED' });
  });

  it('whose far end keeps the rules is never at fault, however it is read', () => {
    const act = fc.record({ send: fc.nat(300_000), waitMs: fc.nat(500), full: fc.boolean() });
    fc.assert(
      fc.property(fc.array(act, { maxLength: 60 }), acts => {
        const { time, valve } = newValve(true);
        const backlog = newBacklog(time);
        const tell = () => {
          const signal = backlog.signal();
          if (signal === undefined) return undefined;
          return signal.kind === 'xoff' ? valve.onXoff() : valve.onXon(signal.rate);
        };
        for (const { send, waitMs, full } of acts) {
          if (!full) backlog.drained();
          expect(tell()).toBeUndefined();
          for (let left = send; left > 0 && valve.open; left -= 498) {
            valve.package(Math.min(left, 498));
            expect(backlog.deliver(1, Math.min(left, 498), full)).toBeUndefined();
            expect(tell()).toBeUndefined();
          }
          time.runUntil(time.monotonicMs() + waitMs);
        }
      }),
      { numRuns: 50 },
    );
  });
});

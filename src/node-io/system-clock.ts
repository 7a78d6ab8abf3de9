import type { Cancel, Clock } from '../ports.ts';

/** The longest wait that setTimeout takes: beyond it Node waits no time at all. */
const timeoutMsMax = 2 ** 31 - 1;

/** The clock of this machine. */
export class SystemClock implements Clock {
  readonly #waiting = new Set<Cancel>();

  monotonicMs(): number {
    return performance.now();
  }

  wallMs(): number {
    return Date.now();
  }

  after(ms: number, run: () => void): Cancel {
    let stopTimer: Cancel;
    const cancel = () => {
      this.#waiting.delete(cancel);
      stopTimer();
    };
    const fire = () => {
      this.#waiting.delete(cancel);
      run();
    };
    const wait = (left: number) => {
      const timer = setTimeout(
        () => (left > timeoutMsMax ? wait(left - timeoutMsMax) : fire()),
        Math.min(left, timeoutMsMax),
      );
      stopTimer = () => clearTimeout(timer);
    };
    if (ms > 0) wait(ms);
    else {
      // setTimeout would turn "as soon as this event is over" into a millisecond.
      const timer = setImmediate(fire);
      stopTimer = () => clearImmediate(timer);
    }
    this.#waiting.add(cancel);
    return cancel;
  }

  /** Nothing that still waits will run; the process may end. */
  stop(): void {
    for (const cancel of [...this.#waiting]) cancel();
  }
}

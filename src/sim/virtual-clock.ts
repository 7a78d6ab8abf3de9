import { assert } from '../base/assert.ts';
import type { Cancel, Clock } from '../ports.ts';
import type { SimNode } from './sim-node.ts';

/** Virtual time as one node sees it: its monotonic clock starts with the clock, its wall clock may be wrong and jump. */
export class VirtualClock implements Clock {
  readonly #node: SimNode;
  readonly #startUs: number;
  #skewMs: number;

  constructor(node: SimNode, skewMs = 0) {
    this.#node = node;
    this.#startUs = node.world.nowUs;
    this.#skewMs = skewMs;
  }

  monotonicMs(): number {
    return (this.#node.world.nowUs - this.#startUs) / 1_000;
  }

  wallMs(): number {
    return this.#node.world.wallStartMs + Math.floor(this.#node.world.nowUs / 1_000) + this.#skewMs;
  }

  after(ms: number, run: () => void): Cancel {
    assert(ms >= 0, 'a timer is not in the past');
    this.#node.called('after', 0, ms);
    return this.#node.later(Math.ceil(ms * 1_000), () => {
      this.#node.told('timer');
      run();
    });
  }

  /** Sets the wall clock forward or back, as an operator or NTP would. */
  jumpWall(ms: number): void {
    this.#skewMs += ms;
  }
}

import type { Clock } from '../ports.ts';
import type { CircuitFlow } from './flow-control.ts';

/** A link that circuits share, in virtual time, with one queue and a fixed way back. For tests. */

interface Event {
  readonly atUs: number;
  run: (() => void) | undefined;
}

/** Events in order of time, equal times in the order in which they were made; nothing else moves the clock. */
export class VirtualTime implements Clock {
  nowUs = 0;
  /** Sorted; most events are made behind all others. */
  #events: Event[] = [];

  monotonicMs(): number {
    return this.nowUs / 1_000;
  }

  wallMs(): number {
    return this.nowUs / 1_000;
  }

  after(ms: number, run: () => void): () => void {
    const event: Event = { atUs: this.nowUs + ms * 1_000, run };
    let at = this.#events.length;
    while (at > 0 && this.#events[at - 1].atUs > event.atUs) at -= 1;
    this.#events.splice(at, 0, event);
    return () => {
      event.run = undefined;
    };
  }

  runUntil(ms: number): void {
    while (this.#events.length > 0 && this.#events[0].atUs <= ms * 1_000) {
      const { atUs, run } = this.#events.shift()!;
      this.nowUs = Math.max(this.nowUs, atUs);
      run?.();
    }
    this.nowUs = ms * 1_000;
  }
}

/** Cells pass at `cellsPerMs`, then take half of `roundTripMs`; SENDMEs take the other half. Nothing overtakes. */
export class VirtualLink {
  cellsPerMs: number;
  roundTripMs: number;
  readonly #time: VirtualTime;
  #busyUntilMs = 0;
  #carried: (() => void)[] = [];
  #answered: (() => void)[] = [];
  #lastArrivalMs = 0;
  #lastAnswerMs = 0;

  constructor(time: VirtualTime, cellsPerMs: number, roundTripMs: number) {
    this.#time = time;
    this.cellsPerMs = cellsPerMs;
    this.roundTripMs = roundTripMs;
  }

  /** Cells that wait in its queue. */
  get queued(): number {
    return Math.max(this.#busyUntilMs - this.#time.monotonicMs(), 0) * this.cellsPerMs;
  }

  carry(arrived: () => void): void {
    const nowMs = this.#time.monotonicMs();
    this.#busyUntilMs = Math.max(this.#busyUntilMs, nowMs) + 1 / this.cellsPerMs;
    this.#lastArrivalMs = Math.max(this.#busyUntilMs + this.roundTripMs / 2, this.#lastArrivalMs);
    this.#carried.push(arrived);
    this.#time.after(this.#lastArrivalMs - nowMs, () => this.#carried.shift()!());
  }

  answer(arrived: () => void): void {
    const nowMs = this.#time.monotonicMs();
    this.#lastAnswerMs = Math.max(nowMs + this.roundTripMs / 2, this.#lastAnswerMs);
    this.#answered.push(arrived);
    this.#time.after(this.#lastAnswerMs - nowMs, () => this.#answered.shift()!());
  }
}

/** A source that always has more to send, and the far end that answers it. */
export class VirtualCircuit {
  delivered = 0;
  /** Called after each cell that is sent or answered. */
  check: () => void = () => {};
  readonly #near: CircuitFlow;
  readonly #far: CircuitFlow;
  readonly #link: VirtualLink;
  #sent = 0;

  constructor(near: CircuitFlow, far: CircuitFlow, link: VirtualLink) {
    this.#near = near;
    this.#far = far;
    this.#link = link;
  }

  pump(): void {
    const { sent } = this.#near;
    while (sent.open) {
      this.#sent += 1;
      const digest = new Uint8Array(new Float64Array([this.#sent]).buffer);
      if (sent.package()) sent.expectDigest(digest);
      this.#link.carry(() => this.#arrive(digest));
      this.check();
    }
  }

  #arrive(digest: Uint8Array): void {
    const { received } = this.#far;
    this.delivered += 1;
    const fault = received.deliver(1);
    if (fault !== undefined) throw new Error(fault.code);
    if (!received.marked) return;
    received.acknowledge();
    this.#link.answer(() => {
      const wrong = this.#near.sent.sendme(digest);
      if (wrong !== undefined) throw new Error(wrong.code);
      this.check();
      this.pump();
    });
  }
}

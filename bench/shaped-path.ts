import { TokenBucket } from '../src/flow/token-bucket.ts';
import type { Clock } from '../src/ports.ts';

/** How far apart and how wide the two ends of a link are. */
export interface PathShape {
  /** One way. */
  readonly delayMs: number;
  /** Each way. */
  readonly bytesPerSecond: number;
}

/** What may wait to enter the path, as in the send buffer of a socket. */
const waitingBytesMax = 262_144;

/** One direction of an emulated path: what is sent leaves at the path's rate, and arrives after its delay, in order. */
export class ShapedPath {
  readonly #clock: Clock;
  readonly #shape: PathShape;
  readonly #onWritable: () => void;
  /** Nearly empty, so that its debt is what waits to enter the path. */
  readonly #bucket: TokenBucket;
  readonly #underWay: { readonly dueMs: number; readonly arrive: () => void }[] = [];
  #full = false;
  #held = false;
  #arrivalComes = false;

  /** @param onWritable after `send` said full, when half of what waited has left. */
  constructor(clock: Clock, shape: PathShape, onWritable: () => void) {
    this.#clock = clock;
    this.#shape = shape;
    this.#onWritable = onWritable;
    this.#bucket = new TokenBucket(clock, shape.bytesPerSecond, 1);
  }

  /** Something of that size, which may be 0. False: full. */
  send(bytes: number, arrive: () => void): boolean {
    this.#bucket.take(bytes);
    const dueMs = this.#clock.monotonicMs() + this.#bucket.waitMs() + this.#shape.delayMs;
    this.#underWay.push({ dueMs, arrive });
    this.#awaitArrival();
    if (this.#full || this.#waiting() <= waitingBytesMax) return !this.#full;
    this.#full = true;
    this.#awaitRoom();
    return false;
  }

  /** Nothing arrives until `release`. */
  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    this.#awaitArrival();
  }

  #waiting(): number {
    return -this.#bucket.level();
  }

  #awaitRoom(): void {
    const ms = ((this.#waiting() - waitingBytesMax / 2) / this.#shape.bytesPerSecond) * 1_000;
    this.#clock.after(Math.ceil(Math.max(ms, 1)), () => {
      if (this.#waiting() > waitingBytesMax / 2) this.#awaitRoom();
      else {
        this.#full = false;
        this.#onWritable();
      }
    });
  }

  #awaitArrival(): void {
    const [next] = this.#underWay;
    if (this.#arrivalComes || this.#held || next === undefined) return;
    this.#arrivalComes = true;
    this.#clock.after(Math.max(next.dueMs - this.#clock.monotonicMs(), 0), () => {
      this.#arrivalComes = false;
      const nowMs = this.#clock.monotonicMs();
      while (!this.#held && this.#underWay.length > 0 && this.#underWay[0].dueMs <= nowMs)
        this.#underWay.shift()?.arrive();
      this.#awaitArrival();
    });
  }
}

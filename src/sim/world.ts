import { assert } from '../base/assert.ts';
import { EventQueue, type QueuedEvent } from './event-queue.ts';
import { SeededEntropy } from './seeded-entropy.ts';
import { TraceHash, type TraceLine } from './trace-hash.ts';

export interface WorldOptions {
  readonly seed: string | number;
  /** Milliseconds since 1970 when the world begins. */
  readonly wallMs?: number;
  readonly trace?: TraceLine;
}

export interface RunLimits {
  readonly virtualMs?: number;
  readonly steps?: number;
}

/** Why a run stopped: the condition held, nothing is left to do, or a limit was met. */
export type RunEnd = 'done' | 'idle' | 'time' | 'steps';

/** Whose turn it is; a node of the simulation. */
export interface Actor {
  readonly index: number;
  readonly name: string;
}

/**
 * Virtual time and the queue of what happens next. All of a simulation hangs on one world: events run one at a time,
 * ordered by (time, sequence), and nothing else moves the clock.
 */
export class World {
  readonly trace: TraceHash;
  readonly entropy: SeededEntropy;
  readonly wallStartMs: number;
  nowUs = 0;
  steps = 0;
  /** The node whose handler is running, if one is. */
  current: Actor | undefined;
  #queue = new EventQueue();
  #actors = 0;

  constructor(options: WorldOptions) {
    this.trace = new TraceHash(options.trace);
    this.entropy = new SeededEntropy(options.seed);
    this.wallStartMs = options.wallMs ?? 1_800_000_000_000;
  }

  newActorIndex(): number {
    this.#actors += 1;
    return this.#actors;
  }

  /** @param delayUs whole microseconds from now. */
  after(delayUs: number, run: () => void): QueuedEvent {
    assert(Number.isInteger(delayUs) && delayUs >= 0, 'an event is a whole number of microseconds ahead');
    return this.#queue.push(this.nowUs + delayUs, run);
  }

  /** Takes an event back; one that has run already is left alone. */
  cancel(event: QueuedEvent): void {
    this.#queue.cancel(event);
  }

  /** Runs `run` as the only thing that happens now, with port calls of `actor` allowed. */
  turn<T>(actor: Actor, run: () => T): T {
    assert(this.current === undefined, `re-entry: ${actor.name} was called while ${this.current?.name} ran`);
    this.current = actor;
    try {
      return run();
    } catch (cause) {
      const where = `${actor.name}, ${this.nowUs} us, step ${this.steps}`;
      throw new Error(`${where}: ${cause instanceof Error ? cause.message : cause}`, { cause });
    } finally {
      this.current = undefined;
    }
  }

  /** Runs the next event; false when there is none. */
  step(): boolean {
    assert(this.current === undefined, 're-entry: the world was stepped inside a handler');
    const event = this.#queue.pop();
    if (event === undefined) return false;
    this.nowUs = event.timeUs;
    this.steps += 1;
    event.run?.();
    return true;
  }

  runUntil(done: () => boolean, limits: RunLimits = {}): RunEnd {
    const endUs = limits.virtualMs === undefined ? Infinity : this.nowUs + limits.virtualMs * 1_000;
    const lastStep = this.steps + (limits.steps ?? Infinity);
    while (!done()) {
      const nextUs = this.#queue.nextUs;
      if (nextUs === undefined) return 'idle';
      if (nextUs > endUs) {
        this.nowUs = endUs;
        return 'time';
      }
      if (this.steps >= lastStep) return 'steps';
      this.step();
    }
    return 'done';
  }

  runUntilIdle(limits: RunLimits = {}): RunEnd {
    return this.runUntil(() => false, limits);
  }

  /** Lets `virtualMs` pass, whatever happens in them. */
  runFor(virtualMs: number): void {
    const end = this.after(Math.round(virtualMs * 1_000), () => {});
    this.runUntil(() => this.nowUs >= end.timeUs);
  }
}

import { assert } from '../base/assert.ts';
import type { Cancel, LogFields, Observer } from '../ports.ts';
import type { SeededEntropy } from './seeded-entropy.ts';
import type { Actor, World } from './world.ts';

/** A log line of a node, for checkers and for people. */
export interface LoggedLine {
  readonly node: string;
  readonly timeMs: number;
  readonly level: Parameters<Observer['log']>[0];
  readonly event: string;
  readonly fields: LogFields;
}

/** What a port call ends in when the power goes in the middle of a turn. */
class PowerCut extends Error {}

/** What it ends in when the program has a mistake there. */
class Mishap extends Error {}

/**
 * One process of the simulated world: the identity behind its ports. It can stall (a busy processor), and die and
 * start again, which voids everything that was still under way towards its former life.
 */
export class SimNode implements Actor {
  readonly world: World;
  readonly name: string;
  readonly index: number;
  readonly entropy: SeededEntropy;
  readonly observer: Observer;
  readonly counters = new Map<string, number>();
  onLog: ((line: LoggedLine) => void) | undefined;
  /** Told right after the turn in which the power was cut, or a mishap ended the process: takes it down and up again. */
  onPowerCut: (() => void) | undefined;
  /** A mishap cost a connection in this life: what else it left undone nobody knows. */
  scarred = false;
  /** Goes up with each crash; events of an earlier life are dropped. */
  life = 1;
  #stalledUntilUs = 0;
  #cutAt: ((call: string) => boolean) | undefined;
  #mishapAt: ((call: string) => boolean) | undefined;
  /** A cut or a mishap has begun to end this turn. */
  #ending = false;

  constructor(world: World, name: string) {
    this.world = world;
    this.name = name;
    this.index = world.newActorIndex();
    this.entropy = world.entropy.fork(`node/${name}`);
    this.observer = {
      log: (level, event, fields = {}) => this.#log(level, event, fields),
      count: (counter, by = 1) => this.#count(counter, by),
    };
  }

  /** Does `run` now, as an event of its own. For scenarios: build a core, start it, ask it for something. */
  turn<T>(run: () => T): T {
    this.world.trace.record(this.world.nowUs, this.index, 'turn');
    return this.#powered(run);
  }

  /** Cuts the power just before the first port call for which `at` holds: of that turn nothing more happens. */
  cutPower(at: (call: string) => boolean): void {
    this.#cutAt = at;
  }

  /** Throws in the first port call for which `at` holds, as a mistake of the program would. */
  mishap(at: (call: string) => boolean): void {
    this.#mishapAt = at;
  }

  /** Treats news of a connection as drivers do: a mishap ends that connection, unless it is one about money. */
  treat(news: () => void, endConnection: () => void): void {
    try {
      news();
    } catch (error) {
      if (!(error instanceof Mishap)) throw error;
      this.#ending = false;
      this.scarred = true;
      endConnection();
    }
  }

  /** Does `run` in this node's turn after `delayUs`, unless it dies before or cancels. */
  later(delayUs: number, run: () => void): Cancel {
    const life = this.life;
    let event = this.world.after(delayUs, attempt);
    const node = this;
    function attempt(): void {
      if (node.life !== life) return;
      const waitUs = node.#stalledUntilUs - node.world.nowUs;
      if (waitUs > 0) event = node.world.after(waitUs, attempt);
      else node.#powered(run);
    }
    return () => this.world.cancel(event);
  }

  /** Traces a call that this node makes to one of its ports; it may be made in the node's own turn alone. */
  called(what: string, a = 0, b = 0, bytes?: Uint8Array): void {
    assert(this.world.current === this, `${this.name} called ${what} out of its turn`);
    if (this.#cutAt?.(what)) {
      this.#cutAt = undefined;
      this.#ending = true;
      throw new PowerCut(`${this.name} at ${what}`);
    }
    if (this.#mishapAt?.(what)) {
      this.#mishapAt = undefined;
      this.#ending = true;
      throw new Mishap(`${this.name} at ${what}`);
    }
    this.world.trace.record(this.world.nowUs, this.index, what, a, b, bytes);
  }

  /** Traces news that a port is about to hand to this node. */
  told(what: string, a = 0, b = 0, bytes?: Uint8Array): void {
    this.world.trace.record(this.world.nowUs, this.index, what, a, b, bytes);
  }

  /** The node does nothing for `ms`; what would have happened then happens at the end, in order. */
  stall(ms: number): void {
    this.#stalledUntilUs = Math.max(this.#stalledUntilUs, this.world.nowUs + Math.round(ms * 1_000));
  }

  /** Ends this life of the node at once. Its ports drop what they hold when they are told (network and store crash). */
  die(): void {
    this.life += 1;
    this.#cutAt = undefined;
    this.#mishapAt = undefined;
    this.scarred = false;
    this.world.trace.record(this.world.nowUs, this.index, 'crash');
  }

  /** A turn, which a cut or a mishap may end; there is nobody then whom its result could reach. */
  #powered<T>(run: () => T): T {
    try {
      return this.world.turn(this, run);
    } catch (cause) {
      if (!this.#ending) throw cause;
      this.#ending = false;
      this.onPowerCut?.();
      return undefined as T;
    }
  }

  #log(level: LoggedLine['level'], event: string, fields: LogFields): void {
    this.called(`log ${level} ${event}`);
    this.onLog?.({ node: this.name, timeMs: this.world.nowUs / 1_000, level, event, fields });
  }

  #count(counter: string, by: number): void {
    this.called(`count ${counter}`, 0, by);
    this.counters.set(counter, (this.counters.get(counter) ?? 0) + by);
  }
}

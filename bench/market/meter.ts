import nodeCrypto from 'node:crypto';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import type { PartyExchange } from '../../src/sim/sim-parties.ts';
import type { Actor, World } from '../../src/sim/world.ts';

/** What one party of a market did, and what it was asked, since the count began. */
export interface Effort {
  signatures: number;
  verifications: number;
  /** Calls of SHA-256, those inside of signatures left out. */
  hashes: number;
  /** Of the turns that it had, bookkeeping of the simulation included. */
  cpuMs: number;
  /** Requests of others that it answered, and their bytes, replies included. */
  requests: number;
  requestBytes: number;
}

type Operation = 'signatures' | 'verifications' | 'hashes';

const idle = (): Effort => ({
  signatures: 0,
  verifications: 0,
  hashes: 0,
  cpuMs: 0,
  requests: 0,
  requestBytes: 0,
});

/**
 * Counts for each party of a simulated world what it does. A world has one turn at a time, so whatever is signed, verified
 * or hashed is done by whose turn it is; it is counted where the libraries are called, not by what schemes say.
 */
export class Meter {
  readonly #world: World;
  readonly #efforts = new Map<string, Effort>();
  readonly #undo: (() => void)[];

  constructor(world: World) {
    this.#world = world;
    const native: Record<string, unknown> = createRequire(import.meta.url)('secp256k1');
    const builtin = nodeCrypto as unknown as Record<string, unknown>;
    this.#undo = [
      this.#count(native, 'ecdsaSign', 'signatures'),
      this.#count(native, 'ecdsaVerify', 'verifications'),
      this.#count(builtin, 'hash', 'hashes'),
      this.#time(),
    ];
    syncBuiltinESMExports();
  }

  of(party: string): Effort {
    const known = this.#efforts.get(party) ?? idle();
    this.#efforts.set(party, known);
    return known;
  }

  /** The sum over all parties whose name begins so. */
  sum(prefix: string): Effort {
    const sum = idle();
    for (const [name, effort] of this.#efforts) {
      if (!name.startsWith(prefix)) continue;
      for (const key of Object.keys(sum) as (keyof Effort)[]) sum[key] += effort[key];
    }
    return sum;
  }

  onExchange({ to, request, reply }: PartyExchange): void {
    const effort = this.of(to);
    effort.requests += 1;
    effort.requestBytes += request.length + (reply?.length ?? 0);
  }

  /** All counts are 0 again. */
  reset(): void {
    this.#efforts.clear();
  }

  /** Calls of libraries are not counted any more. */
  stop(): void {
    for (const undo of this.#undo) undo();
    syncBuiltinESMExports();
  }

  #count(library: Record<string, unknown>, name: string, operation: Operation): () => void {
    const original = library[name] as (...parts: unknown[]) => unknown;
    library[name] = (...parts: unknown[]) => {
      const actor = this.#world.current;
      if (actor !== undefined) this.of(actor.name)[operation] += 1;
      return original(...parts);
    };
    return () => {
      library[name] = original;
    };
  }

  #time(): () => void {
    const world = this.#world;
    const original = world.turn.bind(world);
    world.turn = <T>(actor: Actor, run: () => T): T => {
      const start = process.cpuUsage();
      try {
        return original(actor, run);
      } finally {
        const { user, system } = process.cpuUsage(start);
        this.of(actor.name).cpuMs += (user + system) / 1e3;
      }
    };
    return () => {
      world.turn = original;
    };
  }
}

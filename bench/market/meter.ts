import nodeCrypto from 'node:crypto';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { kernels } from '../../src/crypto/kernels/cell-memory.ts';
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
    const native: object = createRequire(import.meta.url)('secp256k1');
    this.#undo = [
      this.#count(native, 'ecdsaSign', 'signatures'),
      this.#count(native, 'ecdsaVerify', 'verifications'),
      this.#count(nodeCrypto, 'hash', 'hashes'),
      this.#count(kernels, 'walkChain', 'hashes', (_at, _wordAt, steps) => Number(steps)),
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

  /** @param times how often a call does it. */
  #count(
    library: object,
    name: string,
    operation: Operation,
    times: (...parts: unknown[]) => number = () => 1,
  ): () => void {
    const functions = library as Record<string, (...parts: unknown[]) => unknown>;
    const original = functions[name];
    functions[name] = (...parts) => {
      const actor = this.#world.current;
      if (actor !== undefined) this.of(actor.name)[operation] += times(...parts);
      return original(...parts);
    };
    return () => {
      functions[name] = original;
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

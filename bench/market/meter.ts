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
  /** Bookkeeping of the simulation included. */
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
 * Counts for each party of a simulated world what it does. A world does one thing at a time, so whatever is signed, verified
 * or hashed meanwhile is done by whose turn it is; it is counted where the libraries are called, not by what schemes say.
 */
export class Meter {
  readonly #efforts = new Map<string, Effort>();
  readonly #undo: (() => void)[];
  /** Whose doing everything is that happens now. */
  #party: string | undefined;

  /** @param wholly whose turns count as a whole; of all others only what they do `within`. */
  constructor(world: World, wholly: (party: string) => boolean = () => true) {
    const native: object = createRequire(import.meta.url)('secp256k1');
    this.#undo = [
      this.#count(native, 'ecdsaSign', 'signatures'),
      this.#count(native, 'ecdsaVerify', 'verifications'),
      // Ed25519: what payees sign their targets with.
      this.#count(nodeCrypto, 'sign', 'signatures'),
      this.#count(nodeCrypto, 'verify', 'verifications'),
      this.#count(nodeCrypto, 'hash', 'hashes'),
      this.#count(kernels, 'walkChain', 'hashes', (_at, _wordAt, steps) => Number(steps)),
      this.#watch(world, wholly),
    ];
    syncBuiltinESMExports();
  }

  /** Does `run` as that party's doing. */
  within<T>(party: string, run: () => T): T {
    const outer = this.#party;
    if (outer === party) return run();
    this.#party = party;
    const start = process.cpuUsage();
    try {
      return run();
    } finally {
      const { user, system } = process.cpuUsage(start);
      this.of(party).cpuMs += (user + system) / 1e3;
      this.#party = outer;
    }
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
      if (this.#party !== undefined) this.of(this.#party)[operation] += times(...parts);
      return original(...parts);
    };
    return () => {
      functions[name] = original;
    };
  }

  #watch(world: World, wholly: (party: string) => boolean): () => void {
    const original = world.turn.bind(world);
    world.turn = <T>(actor: Actor, run: () => T): T =>
      wholly(actor.name) ? this.within(actor.name, () => original(actor, run)) : original(actor, run);
    return () => {
      world.turn = original;
    };
  }
}

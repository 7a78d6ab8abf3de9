import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { toHex } from '../../src/base/bytes.ts';
import { Coverage } from './coverage.ts';
import { Dice } from './dice.ts';
import type { FuzzSubject, FuzzTarget } from './fuzz-target.ts';
import { mutate } from './mutate.ts';
import { Pool } from './pool.ts';

/** Longest time that one input may take, where its target says nothing else. */
export const slowMsMax = 10;
/** What may be left of all inputs of a run together, once garbage is gone. */
export const heapGrowthBytesMax = 8 * 1024 * 1024;
/** An input is as slow as it is at the best of so many times: code may just be compiled, or garbage collected. */
const repeats = 5;
/** And of so many, before it is called too slow. */
const repeatsOfSlow = 50;
const inputsPerBatch = 128;
/** While coverage says what is new, batches are small and kept whole: counting takes longer than what it counts. */
const guidedBatches = 500;
const inputsPerGuidedBatch = 8;
const verdictsMax = 20_000;
/** Inputs that are kept to bring about once more what one input alone does not. */
const historyInputs = 512;

export type FailureKind = 'crash' | 'slow' | 'memory' | 'unserved';

export interface Failure {
  readonly kind: FailureKind;
  readonly detail: string;
  /** In hex; as many as it takes to bring it about. */
  readonly inputs: readonly string[];
}

export interface HuntOptions {
  readonly seed: string;
  readonly cases: number;
  /** Whether coverage is counted at the beginning, to choose by it. */
  readonly guided: boolean;
  /** Whether an input that takes long is a failure: not where nothing may depend on time. */
  readonly timed: boolean;
  /** Told of each input before it is taken, for whoever may have to end a run that hangs. */
  readonly onInput?: (input: Uint8Array) => void;
  /** Told once in a while of the cases so far. */
  readonly onProgress?: (cases: number) => void;
}

export interface HuntResult {
  readonly target: string;
  readonly cases: number;
  readonly inputs: number;
  /** Of CPU. */
  readonly ms: number;
  readonly verdicts: readonly string[];
  /** Share of the characters of the target's sources that ran; undefined: not counted. */
  readonly coverage: number | undefined;
  /** Of CPU, for the slowest input. */
  readonly worstMs: number;
  readonly heapGrowthBytes: number;
  readonly failures: readonly Failure[];
}

/** Tries inputs on one target until so many cases are done; ends early at the first failure. */
export function hunt(target: FuzzTarget, options: HuntOptions): Promise<HuntResult> {
  return new Hunt(target, options).run();
}

/** Takes inputs in order, on a subject that is new. What they bring about, if anything. */
export function replay(
  target: FuzzTarget,
  inputs: readonly Uint8Array[],
  { seed, timed }: Pick<HuntOptions, 'seed' | 'timed'>,
): Failure | undefined {
  const run = new Hunt(target, { seed, timed, cases: Number.POSITIVE_INFINITY, guided: false });
  return run.takeAll(inputs);
}

class Hunt {
  readonly #target: FuzzTarget;
  readonly #options: HuntOptions;
  readonly #dice: Dice;
  readonly #subject: FuzzSubject;
  readonly #pool: Pool;
  readonly #verdicts = new Set<string>();
  readonly #history: Uint8Array[] = [];
  #failure: Failure | undefined;
  #coverage: Coverage | undefined;
  #coverageShare: number | undefined;
  #cases = 0;
  #inputs = 0;
  #news = false;
  #worstMs = 0;
  /** What is in use when half of the cases is done: what is made once for all is there by then. */
  #settledBytes: number | undefined;

  constructor(target: FuzzTarget, options: HuntOptions) {
    this.#target = target;
    this.#options = options;
    this.#dice = new Dice(`${options.seed}/${target.name}`);
    if (options.guided) this.#coverage = new Coverage(target.sources);
    this.#subject = target.open(new Dice(`${options.seed}/${target.name}/subject`));
    this.#pool = new Pool(this.#subject.seeds, this.#dice);
  }

  async run(): Promise<HuntResult> {
    const { cases, onProgress } = this.#options;
    const began = process.cpuUsage();
    for (const [at, seed] of this.#dice.shuffled(this.#subject.seeds).entries()) {
      if (this.#isDone) break;
      this.#try(seed);
      if (at % inputsPerBatch === 0) onProgress?.(this.#cases);
    }
    for (let batch = 0; !this.#isDone; batch++) {
      if (batch === guidedBatches) this.#endGuidance();
      this.#runBatch();
      if (this.#cases >= cases / 2) await this.#settle();
      onProgress?.(this.#cases);
      // Signals are heard, and finalizers run.
      await nextTurn();
    }
    const ms = cpuMsSince(began);
    const heapGrowthBytes = Math.max(0, (await bytesInUse()) - this.#ownBytes - (await this.#settle()));
    if (heapGrowthBytes > heapGrowthBytesMax)
      this.#fail('memory', `${heapGrowthBytes} bytes are left of all inputs together`, this.#history);
    return {
      target: this.#target.name,
      cases: this.#cases,
      inputs: this.#inputs,
      ms,
      verdicts: [...this.#verdicts],
      coverage: this.#coverageShare,
      worstMs: this.#worstMs,
      heapGrowthBytes,
      failures: this.#failure === undefined ? [] : [this.#failure],
    };
  }

  takeAll(inputs: readonly Uint8Array[]): Failure | undefined {
    for (const input of inputs) if (this.#failure === undefined) this.#try(input);
    this.#askWhetherItServes();
    return this.#failure;
  }

  get #isDone(): boolean {
    return this.#cases >= this.#options.cases || this.#failure !== undefined;
  }

  #runBatch(): void {
    const { inputBytesMax: bytesMax } = this.#target;
    const { words } = this.#subject;
    const count = this.#coverage === undefined ? inputsPerBatch : inputsPerGuidedBatch;
    const tried: Uint8Array[] = [];
    while (tried.length < count && !this.#isDone) {
      const input = mutate(this.#dice, { pool: this.#pool.inputs, words, bytesMax });
      tried.push(input);
      this.#try(input);
    }
    if (this.#coverage !== undefined && this.#coverage.take() > 0)
      for (const input of tried) this.#pool.keep(input);
    this.#askWhetherItServes();
  }

  #try(input: Uint8Array): void {
    this.#options.onInput?.(input);
    this.#history[this.#inputs % historyInputs] = input;
    this.#inputs += 1;
    const began = performance.now();
    const thrown = this.#take(input);
    const ms = performance.now() - began;
    if (thrown !== undefined) this.#blame('crash', thrown, input);
    else if (this.#options.timed && ms > this.#worstMs) this.#measure(input);
    if (this.#news) this.#pool.keep(input);
    this.#news = false;
  }

  /** What it threw, if it did. */
  #take(input: Uint8Array): string | undefined {
    try {
      this.#subject.take(input, verdict => {
        this.#cases += 1;
        if (this.#verdicts.has(verdict) || this.#verdicts.size >= verdictsMax) return;
        this.#verdicts.add(verdict);
        this.#news = true;
      });
    } catch (error) {
      return said(error);
    }
    return undefined;
  }

  /** How long an input takes at its best, if that is longer than any before. */
  #measure(input: Uint8Array): void {
    // Code that is counted is slower than what it is when it is not.
    const slowMs = this.#target.slowMsMax ?? slowMsMax;
    const allowedMs = this.#coverage === undefined ? slowMs : 3 * slowMs;
    const best = this.#bestOf(repeats, input, this.#worstMs);
    this.#worstMs = Math.max(this.#worstMs, best);
    if (best <= allowedMs) return;
    const still = this.#bestOf(repeatsOfSlow, input, allowedMs);
    this.#worstMs = still;
    if (still > allowedMs) this.#blame('slow', `${still.toFixed(1)} ms of CPU at its best`, input);
  }

  /** The shortest of some tries, which end once one is not longer than `enoughMs`. */
  #bestOf(tries: number, input: Uint8Array, enoughMs: number): number {
    let best = Number.POSITIVE_INFINITY;
    for (let time = 0; time < tries && best > enoughMs; time++) {
      const began = process.cpuUsage();
      this.#take(input);
      best = Math.min(best, cpuMsSince(began));
    }
    return best;
  }

  #endGuidance(): void {
    if (this.#coverage === undefined) return;
    this.#coverage.take();
    this.#coverageShare = this.#coverage.share;
    this.#coverage.stop();
    this.#coverage = undefined;
    this.#worstMs = 0;
  }

  async #settle(): Promise<number> {
    this.#endGuidance();
    this.#settledBytes ??= (await bytesInUse()) - this.#ownBytes;
    return this.#settledBytes;
  }

  #askWhetherItServes(): void {
    if (this.#failure !== undefined) return;
    try {
      this.#subject.serves?.();
    } catch (error) {
      this.#fail('unserved', said(error), this.#history);
    }
  }

  /** One input did it; or, when a new subject takes it well, it and those before it. */
  #blame(kind: FailureKind, detail: string, input: Uint8Array): void {
    const { cases } = this.#options;
    // Not in a replay, which would never end.
    const alone =
      cases === Number.POSITIVE_INFINITY || replay(this.#target, [input], this.#options) !== undefined;
    this.#fail(kind, detail, alone ? [input] : this.#history);
  }

  #fail(kind: FailureKind, detail: string, inputs: readonly Uint8Array[]): void {
    const oldest = inputs.length < historyInputs ? 0 : this.#inputs % historyInputs;
    const ordered = [...inputs.slice(oldest), ...inputs.slice(0, oldest)];
    this.#failure ??= { kind, detail, inputs: ordered.map(toHex) };
  }

  /** What the search itself keeps. */
  get #ownBytes(): number {
    return this.#pool.bytes + this.#history.reduce((sum, { length }) => sum + length, 0);
  }
}

function cpuMsSince(began: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(began);
  return (user + system) / 1_000;
}

function said(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

let collect: (() => void) | undefined;

/** Of the whole thread, once garbage is gone. */
async function bytesInUse(): Promise<number> {
  if (collect === undefined) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
  }
  // What native objects held is free once their finalizers have run.
  for (let round = 0; round < 4; round++) {
    collect();
    await nextTurn();
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

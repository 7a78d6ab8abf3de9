import { readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { OperatorError } from '../../src/base/fault.ts';
import { type ConfiguredNode, keepPorts } from '../network-config.ts';
import { type NodeProcess, startNode } from '../node-process.ts';
import type { CrashPlan, Party } from './crash-points.ts';

/** Compiled, wherever this module runs from. */
const program = fileURLToPath(import.meta.url).replace(
  /(dist\/)?scripts\/crash\/crash-process\.[jt]s$/,
  'dist/scripts/crash/crashing-node.js',
);

/** A relay or client whose process dies and is started again, on the same data. */
export class CrashingNode {
  readonly party: Party;
  readonly dataDir: string;
  readonly #command: ConfiguredNode;
  readonly #plan: CrashPlan;
  #process: NodeProcess | undefined;
  #death: Promise<unknown> = Promise.resolve();

  constructor(party: Party, dataDir: string, command: ConfiguredNode, plan: CrashPlan) {
    this.party = party;
    this.dataDir = dataDir;
    this.#command = command;
    this.#plan = plan;
  }

  get name(): string {
    return this.#command.name;
  }

  get isDead(): boolean {
    return this.#process === undefined;
  }

  /** Resolves when the process that runs now is gone. */
  get death(): Promise<unknown> {
    return this.#death;
  }

  /** Where it listens, as it said at its last start. */
  get listens(): Readonly<Record<string, string>> {
    return this.#command.listensOf(this.#process?.readyLine ?? '{}');
  }

  /** Starts it, to die as told; false when it has died before it served. */
  async start(plan: Pick<CrashPlan, 'at' | 'nth'> = {}): Promise<boolean> {
    const kills = this.#said('killed: ');
    try {
      await this.#run({ ...this.#command, program, args: this.#arguments(plan) });
      return true;
    } catch (error) {
      if (error instanceof OperatorError && this.#said('killed: ') > kills) return false;
      throw error;
    }
  }

  /**
   * Starts it where no file may grow beyond a size; false when that does not even let it start. What it says is in a file
   * of its own, since its log is one of those that may not grow.
   */
  async startWithin(fileBytesMax: number): Promise<boolean> {
    const log = this.#lastWordsFile;
    rmSync(log, { force: true });
    // The shell counts in blocks of 512 bytes. spec: POSIX, ulimit
    const limited = ['-c', 'ulimit -f "$0"; exec "$@"', String(Math.ceil(fileBytesMax / 512))];
    const args = [...limited, process.execPath, program, ...this.#arguments({})];
    try {
      await this.#run({ ...this.#command, executable: '/bin/sh', args, log });
      return true;
    } catch (error) {
      if (error instanceof OperatorError) return false;
      throw error;
    }
  }

  /** Tries to start another process on the same data; what that one says. */
  async startSecond(): Promise<string> {
    try {
      const second = await startNode(this.#command);
      await second.stop();
      return 'it served';
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  async #run(command: Parameters<typeof startNode>[0]): Promise<void> {
    const started = await startNode(command);
    keepPorts(this.#command.torrc, this.#command.listensOf(started.readyLine));
    this.#process = started;
    this.#death = started.ended.then(() => {
      if (this.#process === started) this.#process = undefined;
    });
  }

  #arguments(plan: Pick<CrashPlan, 'at' | 'nth'>): string[] {
    return [JSON.stringify({ ...this.#plan, ...plan } satisfies CrashPlan), ...this.#command.args];
  }

  /** The height of the last block that it has treated, in this life of its; 0: none yet. */
  get followedHeight(): number {
    return Number(linesOf(this.#plan.followed)[0] ?? 0);
  }

  /** Bytes of its records. */
  get storeBytes(): number {
    return statSync(join(this.dataDir, 'store', 'records.mdb')).size;
  }

  /** What it said last where its files could not grow, to people if to anybody; empty: nothing. */
  get lastWords(): string {
    const lines = linesOf(this.#lastWordsFile).filter(line => line !== '');
    return lines.findLast(line => line.startsWith('naulon: ')) ?? lines.at(-1) ?? '';
  }

  get #lastWordsFile(): string {
    return `${this.#command.log}-last-words`;
  }

  /** So many lines of its log hold that. */
  logged(text: string): number {
    return linesOf(this.#command.log).filter(line => line.includes(text)).length;
  }

  /** So many lines of its log begin like that. */
  #said(beginning: string): number {
    return linesOf(this.#command.log).filter(line => line.startsWith(beginning)).length;
  }

  /** kill -9; resolves once it is gone. */
  async kill(): Promise<void> {
    if (this.#process !== undefined) process.kill(this.#process.identity.pid, 'SIGKILL');
    await this.#death;
  }

  async stop(): Promise<void> {
    await this.#process?.stop();
    await this.#death;
  }
}

function linesOf(file: string): readonly string[] {
  try {
    return readFileSync(file, 'utf8').split('\n');
  } catch {
    return [];
  }
}

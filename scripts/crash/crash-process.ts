import { readFileSync } from 'node:fs';
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
    const { torrc, args } = this.#command;
    const given = JSON.stringify({ ...this.#plan, ...plan } satisfies CrashPlan);
    const kills = this.#kills();
    let started: NodeProcess;
    try {
      started = await startNode({ ...this.#command, program, args: [given, ...args] });
    } catch (error) {
      if (error instanceof OperatorError && this.#kills() > kills) return false;
      throw error;
    }
    keepPorts(torrc, this.#command.listensOf(started.readyLine));
    this.#process = started;
    this.#death = started.ended.then(() => {
      if (this.#process === started) this.#process = undefined;
    });
    return true;
  }

  /** How often it has killed itself. */
  #kills(): number {
    try {
      return readFileSync(this.#command.log, 'utf8').split('\nkilled: ').length;
    } catch {
      return 0;
    }
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

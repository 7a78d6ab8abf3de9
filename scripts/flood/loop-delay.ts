import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { NodeState } from '../network-state.ts';

/** Where a watched node writes, in its own folder. */
export const loopDelayFile = 'loop-delay.json';

/** How long a node's event loop has kept events waiting, since it was asked last. */
export interface LoopDelay {
  /** Counts the answers of this node. */
  readonly number: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

const answerMsMax = 30_000;

/** Asks a node that runs as a watched node; the next time it tells of what was since now. One that is too busy to answer was late by that much. */
export async function loopDelayOf({ process: { pid }, dataDir }: NodeState): Promise<LoopDelay> {
  const read = (): LoopDelay | undefined => {
    try {
      return JSON.parse(readFileSync(join(dataDir, loopDelayFile), 'utf8')) as LoopDelay;
    } catch {
      return undefined;
    }
  };
  const before = read()?.number ?? 0;
  process.kill(pid, 'SIGUSR2');
  for (const deadline = performance.now() + answerMsMax; performance.now() < deadline; await pause(20)) {
    const delay = read();
    if (delay !== undefined && delay.number > before) return delay;
  }
  return { number: before, p99Ms: answerMsMax, maxMs: answerMsMax };
}

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { OperatorError } from '../src/base/fault.ts';
import { identityOf, type ProcessIdentity } from '../src/node-io/process-identity.ts';

const stopMsMax = 10_000;
const againMs = 100;
/** Node 20 has it ready but hidden: key stream gives its memory back by it (`crypto/aes-ctr`). */
export const transferFlags = 'transfer' in ArrayBuffer.prototype ? [] : ['--harmony-rab-gsab-transfer'];
/**
 * What a node makes lives for a moment. V8 would let the space for it grow to three times 16 MB, and glibc would keep what is
 * freed in an arena for each of V8's threads: together a third of what a relay under load has resident. What a payment runs
 * through comes too seldom for V8 to compile it by itself: at a window of 1,024 cells that is 7 % of the CPU.
 */
const nodeFlags = ['--max-semi-space-size=2', '--always-sparkplug', ...transferFlags];
const nodeEnvironment = { MALLOC_ARENA_MAX: '1' };

/** How a node ended: `asked` when we told it to. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly asked: boolean;
}

/** A node, in a process that ends with this one. */
export interface NodeProcess {
  readonly name: string;
  readonly identity: ProcessIdentity;
  /** The line that said so. */
  readonly readyLine: string;
  readonly ended: Promise<Ended>;
  stop(): Promise<void>;
}

export interface NodeCommand {
  readonly name: string;
  readonly args: readonly string[];
  /** A program that is not ours, such as C tor. */
  readonly executable?: string;
  /** A Node program; ./naulon when absent. */
  readonly program?: string;
  /** Gets all that the node prints, appended. */
  readonly log: string;
  /** The line of standard output from which on the node serves. */
  readonly readyLine: RegExp;
  readonly readyMsMax: number;
}

/** The file that ./naulon of this checkout or installation is: beside scripts/, or beside dist/. */
export function naulonFile(): string {
  const here = fileURLToPath(new URL('.', import.meta.url));
  return fileURLToPath(
    new URL(/[/\\]dist[/\\]scripts[/\\]$/.test(here) ? '../../naulon' : '../naulon', import.meta.url),
  );
}

/** Starts a node and waits until it says that it is ready; what it printed, if it ends before. */
export async function startNode(command: NodeCommand): Promise<NodeProcess> {
  const log = openSync(command.log, 'a', 0o600);
  // A session of its own: Ctrl-C reaches us alone, and we stop nodes in order. The channel ends the node when we die.
  const [executable, first] =
    command.executable === undefined
      ? [process.execPath, [...nodeFlags, command.program ?? naulonFile()]]
      : [command.executable, []];
  const child = spawn(executable, [...first, ...command.args], {
    detached: true,
    env: { ...process.env, ...nodeEnvironment },
    stdio: ['ignore', 'pipe', log, 'ipc'],
  });
  let asked = false;
  const ended = new Promise<Ended>(over => {
    child.once('error', () => over({ code: null, signal: null, asked }));
    child.once('exit', (code, signal) => over({ code, signal, asked }));
  });
  void ended.then(() => closeSync(log));
  const ready = lineOf(child, command.readyLine, line => writeSync(log, `${line}\n`));
  const identity = child.pid === undefined ? undefined : identityOf(child.pid);
  const outcome = await Promise.race([ready, ended, pause(command.readyMsMax, undefined, { ref: false })]);
  if (typeof outcome !== 'string' || identity === undefined) {
    asked = true;
    child.kill('SIGKILL');
    await ended;
    const how =
      outcome === undefined ? `was not ready within ${command.readyMsMax / 1000} s` : 'ended at start';
    const last = lastWords(command.log);
    throw new OperatorError('NODE_START', `${command.name} ${how}; see ${command.log}: ${last}`, 4);
  }
  const stop = async () => {
    asked = true;
    child.kill('SIGTERM');
    const inTime = await Promise.race([ended.then(() => true), pause(stopMsMax, false, { ref: false })]);
    if (!inTime) child.kill('SIGKILL');
    await ended;
  };
  return { name: command.name, identity, readyLine: outcome, ended, stop };
}

/** Waits until it holds; false: not in time, or it is `over`. */
export async function untilTrue(holds: () => boolean, msMax: number, over: () => boolean): Promise<boolean> {
  for (const deadline = performance.now() + msMax; performance.now() < deadline && !over(); ) {
    if (holds()) return true;
    await pause(againMs);
  }
  return false;
}

/** The line of a log that says most about an end: the last that names an error, or just the last. */
function lastWords(log: string): string {
  const lines = readFileSync(log, 'utf8').trim().split('\n').slice(-50);
  return lines.findLast(line => /^\w*Error\b|^naulon/.test(line)) ?? lines.at(-1) ?? '';
}

function lineOf(child: ChildProcess, wanted: RegExp, keep: (line: string) => void): Promise<string> {
  return new Promise(found => {
    if (child.stdout === null) return;
    const lines = createInterface(child.stdout);
    // A node that ends may reset its pipe: what it had to say has been read.
    lines.on('error', () => {});
    lines.on('line', line => {
      try {
        keep(line);
      } catch {
        // The log is closed once the node has ended; its very last words are lost.
      }
      if (wanted.test(line)) found(line);
    });
  });
}

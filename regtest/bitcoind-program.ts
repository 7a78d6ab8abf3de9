import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** The oldest release whose policy knows version-3 transactions and pay-to-anchor outputs, which channels rely on. */
export const versionFloor = '28.0';

/** How to start a bitcoind: `command ...args` and then its own options. */
export interface BitcoindProgram {
  readonly command: string;
  /** What goes before bitcoind's own options: the loader's, for a bitcoind that brings its own libraries. */
  readonly args: readonly string[];
  /** As it calls itself, such as 29.4.3.knots20260508. */
  readonly version: string;
  /** First line of `-version`: which of the forks it is. */
  readonly title: string;
  readonly way: 'option' | 'path' | 'cache' | 'tarball' | 'debian';
}

/** What runs, before it was asked for its version. */
export type Launch = Pick<BitcoindProgram, 'command' | 'args'>;

/** Asks a program for its version; undefined when it does not run or is no bitcoind. */
export async function versionOf(launch: Launch): Promise<{ version: string; title: string } | undefined> {
  try {
    const stdout = await answerTo(launch, ['-version']);
    const title = stdout.split('\n')[0].trim();
    const version = /\bv(\d+\.\d+\S*)/.exec(title)?.[1];
    return version === undefined ? undefined : { version, title };
  } catch {
    return undefined;
  }
}

/** Whether a version such as 29.4.3.knots20260508 is the floor or above it. */
export function atLeastFloor(version: string, floor = versionFloor): boolean {
  return compareVersions(version, floor) >= 0;
}

/** Negative, zero or positive, by the leading numbers of each. */
export function compareVersions(a: string, b: string): number {
  const numbers = (text: string) =>
    text
      .split('.')
      .map(part => Number.parseInt(part, 10))
      .filter(Number.isFinite);
  const [left, right] = [numbers(a), numbers(b)];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Those of the settings (`-option=value`) whose option this release knows. */
export async function knownSettings(launch: Launch, settings: readonly string[]): Promise<string[]> {
  const stdout = await answerTo(launch, ['-regtest', '-help-debug']);
  return settings.filter(setting => new RegExp(`^\\s+${setting.split('=')[0]}(=|\\s|$)`, 'm').test(stdout));
}

/** What bitcoind prints for a question; some releases make their data folder even then, so they get one to throw away. */
async function answerTo(launch: Launch, question: readonly string[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'naulon-ask-'));
  try {
    const { stdout } = await execute(launch.command, [...launch.args, `-datadir=${folder}`, ...question], {
      timeout: 20_000,
      maxBuffer: 4 * 1024 * 1024,
    });
    return stdout;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

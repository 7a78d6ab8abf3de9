import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { exitCode, OperatorError } from '../src/base/fault.ts';
import type { PlannedRelay } from './net-file.ts';
import { authorityLines, type ConfiguredNode, exitLines, writeTorrc } from './network-config.ts';

/** The real C tor, unmodified, as a node of a local network beside our own. It neither pays nor takes payment. */

const readyMsMax = 60_000;
const listening = /Opened OR listener connection \(ready\) on (\S+)/;

/** Whether there is a tor on PATH. */
export function hasTor(): boolean {
  return torOnPath() !== undefined;
}

/** The tor on PATH. */
export function findTor(): string {
  const found = torOnPath();
  if (found !== undefined) return found;
  throw new OperatorError(
    'TOR_ABSENT',
    'no C tor on PATH; Debian has it: apt-get install tor',
    exitCode.missing,
  );
}

function torOnPath(): string | undefined {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const file = join(folder, 'tor');
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}

export function writeTorRelay(
  node: Pick<PlannedRelay, 'nickname' | 'exit'> & {
    readonly dir: string;
    readonly authorities: readonly string[];
    readonly exitTo: readonly string[];
  },
): ConfiguredNode {
  const { dir, nickname, authorities, exit } = node;
  const torrc = writeTorrc(dir, [
    `Nickname ${nickname}`,
    'Address 127.0.0.1',
    'ORPort 127.0.0.1:auto',
    'SocksPort 0',
    ...authorityLines(authorities),
    'AssumeReachable 1',
    'ContactInfo none',
    'NumCPUs 1',
    ...(exit ? exitLines(node.exitTo) : ['ExitRelay 0']),
    'Log notice stdout',
  ]);
  return {
    name: nickname,
    executable: findTor(),
    // It knows nothing of the channel by which our own nodes see us end.
    args: ['-f', torrc, '__OwningControllerProcess', String(process.pid)],
    log: join(dir, 'log'),
    readyLine: listening,
    readyMsMax,
    torrc,
    listensOf: ready => ({ or: listening.exec(ready)?.[1] ?? '' }),
    exit,
  };
}

/** How many relays a C tor with such a data directory knows, by its files. */
export function knownToTor(dataDir: string): number {
  const count = (names: readonly string[], each: RegExp): number => {
    const files = names.map(name => join(dataDir, name)).filter(file => existsSync(file));
    return files.flatMap(file => readFileSync(file, 'latin1').match(each) ?? []).length;
  };
  const listed = count(['cached-microdesc-consensus'], /^r /gm);
  const described = count(['cached-microdescs', 'cached-microdescs.new'], /^onion-key$/gm);
  return Math.min(listed, described);
}

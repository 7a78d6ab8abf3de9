import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import { interruption } from '../scripts/interruption.ts';
import { exitCode, OperatorError } from '../src/base/fault.ts';
import { inOwnProcess } from './own-process.ts';
import { linkOf, type WideArea } from './wide-area.ts';

/** Of Ethernet: loopback's own packets are larger than any path's. */
const packetBytes = 1_500;
/** Whoever is root of its own users may command a network of its own. */
const ownNetwork = ['--map-root-user', '--net'];
/** Set for a benchmark that runs in a network namespace of its own. */
const mark = 'NAULON_BENCH_NAMESPACE';

/** Why tc netem cannot be had here, in its own words; undefined: it can. */
export function netemRefusal(): string | undefined {
  const probe = ['tc', 'qdisc', 'add', 'dev', 'lo', 'root', 'netem', 'delay', '1ms'];
  const tried = spawnSync('unshare', [...ownNetwork, '--', ...probe], { encoding: 'utf8' });
  if (tried.error !== undefined) return tried.error.message;
  return tried.status === 0 ? undefined : tried.stderr.trim().split('\n')[0];
}

/** True in the process that `runInNamespace` has started. */
export function isInNamespace(): boolean {
  return process.env[mark] !== undefined;
}

/** This very command line once more, in a network namespace of its own: its exit code. */
export async function runInNamespace(): Promise<number> {
  const why = netemRefusal();
  if (why !== undefined)
    throw new OperatorError(
      'NETEM_ABSENT',
      `tc netem cannot be used here (${why}); without --netem the path is emulated in our own links`,
      exitCode.missing,
    );
  const stopping = interruption();
  const args = [...ownNetwork, '--', process.execPath, ...process.argv.slice(1)];
  const env = { ...process.env, [mark]: '1' };
  const code = await inOwnProcess('unshare', args, stopping, { output: 'inherit', env });
  stopping.done();
  return code;
}

/** A relay whose links are to be shaped. */
export interface ShapedRelay {
  /** Where it takes links. */
  readonly orPort: number;
  /** How many links a path that begins with it has. */
  readonly hops: 1 | 3;
}

/** What tc is told, so that each relay's links are delayed and kept to the rate, each direction by itself; all else passes. */
export function netemCommands(wide: WideArea, relays: readonly ShapedRelay[]): string[] {
  const directions = relays.flatMap(({ orPort, hops }) =>
    ['dport', 'sport'].map(end => ({ match: `${end} ${orPort}`, ...linkOf(wide, hops) })),
  );
  return [
    'qdisc add dev lo root handle 1: htb default 0',
    ...directions.flatMap(({ match, delayMs, bytesPerSecond }, at) => {
      const id = at + 1;
      // Twice what the path holds may wait; then it loses packets, as any path does.
      const packets = Math.ceil((2 * bytesPerSecond * wide.roundTripMs) / 1_000 / packetBytes) + 100;
      return [
        `class add dev lo parent 1: classid 1:${id} htb rate ${bytesPerSecond}bps burst 64kb quantum 60000`,
        `qdisc add dev lo parent 1:${id} netem delay ${delayMs}ms limit ${packets}`,
        `filter add dev lo parent 1: protocol ip prio 1 u32 match ip ${match} 0xffff flowid 1:${id}`,
      ];
    }),
  ];
}

const run = promisify(execFile);

/** Loopback as a path's network has it; before anything listens there. */
export async function startNamespaceNetwork(): Promise<void> {
  await run('ip', ['link', 'set', 'lo', 'up', 'mtu', String(packetBytes)]);
}

export async function shapeByNetem(wide: WideArea, relays: readonly ShapedRelay[]): Promise<void> {
  for (const command of netemCommands(wide, relays)) await run('tc', command.split(' '));
}

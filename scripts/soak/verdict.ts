import type { Estimate } from '../../bench/statistics.ts';
import { grouped } from '../terminal.ts';
import type { MoneyCheck } from './money.ts';
import { idleName } from './node-samples.ts';
import type { WatchedNode } from './node-watch.ts';
import type { Traffic } from './traffic.ts';

/** What a network is to keep to, however long it runs. */
export const soakGoals = {
  slopeMbPerHour: 1,
  delayP99Ms: 20,
  delayMaxMs: 200,
} as const;

/** A run of less says little about an hour: memory that grows then is told, and not judged. */
const slopeMinutesLeast = 60;

export interface Row {
  readonly what: string;
  readonly reached: string;
  readonly goal: string;
  /** Undefined: not judged. */
  readonly met: boolean | undefined;
}

export interface Soaked {
  readonly minutes: number;
  readonly nodes: readonly WatchedNode[];
  readonly traffic: Traffic;
  readonly restarts: number;
  /** Nodes that ended by themselves. */
  readonly ended: readonly string[];
  readonly money: MoneyCheck;
}

/** Each figure beside its goal; of all nodes the worst counts. */
export function verdictOn({ minutes, nodes: all, traffic, restarts, ended, money }: Soaked): Row[] {
  const nodes = all.filter(({ name }) => name !== idleName);
  const idle = all.find(({ name }) => name === idleName);
  const worst = (of: (node: WatchedNode) => number) =>
    nodes.reduce((bad, each) => (of(each) > of(bad) ? each : bad));
  const [p99, max] = [worst(({ delayP99Ms }) => delayP99Ms), worst(({ delayMaxMs }) => delayMaxMs)];
  const { slopeMbPerHour, delayP99Ms, delayMaxMs } = soakGoals;
  const told = (what: string, reached: string | number) => ({
    what,
    reached: typeof reached === 'number' ? grouped(reached) : reached,
    goal: '',
    met: undefined,
  });
  const none = (what: string, found: number) => ({
    what,
    reached: grouped(found),
    goal: '0',
    met: found === 0,
  });
  return [
    told('minutes', minutes.toFixed(1)),
    told('circuits, each over three new channels', traffic.circuits),
    told('downloads, all of the right bytes', traffic.downloads),
    told('MB', Math.round(traffic.bytes / 1e6)),
    told('relays killed or stopped, and started again', restarts),
    told('users whose relay died under them', traffic.broken),
    none('users who were not served, and no relay died', traffic.failed.length),
    none('nodes that ended by themselves', ended.length),
    slopeRow(
      minutes,
      worst(({ slope }) => slope?.low ?? Number.NEGATIVE_INFINITY),
      slopeMbPerHour,
    ),
    {
      what: `event loop p99, ${p99.name}`,
      reached: `${p99.delayP99Ms.toFixed(1)} ms`,
      goal: `${delayP99Ms} ms`,
      met: p99.delayP99Ms < delayP99Ms,
    },
    {
      what: `event loop max, ${max.name}`,
      reached: `${max.delayMaxMs.toFixed(1)} ms`,
      goal: `${delayMaxMs} ms`,
      met: max.delayMaxMs < delayMaxMs,
    },
    told(
      'the same two of a process that does nothing',
      `${idle?.delayP99Ms.toFixed(1)} ms, ${idle?.delayMaxMs.toFixed(1)} ms`,
    ),
    told('channels', money.channels),
    told('sat that relays earned', grouped(money.payeeSat)),
    none('sat still in contracts', Number(money.heldSat)),
    none('sat missing: funded, less wallets, earned and fees', Number(money.missingSat)),
    none('records that disagree with the chain', money.wrong.length),
  ];
}

function slopeRow(minutes: number, { name, slope }: WatchedNode, goal: number): Row {
  const what = `memory grows, MB an hour, ${name}`;
  const short = minutes < slopeMinutesLeast;
  const note = short ? ` (of ${minutes.toFixed(1)} minutes: not judged)` : '';
  return {
    what,
    reached: slope === undefined ? `too short to say${note}` : `${bounds(slope)}${note}`,
    goal: `less than ${goal}`,
    met: short ? undefined : slope !== undefined && slope.low < goal,
  };
}

function bounds({ value, low, high }: Estimate): string {
  return `${value.toFixed(1)} (95 %: ${low.toFixed(1)} to ${high.toFixed(1)})`;
}

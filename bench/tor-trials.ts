import { setTimeout as pause } from 'node:timers/promises';
import { megabytes, type Terminal } from '../scripts/terminal.ts';
import type { CreateLoad } from './create-load.ts';
import { roundTrips } from './echo.ts';
import { residentBytesOf, withCpu } from './process-usage.ts';
import { quantileOf } from './statistics.ts';
import type { Subject } from './tor-subjects.ts';
import { connectOver, type Route, transfer } from './traffic.ts';
import type { Measure, Series, Trial } from './trials.ts';

export const torMeasures: Readonly<Record<string, Measure>> = {
  throughput: { unit: 'MB/s', better: 'more' },
  cpu: { unit: 'CPU s/GB', better: 'less' },
  'latency p50': { unit: 'ms', better: 'less' },
  'latency p99': { unit: 'ms', better: 'less' },
  handshakes: { unit: 'a second', better: 'more' },
  'handshakes a core': { unit: 'a CPU second', better: 'more' },
  memory: { unit: 'MB', better: 'less' },
};

/** Long enough for what was under way to drain, once nobody takes it any more. */
const drainMs = 250;

export interface BulkOptions {
  readonly subject: Subject;
  /** Circuits that share the bytes. */
  readonly route: Route;
  readonly hops: number;
  readonly lab: string;
  readonly bytes: number;
  /** What the first round, which counts for nothing, streams: relays run for weeks, and compilers take their time. */
  readonly warmUpBytes: number;
  readonly signal: AbortSignal;
}

export function bulkTrial({ subject, route, hops, lab, bytes, warmUpBytes, signal }: BulkOptions): Trial {
  const circuits = route.users.length;
  return {
    name: `${subject.name}, ${hops} hop${hops > 1 ? 's' : ''}, ${circuits} circuit${circuits > 1 ? 's' : ''}`,
    factors: { subject: subject.name, hops, circuits },
    unsteady: subject.unsteady,
    async run(repeat, tell) {
      const each = Math.round((repeat < 0 ? warmUpBytes : bytes) / circuits);
      const { result: seconds, cpuSum } = await withCpu(subject.pids, () =>
        transfer(route, lab, each, signal, soFar => tell(megabytes(soFar))),
      );
      const sent = each * circuits;
      return { throughput: sent / 1e6 / seconds, cpu: cpuSum / (sent / 1e9) };
    },
  };
}

export interface LatencyOptions {
  readonly subject: Subject;
  readonly circuits: number;
  readonly lab: string;
  /** Where the echo server is. */
  readonly echo: string;
  readonly ms: number;
  readonly signal: AbortSignal;
}

/** Request and answer of one cell each, on a circuit of its own, while others carry as much as they can. */
export function latencyTrial({ subject, circuits, lab, echo, ms, signal }: LatencyOptions): Trial {
  return {
    name: `${subject.name}, requests beside ${circuits} bulk circuits`,
    factors: { subject: subject.name, hops: 3, circuits },
    unsteady: subject.unsteady,
    async run(repeat) {
      const socket = await connectOver(subject.socks, subject.interactive, echo);
      const enough = new AbortController();
      const endless = 9_999_000_000;
      const bulk = transfer(subject.bulk(circuits), lab, endless, AbortSignal.any([signal, enough.signal]));
      const ended = bulk.catch(error => {
        if (!enough.signal.aborted) throw error;
      });
      try {
        await pause(drainMs);
        const took = await Promise.race([
          roundTrips(socket, repeat < 0 ? ms / 5 : ms, signal),
          ended.then(() => [] as number[]),
        ]);
        return { 'latency p50': quantileOf(took, 0.5), 'latency p99': quantileOf(took, 0.99) };
      } finally {
        enough.abort();
        socket.destroy();
        await ended;
        await pause(drainMs);
      }
    },
  };
}

/** CREATE2 handshakes at one relay, and how many of them a second of its CPU is worth. */
export function handshakeTrial(
  subject: Pick<Subject, 'name'>,
  pid: number,
  load: CreateLoad,
  ms: number,
  signal: AbortSignal,
): Trial {
  return {
    name: `${subject.name}, CREATE2`,
    factors: { subject: subject.name },
    async run() {
      const { result, cpuSum } = await withCpu({ relay: pid }, () => load.churn(ms, signal));
      return { handshakes: result.made / result.seconds, 'handshakes a core': result.made / cpuSum };
    },
  };
}

/** Resident memory of each node as it is now. */
export function memoryOf(subject: Subject): Series[] {
  return Object.entries(subject.pids).map(([node, pid]) => ({
    measure: 'memory',
    factors: { subject: subject.name, node },
    values: [residentBytesOf(pid) / 1e6],
  }));
}

/** … and after each of so many transfers. */
export async function memoryOver(
  subject: Subject,
  transfers: number,
  terminal: Terminal,
  carry: () => Promise<unknown>,
): Promise<Series[]> {
  const samples = [memoryOf(subject)];
  while (samples.length <= transfers) {
    terminal.redraw(`memory of ${subject.name}, transfer ${samples.length}/${transfers}`);
    await carry();
    samples.push(memoryOf(subject));
  }
  const [first = []] = samples;
  return first.map((series, at) => ({ ...series, values: samples.flatMap(each => each[at]?.values ?? []) }));
}

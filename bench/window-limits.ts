import { grouped } from '../scripts/terminal.ts';
import { roundTrips } from './echo.ts';
import type { PaidLab } from './paid-lab.ts';
import type { Stage } from './run-bench.ts';
import { quantileOf } from './statistics.ts';
import { connectOver, transfer } from './traffic.ts';
import type { Trial } from './trials.ts';
import { cellBytes } from './window-prediction.ts';

/** Long enough for a transfer that goes on at all. */
const patienceMs = 30_000;

/** Request and answer over an idle circuit of free relays: the delay of the path. */
export function delayTrial(lab: PaidLab, stage: Stage, hops: 1 | 3, echo: string, ms: number): Trial {
  return {
    name: `${hops} hop${hops > 1 ? 's' : ''}, round trip`,
    factors: { hops, window: 'control' },
    async run(repeat) {
      const user = `delay-${hops}-${repeat}`;
      const circuit = await lab.open('free', hops, user);
      const socket = await connectOver(lab.state.socks, user, echo);
      const took = await roundTrips(socket, ms, stage.signal);
      socket.destroy();
      await lab.control.closeCircuit(circuit.id);
      return { 'round trip': quantileOf(took, 0.5) };
    },
  };
}

/** What is under way when a path is full. */
export function bandwidthDelayCells(mbPerSecond: number, roundTripMs: number): number {
  return (mbPerSecond * 1e6 * (roundTripMs / 1_000)) / cellBytes;
}

/** The smallest power of two, from `from` down to 1, with which `bytes` come through; undefined: not even that. */
export async function smallestWindow(
  lab: PaidLab,
  stage: Stage,
  hops: 1 | 3,
  from: number,
  bytes: number,
): Promise<number | undefined> {
  let smallest: number | undefined;
  for (let window = from; window >= 1; window /= 2) {
    stage.terminal.redraw(`${hops} hop${hops > 1 ? 's' : ''}, does window ${grouped(window)} complete?`);
    if (!(await completes(lab, stage, hops, window, bytes))) break;
    smallest = window;
  }
  return smallest;
}

async function completes(
  lab: PaidLab,
  stage: Stage,
  hops: 1 | 3,
  window: number,
  bytes: number,
): Promise<boolean> {
  const user = `smallest-${hops}-${window}`;
  try {
    const { id } = await lab.open('paid', hops, user, window);
    const signal = AbortSignal.any([stage.signal, AbortSignal.timeout(patienceMs)]);
    await transfer({ socks: lab.state.socks, users: [user] }, lab.state.lab, bytes, signal);
    await lab.control.closeCircuit(id);
    return true;
  } catch (error) {
    stage.signal.throwIfAborted();
    stage.terminal.detail(`window ${window}: ${error instanceof Error ? error.message : error}`);
    return false;
  }
}

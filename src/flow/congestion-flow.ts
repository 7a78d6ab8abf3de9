import { congestionCellsMax } from '../base/limits.ts';
import type { Clock } from '../ports.ts';
import type { CongestionParams } from './congestion-params.ts';
import { CongestionDeliver, CongestionWindow } from './congestion-window.ts';
import type { CircuitFlow } from './flow-control.ts';
import { BacklogRoom, StreamBacklog } from './stream-backlog.ts';
import { StreamValve } from './stream-valve.ts';

export interface CongestionFlowOptions {
  readonly params: CongestionParams;
  /** DATA cells that a SENDME answers, as agreed with the far end. */
  readonly sendmeCells: number;
  readonly clock: Clock;
  /** True while the link to the next hop is behind. */
  readonly blocked: () => boolean;
  /** Which end of the circuit we are. */
  readonly end: 'client' | 'exit';
}

/** Congestion control, and XON and XOFF for streams. spec: proposal 324 */
export function congestionFlow(options: CongestionFlowOptions): CircuitFlow {
  const { params, sendmeCells, clock, end } = options;
  const room = new BacklogRoom();
  const { xoffClientBytes, xoffExitBytes, xonRateBytes } = params;
  const client = end === 'client';
  const xoffBytes = client ? xoffClientBytes : xoffExitBytes;
  const spacing = { xoffBytes: xoffExitBytes, xonBytes: Math.min(xoffExitBytes, xonRateBytes) };
  return {
    sent: new CongestionWindow(options),
    received: new CongestionDeliver(params, sendmeCells),
    streamWindows: false,
    streamCells: congestionCellsMax,
    stream: onOpen => ({
      sender: new StreamValve({ clock, spacing: client ? spacing : undefined, onOpen }),
      receiver: new StreamBacklog({ clock, room, xoffBytes, xonRateBytes }),
    }),
  };
}

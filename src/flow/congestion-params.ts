import { congestionCellsMax } from '../base/limits.ts';

/** A consensus parameter within its bounds, or `otherwise` when the consensus does not say. */
export type ParamReader = (name: string, otherwise: number, low: number, high: number) => number;

/** How congestion and streams are controlled, by the consensus. spec: proposal 324, section 6.5 */
export interface CongestionParams {
  /** False: fixed windows for everybody. */
  readonly enabled: boolean;
  /** DATA cells that a circuit SENDME answers. */
  readonly sendmeCells: number;
  /** The congestion window, in cells, at first, at least and at most. */
  readonly initialCells: number;
  readonly leastCells: number;
  readonly mostCells: number;
  /** Growth in slow start: percent of what was acknowledged; up to the first of these two windows, and at most to the second. */
  readonly slowStartPercent: number;
  readonly slowStartCap: number;
  readonly slowStartMax: number;
  /** Growth after slow start: so many cells, so many times a window. */
  readonly stepCells: number;
  readonly stepsPerWindow: number;
  /** Cells in queues along the circuit: below alpha the window grows, above beta it shrinks, above delta it is cut. */
  readonly alpha: number;
  readonly beta: number;
  readonly delta: number;
  /** … and slow start ends at this many. */
  readonly gamma: number;
  /** The window counts as full when no more than so many SENDMEs are missing … */
  readonly fullGap: number;
  /** … until less than this percentage of it is in use. */
  readonly fullPercent: number;
  /** Fullness is forgotten once a window; otherwise at each change of the window. */
  readonly fullPerWindow: boolean;
  /** Round trips are averaged over this percentage of a window's SENDMEs, at most so many; over so many in slow start. */
  readonly averagePercent: number;
  readonly averageMax: number;
  readonly averageSlowStart: number;
  /** How far the least round trip is raised when the window is at its least: percent of the way. */
  readonly resetPercent: number;
  /** Bytes that wait at the end of a stream when it tells the far end to stop. */
  readonly xoffClientBytes: number;
  readonly xoffExitBytes: number;
  /** Bytes of a stream after which another rate may be told. */
  readonly xonRateBytes: number;
}

/** Cells in one TLS record. */
const recordCells = 31;
/** Cells that two TLS records of one hop hold: the queue that one hop is expected to make. */
const hopQueueCells = 2 * recordCells;
const int32Max = 2 ** 31 - 1;
/** Bytes of DATA in the smallest and in the largest relay cell format. */
const dataBytesLeast = 488;
const dataBytesMost = 498;
/** `cc_alg`: fixed windows; anything but this means Vegas, the only algorithm in use. */
const fixedWindows = 0;
const vegas = 2;

/** Names, defaults and bounds as C tor 0.4.9 has them, for circuits to an exit. */
export function readCongestionParams(param: ParamReader): CongestionParams {
  return {
    enabled: param('cc_alg', vegas, 0, 3) !== fixedWindows,
    sendmeCells: param('cc_sendme_inc', recordCells, 1, 254),
    initialCells: param('cc_cwnd_init', 4 * recordCells, recordCells, 10_000),
    leastCells: param('cc_cwnd_min', 4 * recordCells, recordCells, 1_000),
    mostCells: Math.min(param('cc_cwnd_max', int32Max, 500, int32Max), congestionCellsMax),
    slowStartPercent: param('cc_cwnd_inc_pct_ss', 100, 1, 500),
    slowStartCap: param('cc_sscap_exit', 600, 100, int32Max),
    slowStartMax: param('cc_ss_max', 5_000, 500, int32Max),
    stepCells: param('cc_cwnd_inc', 1, 1, 1_000),
    stepsPerWindow: param('cc_cwnd_inc_rate', recordCells, 1, 250),
    alpha: param('cc_vegas_alpha_exit', 3 * hopQueueCells, 0, 1_000),
    beta: param('cc_vegas_beta_exit', 4 * hopQueueCells, 0, 1_000),
    gamma: param('cc_vegas_gamma_exit', 3 * hopQueueCells, 0, 1_000),
    delta: param('cc_vegas_delta_exit', 5 * hopQueueCells, 0, int32Max),
    fullGap: param('cc_cwnd_full_gap', 4, 0, 32_767),
    fullPercent: param('cc_cwnd_full_minpct', 25, 0, 100),
    fullPerWindow: param('cc_cwnd_full_per_cwnd', 1, 0, 1) === 1,
    averagePercent: param('cc_ewma_cwnd_pct', 50, 1, 255),
    averageMax: param('cc_ewma_max', 10, 2, int32Max),
    averageSlowStart: param('cc_ewma_ss', 2, 2, int32Max),
    resetPercent: param('cc_rtt_reset_pct', 100, 0, 100),
    xoffClientBytes: param('cc_xoff_client', 500, 1, 10_000) * dataBytesLeast,
    xoffExitBytes: param('cc_xoff_exit', 500, 1, 10_000) * dataBytesLeast,
    xonRateBytes: param('cc_xon_rate', 500, 1, 5_000) * dataBytesMost,
  };
}

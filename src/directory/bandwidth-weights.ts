import type { RelayInfo } from './relay-info.ts';

/** Weights are in ten-thousandths. spec: dir-spec/consensus-formats (bwweightscale) */
export const weightScale = 10_000;

export type PathPosition = 'guard' | 'middle' | 'exit';

/** A relay's kind for weighting: guard, exit, both (d) or neither (m). */
type RelayKind = 'g' | 'm' | 'e' | 'd';

const positionLetter = { guard: 'g', middle: 'm', exit: 'e' } as const;

/**
 * How likely a relay is taken for a place: bandwidth times the consensus' weight for its kind there, an integer.
 * Without weights in the consensus, bandwidth alone. spec: path-spec/path-weighting
 */
export function relayWeight(
  relay: Pick<RelayInfo, 'bandwidth' | 'flags'>,
  position: PathPosition,
  weights: ReadonlyMap<string, number>,
): number {
  const weight = weights.get(`W${positionLetter[position]}${kindOf(relay.flags)}`);
  if (weight === undefined) return relay.bandwidth * (weights.size === 0 ? weightScale : 0);
  return relay.bandwidth * Math.min(Math.max(weight, 0), weightScale);
}

function kindOf(flags: ReadonlySet<string>): RelayKind {
  const exit = flags.has('Exit') && !flags.has('BadExit');
  if (flags.has('Guard')) return exit ? 'd' : 'g';
  return exit ? 'e' : 'm';
}

interface Totals {
  readonly g: number;
  readonly m: number;
  readonly e: number;
  readonly d: number;
}

/** Bandwidth of each kind among running relays; each starts at 1, so that no division is by zero. */
export function bandwidthTotals(relays: readonly Pick<RelayInfo, 'bandwidth' | 'flags'>[]): Totals {
  const totals = { g: 1, m: 1, e: 1, d: 1 };
  for (const relay of relays) totals[kindOf(relay.flags)] += relay.bandwidth;
  return totals;
}

type Solved = Readonly<Record<'Wgg' | 'Wgd' | 'Wmg' | 'Wme' | 'Wmd' | 'Wee' | 'Wed', number>>;

/**
 * The `bandwidth-weights` of a consensus: guards, middles and exits are used in equal measure as far as the bandwidth of
 * each kind allows. Integer arithmetic that cuts toward zero, so that every authority gets the same numbers; empty
 * when the totals admit no solution. spec: dir-spec/computing-bandwidth-weights
 */
export function computeBandwidthWeights(totals: Totals): ReadonlyMap<string, number> {
  const solved = solve(totals);
  if (solved === undefined) return new Map();
  const { Wgg, Wgd, Wmg, Wme, Wmd, Wee, Wed } = solved;
  return new Map([
    ['Wbd', Wmd],
    ['Wbe', Wme],
    ['Wbg', Wmg],
    ['Wbm', weightScale],
    ['Wdb', weightScale],
    ['Web', weightScale],
    ['Wed', Wed],
    ['Wee', Wee],
    ['Weg', Wed],
    ['Wem', Wee],
    ['Wgb', weightScale],
    ['Wgd', Wgd],
    ['Wgg', Wgg],
    ['Wgm', Wgg],
    ['Wmb', weightScale],
    ['Wmd', Wmd],
    ['Wme', Wme],
    ['Wmg', Wmg],
    ['Wmm', weightScale],
  ]);
}

function solve(totals: Totals): Solved | undefined {
  const { g, m, e, d } = totals;
  const t = g + m + e + d;
  if (3 * e >= t && 3 * g >= t) {
    // Case 1: neither guards nor exits are scarce.
    const third = Math.trunc(weightScale / 3);
    const Wee = scaled(e + g + m, 3 * e);
    const Wmg = scaled(2 * g - e - m, 3 * g);
    const solved = {
      Wgd: third,
      Wed: third,
      Wmd: third,
      Wee,
      Wme: weightScale - Wee,
      Wmg,
      Wgg: weightScale - Wmg,
    };
    return judge(solved, totals) === 'balanced' ? solved : undefined;
  }
  return 3 * e < t && 3 * g < t ? solveBothScarce(totals) : solveOneScarce(totals);
}

function scaled(part: number, whole: number): number {
  return Math.trunc((weightScale * part) / whole);
}

/** Case 2: guards and exits are both scarce. */
function solveBothScarce(totals: Totals): Solved | undefined {
  const { g, m, e, d } = totals;
  const whole = { Wgg: weightScale, Wee: weightScale, Wmg: 0, Wme: 0 };
  // Subcase a: relays that are both do what is scarcer.
  if (Math.min(e, g) + d < Math.max(e, g))
    return { ...whole, Wmd: 0, Wed: e < g ? weightScale : 0, Wgd: e < g ? 0 : weightScale };
  const Wed1 = scaled(d - 2 * e + 4 * g - 2 * m, 3 * d);
  const half = Math.trunc((weightScale - Wed1) / 2);
  const first = {
    Wgg: weightScale,
    Wmg: 0,
    Wee: scaled(e - g + m, e),
    Wme: scaled(g - m, e),
    Wed: Wed1,
    Wmd: half,
    Wgd: half,
  };
  if (judge(first, totals) === 'balanced') return first;
  const Wed = scaled(d - 2 * e + g + m, 3 * d);
  // Below 0 where middles have more than a third: then relays that are both never stand in the middle.
  const Wmd = Math.max(scaled(d - 2 * m + g + e, 3 * d), 0);
  const second = { ...whole, Wed, Wmd, Wgd: weightScale - Wed - Wmd };
  return judge(second, totals) === 'wrong' ? undefined : second;
}

/** Case 3: either guards or exits are scarce. */
function solveOneScarce(totals: Totals): Solved | undefined {
  const { g, m, e, d } = totals;
  const one = weightScale;
  if (3 * (Math.min(g, e) + d) < g + m + e + d) {
    // Subcase a. What is not scarce helps out in the middle, unless middles have more.
    if (g < e) {
      const Wme = e < m ? 0 : scaled(e - m, 2 * e);
      return { Wgg: one, Wgd: one, Wmd: 0, Wed: 0, Wmg: 0, Wme, Wee: one - Wme };
    }
    const Wmg = g < m ? 0 : scaled(g - m, 2 * g);
    return { Wee: one, Wed: one, Wmd: 0, Wgd: 0, Wme: 0, Wmg, Wgg: one - Wmg };
  }
  let solved: Solved;
  if (g < e) {
    const Wgd = scaled(d - 2 * g + e + m, 3 * d);
    const Wee = scaled(e + m, 2 * e);
    const half = Math.trunc((one - Wgd) / 2);
    solved = { Wgg: one, Wgd, Wmg: 0, Wee, Wme: one - Wee, Wmd: half, Wed: half };
  } else {
    const Wed = scaled(d - 2 * e + g + m, 3 * d);
    const Wgg = scaled(g + m, 2 * g);
    const half = Math.trunc((one - Wed) / 2);
    solved = { Wee: one, Wed, Wme: 0, Wgg, Wmg: one - Wgg, Wmd: half, Wgd: half };
  }
  return judge(solved, totals) === 'balanced' ? solved : undefined;
}

/** What weights may be off by, since they are cut to integers. */
const margin = 10;

/** Whether weights add up, lie within bounds, and give the three places the same bandwidth. */
function judge(w: Solved, { g, m, e, d }: Totals): 'balanced' | 'middles-differ' | 'wrong' {
  const near = (a: number, b: number, slack: number): boolean => Math.abs(a - b) <= slack;
  const sums = [w.Wmg + w.Wgg, w.Wme + w.Wee, w.Wmd + w.Wgd + w.Wed];
  if (!sums.every(sum => near(sum, weightScale, margin))) return 'wrong';
  if (Object.values(w).some(weight => weight < 0 || weight > weightScale)) return 'wrong';
  const slack = (margin * (g + m + e + d)) / 3;
  const guards = w.Wgg * g + w.Wgd * d;
  if (!near(guards, w.Wee * e + w.Wed * d, slack)) return 'wrong';
  const middles = m * weightScale + w.Wmd * d + w.Wme * e + w.Wmg * g;
  return near(guards, middles, slack) ? 'balanced' : 'middles-differ';
}

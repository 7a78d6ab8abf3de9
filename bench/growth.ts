import { bootstrap, type Estimate, resampled } from './statistics.ts';

/** What was measured at one size. */
export interface SizedValues {
  readonly size: number;
  /** Of all repeats, each above 0; at least one. */
  readonly values: readonly number[];
}

/** Where a cost begins to grow otherwise. */
export interface Bend {
  /** A size that was measured. */
  readonly at: number;
  readonly exponentBelow: number;
  readonly exponentAbove: number;
  /** Below it, cost = factor x size^exponentBelow. */
  readonly factor: number;
}

/** A cost as a power of size: cost = factor x size^exponent. */
export interface Growth {
  /** 1: twice the size costs twice as much; 0: no more. The bounds come from the repeats at each size. */
  readonly exponent: Estimate;
  readonly factor: number;
  readonly bend: Bend | undefined;
}

/** A bend leaves less than this share of what the straight line leaves unexplained … */
const residueMax = 0.5;
/** … and changes the exponent by at least so much, which the eye can see. */
const turnMin = 0.15;

/** Fitted by least squares over logarithms of all values; undefined: there are not two sizes. */
export function growthOf(measured: readonly SizedValues[]): Growth | undefined {
  const sized = [...measured].sort((a, b) => a.size - b.size);
  if (sized.length < 2) return undefined;
  const line = (points: readonly SizedValues[]) => leastSquares(points, size => [1, Math.log(size)]);
  const { solution, residue } = line(sized);
  const exponent = bootstrap(
    solution[1],
    draw => line(sized.map(({ size, values }) => ({ size, values: resampled(values, draw) }))).solution[1],
  );
  return { exponent, factor: Math.exp(solution[0]), bend: bendOf(sized, residue) };
}

/** Two lines that meet at one of the sizes, where that explains much more than one. Each has two sizes at least, one of them its own. */
function bendOf(sized: readonly SizedValues[], straightResidue: number): Bend | undefined {
  if (sized.length < 4) return undefined;
  const bends = sized.slice(1, -1).map(({ size: at }) => {
    const beyond = (size: number): number => Math.max(0, Math.log(size / at));
    return { at, ...leastSquares(sized, size => [1, Math.log(size), beyond(size)]) };
  });
  const best = bends.reduce((a, b) => (b.residue < a.residue ? b : a));
  const [logFactor, below, turn] = best.solution;
  if (best.residue > residueMax * straightResidue || Math.abs(turn) < turnMin) return undefined;
  return { at: best.at, exponentBelow: below, exponentAbove: below + turn, factor: Math.exp(logFactor) };
}

/** What was fitted, the bend included. */
export function fittedCost({ exponent, factor, bend }: Growth, size: number): number {
  if (bend === undefined) return factor * size ** exponent.value;
  const { at, exponentBelow, exponentAbove } = bend;
  return bend.factor * size ** exponentBelow * Math.max(1, size / at) ** (exponentAbove - exponentBelow);
}

/** The coefficients of `terms` that come nearest to the logarithms of all values, and the sum of squares that is left. */
function leastSquares(
  sized: readonly SizedValues[],
  terms: (size: number) => readonly number[],
): { readonly solution: readonly number[]; readonly residue: number } {
  const rows = sized.flatMap(({ size, values }) =>
    values.map(value => ({ x: terms(size), y: Math.log(value) })),
  );
  const unknowns = rows[0].x.length;
  const sumOf = (each: (row: (typeof rows)[number]) => number): number =>
    rows.reduce((sum, row) => sum + each(row), 0);
  const equations = Array.from({ length: unknowns }, (_, i) => [
    ...Array.from({ length: unknowns }, (_, j) => sumOf(({ x }) => x[i] * x[j])),
    sumOf(({ x, y }) => x[i] * y),
  ]);
  const solution = solve(equations);
  const residue = sumOf(({ x, y }) => (y - x.reduce((sum, each, i) => sum + each * solution[i], 0)) ** 2);
  return { solution, residue };
}

/** Gauss and Jordan, with the largest pivot; each row ends with its right side. */
function solve(equations: number[][]): number[] {
  const count = equations.length;
  for (let column = 0; column < count; column++) {
    const from = equations.slice(column);
    const pivot = from.reduce((a, b) => (Math.abs(b[column]) > Math.abs(a[column]) ? b : a));
    const at = equations.indexOf(pivot);
    [equations[column], equations[at]] = [pivot, equations[column]];
    for (const row of equations) {
      if (row === pivot) continue;
      const share = row[column] / pivot[column];
      for (let i = column; i <= count; i++) row[i] -= share * pivot[i];
    }
  }
  return equations.map((row, i) => row[count] / row[i]);
}

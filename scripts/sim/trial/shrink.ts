import { runTrial, type TrialResult } from './trial.ts';
import { drawPlan, type PlanChanges } from './trial-plan.ts';

/** A trial that breaks a rule, and what makes it so. */
export interface Smaller {
  readonly changes: PlanChanges;
  readonly result: TrialResult;
}

/** Trials that a shrinking may cost. */
const trialsMax = 200;

/** Makes a trial that breaks a rule smaller while the same rule breaks: fewer steps, acts, clients and relays. */
export function shrunk(
  seed: number,
  changes: PlanChanges,
  broken: TrialResult,
  tell: (line: string) => void,
): Smaller {
  let best: Smaller = { changes, result: broken };
  let trials = 0;
  const rule = broken.breach?.rule;
  const attempt = (more: PlanChanges): boolean => {
    if (trials >= trialsMax) return false;
    trials += 1;
    const tried = { ...best.changes, ...more };
    const result = runTrial(drawPlan(seed, tried));
    if (result.breach?.rule !== rule) return false;
    best = { changes: tried, result };
    tell(
      `${result.steps} steps, ${result.acts.length} acts, ${result.plan.clients} clients: ${result.breach?.detail}`,
    );
    return true;
  };
  const acts = () => best.result.acts.map(({ number }) => number);
  attempt({ steps: broken.breach?.step });
  attempt({ acts: acts() });
  while (best.result.plan.clients > 1 && attempt({ clients: best.result.plan.clients - 1 }));
  while (best.result.plan.relays > 3 && attempt({ relays: best.result.plan.relays - 1 }));
  withoutMost(acts(), some => attempt({ acts: some }));
  attempt({ steps: best.result.breach?.step });
  return best;
}

/** Delta debugging: leaves out ever smaller parts, for as long as what is left `breaks`. */
function withoutMost(all: readonly number[], breaks: (some: readonly number[]) => boolean): void {
  let left = all;
  for (let size = Math.ceil(left.length / 2); size >= 1 && left.length > 0; ) {
    let removed = false;
    for (let at = 0; at < left.length; ) {
      const some = [...left.slice(0, at), ...left.slice(at + size)];
      if (breaks(some)) {
        left = some;
        removed = true;
      } else at += size;
    }
    if (size === 1 && !removed) return;
    size = Math.max(1, Math.floor(size / 2));
    if (size === 1 && left.length <= 1 && !removed) return;
  }
}

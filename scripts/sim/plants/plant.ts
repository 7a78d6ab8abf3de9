import type { Rule } from '../trial/rule-book.ts';
import type { TrialPlan } from '../trial/trial-plan.ts';

/**
 * One line of the program or of its simulated world made wrong, to see that the simulator finds it: rules that cannot
 * be broken prove nothing. It is applied to the text of a module as that is loaded; nothing in the program knows of it.
 */
export interface Plant {
  /** What is wrong then. */
  readonly name: string;
  /** Path of the source below the project's root. */
  readonly file: string;
  /** Is there exactly once, in the source and in what is compiled of it. */
  readonly find: string;
  readonly replace: string;
  /** Rules by which it may be found. */
  readonly breaks: readonly Rule[];
  /** What its trials pay with; Bitcoin channels otherwise. */
  readonly scheme?: string;
  /** Of each of its trials, where it shows in others than those of the usual length. */
  readonly stepsEach?: number;
  /** What its trials are besides what their seeds say, where it shows in few worlds. */
  readonly world?: Partial<Omit<TrialPlan, 'seed' | 'steps' | 'scheme'>>;
}

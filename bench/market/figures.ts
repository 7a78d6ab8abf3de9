import type { Results } from '../results-file.ts';
import { spreadOf } from '../statistics.ts';
import { type Factors, significant } from '../trials.ts';

export const brokered = 'requests to the broker';

/** Medians of one subject. */
export class Figures {
  readonly subject: string;
  readonly #all: Results['series'];
  readonly #series: Results['series'];

  /** @param series of all files of results that tell of it. */
  constructor(series: Results['series'], subject: string) {
    this.#all = series;
    this.#series = series.filter(({ factors }) => factors.scheme === subject);
    this.subject = subject;
  }

  /** Those of another subject. */
  beside(subject: string): Figures {
    return new Figures(this.#all, subject);
  }

  /** Undefined: it was not measured. */
  get(measure: string, factors: Factors = {}): number | undefined {
    const wanted = { scheme: this.subject, ...factors };
    const found = this.#series.find(each => each.measure === measure && sameFactors(each.factors, wanted));
    return found === undefined ? undefined : spreadOf(found.values).median;
  }

  /** Values of a measure over a factor, in order. */
  over(measure: string, factor: string): (readonly [size: number, median: number])[] {
    return this.#series
      .filter(({ measure: name, factors }) => name === measure && factor in factors)
      .map(({ factors, values }) => [Number(factors[factor]), spreadOf(values).median] as const)
      .sort(([one], [other]) => one - other);
  }

  /** Empty where nothing was measured. */
  shown(measure: string, factors: Factors = {}): string {
    const value = this.get(measure, factors);
    return value === undefined ? '' : significant(value);
  }
}

export const yes = (value: number | undefined): boolean => value === 1;

/** Throughput with a window as a share of the control's. */
export function share(of: Figures, window: number | string): number | undefined {
  const [reached, control] = [window, 'control'].map(each => of.get('throughput', { window: each }));
  return reached === undefined || control === undefined ? undefined : reached / control;
}

export const moved = (of: Figures): string =>
  yes(of.get('another payee is paid without the broker'))
    ? 'what is left over from one payee is spent at another without a request of the payer to the broker'
    : 'another payee is paid with a new purchase';

function sameFactors(one: Factors, other: Factors): boolean {
  const keys = Object.keys(one);
  return keys.length === Object.keys(other).length && keys.every(key => one[key] === other[key]);
}

import type { Results } from '../results-file.ts';
import { spreadOf } from '../statistics.ts';
import { type Factors, significant } from '../trials.ts';

/** What the paper that compares such systems says of one, in short, and what of the measurement speaks for or against it. */
export interface Claim {
  /** Subjects whose name begins so. */
  readonly scheme: string;
  readonly criterion: string;
  readonly says: string;
  readonly holds: (of: Figures) => { readonly agrees: boolean; readonly measured: string };
}

/** Medians of one subject. */
export class Figures {
  readonly subject: string;
  readonly #results: Results;

  constructor(results: Results, subject: string) {
    this.#results = results;
    this.subject = subject;
  }

  /** Undefined: it was not measured. */
  get(measure: string, factors: Factors = {}): number | undefined {
    const wanted = { scheme: this.subject, ...factors };
    const found = this.#results.series.find(
      each => each.measure === measure && sameFactors(each.factors, wanted),
    );
    return found === undefined ? undefined : spreadOf(found.values).median;
  }

  /** Values of a measure over a factor, in order. */
  over(measure: string, factor: string): (readonly [size: number, median: number])[] {
    return this.#results.series
      .filter(({ measure: name, factors }) => name === measure && factor in factors)
      .filter(({ factors }) => factors.scheme === this.subject)
      .map(({ factors, values }) => [Number(factors[factor]), spreadOf(values).median] as const)
      .sort(([one], [other]) => one - other);
  }

  shown(measure: string, factors: Factors = {}): string {
    const value = this.get(measure, factors);
    return value === undefined ? '' : significant(value);
  }
}

export const yes = (value: number | undefined): boolean => value === 1;
export const brokered = 'requests to the broker';
/** Less than so many requests for each payment are no part in it. */
const fewRequests = 0.5;

function peersOnline(of: Figures) {
  const least = of.over(brokered, 'away')[0]?.[1] ?? Number.NaN;
  return {
    agrees: least < fewRequests,
    measured: `${significant(least)} requests to the broker a payment while all peers are there`,
  };
}

function moreWhenAway(of: Figures) {
  const over = of.over(brokered, 'away');
  const [first, last] = [over[0], over.at(-1)];
  return {
    agrees: (last?.[1] ?? 0) > 1.5 * (first?.[1] ?? 0),
    measured: over.map(([away, count]) => `${significant(count)} at ${away} % away`).join(', '),
  };
}

/** Where a double spend came to light. */
export function found(of: Figures) {
  const [atOnce, later] = [of.get('caught at once'), of.get('caught when handed in')];
  const lost = `${of.shown('lost to a double spend')} sat lost`;
  if (yes(atOnce)) return `found at once, ${lost}`;
  if (yes(later)) return `found when the coins are handed in, ${lost}`;
  return of.get('lost to a double spend') === 0 ? 'nobody lost anything' : `not found, ${lost}`;
}

const anonymous = (of: Figures) => ({
  agrees:
    !yes(of.get('payee: account of the payer')) && !yes(of.get('payee: the same payer on two circuits')),
  measured: [
    yes(of.get('payee: account of the payer')) ? 'a payee sees the account' : 'a payee sees no account',
    yes(of.get('payee: the same payer on two circuits'))
      ? 'but knows a payer again on another circuit'
      : 'and does not know a payer again',
  ].join(', '),
});

export const claims: readonly Claim[] = [
  {
    scheme: 'payword',
    criterion: 'Scalability',
    says: 'the broker still takes part when a peer pays many others: a chain is for one vendor alone',
    holds: of => {
      const { agrees, measured } = peersOnline(of);
      return { agrees: !agrees, measured };
    },
  },
  {
    scheme: 'p2p-netpay',
    criterion: 'Security',
    says: 'the signed index keeps a payer from spending twice; no payer need be trusted',
    holds: of => ({
      agrees: yes(of.get('caught at once')) || (of.get('lost to a double spend') ?? 1) === 0,
      measured: found(of),
    }),
  },
  {
    scheme: 'p2p-netpay',
    criterion: 'Anonymity',
    says: 'only the broker knows who is behind a pseudonym',
    holds: anonymous,
  },
  {
    scheme: 'p2p-netpay',
    criterion: 'Scalability',
    says: 'a chain moves from vendor to vendor without the broker',
    holds: peersOnline,
  },
  {
    scheme: 'p2p-netpay',
    criterion: 'Performance',
    says: 'few public-key operations a purchase',
    holds: of => {
      const count = ['signatures, payer', 'signatures, payee', 'verifications, payer', 'verifications, payee']
        .map(measure => of.get(measure) ?? 0)
        .reduce((sum, each) => sum + each, 0);
      return { agrees: count < 1, measured: `${significant(count)} signatures and verifications a payment` };
    },
  },
  {
    scheme: 'ppay',
    criterion: 'Scalability',
    says: 'a payment between peers does not involve the broker',
    holds: peersOnline,
  },
  {
    scheme: 'ppay',
    criterion: 'Scalability',
    says: 'when owners are away the load of the broker goes up significantly',
    holds: moreWhenAway,
  },
  {
    scheme: 'ppay, layered',
    criterion: 'Security',
    says: 'layers delay the detection of fraud, and coins grow',
    holds: of => ({ agrees: !yes(of.get('caught at once')), measured: found(of) }),
  },
  { scheme: 'whopay', criterion: 'Anonymity', says: 'payer and payee stay anonymous', holds: anonymous },
  {
    scheme: 'whopay',
    criterion: 'Performance',
    says: 'not economical for high volume: heavy public-key operations',
    holds: of => {
      const cpu = (of.get('CPU, payer') ?? 0) + (of.get('CPU, payee') ?? 0);
      return { agrees: cpu > 1_000, measured: `${significant(cpu)} us of CPU at payer and payee a payment` };
    },
  },
  {
    scheme: 'whopay',
    criterion: 'Scalability',
    says: 'with owners away it is nearly an online system',
    holds: moreWhenAway,
  },
  {
    scheme: 'cpay',
    criterion: 'Security',
    says: 'double spending is prevented in time',
    holds: of => ({ agrees: yes(of.get('caught at once')), measured: found(of) }),
  },
  {
    scheme: 'cpay',
    criterion: 'Scalability',
    says: 'the broker takes no part in a transaction',
    holds: peersOnline,
  },
  {
    scheme: 'cpay',
    criterion: 'Performance',
    says: 'assistants take part in every transaction, so that performance is not extremely high',
    holds: of => {
      const count = of.over('requests to peers', 'peers').at(-1)?.[1] ?? 0;
      return { agrees: count >= 1, measured: `${significant(count)} requests to peers a payment` };
    },
  },
];

function sameFactors(one: Factors, other: Factors): boolean {
  const keys = Object.keys(one);
  return keys.length === Object.keys(other).length && keys.every(key => one[key] === other[key]);
}

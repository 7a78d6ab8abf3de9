import { significant } from '../trials.ts';
import { brokered, type Figures, moved, share, yes } from './figures.ts';

/** What the paper that compares such systems says of one, in short, and what of the measurement speaks for or against it. */
export interface Claim {
  /** Subjects whose name begins so. */
  readonly scheme: string;
  readonly criterion: string;
  readonly says: string;
  readonly holds: (of: Figures) => Finding;
  /** Why a measurement may disagree, where that is known. */
  readonly because?: string;
}

interface Finding {
  readonly agrees: boolean;
  readonly measured: string;
}

/** Public-key operations of payer and payee for one payment that are few, as next to nothing but hashes. */
const fewOperations = 1;
/** Throughput, as a share of what costs nothing, that a system for many small payments reaches with a small window. */
const hardlyLess = 0.9;
const smallWindow = 1_024;

const anyBroker = (of: Figures): string =>
  `${of.shown(brokered, { away: 0 })} requests to the broker a payment over a whole day, purchases and what is handed in included`;

function noBrokerBetween(of: Figures): Finding {
  const asked = of.get('requests to the broker when spent again');
  return {
    agrees: asked === 0,
    measured: `${asked === undefined ? 'none is made' : significant(asked)} requests to the broker while earned money is spent again; ${anyBroker(of)}`,
  };
}

function moreWhenAway(of: Figures): Finding {
  const over = of.over(brokered, 'away');
  const [first, last] = [over[0], over.at(-1)];
  return {
    agrees: (last?.[1] ?? 0) > 1.5 * (first?.[1] ?? 0),
    measured: `requests to the broker a payment: ${over.map(([away, count]) => `${significant(count)} at ${away} % away`).join(', ')}`,
  };
}

/** Where a double spend came to light. */
export function found(of: Figures): string {
  const [atOnce, later] = [of.get('caught at once'), of.get('caught when handed in')];
  const lost = `${of.shown('lost to a double spend')} sat lost`;
  if (yes(atOnce)) return `found at once, ${lost}`;
  if (yes(later)) return `found when the coins are handed in, ${lost}`;
  return of.get('lost to a double spend') === 0 ? 'comes to nothing, nobody loses' : `not found, ${lost}`;
}

const prevented = (of: Figures): Finding => ({
  agrees: yes(of.get('caught at once')) || of.get('lost to a double spend') === 0,
  measured: found(of),
});

function unnamed(of: Figures): Finding {
  const named = yes(of.get('payee: account of the payer'));
  const again = yes(of.get('payee: the same payer on two circuits'));
  return {
    agrees: !named,
    measured: `a payee sees ${named ? 'the' : 'no'} account of its payer, ${again ? 'and knows it again on another circuit' : 'nor that two circuits have one payer'}`,
  };
}

function spentOn(of: Figures): Finding {
  const goesOn = yes(of.get('earned money is spent again'));
  return {
    agrees: goesOn,
    measured: goesOn
      ? `it went on eight times, with ${of.shown('requests to the broker when spent again')} requests to the broker each`
      : 'earned money must be handed in first',
  };
}

function publicKeyOperations(of: Figures): number {
  return ['signatures, payer', 'signatures, payee', 'verifications, payer', 'verifications, payee']
    .map(measure => of.get(measure) ?? 0)
    .reduce((sum, each) => sum + each, 0);
}

/** With the smallest window that was tried. */
function shareText(of: Figures): string {
  const reached = share(of, smallWindow);
  return reached === undefined
    ? ''
    : `; ${Math.round(100 * reached)} % of the control’s throughput at window 1,024`;
}

const heavy = (of: Figures): Finding => ({
  agrees: publicKeyOperations(of) >= fewOperations,
  measured: `${significant(publicKeyOperations(of))} signatures and verifications of payer and payee a payment${shareText(of)}`,
});

export const claims: readonly Claim[] = [
  {
    scheme: 'payword',
    criterion: 'Transferability',
    says: 'a chain can only be spent by a certain customer to a certain vendor',
    holds: of => {
      const { agrees, measured } = spentOn(of);
      return { agrees: !agrees, measured };
    },
  },
  {
    scheme: 'payword',
    criterion: 'Scalability',
    says: 'where a peer pays many others, the broker still needs to participate in all transactions',
    holds: of => ({ agrees: (of.get(brokered, { away: 0 }) ?? 0) >= 1, measured: anyBroker(of) }),
  },
  {
    scheme: 'p2p-netpay',
    criterion: 'Security',
    says: 'the signed index prevents double spending; no trust in payers is required',
    holds: prevented,
  },
  {
    scheme: 'p2p-netpay',
    criterion: 'Anonymity',
    says: 'only the broker knows who is behind a pseudonym',
    holds: unnamed,
  },
  {
    scheme: 'p2p-netpay',
    criterion: 'Transferability',
    says: 'one chain is spent at many vendors, without extra actions of the payer',
    holds: of => ({ agrees: yes(of.get('another payee is paid without the broker')), measured: moved(of) }),
  },
  {
    scheme: 'p2p-netpay',
    criterion: 'Scalability',
    says: 'offline: moving a chain from vendor to vendor does not involve the broker',
    holds: of => ({
      agrees: yes(of.get('another payee is paid without the broker')),
      measured: `${moved(of)}; ${anyBroker(of)}`,
    }),
  },
  {
    scheme: 'p2p-netpay',
    criterion: 'Performance',
    says: 'efficient: few public-key operations a purchase, high volumes',
    holds: of => ({
      agrees: publicKeyOperations(of) < fewOperations && (share(of, smallWindow) ?? 1) >= hardlyLess,
      measured: heavy(of).measured,
    }),
  },
  {
    scheme: 'ppay',
    criterion: 'Transferability',
    says: 'who was paid can spend the coin without the issuer',
    holds: spentOn,
  },
  {
    scheme: 'ppay',
    criterion: 'Scalability',
    says: 'a transaction between peers does not involve any broker',
    holds: noBrokerBetween,
  },
  {
    scheme: 'ppay, reassigned',
    criterion: 'Scalability',
    says: 'with owners offline much of the time, the broker’s load goes up significantly',
    holds: moreWhenAway,
  },
  {
    scheme: 'ppay, layered',
    criterion: 'Scalability',
    says: 'layers avoid that the broker must be online while owners are not',
    holds: of => {
      const { agrees, measured } = moreWhenAway(of);
      return { agrees: !agrees, measured };
    },
    because:
      'whoever is paid by layers has them turned into an assignment soon, by the broker while the owner is away, so that a double spend shows early',
  },
  {
    scheme: 'ppay, layered',
    criterion: 'Security',
    says: 'layers delay the detection of fraud',
    holds: of => ({
      agrees: !yes(of.get('caught at once')),
      measured: `${found(of)}, ${of.shown('double spend caught after')} s after`,
    }),
  },
  {
    scheme: 'ppay, layered',
    criterion: 'Performance',
    says: 'floating coins grow in size',
    holds: of => ({
      agrees: (of.get('payment bytes, ninth hand') ?? 0) > (of.get('payment bytes, first hand') ?? 0),
      measured: `${of.shown('payment bytes, first hand')} B the first time, ${of.shown('payment bytes, ninth hand')} B the ninth`,
    }),
  },
  {
    scheme: 'whopay',
    criterion: 'Anonymity',
    says: 'payer and payee are anonymous',
    because:
      'a coin bears a number of its owner, the same on all coins that one peer bought, for holders to find the owner by: who spends coins of its own is known by it, if not by name',
    holds: of => {
      const { agrees, measured } = unnamed(of);
      return { agrees: agrees && !yes(of.get('payee: the same payer on two circuits')), measured };
    },
  },
  {
    scheme: 'whopay',
    criterion: 'Transferability',
    says: 'who was paid can spend the coin without the issuer',
    holds: spentOn,
  },
  {
    scheme: 'whopay',
    criterion: 'Scalability',
    says: 'the downtime protocols are almost an online system',
    holds: moreWhenAway,
  },
  {
    scheme: 'whopay',
    criterion: 'Performance',
    says: 'not economical for very high volumes: heavy public-key operations for each purchase',
    holds: heavy,
  },
  {
    scheme: 'cpay',
    criterion: 'Security',
    says: 'double spending is prevented in time',
    holds: prevented,
  },
  {
    scheme: 'cpay, anonymous',
    criterion: 'Anonymity',
    says: 'the assistant does not know who the payee is',
    holds: of => {
      const known = yes(of.get('coin owner or assistant: account of the payee'));
      return { agrees: !known, measured: `an assistant sees ${known ? 'the' : 'no'} account of the payee` };
    },
  },
  {
    scheme: 'cpay',
    criterion: 'Transferability',
    says: 'who was paid can spend the coin without the issuer',
    holds: spentOn,
  },
  {
    scheme: 'cpay',
    criterion: 'Scalability',
    says: 'the broker does not participate in any transaction',
    holds: noBrokerBetween,
  },
  {
    scheme: 'cpay',
    criterion: 'Performance',
    says: 'not extremely high, as assistants take part in every transaction',
    holds: of => {
      const count = of.get('requests to peers', { away: 0 }) ?? 0;
      return {
        agrees: count >= 1,
        measured: `${significant(count)} requests to peers a payment${shareText(of)}`,
      };
    },
  },
];

import { type Factors, significant } from '../trials.ts';
import { brokered, type Figures, moved, share, yes } from './figures.ts';

/** What the paper that compares such systems says of one, in short, and what of the measurement speaks for or against it. */
export interface Claim {
  /** Subjects whose name begins so. */
  readonly scheme: string;
  readonly criterion: string;
  readonly says: string;
  /** Undefined: it was not measured. */
  readonly holds: (of: Figures) => Finding | undefined;
  /** Why a measurement may disagree, where figures show it. */
  readonly because?: (of: Figures) => string;
}

interface Finding {
  readonly agrees: boolean;
  readonly measured: string;
}

export function verdictOf(
  { holds, because }: Claim,
  of: Figures,
): { readonly measured: string; readonly verdict: string } {
  const finding = holds(of);
  if (finding === undefined) return { measured: '–', verdict: 'not measured' };
  const { agrees, measured } = finding;
  if (agrees) return { measured, verdict: 'agrees' };
  return { measured, verdict: `**disagrees**${because === undefined ? '' : `: ${because(of)}`}` };
}

/** Public-key operations of payer and payee for one payment that are few: how to pay is signed and checked, and one more. */
const fewOperations = 3;
/** Throughput, as a share of what costs nothing, that a system for many small payments reaches with a small window. */
const hardlyLess = 0.9;
const smallWindow = 1_024;
const largeWindow = 8_192;
/** Of the CPU of a payment's payer; what takes less is no burden of it. */
const burdenShare = 0.1;

const anyBroker = (of: Figures): string =>
  `${of.shown(brokered, { away: 0 })} requests to the broker a payment over a whole day, purchases and what is handed in included`;

function noBrokerBetween(of: Figures): Finding | undefined {
  if (of.get('earned money is spent again') === undefined) return undefined;
  const asked = of.get('requests to the broker when spent again');
  return {
    agrees: asked === 0,
    measured: `${asked === undefined ? 'none is made' : significant(asked)} requests to the broker while earned money is spent again; ${anyBroker(of)}`,
  };
}

function moreWhenAway(of: Figures): Finding | undefined {
  const over = of.over(brokered, 'away');
  const [first, last] = [over[0], over.at(-1)];
  if (first === undefined || last === undefined || over.length < 2) return undefined;
  return {
    agrees: last[1] > 1.5 * first[1],
    measured: `requests to the broker a payment: ${over.map(([away, count]) => `${significant(count)} at ${away} % away`).join(', ')}`,
  };
}

/** Where a double spend came to light; undefined: none was tried. */
export function found(of: Figures, factors: Factors = {}): string | undefined {
  const lostSat = of.get('lost to a double spend', factors);
  if (lostSat === undefined) return undefined;
  const lost = `${significant(lostSat)} sat lost`;
  if (yes(of.get('found at once', factors))) return `refused at once, ${lost}`;
  if (yes(of.get('found later', factors))) return `found after it was credited, ${lost}`;
  return lostSat === 0 ? 'comes to nothing, nobody loses' : `not found, ${lost}`;
}

/** Each way in which a system’s money is spent twice. */
const cheats: readonly (readonly [who: string, factors: Factors])[] = [
  ['a buyer', {}],
  ['a holder', { cheat: 'holder' }],
  ['a payer with a payee', { cheat: 'payer and payee' }],
];

/** By nobody, whoever spends twice. */
function prevented(of: Figures): Finding | undefined {
  const tried = cheats.flatMap(([who, factors]) => {
    const what = found(of, factors);
    return what === undefined ? [] : [{ said: `by ${who}: ${what}`, factors }];
  });
  if (tried.length === 0) return undefined;
  return {
    agrees: tried.every(({ factors }) => of.get('lost to a double spend', factors) === 0),
    measured: tried.map(({ said }) => said).join('; '),
  };
}

/** Before anybody was credited what was spent before. */
function preventedInTime(of: Figures): Finding | undefined {
  const tried = cheats.filter(([, factors]) => found(of, factors) !== undefined);
  const finding = prevented(of);
  return (
    finding && {
      ...finding,
      agrees: finding.agrees && tried.every(([, factors]) => yes(of.get('found at once', factors))),
    }
  );
}

/** Where payees lose, by what the broker has a proof in the end. */
function lostUntilHandedIn(of: Figures): string {
  const lost = cheats.filter(([, factors]) => (of.get('lost to a double spend', factors) ?? 0) > 0);
  return lost
    .map(([who, factors]) => {
      const after = of.shown('double spend found after', factors);
      const when = after === '' ? 'nobody finds out' : `the broker has a proof ${after} s later`;
      return `what ${who} spends twice is credited to both payees, and ${when}`;
    })
    .join('; ');
}

function unnamed(of: Figures): Finding | undefined {
  if (of.get('payee: account of the payer') === undefined) return undefined;
  const named = yes(of.get('payee: account of the payer'));
  const again = yes(of.get('payee: the same payer on two circuits'));
  return {
    agrees: !named,
    measured: `a payee sees ${named ? 'the' : 'no'} account of its payer, ${again ? 'and knows it again on another circuit' : 'nor that two circuits have one payer'}`,
  };
}

function spentOn(of: Figures): Finding | undefined {
  if (of.get('earned money is spent again') === undefined) return undefined;
  const goesOn = yes(of.get('earned money is spent again'));
  return {
    agrees: goesOn,
    measured: goesOn
      ? `it went on eight times, with ${of.shown('requests to the broker when spent again')} requests to the broker each`
      : 'earned money must be handed in first',
  };
}

function movedOn(of: Figures): Finding | undefined {
  const found = of.get('another payee is paid without the broker');
  return found === undefined ? undefined : { agrees: yes(found), measured: moved(of) };
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

function heavy(of: Figures): Finding | undefined {
  const operations = publicKeyOperations(of);
  if (operations === 0) return undefined;
  return {
    agrees: operations > fewOperations,
    measured: `${significant(operations)} signatures and verifications of payer and payee a payment${shareText(of)}`,
  };
}

export const claims: readonly Claim[] = [
  {
    scheme: 'payword',
    criterion: 'Transferability',
    says: 'a chain can only be spent by a certain customer to a certain vendor',
    holds: of => {
      const finding = spentOn(of);
      return finding && { ...finding, agrees: !finding.agrees };
    },
  },
  {
    scheme: 'payword',
    criterion: 'Scalability',
    says: 'where a peer pays many others, the broker still needs to participate in all transactions',
    holds: of => {
      const asked = of.get(brokered, { away: 0 });
      return asked === undefined ? undefined : { agrees: asked >= 1, measured: anyBroker(of) };
    },
  },
  {
    scheme: 'p2p-netpay',
    criterion: 'Security',
    says: 'the signed Index “is used to prevent double spending”; “no peer-user trust required”',
    holds: prevented,
    because: lostUntilHandedIn,
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
    holds: movedOn,
  },
  {
    scheme: 'p2p-netpay',
    criterion: 'Scalability',
    says: 'offline: moving a chain from vendor to vendor does not involve the broker',
    holds: of => {
      const finding = movedOn(of);
      return finding && { ...finding, measured: `${finding.measured}; ${anyBroker(of)}` };
    },
  },
  {
    scheme: 'p2p-netpay',
    criterion: 'Performance',
    says: 'efficient: “small numbers of public-key hashing operations per purchase”, high volumes',
    holds: of => {
      const [reached, finding] = [share(of, smallWindow), heavy(of)];
      if (reached === undefined || finding === undefined) return undefined;
      return { ...finding, agrees: !finding.agrees && reached >= hardlyLess };
    },
    because: of => {
      const few = publicKeyOperations(of) <= fewOperations;
      const percent = Math.round(100 * (share(of, largeWindow) ?? 0));
      return `${few ? 'its operations are few, but small windows make payments many: with' : 'its operations are not few; with'} 8,192 cells a payment it reaches ${percent} %`;
    },
  },
  {
    scheme: 'ppay',
    criterion: 'Security',
    says: 'the criterion: “prevent any party from cheating the system”, as by double spending',
    holds: prevented,
    because: lostUntilHandedIn,
  },
  {
    scheme: 'ppay',
    criterion: 'Anonymity',
    says: 'most such systems “suffer from problems with lack of anonymity”',
    holds: of => {
      const finding = unnamed(of);
      return finding && { ...finding, agrees: !finding.agrees };
    },
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
      const finding = moreWhenAway(of);
      return finding && { ...finding, agrees: !finding.agrees };
    },
    because: of =>
      `whoever is paid by layers has them turned into an assignment soon, by the broker while the owner is away: ${of.shown(brokered, { away: 0 })} requests a payment with nobody away, reassigned ${of.beside('ppay, reassigned').shown(brokered, { away: 0 })}`,
  },
  {
    scheme: 'ppay, layered',
    criterion: 'Security',
    says: 'layers “introduce a delay to the fraud detection”',
    holds: of => {
      const held = { cheat: 'holder' };
      const [flat, now] = [of.beside('ppay, reassigned'), found(of, held)];
      const then = found(flat, held);
      if (now === undefined || then === undefined) return undefined;
      const after = (each: Figures) => each.shown('double spend found after', held);
      return {
        // What is found before it is credited is found in time.
        agrees: !yes(of.get('found at once', held)) && yes(flat.get('found at once', held)),
        measured: `a holder’s: ${now}, ${after(of)} s after; reassigned: ${then}, ${after(flat)} s after`,
      };
    },
  },
  {
    scheme: 'ppay, layered',
    criterion: 'Performance',
    says: 'floating coins grow in size',
    holds: of => {
      const [first, ninth] = ['payment bytes, first hand', 'payment bytes, ninth hand'].map(each =>
        of.get(each),
      );
      if (first === undefined || ninth === undefined) return undefined;
      const measured = `${significant(first)} B the first time, ${significant(ninth)} B the ninth`;
      return { agrees: ninth > first, measured };
    },
  },
  {
    scheme: 'whopay',
    criterion: 'Anonymity',
    says: 'payer and payee are anonymous',
    because: () =>
      'an owner that takes payments too has the place where it answers travel with its coins, for holders to find it by: who spends coins of its own is known by it, if not by name',
    holds: of => {
      const finding = unnamed(of);
      if (finding === undefined) return undefined;
      const { agrees, measured } = finding;
      return { agrees: agrees && !yes(of.get('payee: the same payer on two circuits')), measured };
    },
  },
  {
    scheme: 'whopay',
    criterion: 'Security',
    says: 'the criterion: “prevent any party from cheating the system”, as by double spending',
    holds: prevented,
    because: lostUntilHandedIn,
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
    says: 'the downtime protocols are “almost an online system”',
    holds: moreWhenAway,
    because: of =>
      `with nobody away the broker is asked ${of.shown(brokered, { away: 0 })} times a payment already, unlisted ${of.beside('whopay, unlisted').shown(brokered, { away: 0 })}: absence adds little to that`,
  },
  {
    scheme: 'whopay',
    criterion: 'Performance',
    says: '“not economical for very high-volume, low-cost transactions”: heavy public-key operations for each purchase',
    holds: heavy,
  },
  {
    scheme: 'cpay',
    criterion: 'Security',
    says: '“prevents double spending timely”',
    holds: preventedInTime,
    because: () =>
      'a buyer pays by its word alone, as the paper has it, which no assistant has seen; the other variants have the first payment authorised too',
  },
  {
    scheme: 'cpay, anonymous',
    criterion: 'Anonymity',
    says: 'the assistant does not know who the payee is',
    holds: of => {
      const learned = of.get('coin owner or assistant: account of the payee');
      if (learned === undefined) return undefined;
      const known = yes(learned);
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
    scheme: 'cpay, group',
    criterion: 'Scalability',
    says: '“as the number of peer escalates, the broker workload increases”; to overcome this, many assistants take part in a transaction',
    holds: of => {
      const [mine, others] = [of, of.beside('cpay, named')].map(each => each.over(brokered, 'peers').at(-1));
      if (mine === undefined || others === undefined || mine[0] !== others[0]) return undefined;
      return {
        agrees: mine[1] < others[1],
        measured: `${significant(mine[1])} requests to the broker a payment of ${mine[0].toLocaleString('en-US')} peers, ${significant(others[1])} with one assistant`,
      };
    },
    because: of => {
      const at = { away: 0 };
      return `every payment asks more peers (${of.shown('requests to peers', at)} requests, ${of.beside('cpay, named').shown('requests to peers', at)} with one assistant), and each asks the broker who assists in an epoch`;
    },
  },
  {
    scheme: 'cpay',
    criterion: 'Performance',
    says: '“not economical since it uses heavy-weight algorithms to do consistent hashing”',
    holds: of => {
      const [look, whole] = [of.get('CPU to find an assistant'), of.get('CPU, payer')];
      if (look === undefined || whole === undefined) return undefined;
      return {
        agrees: look >= burdenShare * whole,
        measured: `to find who assists, among 1,000: ${of.shown('hashes to find an assistant')} hashes, ${significant(look)} us of CPU; a payment costs its payer ${significant(whole)} us`,
      };
    },
    because: of =>
      `that is ${significant((100 * (of.get('CPU to find an assistant') ?? 0)) / (of.get('CPU, payer') ?? 1))} % of it; ${significant(publicKeyOperations(of))} signatures and verifications of payer and payee a payment weigh more`,
  },
  {
    scheme: 'cpay',
    criterion: 'Performance',
    says: 'not extremely high, as assistants take part in every transaction',
    holds: of => {
      const count = of.get('requests to peers', { away: 0 });
      if (count === undefined) return undefined;
      return {
        agrees: count >= 1,
        measured: `${significant(count)} requests to peers a payment${shareText(of)}`,
      };
    },
  },
];

import { expect, test } from 'vitest';
import { claims, verdictOf } from './claims.ts';
import { Figures } from './figures.ts';
import { schemeSubjects } from './subjects.ts';

/** A measure, of what subject if not the claim's, under which factors. */
type Figure = readonly [
  measure: string,
  value: number,
  factors?: Readonly<Record<string, string | number>>,
  subject?: string,
];

const asked = 'requests to the broker';
const held = { cheat: 'holder' };

/** For the claims of each system and criterion, in order: figures by which one agrees, and those of a planted fault. */
const cases: readonly (readonly [subject: string, criterion: string, right: Figure[], fault: Figure[]])[] = [
  [
    'payword, credit',
    'Transferability',
    [['earned money is spent again', 0]],
    [['earned money is spent again', 1]],
  ],
  ['payword, credit', 'Scalability', [[asked, 1.2, { away: 0 }]], [[asked, 0.4, { away: 0 }]]],
  ['p2p-netpay', 'Security', [['lost to a double spend', 0]], [['lost to a double spend', 147]]],
  [
    'p2p-netpay',
    'Security',
    [
      ['lost to a double spend', 0],
      ['lost to a double spend', 0, { cheat: 'payer and payee' }],
    ],
    [['lost to a double spend', 147, { cheat: 'payer and payee' }]],
  ],
  ['p2p-netpay', 'Anonymity', [['payee: account of the payer', 0]], [['payee: account of the payer', 1]]],
  [
    'p2p-netpay',
    'Transferability',
    [['another payee is paid without the broker', 1]],
    [['another payee is paid without the broker', 0]],
  ],
  [
    'p2p-netpay',
    'Scalability',
    [['another payee is paid without the broker', 1]],
    [['another payee is paid without the broker', 0]],
  ],
  [
    'p2p-netpay',
    'Performance',
    [
      ['signatures, payee', 1],
      ['verifications, payer', 1],
      ['throughput', 95, { window: 1_024 }],
      ['throughput', 100, { window: 'control' }],
    ],
    [['throughput', 68, { window: 1_024 }]],
  ],
  ['ppay, reassigned', 'Security', [['lost to a double spend', 0]], [['lost to a double spend', 49]]],
  [
    'ppay, reassigned',
    'Anonymity',
    [['payee: account of the payer', 1]],
    [['payee: account of the payer', 0]],
  ],
  [
    'ppay, reassigned',
    'Transferability',
    [['earned money is spent again', 1]],
    [['earned money is spent again', 0]],
  ],
  [
    'ppay, layered',
    'Performance',
    [
      ['payment bytes, first hand', 500],
      ['payment bytes, ninth hand', 2_000],
    ],
    [['payment bytes, ninth hand', 500]],
  ],
  ['whopay, listed', 'Security', [['lost to a double spend', 0]], [['lost to a double spend', 49]]],
  [
    'whopay, listed',
    'Anonymity',
    [
      ['payee: account of the payer', 0],
      ['payee: the same payer on two circuits', 0],
    ],
    [['payee: the same payer on two circuits', 1]],
  ],
  [
    'whopay, listed',
    'Scalability',
    [
      [asked, 0.7, { away: 0 }],
      [asked, 1.2, { away: 90 }],
    ],
    [[asked, 0.8, { away: 90 }]],
  ],
  ['whopay, listed', 'Performance', [['signatures, payer', 4]], [['signatures, payer', 1]]],
  [
    'cpay, anonymous',
    'Security',
    [
      ['lost to a double spend', 0],
      ['found at once', 1],
      ['lost to a double spend', 0, held],
      ['found at once', 1, held],
    ],
    [['lost to a double spend', 49, held]],
  ],
  [
    'cpay, anonymous',
    'Anonymity',
    [['coin owner or assistant: account of the payee', 0]],
    [['coin owner or assistant: account of the payee', 1]],
  ],
];

function figuresOf(subject: string, ...layers: readonly (readonly Figure[])[]): Figures {
  const latest = new Map<
    string,
    { measure: string; factors: Record<string, string | number>; values: number[] }
  >();
  for (const [measure, value, factors = {}, of = subject] of layers.flat())
    latest.set(JSON.stringify([measure, factors, of]), {
      measure,
      factors: { scheme: of, ...factors },
      values: [value],
    });
  return new Figures([...latest.values()], subject);
}

const claimOf = (subject: string, criterion: string, says = '') => {
  const found = claims.find(
    claim => subject.startsWith(claim.scheme) && claim.criterion === criterion && claim.says.includes(says),
  );
  if (found === undefined) throw new Error(`no claim of ${subject} on ${criterion}`);
  return found;
};

test.each(cases)(
  '%s, %s: agrees by figures that say so, and a planted fault turns it',
  (subject, criterion, right, fault) => {
    const claim = claimOf(subject, criterion);
    expect(verdictOf(claim, figuresOf(subject, right)).verdict).toBe('agrees');
    expect(verdictOf(claim, figuresOf(subject, right, fault)).verdict).toMatch(/^\*\*disagrees\*\*/);
  },
);

test.each([
  [
    'ppay, layered',
    'delay to the fraud',
    [
      ['lost to a double spend', 49, held],
      ['found later', 1, held],
      ['lost to a double spend', 0, held, 'ppay, reassigned'],
      ['found at once', 1, held, 'ppay, reassigned'],
    ],
    [['found at once', 1, held]],
  ],
  [
    'ppay, reassigned',
    'does not involve any broker',
    [
      ['earned money is spent again', 1],
      ['requests to the broker when spent again', 0],
    ],
    [['requests to the broker when spent again', 1]],
  ],
  [
    'ppay, reassigned',
    'goes up significantly',
    [
      [asked, 0.7, { away: 0 }],
      [asked, 1.2, { away: 90 }],
    ],
    [[asked, 0.8, { away: 90 }]],
  ],
  [
    'ppay, layered',
    'layers avoid',
    [
      [asked, 0.7, { away: 0 }],
      [asked, 0.8, { away: 90 }],
    ],
    [[asked, 1.4, { away: 90 }]],
  ],
  [
    'cpay, paper',
    'timely',
    [
      ['lost to a double spend', 0],
      ['found at once', 1],
    ],
    [['found at once', 0]],
  ],
  [
    'cpay, named',
    'does not participate',
    [
      ['earned money is spent again', 1],
      ['requests to the broker when spent again', 0],
    ],
    [['requests to the broker when spent again', 2]],
  ],
  [
    'cpay, named',
    'not extremely high',
    [['requests to peers', 2.7, { away: 0 }]],
    [['requests to peers', 0.2, { away: 0 }]],
  ],
  [
    'cpay, group',
    'broker workload increases',
    [
      [asked, 4, { peers: 1_000 }],
      [asked, 5, { peers: 1_000 }, 'cpay, named'],
    ],
    [[asked, 6, { peers: 1_000 }]],
  ],
  [
    'cpay, named',
    'consistent hashing',
    [
      ['CPU to find an assistant', 500],
      ['CPU, payer', 1_500],
    ],
    [['CPU to find an assistant', 10]],
  ],
] as [string, string, Figure[], Figure[]][])('%s, “%s”: the same', (subject, says, right, fault) => {
  const claim = claims.find(each => subject.startsWith(each.scheme) && each.says.includes(says));
  if (claim === undefined) throw new Error(`no claim of ${subject} says ${says}`);
  expect(verdictOf(claim, figuresOf(subject, right)).verdict).toBe('agrees');
  expect(verdictOf(claim, figuresOf(subject, right, fault)).verdict).toMatch(/^\*\*disagrees\*\*/);
});

test('what was not measured has no verdict, and every system has its claims', () => {
  const nothing = figuresOf('ppay, reassigned');
  for (const claim of claims) expect(verdictOf(claim, nothing)).toMatchObject({ verdict: 'not measured' });
  for (const { name } of schemeSubjects().filter(({ scheme }) => scheme !== undefined))
    expect(claims.some(({ scheme }) => name.startsWith(scheme))).toBe(true);
});

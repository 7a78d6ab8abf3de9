import { growthOf } from '../growth.ts';
import type { Results } from '../results-file.ts';
import { significant } from '../trials.ts';
import { brokered, claims, Figures, found, yes } from './claims.ts';

const transferable: Readonly<Record<string, string>> = {
  payword: 'no',
  'p2p-netpay': 'chain moves between vendors',
  ppay: 'coin moves on',
  whopay: 'coin moves on',
  cpay: 'coin moves on',
};

/** The measured Table 1: a function of one file of results, so that the same file makes the same text. */
export function schemesDocument(results: Results, pictures: string): string {
  const subjects = [...new Set(results.series.map(({ factors }) => String(factors.scheme)))];
  const figures = subjects.map(subject => new Figures(results, subject));
  return [
    '# Payment systems compared',
    '<!-- Written by `naulon bench report`; what is changed here by hand is lost. -->',
    'The paper on P2P-NetPay compares payment systems for peers in words (its Table 1). Here the same systems are measured: the sides',
    'that relays and clients run, a broker whose e-coins are backed, in virtual time. `./naulon bench pay` does it again. Each figure is',
    `for one payment worth 1,024 cells, what is bought and handed in included; commit ${results.environment.commit}.`,
    '',
    ...(results.settings?.quick === true
      ? [
          '**A quick run, of few payments between few peers: it shows that it works and measures little.**',
          '',
        ]
      : []),
    `![Payment systems compared](${pictures}/schemes.png)`,
    '',
    '## Table 1, measured',
    ...transposed(figures),
    '',
    '## Growth of the load of the broker',
    ...growthText(figures),
    '',
    '## What each party learned',
    'By the bytes that it received, searched for accounts and for bytes that tie two circuits together. Whoever asks another party',
    'directly shows it its network address besides.',
    '',
    ...learnedText(results, figures),
    '',
    '## Beside the words of the paper',
    ...claimsText(figures),
  ]
    .join('\n')
    .concat('\n');
}

function transposed(figures: readonly Figures[]): string[] {
  const row = (name: string, show: (of: Figures) => string) => [name, ...figures.map(show)];
  const sides = (measure: string) => (of: Figures) =>
    ['payer', 'payee', 'broker'].map(side => of.shown(`${measure}, ${side}`)).join(' / ');
  return table(
    ['', ...figures.map(({ subject }) => subject)],
    [
      row('messages on the circuit', of => of.shown('payment messages')),
      row('bytes on the circuit', of => of.shown('payment bytes')),
      row('cells on the circuit', of => of.shown('payment cells')),
      row('signatures: payer / payee / broker', sides('signatures')),
      row('verifications: payer / payee / broker', sides('verifications')),
      row('hashes: payer / payee / broker', sides('hashes')),
      row('CPU, us: payer / payee / broker', sides('CPU')),
      row('a double spend', found),
      row('… after', of =>
        of.get('double spend caught after') === undefined ? '' : `${of.shown('double spend caught after')} s`,
      ),
      row('… proved', of => (yes(of.get('double spend proved')) ? 'yes' : 'no')),
      row('transferable', of => transferable[of.subject.split(',')[0]] ?? ''),
    ],
  );
}

function growthText(figures: readonly Figures[]): string[] {
  const sizes = figures[0]?.over(brokered, 'peers').map(([size]) => size) ?? [];
  const away = figures[0]?.over(brokered, 'away').map(([share]) => share) ?? [];
  const rows = figures.map(of => {
    const grown = of.over(brokered, 'peers');
    const growth = growthOf(
      grown.filter(([, count]) => count > 0).map(([size, count]) => ({ size, values: [count] })),
    );
    return [
      of.subject,
      ...grown.map(([, count]) => significant(count)),
      growth === undefined ? '' : `peers^${growth.exponent.value.toFixed(2)}`,
      ...of.over(brokered, 'away').map(([, count]) => significant(count)),
      of
        .over('requests to the busiest peer', 'peers')
        .map(([, count]) => significant(count))
        .join(' / '),
    ];
  });
  return [
    'Requests to the broker for each payment; peers pay each other at random, by what they were paid where the system lets them.',
    '',
    ...table(
      [
        '',
        ...sizes.map(size => `${size} peers`),
        'grows as',
        ...away.map(share => `${share} % away`),
        'busiest peer, as peers grow',
      ],
      rows,
    ),
  ];
}

function learnedText(results: Results, figures: readonly Figures[]): string[] {
  const lessons = Object.entries(results.measures).filter(([, { unit }]) => unit === '1: learned');
  return table(
    ['', ...figures.map(({ subject }) => subject)],
    lessons.map(([lesson]) => [lesson, ...figures.map(of => (yes(of.get(lesson)) ? 'learned' : '–'))]),
  );
}

function claimsText(figures: readonly Figures[]): string[] {
  const rows = claims.flatMap(({ scheme, criterion, says, holds }) =>
    figures
      .filter(({ subject }) => subject.startsWith(scheme))
      .map(of => {
        const { agrees, measured } = holds(of);
        return [of.subject, criterion, says, measured, agrees ? 'agrees' : '**disagrees**'];
      }),
  );
  return table(['system', 'criterion', 'the paper says', 'measured', ''], rows);
}

function table(headings: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(headings), `|${headings.map(() => '---|').join('')}`, ...rows.map(line)];
}

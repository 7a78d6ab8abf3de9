import { counted } from '../../scripts/terminal.ts';
import { growthOf } from '../growth.ts';
import type { Results } from '../results-file.ts';
import { type Factors, significant } from '../trials.ts';
import { cellBytes } from './cell-bytes.ts';
import { claims, found, verdictOf } from './claims.ts';
import { brokered, Figures, share, yes } from './figures.ts';

/** What `bench pay` measured of payment systems. */
export interface SchemeResults {
  readonly schemes: Results;
  /** Over real relays. */
  readonly windows: Results | undefined;
}

/** The measured Table 1: a function of files of results, so that the same files make the same text. */
export function schemesDocument({ schemes, windows }: SchemeResults, pictures: string): string {
  const subjects = [...new Set(schemes.series.map(({ factors }) => String(factors.scheme)))];
  const series = [...schemes.series, ...(windows?.series ?? [])];
  const figures = subjects.map(subject => new Figures(series, subject));
  return [
    '# Payment systems compared',
    '<!-- Written by `naulon bench report`; what is changed here by hand is lost. -->',
    'The paper on P2P-NetPay compares payment systems for peers in words (its Table 1): security, anonymity, transferability,',
    'scalability, performance. Here the same systems are measured, beside PayWord, which the paper starts from, and our own Bitcoin',
    'channels, which it does not know. `./naulon bench pay` does it all again.',
    '',
    ...runText(schemes, windows),
    '',
    `![Payment systems compared](${pictures}/schemes.png)`,
    '',
    '## Table 1, measured',
    ...costsText(schemes, figures),
    '',
    ...windowsText(windows, figures, pictures),
    '## The load as peers grow, and as they are away',
    ...growthText(schemes, figures),
    '',
    '## What each party learned',
    ...learnedText(schemes, figures),
    '',
    '## Beside the words of the paper',
    ...claimsText(figures),
  ]
    .join('\n')
    .concat('\n');
}

function runText(schemes: Results, windows: Results | undefined): string[] {
  const all = [schemes, ...(windows === undefined ? [] : [windows])];
  const quick = all.filter(({ settings }) => settings.quick === true);
  const { cores, cpu, node } = schemes.environment;
  const commits = [...new Set(all.map(({ environment }) => environment.commit))];
  return [
    quick.length === 0
      ? `A full run: commit ${commits.join(', ')}, ${cores} cores of ${cpu}, Node ${node}.`
      : '**A quick run, of few payments between few peers: it shows that it works and measures little.**',
    'What payments cost, who learns what and how the load grows is measured between the sides that relays and clients run, with a',
    'broker whose e-coins are backed, in virtual time and on a simulated chain: what payments cost over the product’s own circuits of three',
    'relays, all else without circuits. Throughput is measured over real relays.',
  ];
}

const cheats: readonly { readonly title: string; readonly factors: Factors }[] = [
  { title: 'a double spend by a buyer', factors: {} },
  { title: 'a double spend by a holder', factors: { cheat: 'holder' } },
  { title: 'a double spend with a payee who lives twice', factors: { cheat: 'payer and payee' } },
];

function proved(of: Figures, factors: Factors): string {
  if (!yes(of.get('double spend proved', factors))) return found(of, factors) === undefined ? '–' : 'no';
  return yes(of.get('cheat named by its account', factors))
    ? 'yes, names the account'
    : 'yes, names a pseudonym';
}

function costsText({ settings }: Results, figures: readonly Figures[]): string[] {
  const row = (name: string, show: (of: Figures) => string) => [name, ...figures.map(show)];
  const sides = (measure: string) => (of: Figures) =>
    ['payer', 'payee', 'broker'].map(side => of.shown(`${measure}, ${side}`)).join(' / ');
  const told = (measure: string) => (of: Figures) => (yes(of.get(measure)) ? 'yes' : 'no');
  const perChannel = (measure: string) => (of: Figures) => {
    const each = of.get(measure) ?? 0;
    return each === 0 ? '–' : significant(each);
  };
  const asked = (of: Figures) => `${of.shown(brokered)} / ${of.shown('requests to peers')}`;
  return [
    'For one payment of a client that downloads through circuits of three relays and pays each of them, with what is bought, set up and',
    `handed in spread over all: ${counted(Number(settings.circuits), 'circuit')} one after the other, about ${settings.paymentsEach} payments at each hop of each; a payment buys 1,024 cells`,
    '(0.5 MiB through one relay), or what is next above it. A Bitcoin channel lasts as long as its circuit, so its two transactions are',
    'spread over as many payments. Messages are REDEEMs and RECEIPTs; their bytes are the bodies of the cells that carry them, headers of',
    `fragments and RECEIPTs included; on the links each such cell has ${cellBytes} bytes, on one link to the first relay and on three to the third.`,
    '',
    ...table(
      ['', ...figures.map(({ subject }) => subject)],
      [
        row('worth of a payment, sat', of => of.shown('worth of a payment')),
        row('messages on the circuit', of => of.shown('payment messages')),
        row('bytes on the circuit', of => of.shown('payment bytes')),
        row('cells on the circuit', of => of.shown('payment cells')),
        row('bytes on its links, whole cells', of => of.shown('payment bytes on links')),
        row('signatures: payer / payee / broker', sides('signatures')),
        row('verifications: payer / payee / broker', sides('verifications')),
        row('hashes: payer / payee / broker', sides('hashes')),
        row('CPU, us: payer / payee / broker', sides('CPU')),
        row('requests: to the broker / to peers', asked),
        row('bytes to and from the broker', of => of.shown('bytes at the broker')),
        row('chain: transactions', perChannel('transactions on the chain')),
        row('chain: vB', perChannel('bytes on the chain')),
        row('chain: fees, sat', perChannel('fees on the chain')),
        ...cheats.flatMap(({ title, factors }) => [
          row(title, of => found(of, factors) ?? '–'),
          row('… found after', of => {
            const after = of.shown('double spend found after', factors);
            return after === '' ? '–' : `${after} s`;
          }),
          row('… proved', of => proved(of, factors)),
        ]),
        row('earned money is spent again', told('earned money is spent again')),
        row(
          'another payee is paid without a request of the payer to the broker',
          told('another payee is paid without the broker'),
        ),
      ],
    ),
    '',
    'Signatures are those of secp256k1, for money, and of Ed25519, for how to pay. Hashes are counted where they are asked of a library or',
    'a chain is walked; ids of Bitcoin transactions, made inside a library, are not. CPU is that of the sides of the payment system; what',
    'cells cost, those of payments too, is in the throughput below. Who owns coins or assists is the client or a relay here, and counts as',
    'payer or payee for that too. They ask each other and the broker directly.',
    ...(settings.batchMax === undefined ? [] : [batchText(settings.batchMax)]),
    '',
    'Who spends twice lives twice: the second life remembers all up to a moment and nothing after it, and pays another payee by the same',
    'money: coins that it had bought and shown to nobody, a chain that its first payee has, a line of credit (three fifths of it to each payee),',
    'the one coin of two contracts before a block has either; for PayWord with prepaid chains, which are one payee’s, it promises more than',
    'its account has. A holder does the same with what it was paid by somebody else. Circuits end ten minutes after the payment, as a client’s do, and payees',
    'then hand in by themselves. Found: by the refusal, or by the broker’s having a proof on its disk, in virtual time from when the second',
    'life begins to pay.',
  ];
}

function windowsText(windows: Results | undefined, figures: readonly Figures[], pictures: string): string[] {
  if (windows === undefined) return [];
  const tried = [1_024, 8_192, 'default'];
  const measured = figures.filter(of => of.get('throughput', { window: 'control' }) !== undefined);
  const cell = (of: Figures, window: number | string): string => {
    const factors = { window };
    const part = share(of, window);
    const done = of.get('transferred', factors) ?? 0;
    const cut = done < 100 ? `, cut at ${significant(done)} % of it` : '';
    return part === undefined
      ? ''
      : `${of.shown('throughput', factors)} MB/s (${Math.round(100 * part)} %), ${of.shown('payments', factors)} payments${cut}`;
  };
  const { size, repeat, secondsMax } = windows.settings;
  return [
    '## Throughput over payment window',
    `Each: ${Number(size) / 1e6} MB over three hops on real relays, with links over TLS, a broker and a bitcoind, each a process of its own;`,
    `median of ${repeat}. The share is that of a control in the same network, over relays that cost nothing. A transfer is cut`,
    `after ${secondsMax} s. All processes share the machine’s cores, so that whatever a payment costs anybody costs throughput.`,
    '',
    `![Throughput over payment window, by payment system](${pictures}/schemes-window.png)`,
    '',
    ...table(
      [
        '',
        'control',
        ...tried.map(window =>
          typeof window === 'number' ? `window ${window.toLocaleString('en-US')}` : 'default window',
        ),
        'CPU of the broker, window 1,024',
      ],
      measured.map(of => [
        of.subject,
        `${of.shown('throughput', { window: 'control' })} MB/s`,
        ...tried.map(window => cell(of, window)),
        `${of.shown('CPU, broker or bitcoind', { window: 1_024 })} s`,
      ]),
    ),
    '',
  ];
}

function growthText({ settings }: Results, figures: readonly Figures[]): string[] {
  const sizes = [settings.sizes].flat().map(Number);
  const away = [settings.away].flat().map(Number);
  const rows = figures.map(of => {
    const third = of.get('transactions on the chain', { peers: sizes[0] })
      ? 'transactions on the chain'
      : brokered;
    const grown = of.over(third, 'peers').filter(([, count]) => count > 0);
    const growth = growthOf(grown.map(([size, count]) => ({ size, values: [count] })));
    const made = (share: number): string => {
      const percent = of.get('payments made', { away: share });
      if (percent === undefined) return 'not measured';
      const shown = of.shown(third, { away: share });
      if (percent === 0) return 'no payment is made';
      return percent < 99.5 ? `${shown} (${significant(percent)} % made)` : shown;
    };
    return [
      third === brokered ? of.subject : `${of.subject} (transactions)`,
      ...sizes.map(peers => of.shown(third, { peers }) || 'not measured'),
      growth === undefined ? '' : `peers^${growth.exponent.value.toFixed(2)}`,
      ...away.map(made),
      busiest(
        of,
        sizes.map(peers => ({ peers })),
      ),
      busiest(
        of,
        away.map(share => ({ away: share })),
      ),
    ];
  });
  return [
    `A day, shortened: peers pay each other at random, ${settings.paymentsPerPeer} times each, mostly by what they were paid where the system lets them,`,
    'and hand in the rest at its end. Requests to the broker for each payment, purchases, upkeep and what is handed in included; for Bitcoin',
    `channels transactions instead. Who is away (of ${settings.crowd} peers) does not answer for what it manages, and is back later. The busiest peer is the`,
    'owner of coins, the assistant or the vendor that is asked most: so many requests for each payment of all.',
    '',
    ...table(
      [
        '',
        ...sizes.map(size => `${size.toLocaleString('en-US')} peers`),
        'grows as',
        ...away.map(part => `${part} % away`),
        'busiest peer, as peers grow',
        'and as they are away',
      ],
      rows,
    ),
    ...cutText(settings, figures, sizes),
  ];
}

const batchText = (most: unknown): string =>
  `What waits to be asked of one party, such as the coins of a payment, goes in requests of up to ${most}, each of which counts once.`;

function busiest(of: Figures, loads: readonly Factors[]): string {
  return loads.map(load => of.shown('requests to the busiest peer', load) || '–').join(' / ');
}

/** Loads that took longer than their time. */
function cutText(
  settings: Results['settings'],
  figures: readonly Figures[],
  sizes: readonly number[],
): string[] {
  const cut = figures.flatMap(of =>
    sizes.flatMap(peers => {
      const tried = of.get('payments tried', { peers });
      if (tried === undefined || tried >= Number(settings.paymentsPerPeer)) return [];
      return [
        `${of.subject} at ${peers.toLocaleString('en-US')} peers after ${significant(tried)} payments each`,
      ];
    }),
  );
  return cut.length === 0
    ? []
    : ['', `Cut short when ${settings.secondsMax} s were over: ${cut.join('; ')}.`];
}

function learnedText(results: Results, figures: readonly Figures[]): string[] {
  const lessons = Object.entries(results.measures).filter(([, { unit }]) => unit === '1: learned');
  return [
    'By the bytes that it received, searched for accounts and for bytes that tie two circuits together. Whoever asks another party',
    'directly shows it its network address besides: relays do, clients ask through circuits. Over channels an account is an address that',
    'bitcoins were paid in to, and who is told of a contract reads its transaction, and those before it, on the chain, as everybody can.',
    'The list of assistants, which is for all to read, tells nobody anything of a payment.',
    '',
    ...table(
      ['', ...figures.map(({ subject }) => subject)],
      lessons.map(([lesson]) => [lesson, ...figures.map(of => (yes(of.get(lesson)) ? 'learned' : '–'))]),
    ),
  ];
}

function claimsText(figures: readonly Figures[]): string[] {
  const rows = claims.flatMap(claim =>
    figures
      .filter(({ subject }) => subject.startsWith(claim.scheme))
      .map(of => {
        const { measured, verdict } = verdictOf(claim, of);
        return [of.subject, claim.criterion, claim.says, measured, verdict];
      }),
  );
  return [
    'What it says of each system, in its own words where they are quoted. It knows no Bitcoin channels, so nothing of theirs is here.',
    '',
    ...table(['system', 'criterion', 'the paper says', 'measured', ''], rows),
  ];
}

function table(headings: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(headings), `|${headings.map(() => '---|').join('')}`, ...rows.map(line)];
}

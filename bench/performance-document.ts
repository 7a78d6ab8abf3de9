import { isMet } from './report.ts';
import type { Results } from './results-file.ts';
import { spreadOf } from './statistics.ts';
import { significant } from './trials.ts';

type Finding = Results['findings'][number];

/** The benchmarks in the order of the document, each with what its section is called and what it shows. */
export const sections: readonly { readonly bench: string; readonly title: string; readonly what: string }[] =
  [
    {
      bench: 'tor',
      title: 'Beside C tor',
      what: 'One client, three relays, each a process of its own, real TLS links, payloads held against their SHA-256: our network, paid over Bitcoin channels and free of charge, and the installed C tor as Debian ships it and at the best settings that were found, in turns on the same machine.',
    },
    {
      bench: 'window',
      title: 'Throughput over payment window',
      what: "Paper 004's figure: the same transfer with payments for ever larger windows, against a control in which all relays are free. Dashed: the paper's formula with our own Pay and Redeem; and what the paper measured and predicted.",
    },
    {
      bench: 'window-wide',
      title: 'The same far away',
      what: 'Over an emulated wide-area path, where the paper expects payments to hide in the stalls of the pipeline.',
    },
    {
      bench: 'window-netem',
      title: 'The same far away, by the kernel',
      what: 'Over such a path by tc netem, where the machine has it.',
    },
    {
      bench: 'pay',
      title: 'Payments',
      what: 'What the scheme makes of a signature and its verification, and how many REDEEMs one relay makes durable when many circuits pay at once.',
    },
    {
      bench: 'schemes',
      title: 'Payment systems compared',
      what: 'Every payment system, in virtual time: what a payment costs whom on circuits of three hops, how the part of the broker grows, when a double spend is found, and who learns what. [SCHEMES.md](SCHEMES.md) holds it against what the paper says.',
    },
    {
      bench: 'schemes-window',
      title: 'Throughput over payment window, by payment system',
      what: 'The same transfer over three hops, paid by each payment system over real relays with a real broker and bitcoind.',
    },
    {
      bench: 'circuit',
      title: 'Circuits',
      what: 'CREATE2 handshakes at one relay, against the key exchanges that each needs, and what an idle circuit holds.',
    },
    {
      bench: 'cells',
      title: 'Cells',
      what: 'Cells that a CPU second carries through each node over TLS, and through relay cores in one process without any socket.',
    },
    {
      bench: 'crypto',
      title: 'Cryptography',
      what: 'What we make of each primitive, against the primitive itself.',
    },
    {
      bench: 'scale',
      title: 'Growth',
      what: 'What more relays, circuits and payments cost, each with the power of size that fits, and where it bends.',
    },
  ];

/** What was aimed at, in words, and the findings that tell whether it was reached. */
const goals: readonly {
  readonly aim: string;
  readonly bench: string;
  readonly finding: RegExp;
}[] = [
  {
    aim: 'three hops, one stream, at least twice as fast as C tor at its best',
    bench: 'tor',
    finding: /^throughput, 1 circuit, paid, over C tor, best$/,
  },
  {
    aim: 'three hops, several circuits at once, the same',
    bench: 'tor',
    finding: /^throughput, \d+ circuits, paid, over C tor, best$/,
  },
  {
    aim: 'CPU of all nodes at most 0.55 of C tor at its best',
    bench: 'tor',
    finding: /^CPU, \d+ circuits?, paid, over C tor, best$/,
  },
  {
    aim: 'one hop at least 1.5 times as fast as three',
    bench: 'tor',
    finding: /^throughput, one hop over three/,
  },
  {
    aim: 'at most 8 % lost to payments with a window of 1,024',
    bench: 'window',
    finding: /^\d hops?, window 1,024, of the control$/,
  },
  {
    aim: 'at most 1 % lost to payments with a window of 8,192',
    bench: 'window',
    finding: /^\d hops?, window 8,192, of the control$/,
  },
  {
    aim: 'at most 1 % lost to payments with the default window',
    bench: 'tor',
    finding: /^throughput, \d+ circuits?, paid over free$/,
  },
  {
    aim: 'Pay and Redeem at most 1.2 times the raw sign and verify',
    bench: 'pay',
    finding: /^(Pay|Redeem), over the raw/,
  },
  { aim: 'at least 10,000 durable REDEEMs a second', bench: 'pay', finding: /^durable REDEEMs$/ },
  { aim: '… with the p99 of the event loop below 20 ms', bench: 'pay', finding: /^event loop p99/ },
  {
    aim: 'at least 5,000 CREATE2 a second and core',
    bench: 'circuit',
    finding: /^CREATE2 a second and core, free/,
  },
  {
    aim: '100,000 idle circuits of at most 2 KB each',
    bench: 'circuit',
    finding: /^memory of each of [\d,]+ idle circuits, free/,
  },
  {
    aim: 'a relay resident in at most 120 MB while it carries 10 GB',
    bench: 'tor',
    finding: /^resident memory, (guard|middle|exit), paid$/,
  },
  {
    aim: '… and flat',
    bench: 'tor',
    finding: /^growth of memory, (guard|middle|exit), paid/,
  },
  {
    aim: 'latency p99 beside 8 bulk circuits at most half of that of C tor at its best',
    bench: 'tor',
    finding: /^latency p99, paid, over C tor, best$/,
  },
];

/**
 * The document of results: a function of them alone, so that the same files make the same text.
 * @param pictures the folder of the pictures, as the document links it; each has its benchmark's name.
 */
export function performanceDocument(all: readonly Results[], pictures: string): string {
  const known = sections.flatMap(section => {
    const results = all.find(({ bench }) => bench === section.bench);
    return results === undefined ? [] : [{ section, results }];
  });
  const results = known.map(each => each.results);
  return [
    '# Performance',
    '<!-- Written by `naulon bench report`; what is changed here by hand is lost. -->',
    `Every figure and picture below comes from the files in [${pictures}](${pictures}), as \`naulon bench\` wrote them. All of it is done`,
    'again by one command, `npm run bench`, on a machine with nothing else to do: in an hour or two it writes this page anew. A',
    'single benchmark is `./naulon bench NAME`; `--quick` shows in less than a minute that it works. `./naulon compare` holds two',
    'files of one benchmark against each other.',
    '',
    ...runsText(results),
    '',
    '## Goals',
    ...goalsText(results),
    '',
    '## What this does not say',
    ...limits,
    '',
    ...known.flatMap(each => sectionText(each.section, each.results, pictures)),
  ]
    .join('\n')
    .replace(/\n{3,}/g, '\n\n')
    .trimEnd()
    .concat('\n');
}

const limits: readonly string[] = [
  '- One machine: client, relays, servers and whoever measures share its cores and its loopback. Ratios of one run mean more than',
  '  its absolute figures, and those more than figures of two runs.',
  '- A wide-area path is emulated: delay and rate, without loss and without anybody else on it.',
  '- C tor runs as it is installed, in the same place in turns; its best settings are the best that we found.',
  '- Contracts are real, on a private chain (regtest) with nobody else on it.',
  '- Bounds are of 95 %, by the bootstrap on the repeats of one run; they know nothing of other machines.',
];

function runsText(all: readonly Results[]): string[] {
  const machines = new Set(all.map(({ environment: { cores, cpu } }) => `${cores} cores of ${cpu}`));
  const rows = all.map(({ bench, environment, settings }) => {
    const { commit, node, loadBefore, memoryMib, tor } = environment;
    const memory = typeof memoryMib === 'number' ? `${significant(memoryMib / 1_024)} GiB` : '';
    const load = typeof loadBefore === 'number' ? loadBefore.toFixed(2) : '';
    return [bench, commit, node, memory, String(tor ?? ''), String(settings.repeat ?? ''), load];
  });
  const quick = all.filter(({ settings }) => settings.quick === true).map(({ bench }) => bench);
  const busy = all
    .filter(({ environment: { loadBefore, cores } }) => Number(loadBefore ?? 0) > cores / 2)
    .map(({ bench }) => bench);
  return [
    `Measured on ${[...machines].join('; ')}:`,
    '',
    ...table(['benchmark', 'commit', 'Node', 'memory', 'C tor', 'repeats', 'load before'], rows),
    ...(quick.length === 0
      ? []
      : ['', `**Quick runs, which show that it works and measure little:** ${quick.join(', ')}.`]),
    ...(busy.length === 0
      ? []
      : [
          '',
          `**Others were at work on the machine before:** ${busy.join(', ')}. Their figures are worth less.`,
        ]),
  ];
}

function goalsText(all: readonly Results[]): string[] {
  const rows = goals.flatMap(({ aim, bench, finding: pattern }) => {
    const found = (all.find(each => each.bench === bench)?.findings ?? []).filter(
      ({ name, goal }) => goal !== undefined && pattern.test(name),
    );
    if (found.length === 0) return [[aim, `\`bench ${bench}\``, '', '', '', 'not measured']];
    return found.map((finding, at) => [
      at === 0 ? aim : '',
      finding.name,
      goalText(finding),
      withUnit(finding),
      bounds(finding),
      verdict(finding),
    ]);
  });
  const judged = rows.filter(row => row[5] !== 'not measured');
  const missed = judged.filter(row => row[5] !== 'met');
  return [
    `${judged.length - missed.length} of ${judged.length} figures reach what was aimed at${missed.length === 0 ? '.' : `; ${missed.length} fall short.`}`,
    '',
    ...table(['aim', 'figure', 'goal', 'reached', '95 %', ''], rows),
  ];
}

/** A goal that only the middle of the bounds reaches, or misses, is said to be so. */
function verdict({ value, low, high, goal }: Finding): string {
  if (isMet({ value, goal })) return 'met';
  const within = goal !== undefined && ('atLeast' in goal ? high >= goal.atLeast : low <= goal.atMost);
  return within ? '**missed**, within the spread' : '**missed**';
}

function sectionText(
  { bench, title, what }: (typeof sections)[number],
  results: Results,
  pictures: string,
): string[] {
  const { findings, notes, series, measures, settings } = results;
  const factors = [...new Set(series.flatMap(each => Object.keys(each.factors)))];
  const measured = series.map(({ measure, factors: of, values }) => {
    const { median, min, max, repeats } = spreadOf(values);
    const shown = factors.map(name => {
      const value = of[name] ?? '';
      return typeof value === 'number' ? significant(value) : value;
    });
    const figures = [median, min, max].map(significant);
    return [measure, ...shown, ...figures, String(repeats), measures[measure]?.unit ?? ''];
  });
  const concluded = findings.map(finding => [
    finding.name,
    withUnit(finding),
    bounds(finding),
    goalText(finding),
    finding.goal === undefined ? '' : verdict(finding),
  ]);
  return [
    `## ${title}`,
    what,
    '',
    `![${title}](${pictures}/${bench}.png)`,
    '',
    ...table(['finding', 'value', '95 %', 'goal', ''], concluded),
    '',
    ...notes.map(note => `- ${note}`),
    '',
    `<details><summary>All that <code>bench ${bench}</code> measured</summary>`,
    '',
    `Settings: \`${JSON.stringify(settings)}\``,
    '',
    ...table(['measure', ...factors, 'median', 'min', 'max', 'repeats', 'unit'], measured),
    '',
    '</details>',
    '',
  ];
}

const withUnit = ({ value, unit }: Finding): string => `${significant(value)} ${unit}`.trim();
const bounds = ({ low, high }: Finding): string => `${significant(low)} … ${significant(high)}`;

function goalText({ goal }: Finding): string {
  if (goal === undefined) return '';
  return 'atLeast' in goal ? `≥ ${significant(goal.atLeast)}` : `≤ ${significant(goal.atMost)}`;
}

function table(headings: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) =>
    `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(headings), `|${headings.map(() => '---|').join('')}`, ...rows.map(line)];
}

import type { Terminal } from '../scripts/terminal.ts';
import { costsOf } from './market/costs.ts';
import { doubleSpendOf } from './market/double-spend.ts';
import { learnedIn } from './market/learned.ts';
import { loadOf } from './market/load.ts';
import { schemeMeasures } from './market/measures.ts';
import { schemesPlot } from './market/plot.ts';
import { type SchemeSubject, schemeSubjects } from './market/subjects.ts';
import { type BenchOptions, runBench } from './run-bench.ts';
import { measureTrials, type Trial } from './trials.ts';

/** Every payment system with a broker, measured by the criteria that paper P2P-NetPay compares such systems by. */
export function benchSchemes(options: BenchOptions, terminal: Terminal): Promise<number> {
  return runBench('schemes', options, terminal, async stage => {
    const { quick = false } = options;
    const repeat = quick ? 1 : options.repeat;
    const payments = quick ? 30 : 600;
    const sizes = quick ? [10, 30] : [10, 100, 1_000];
    const away = quick ? [0, 50, 90] : [0, 30, 60, 90];
    const crowd = quick ? 10 : 100;
    const subjects = schemeSubjects();
    const trials = subjects.flatMap(subject => [
      once(subject, 'costs', { scheme: subject.name }, repeat => costsOf(subject, payments, repeat)),
      ...sizes.map(peers =>
        once(subject, `${peers} peers`, { scheme: subject.name, peers }, repeat =>
          loadOf(subject, { peers, awayPercent: 0, repeat }),
        ),
      ),
      ...away.map(awayPercent =>
        once(subject, `${awayPercent} % away`, { scheme: subject.name, away: awayPercent }, repeat =>
          loadOf(subject, { peers: crowd, awayPercent, repeat }),
        ),
      ),
      once(subject, 'double spend', { scheme: subject.name }, repeat => spentTwice(subject, repeat)),
    ]);
    // Nothing is to be warmed: what is timed warms itself before it counts.
    const measured = await measureTrials(trials, { repeat, warmUp: 0 }, terminal, stage.signal);
    const learned = subjects.flatMap(subject => {
      terminal.say(`what each party learned: ${subject.name}`);
      return Object.entries(learnedIn(subject)).map(([measure, known]) => ({
        measure,
        factors: { scheme: subject.name },
        values: [known ? 1 : 0],
      }));
    });
    const series = [...measured, ...learned];
    return {
      settings: { repeat, payments, sizes, away, crowd },
      measures: schemeMeasures,
      series,
      findings: [],
      plot: schemesPlot(series, crowd),
      notes: [
        'Peers, their payments and the broker are the product’s own; circuits are left out, and time and wires are simulated.',
        'Signatures, verifications and hashes are counted at the libraries; a payment buys 1,024 cells at 100,000 sat/GiB.',
      ],
    };
  });
}

type Found = Readonly<Record<string, number>>;

/** Costs of thousands of payments are spread over all of them; so a repeat differs in its random choices alone. */
function once(
  subject: SchemeSubject,
  what: string,
  factors: Trial['factors'],
  run: (repeat: number) => Found,
): Trial {
  return { name: `${subject.name}: ${what}`, factors, run: async repeat => run(repeat) };
}

function spentTwice(subject: SchemeSubject, repeat: number): Found {
  const { caught, afterMs, lostMsat, proved } = doubleSpendOf(subject, repeat);
  const found = {
    'caught at once': Number(caught === 'at once'),
    'caught when handed in': Number(caught === 'when handed in'),
    'lost to a double spend': Number(lostMsat) / 1_000,
    'double spend proved': Number(proved),
  };
  const isCaught = caught === 'at once' || caught === 'when handed in';
  return isCaught ? { ...found, 'double spend caught after': afterMs / 1_000 } : found;
}

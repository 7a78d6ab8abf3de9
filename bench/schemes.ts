import { availableParallelism } from 'node:os';
import type { Terminal } from '../scripts/terminal.ts';
import { partyBatchMax } from '../src/base/limits.ts';
import { costsOf } from './market/costs.ts';
import { type Cheat, cheatsOf, doubleSpendOf } from './market/double-spend.ts';
import { findingAssistants } from './market/finding-assistants.ts';
import { handedOn } from './market/hands.ts';
import { learnedIn } from './market/learned.ts';
import { type LoadOptions, paymentsPerPeer } from './market/load.ts';
import { loadsApart } from './market/load-apart.ts';
import { schemeMeasures } from './market/measures.ts';
import { schemesPlot } from './market/plot.ts';
import { type SchemeSubject, schemeSubjects } from './market/subjects.ts';
import { type BenchOptions, runBench, type Stage } from './run-bench.ts';
import { severalAtOnce } from './several-at-once.ts';
import { measureTrials, type Series, significant, type Trial } from './trials.ts';

/** Every payment system, measured by the criteria that paper P2P-NetPay compares such systems by. */
export function benchSchemes(options: BenchOptions, terminal: Terminal): Promise<number> {
  return runBench('schemes', options, terminal, async stage => {
    const { quick = false } = options;
    const repeat = quick ? 1 : options.repeat;
    const circuits = quick ? 1 : 2;
    const paymentsEach = quick ? 6 : 32;
    const sizes = quick ? [5, 10] : [10, 100, 1_000];
    const away = quick ? [0, 50] : [0, 30, 60, 90];
    const crowd = quick ? 10 : 100;
    const secondsMax = quick ? 5 : 60;
    const subjects = schemeSubjects();
    const trials = subjects.flatMap(subject => [
      once(subject, 'costs', repeat => costsOf(subject, { circuits, paymentsEach }, repeat)),
      ...cheatsOf(subject).map(cheat =>
        once(
          subject,
          `double spend, ${cheat}`,
          repeat => spentTwice(subject, repeat, cheat),
          cheat === 'buyer' ? {} : { cheat },
        ),
      ),
    ]);
    // Nothing is to be warmed: what is timed warms itself before it counts.
    const measured = await measureTrials(trials, { repeat, warmUp: 0 }, terminal, stage.signal);
    const seen = subjects.flatMap(subject => {
      stage.signal.throwIfAborted();
      terminal.say(`what each party learned, and where money can go on to: ${subject.name}`);
      const learned = Object.entries(learnedIn(subject)).map(([lesson, known]) => [lesson, Number(known)]);
      return seriesOf(
        subject,
        {},
        { ...Object.fromEntries(learned), ...handedOn(subject), ...findingAssistants(subject) },
      );
    });
    const loads = [
      ...sizes.map(peers => ({ peers, awayPercent: 0, secondsMax })),
      ...away.filter(share => share > 0).map(awayPercent => ({ peers: crowd, awayPercent, secondsMax })),
    ].sort((one, other) => one.peers - other.peers);
    const loaded = await measureLoads(stage, subjects, loads, crowd);
    const series = [...measured, ...seen, ...loaded.series];
    return {
      settings: {
        repeat,
        circuits,
        paymentsEach,
        paymentsPerPeer,
        sizes,
        away,
        crowd,
        secondsMax,
        batchMax: partyBatchMax,
      },
      measures: schemeMeasures,
      series,
      findings: [],
      plot: schemesPlot(series, crowd),
      notes: [
        'Costs: the product’s own client, relays, circuits and broker; time, wires and chain are simulated. A payment buys 1,024 cells at 100,000 sat/GiB.',
        'All else: the payers, payees and broker of the product without circuits. Signatures, verifications and hashes are counted at the libraries.',
        ...loaded.notes,
      ],
    };
  });
}

type Found = Readonly<Record<string, number>>;

/** Costs of hundreds of payments are spread over all of them; so a repeat differs in its random choices alone. */
function once(
  subject: SchemeSubject,
  what: string,
  run: (repeat: number) => Found,
  more: Trial['factors'] = {},
): Trial {
  const factors = { scheme: subject.name, ...more };
  return { name: `${subject.name}: ${what}`, factors, run: async repeat => run(repeat) };
}

function seriesOf({ name }: SchemeSubject, factors: Trial['factors'], found: Found): Series[] {
  return Object.entries(found).map(([measure, value]) => ({
    measure,
    factors: { scheme: name, ...factors },
    values: [value],
  }));
}

/** Each load once: a seed decides it, and it is made of hundreds of payments. */
async function measureLoads(
  { terminal, signal }: Stage,
  subjects: readonly SchemeSubject[],
  loads: readonly LoadOptions[],
  crowd: number,
): Promise<{ readonly series: readonly Series[]; readonly notes: readonly string[] }> {
  const found: Series[][] = subjects.map(() => []);
  const notes: string[] = [];
  const all = subjects.length * loads.length;
  let done = 0;
  await severalAtOnce(subjects.length, availableParallelism(), async at => {
    const subject = subjects[at];
    const missing = new Set(loads.map(placeOf));
    await loadsApart(
      { subject: subject.name, loads },
      ({ load, found: values }) => {
        const { peers, awayPercent } = load;
        done += 1;
        missing.delete(placeOf(load));
        terminal.say(
          `${done}/${all}  ${subject.name}: ${placeOf(load)}: ${Object.entries(values).map(shown).join(', ')}`,
        );
        if (awayPercent === 0) found[at].push(...seriesOf(subject, { peers }, values));
        if (peers === crowd) found[at].push(...seriesOf(subject, { away: awayPercent }, values));
      },
      signal,
    );
    if (missing.size > 0) notes.push(`${subject.name}: no end of ${[...missing].join('; ')}`);
  });
  return { series: found.flat(), notes };
}

function placeOf({ peers, awayPercent }: LoadOptions): string {
  return `${peers} peers, ${awayPercent} % away`;
}

const shown = ([measure, value]: readonly [string, number]): string => `${measure} ${significant(value)}`;

function spentTwice(subject: SchemeSubject, repeat: number, cheat: Cheat): Found {
  const { found, afterMs, lostMsat, creditedMsat, proved, named } = doubleSpendOf(subject, repeat, cheat);
  return {
    'found at once': Number(found === 'at once'),
    'found later': Number(found === 'later'),
    'lost to a double spend': Number(lostMsat) / 1_000,
    'lost of what was credited': (100 * Number(lostMsat)) / Number(creditedMsat),
    'double spend proved': Number(proved),
    'cheat named by its account': Number(named),
    ...(afterMs === undefined ? {} : { 'double spend found after': afterMs / 1_000 }),
  };
}

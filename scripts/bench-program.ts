import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseBytesPerSecond, parseRoundTripMs } from '../bench/wide-area.ts';
import { bitcoindOption, type Does, wholeNumber } from './cli-parts.ts';

/** Adds the commands that measure. */
export function addBench(program: Command, does: Does): void {
  program.commandsGroup('Lab:');
  const bench = program.command('bench').description('measure, with repeats, spread and pictures');
  const measured = (name: string, description: string) =>
    bench
      .command(name)
      .description(description)
      .option('--quick', 'small and in less than a minute: shows that it works, measures little')
      .option('--repeat <times>', 'how often each thing is measured', wholeNumber(1, 100), 3)
      .option('--out <dir>', 'where results go', 'results');
  measured(
    'window',
    'throughput over payment window, one hop and three, against a control without payments; with --rtt and --rate, far away',
  )
    .option('--size <bytes>', 'how much each transfer streams', wholeNumber(100_000, 10_000_000_000))
    .option('--windows <cells>', 'payment windows, with commas between', windowList)
    .option(
      '--rtt <time>',
      'over an emulated wide-area path: there and back takes so long (300ms)',
      roundTrip,
    )
    .option('--rate <rate>', 'and each of its links carries so much (5MB/s)', rate)
    .option('--netem', 'such a path by tc netem, in a network namespace, instead of in our own links')
    .addOption(bitcoindOption())
    .action(does(async () => (await import('../bench/window.ts')).benchWindow));
  measured('tor', 'our network beside the installed C tor: speed, CPU, latency, handshakes, memory')
    .option('--size <bytes>', 'how much each transfer streams in all', wholeNumber(100_000, 1_000_000_000))
    .addOption(bitcoindOption())
    .action(does(async () => (await import('../bench/tor.ts')).benchTor));
  measured(
    'pay',
    'Pay and Redeem against native sign and verify, durable REDEEMs a second; all payment systems compared',
  )
    .addOption(
      new Option('--only <stage>', 'one of its stages').choices(['pay', 'schemes', 'schemes-window']),
    )
    .addOption(bitcoindOption())
    .action(does(async () => (await import('../bench/pay.ts')).benchPay));
  measured(
    'circuit',
    'CREATE2 handshakes a second, and the memory of idle circuits, at a free and a paid relay',
  )
    .option('--circuits <number>', 'how many are left open at each', wholeNumber(1, 1_000_000))
    .addOption(bitcoindOption())
    .action(does(async () => (await import('../bench/circuit.ts')).benchCircuit));
  measured('cells', 'cells that a CPU second carries through each node, and through simulated relays')
    .option('--size <bytes>', 'how much each transfer streams', wholeNumber(100_000, 10_000_000_000))
    .addOption(bitcoindOption())
    .action(does(async () => (await import('../bench/cells.ts')).benchCells));
  measured('crypto', 'what we make of AES, SHA-1, x25519 and secp256k1 against the raw primitive').action(
    does(async () => (await import('../bench/crypto.ts')).benchCrypto),
  );
  measured('scale', 'what more relays, circuits and payments cost, with the exponent of growth and its bends')
    .option('--relays <number>', 'the most relays', wholeNumber(3, 200))
    .option('--circuits <number>', 'the most circuits at once', wholeNumber(1, 10_000))
    .action(does(async () => (await import('../bench/scale.ts')).benchScale));
  measured('all', 'every benchmark, one after the other, then the report of all')
    .addOption(docsOption())
    .action(does(async () => (await import('../bench/all.ts')).benchAll));
  addReports(program, bench, does);
}

const docsOption = () => new Option('--docs <dir>', 'where PERFORMANCE.md and SCHEMES.md go').default('docs');

/** What is made of results. */
function addReports(program: Command, bench: Command, does: Does): void {
  bench
    .command('report')
    .description('write docs/PERFORMANCE.md and docs/SCHEMES.md from the results, and keep these beside it')
    .option('--out <dir>', 'where the results are', 'results')
    .addOption(docsOption())
    .action(does(async () => (await import('../bench/publish.ts')).benchReport));
  program
    .command('compare')
    .description(
      'hold results of a benchmark against earlier ones; 1 when something got worse beyond the spread',
    )
    .argument('<before>', 'the JSON file of the earlier run')
    .argument('<after>', 'that of the later one')
    .action(does(async () => (await import('../bench/compare.ts')).compare));
}

function roundTrip(text: string): number {
  return parseRoundTripMs(text) ?? misread('a time such as 300ms is needed.');
}

function rate(text: string): number {
  return parseBytesPerSecond(text) ?? misread('a rate such as 5MB/s is needed.');
}

function misread(why: string): never {
  throw new InvalidArgumentError(why);
}

function windowList(text: string): number[] {
  return text.split(',').map(wholeNumber(1, 1_048_576));
}

import type { Command } from 'commander';
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
  measured('window', 'throughput over payment window, one hop and three, against a control without payments')
    .option('--size <bytes>', 'how much each transfer streams', wholeNumber(100_000, 10_000_000_000))
    .option('--windows <cells>', 'payment windows, with commas between', windowList)
    .addOption(bitcoindOption())
    .action(does(async () => (await import('../bench/window.ts')).benchWindow));
  measured('tor', 'our network beside the installed C tor: speed, CPU, latency, handshakes, memory')
    .option('--size <bytes>', 'how much each transfer streams in all', wholeNumber(100_000, 1_000_000_000))
    .addOption(bitcoindOption())
    .action(does(async () => (await import('../bench/tor.ts')).benchTor));
}

function windowList(text: string): number[] {
  return text.split(',').map(wholeNumber(1, 1_048_576));
}

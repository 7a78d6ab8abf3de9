import { interruption } from '../scripts/interruption.ts';
import { naulonFile } from '../scripts/node-process.ts';
import { counted, type Terminal } from '../scripts/terminal.ts';
import { exitCode } from '../src/base/fault.ts';
import { makeOutputFolder } from '../src/node-io/output-file.ts';
import { netemRefusal } from './netem.ts';
import { inOwnProcess } from './own-process.ts';
import { sections } from './performance-document.ts';
import { benchReport, type PublishOptions } from './publish.ts';
import type { BenchOptions } from './run-bench.ts';

export interface BenchAllOptions extends BenchOptions, PublishOptions {}

/** As far apart as two continents, and as wide as a good relay. */
const farAway = ['window', '--rtt', '300ms', '--rate', '5MB/s'];
/** `bench pay` measures them, too. */
const measuredByPay: readonly string[] = ['schemes', 'schemes-window'];
/** How benchmarks are called that are not called by their name. */
const calls: Readonly<Record<string, readonly string[]>> = {
  'window-wide': farAway,
  'window-netem': [...farAway, '--netem'],
};

/** Every benchmark, each in a process of its own, then the document of all results. */
export async function benchAll(options: BenchAllOptions, terminal: Terminal): Promise<number> {
  const { quick = false, repeat, out } = options;
  makeOutputFolder(out);
  const failed: string[] = [];
  const stopping = interruption();
  for (const { bench } of sections) {
    const refusal = bench === 'window-netem' ? netemRefusal() : undefined;
    if (refusal !== undefined) {
      terminal.say(`no window by tc netem: ${refusal}`);
      continue;
    }
    if (measuredByPay.includes(bench)) continue;
    const words = calls[bench] ?? [bench];
    terminal.say(`naulon bench ${words.join(' ')}`);
    const args = ['bench', ...words, '--repeat', String(repeat), '--out', out, ...(quick ? ['--quick'] : [])];
    const code = await inOwnProcess(process.execPath, [naulonFile(), ...args], stopping, {
      output: 'ignore',
    });
    if (stopping.signal.aborted) return exitCode.interrupted;
    if (code !== exitCode.ok) failed.push(bench);
  }
  stopping.done();
  await benchReport(options, terminal);
  if (failed.length === 0) return exitCode.ok;
  terminal.say(`${counted(failed.length, 'benchmark')} failed: ${failed.join(', ')}`);
  return exitCode.badAnswer;
}

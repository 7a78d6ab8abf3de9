import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { interruption } from '../scripts/interruption.ts';
import { naulonFile } from '../scripts/node-process.ts';
import { counted, type Terminal } from '../scripts/terminal.ts';
import { exitCode } from '../src/base/fault.ts';
import { sections } from './performance-document.ts';
import { benchReport, type PublishOptions } from './publish.ts';
import type { BenchOptions } from './run-bench.ts';

export interface BenchAllOptions extends BenchOptions, PublishOptions {}

/** As far apart as two continents, and as wide as a good relay. */
const farAway = ['--rtt', '300ms', '--rate', '5MB/s'];

/** Every benchmark, each in a process of its own, then the document of all results. */
export async function benchAll(options: BenchAllOptions, terminal: Terminal): Promise<number> {
  const { quick = false, repeat, out } = options;
  const failed: string[] = [];
  const stopping = interruption();
  for (const { bench } of sections) {
    const words = bench === 'window-wide' ? ['window', ...farAway] : [bench];
    terminal.say(`naulon bench ${words.join(' ')}`);
    const args = ['bench', ...words, '--repeat', String(repeat), '--out', out, ...(quick ? ['--quick'] : [])];
    // The channel ends it when we die.
    const child = spawn(process.execPath, [naulonFile(), ...args], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    const stop = () => child.kill('SIGINT');
    stopping.signal.addEventListener('abort', stop);
    const [code] = await once(child, 'exit');
    stopping.signal.removeEventListener('abort', stop);
    if (stopping.signal.aborted) return exitCode.interrupted;
    if (code !== exitCode.ok) failed.push(bench);
  }
  stopping.done();
  await benchReport(options, terminal);
  if (failed.length === 0) return exitCode.ok;
  terminal.say(`${counted(failed.length, 'benchmark')} failed: ${failed.join(', ')}`);
  return exitCode.badAnswer;
}

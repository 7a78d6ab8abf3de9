/**
 * The program that the nodes of a flooded network are run by: ./naulon, whose event loop is watched. At SIGUSR2 it writes
 * beside its torrc how long the loop has kept events waiting since the last time.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { main } from '../cli.ts';
import { type LoopDelay, loopDelayFile } from './loop-delay.ts';

/** How often the loop is looked at; what a look comes too late is the delay. */
const resolutionMs = 5;

const words = process.argv.slice(2);
const folder = dirname(words[words.indexOf('-f') + 1]);
const histogram = monitorEventLoopDelay({ resolution: resolutionMs });
histogram.enable();
let written = 0;
process.on('SIGUSR2', () => {
  const late = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - resolutionMs);
  written += 1;
  const delay: LoopDelay = {
    number: written,
    p99Ms: late(histogram.percentile(99)),
    maxMs: late(histogram.max),
  };
  histogram.reset();
  const file = join(folder, loopDelayFile);
  writeFileSync(`${file}.new`, JSON.stringify(delay));
  renameSync(`${file}.new`, file);
});
await main(words);

import { appendFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { main } from '../cli.ts';
import { idleName, type NodeSample, samplesFile } from './node-samples.ts';

const lookMs = 1_000;
const resolutionMs = 10;
/** What is compiled and read at a node's start is not what operators wait for later. */
const startMs = 5_000;
/** A node that writes down beside its torrc, once a second, what it weighs and how late its event loop is. */
export async function runWatchedNode(words: readonly string[]): Promise<void> {
  const torrc = words[words.indexOf('-f') + 1];
  const stop = watch(samplesFile(dirname(torrc)));
  if (words[0] === idleName) await doNothing();
  else await main(words);
  stop();
}

async function doNothing(): Promise<void> {
  process.stdout.write(`${JSON.stringify({ event: 'ready', role: idleName })}\n`);
  await new Promise<void>(over => {
    process.once('SIGTERM', () => over());
    process.once('disconnect', () => over());
  });
}

function watch(file: string): () => void {
  const [recent, whole] = [0, 1].map(() => monitorEventLoopDelay({ resolution: resolutionMs }));
  recent.enable();
  const began = performance.now();
  let settled = false;
  const timer = setInterval(() => {
    if (!settled && performance.now() - began >= startMs) {
      settled = true;
      recent.reset();
      whole.enable();
    }
    const sample: NodeSample = {
      atMs: Date.now(),
      pid: process.pid,
      rssBytes: process.memoryUsage.rss(),
      delayMaxMs: settled && recent.count > 0 ? beyond(recent.max) : 0,
      delayP99Ms: whole.count === 0 ? 0 : beyond(whole.percentile(99)),
    };
    recent.reset();
    appendFileSync(file, `${JSON.stringify(sample)}\n`);
  }, lookMs);
  timer.unref();
  return () => clearInterval(timer);
}

/** The histogram holds nanoseconds from one look at the clock to the next. */
function beyond(nanoseconds: number): number {
  return Math.max(0, nanoseconds / 1e6 - resolutionMs);
}

import { fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { toHex } from '../../src/base/bytes.ts';
import type { HuntNews, HuntOrder } from './fuzz-child.ts';
import type { Failure, HuntResult } from './hunt.ts';

/** Whoever says nothing for so long hangs: a batch of inputs takes less than a second. */
const silenceMsMax = 60_000;
/** What a process may have in use at once, whatever it is told. */
const heapMegabytesMax = 512;

/** Compiled, wherever this one runs from: thousands of inputs are to be tried in a second. */
const child = fileURLToPath(import.meta.url).replace(
  /(dist\/)?scripts\/fuzz\/hunt-process\.[jt]s$/,
  'dist/scripts/fuzz/fuzz-child.js',
);

/** Runs a hunt in a process of its own. One that dies or hangs has failed with the input that it was at. */
export function huntApart(
  order: HuntOrder,
  onProgress: (cases: number) => void,
  signal: AbortSignal,
): Promise<HuntResult> {
  return new Promise((done, failed) => {
    const process = fork(child, [JSON.stringify(order)], {
      execArgv: [`--max-old-space-size=${heapMegabytesMax}`],
      signal,
      killSignal: 'SIGKILL',
    });
    let cases = 0;
    let result: HuntResult | undefined;
    let hangs = false;
    const watchdog = setTimeout(() => {
      hangs = true;
      process.kill('SIGKILL');
    }, silenceMsMax);
    process.on('message', (news: HuntNews) => {
      watchdog.refresh();
      if ('result' in news) result = news.result;
      else {
        cases = news.cases;
        onProgress(cases);
      }
    });
    process.on('error', error => {
      clearTimeout(watchdog);
      failed(error);
    });
    process.on('exit', (code, killedBy) => {
      clearTimeout(watchdog);
      if (result !== undefined) done(result);
      else {
        const detail = hangs
          ? `no end after ${silenceMsMax / 1_000} s`
          : `its process ended: ${killedBy ?? code}`;
        done(ended(order, cases, { kind: 'crash', detail, inputs: [inputIn(order.journal)] }));
      }
    });
  });
}

/** The input that was being taken. */
function inputIn(journal: string): string {
  const bytes = readFileSync(journal);
  if (bytes.length < 4) return '';
  return toHex(bytes.subarray(4, 4 + bytes.readUInt32BE(0)));
}

function ended({ target }: HuntOrder, cases: number, failure: Failure): HuntResult {
  const nothing = { inputs: 0, ms: 0, verdicts: [], coverage: undefined, worstMs: 0, heapGrowthBytes: 0 };
  return { target, cases, ...nothing, failures: [failure] };
}

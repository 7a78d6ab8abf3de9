import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { GlobalOptions } from '../scripts/global-options.ts';
import type { Terminal } from '../scripts/terminal.ts';
import { exitCode, OperatorError } from '../src/base/fault.ts';
import { schemesDocument } from './market/document.ts';
import { performanceDocument, sections } from './performance-document.ts';
import { readResults } from './results-file.ts';

export interface PublishOptions extends GlobalOptions {
  /** The folder that benchmarks wrote to. */
  readonly out: string;
  /** The folder of the document. */
  readonly docs: string;
}

const folder = 'performance';

/** Writes PERFORMANCE.md from files of results, and keeps these, with their pictures, beside it. */
export async function benchReport(
  { out, docs }: PublishOptions,
  terminal: Terminal,
): Promise<number | undefined> {
  const found = sections.filter(({ bench }) => existsSync(join(out, `${bench}.json`)));
  if (found.length === 0)
    throw new OperatorError(
      'RESULTS_UNREADABLE',
      `there are no results in ${out}; get some with: naulon bench all`,
      exitCode.missing,
    );
  // Read before anything is written: one that is damaged leaves the old document as it is.
  const results = found.map(({ bench }) => readResults(join(out, `${bench}.json`)));
  mkdirSync(join(docs, folder), { recursive: true });
  for (const { bench } of found)
    for (const ending of ['json', 'png'])
      copyFileSync(join(out, `${bench}.${ending}`), join(docs, folder, `${bench}.${ending}`));
  const file = join(docs, 'PERFORMANCE.md');
  writeFileSync(file, performanceDocument(results, folder));
  const [schemes, windows] = ['schemes', 'schemes-window'].map(name =>
    results.find(({ bench }) => bench === name),
  );
  if (schemes !== undefined)
    writeFileSync(join(docs, 'SCHEMES.md'), schemesDocument({ schemes, windows }, folder));
  const missing = sections.filter(section => !found.includes(section)).map(({ bench }) => bench);
  terminal.object({ file, benchmarks: found.map(({ bench }) => bench), missing });
  if (missing.length > 0) terminal.print(`not measured: ${missing.join(', ')}`);
  terminal.print(`written: ${file}, ${found.length} results and pictures in ${join(docs, folder)}`);
  return undefined;
}

import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import type { PlantedModule } from '../sim/plants/plant-hooks.ts';
import { aimsOf, nightlyTimes } from './matrix-goals.ts';
import { type MatrixRow, matrixRows, rowName } from './matrix-rows.ts';
import { runMatrix } from './run-matrix.ts';

/** What was wrong in trials of the rows of that name, once each. */
async function problemsOf(names: readonly string[], plant?: PlantedModule): Promise<readonly string[]> {
  const rows = matrixRows.filter(row => names.includes(rowName(row))).map(row => ({ ...row, times: 1 }));
  expect(rows.map(rowName).sort()).toEqual([...names].sort());
  const problems: string[] = [];
  const options = { seed: 1, jobs: 1, plant };
  await runMatrix(rows, options, tried => {
    for (const problem of tried.problems) problems.push(`${rowName(tried.row)}: ${problem}`);
  });
  return problems;
}

/** A line of the program made wrong, in what both processes load. */
function planted(file: string, find: string, replace: string): PlantedModule {
  const root = new URL('../../dist/', import.meta.url);
  return { url: new URL(`file://${fileURLToPath(root)}${file}`).href, find, replace };
}

it('names each row once', () => {
  expect(new Set(matrixRows.map(rowName)).size).toBe(matrixRows.length);
});

it('has a night try the rows of each goal often enough', () => {
  for (const { goal, least, nightly } of aimsOf(matrixRows)) {
    const rows = matrixRows.filter(({ goals }) => goals.includes(goal));
    const sum = (times: (row: MatrixRow) => number) => rows.reduce((total, row) => total + times(row), 0);
    expect([goal, sum(({ times }) => times) >= least, sum(nightlyTimes) >= nightly]).toEqual([
      goal,
      true,
      true,
    ]);
  }
  // A part of a goal's rows says nothing of the goal.
  const reorgs = matrixRows.filter(row => /reorg of/.test(rowName(row)));
  expect(aimsOf(reorgs).map(({ goal }) => goal)).toEqual(['reorgs']);
  expect(aimsOf(reorgs.slice(1))).toEqual([]);
});

const receipted = 'relay: send RECEIPT, on its way: kill -9';
const offered = 'client: broadcast contract, told: kill -9';

it('finds every satoshi after the death of either end', async () => {
  expect(await problemsOf([receipted, offered])).toEqual([]);
}, 240_000);

it('sees that payments are written after they were receipted', async () => {
  const late =
    'const written = ((run) => { setTimeout(() => this.#records.batch(run), 1000); return Promise.resolve(); })(() => {';
  const plant = planted('src/node-io/file-store.js', 'const written = this.#records.batch(() => {', late);
  const problems = await problemsOf([receipted], plant);
  expect(problems.join('\n')).toMatch(/the relay receipted \d+ msat and can prove \d+ sat/);
}, 240_000);

it('sees that a contract is broadcast before its refund is stored', async () => {
  const early =
    "this.book.step(channel, { kind: 'stored' }); setTimeout(() => this.#host.store.commit(writes, ask), 5000);";
  const plant = planted(
    'src/schemes/bitcoin-channel/payer.js',
    'this.#host.store.commit(writes, ask);',
    early,
  );
  const problems = await problemsOf([offered], plant);
  expect(problems.join('\n')).toMatch(/nothing has spent .*sat are in outputs that belong to nobody/s);
}, 240_000);

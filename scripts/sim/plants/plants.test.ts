import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { deserialize } from 'node:v8';
import { describe, expect, it } from 'vitest';
import { plants } from './plants.ts';
import { plantArgument, plantLimits, searchPlant } from './search.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const timesIn = (file: string, text: string): number =>
  readFileSync(`${root}${file}`, 'utf8').split(text).length - 1;

describe('planted bugs', () => {
  it('are at least 45, of different names', () => {
    expect(new Set(plants.map(({ name }) => name)).size).toBe(plants.length);
    expect(plants.length).toBeGreaterThanOrEqual(45);
  });

  it.each(plants)(
    '$name: has its one place in the source and in what is compiled of it',
    ({ file, find }) => {
      expect(timesIn(file, find)).toBe(1);
      expect(timesIn(`dist/${file.replace(/\.ts$/, '.js')}`, find)).toBe(1);
    },
  );

  it('are programs all the same, which Node can read', () => {
    const folder = mkdtempSync(join(tmpdir(), 'naulon-plants-'));
    for (const [at, { file, find, replace }] of plants.entries()) {
      const source = readFileSync(`${root}dist/${file.replace(/\.ts$/, '.js')}`, 'utf8');
      writeFileSync(
        join(folder, `${at}.mjs`),
        source.replace(find, () => replace),
      );
    }
    const read = (at: number) => execFileSync(process.execPath, ['--check', join(folder, `${at}.mjs`)]);
    for (const at of plants.keys()) expect(() => read(at), plants[at].name).not.toThrow();
    rmSync(folder, { recursive: true });
  });

  it.each(plants)('$name: its child gets all of it', plant => {
    expect(deserialize(Buffer.from(plantArgument(plant), 'base64'))).toEqual(plant);
  });

  it.each([
    'credit twice',
    'RECEIPT before the payment is durable',
    'cells rounded up',
    'one satoshi too many for the payer',
    'payword: a word is worth all words before it',
  ])('%s: is found by one of its rules', { timeout: 60_000 }, async name => {
    const plant = plants.find(each => each.name === name);
    if (plant === undefined) throw new Error(`there is no plant ${name}`);
    const { breach } = await searchPlant(plant, { ...plantLimits, stepsMax: 100_000 });
    expect(plant.breaks).toContain(breach?.rule);
  });
});

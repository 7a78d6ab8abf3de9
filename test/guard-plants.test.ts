import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { guardPlants } from './guard-plants.fixture.ts';

const config = fileURLToPath(new URL('./guard-plants.fixture.ts', import.meta.url));

it('has a test that fails for each fault planted in what guards the money', () => {
  const { stdout } = spawnSync('npx', ['vitest', 'run', '--config', config, '--reporter=verbose'], {
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1' },
  });
  const failed = new Set([...stdout.matchAll(/× \|plant (\d+)\|/g)].map(([, at]) => Number(at)));
  const unseen = guardPlants.filter((_, at) => !failed.has(at)).map(({ name }) => name);
  expect({ unseen, said: unseen.length === 0 ? '' : stdout.slice(-2_000) }).toEqual({ unseen: [], said: '' });
}, 240_000);

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { StorePort } from '../src/ports.ts';

/** Where records lie: one store at a time writes there. */
export interface StoreGround {
  /** What the writer of test/store-writer.fixture.ts is told. */
  readonly args: readonly string[];
  open(): Promise<Pick<StorePort, 'list'> & { close(): Promise<void> }>;
  remove(): Promise<void>;
}

/** A process that writes pairs of records until it ends, with what it said. */
export function startWriter(args: readonly string[], through: readonly string[] = []) {
  const fixture = join(import.meta.dirname, 'store-writer.fixture.ts');
  const [file, ...all] = [...through, process.execPath, '--import', 'tsx', fixture, ...args];
  const writer = spawn(file, all, { stdio: ['ignore', 'pipe', 'pipe'] });
  const said = { stdout: '', stderr: '' };
  writer.stdout.on('data', chunk => {
    said.stdout += chunk;
  });
  writer.stderr.on('data', chunk => {
    said.stderr += chunk;
  });
  const gone = new Promise<number | null>(resolve => writer.on('close', resolve));
  /** Resolves once so many pairs were acknowledged. */
  const acknowledged = (count: number) =>
    new Promise<void>(resolve => {
      writer.stdout.on('data', () => {
        if (said.stdout.split('\n').length > count) resolve();
      });
    });
  return { writer, said, gone, acknowledged };
}

/** Opens what a writer left: every acknowledged pair must be there, and no half of any. */
export async function expectKept(ground: StoreGround, stdout: string): Promise<void> {
  const store = await ground.open();
  const [left, right] = ['left/', 'right/'].map(prefix =>
    store.list(prefix).map(([key]) => key.slice(prefix.length)),
  );
  await store.close();
  expect(right).toEqual(left);
  const kept = new Set(left);
  const said = stdout.split('\n').slice(0, -1);
  expect(said.filter(number => !kept.has(number))).toEqual([]);
}

/** What every store on real disks must keep when processes die, whatever it is made of. */
export function storeDeathKit(name: string, make: () => Promise<StoreGround>): void {
  describe(`${name}, by processes that die`, () => {
    it.each([1, 300])('keeps what was answered after kill -9 at %i answers, and no half', async count => {
      const ground = await make();
      const { writer, said, gone, acknowledged } = startWriter(ground.args);
      await acknowledged(count);
      writer.kill('SIGKILL');
      await gone;
      await expectKept(ground, said.stdout);
      await ground.remove();
    });

    it('is written by one of the processes that start at once, also where one was killed', async () => {
      const ground = await make();
      const first = startWriter(ground.args);
      await first.acknowledged(1);
      first.writer.kill('SIGKILL');
      await first.gone;
      const writers = Array.from({ length: 3 }, () => startWriter(ground.args));
      const winner = await Promise.race(writers.map(each => each.acknowledged(10).then(() => each)));
      const losers = writers.filter(each => each !== winner);
      expect(await Promise.all(losers.map(each => each.gone))).toEqual([1, 1]);
      for (const { said } of losers)
        expect(said.stderr).toMatch(new RegExp(`is in use by .*process ${winner.writer.pid}; stop it first`));
      winner.writer.kill('SIGKILL');
      await winner.gone;
      await ground.remove();
    });
  });
}

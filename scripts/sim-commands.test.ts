import { expect, it } from 'vitest';
import { run } from './sim-commands.ts';
import { openTerminal } from './terminal.ts';

it('tells, when it is interrupted, what it reached and how to do the rest', {
  timeout: 120_000,
}, async () => {
  const printed: string[] = [];
  let told: unknown;
  const terminal = {
    ...openTerminal({}),
    print: (line: string) => void printed.push(line),
    object: (value: unknown) => {
      told = value;
    },
    // After the first trial.
    say: () => void process.emit('SIGINT', 'SIGINT'),
  };
  const steps = 10_000_000;
  expect(await run({ seed: 1, steps, dataDir: '', scheme: 'bitcoin-channel' }, terminal)).toBe(130);
  const { trials, steps: done, goOn } = told as { trials: number; steps: number; goOn: string };
  expect(trials).toBe(1);
  expect(done).toBeGreaterThan(0);
  expect(goOn).toBe(`naulon sim run --seed 2 --steps ${steps - done} --scheme bitcoin-channel`);
  expect(printed.at(-1)).toContain(goOn);
});

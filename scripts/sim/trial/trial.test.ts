import { describe, expect, it } from 'vitest';
import { runTrial } from './trial.ts';
import { drawPlan, trialSchemes } from './trial-plan.ts';

describe('a trial', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'of seed %i keeps all rules, and serves everybody in the end',
    { timeout: 60_000 },
    seed => {
      const result = runTrial(drawPlan(seed, { steps: 20_000 }));
      expect(result.breach).toBeUndefined();
      expect(result.steps).toBeGreaterThan(20_000);
      expect(result.blocks).toBeGreaterThan(200);
    },
  );

  it.each(trialSchemes)('with %s keeps all rules', { timeout: 60_000 }, scheme => {
    const result = runTrial(drawPlan(9, { steps: 10_000, scheme }));
    expect(result.breach).toBeUndefined();
    expect(result.payments).toBeGreaterThan(0);
  });

  // Trials that have found something, and what.
  it.each([
    {
      seed: 6,
      scheme: 'p2p-netpay',
      found: 'a payer with an older copy of its records visits its vendor for ever',
    },
    {
      seed: 34,
      scheme: 'p2p-netpay',
      steps: 30_000,
      found: 'a claim is sent before the payment that it claims is durable',
    },
    { seed: 2, scheme: 'whopay', found: 'what a relay had earned before it died is not handed in' },
    { seed: 6, scheme: 'whopay', found: 'a coin that its payee has had is offered for ever' },
    { seed: 1, scheme: 'cpay', found: 'two payments wait for one answer, and one of them is forgotten' },
    {
      seed: 38,
      scheme: 'bitcoin-channel',
      steps: 30_000,
      found: 'restored records are taken for old ones when a channel is settled late',
    },
    {
      seed: 75,
      scheme: 'bitcoin-channel',
      steps: 5_000,
      found: 'coins at an address that was shown before it was kept make records look old',
    },
  ])('$scheme, $seed: $found no more', { timeout: 60_000 }, ({ seed, scheme, steps = 20_000 }) => {
    expect(runTrial(drawPlan(seed, { steps, scheme })).breach).toBeUndefined();
  });

  it('is the same each time, and another with another seed', { timeout: 60_000 }, () => {
    const [one, again, other] = [11, 11, 12].map(seed => runTrial(drawPlan(seed, { steps: 10_000 })));
    expect(again).toEqual(one);
    expect(other.digest).not.toBe(one.digest);
  });

  it('does what it did before without the acts that are left out', { timeout: 60_000 }, () => {
    const whole = runTrial(drawPlan(3, { steps: 10_000 }));
    const some = whole.acts.map(({ number }) => number).filter(number => number % 2 === 0);
    const half = runTrial(drawPlan(3, { steps: 10_000, acts: some }));
    expect(half.acts.every(({ number }) => some.includes(number))).toBe(true);
    const kinds = new Map(whole.acts.map(({ number, kind }) => [number, kind]));
    const known = half.acts.filter(({ number }) => kinds.has(number));
    expect(known.map(({ kind }) => kind)).toEqual(known.map(({ number }) => kinds.get(number)));
  });
});

import { describe, expect, it } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import { fuzzTargets, targetNamed } from './all-targets.ts';
import type { FuzzTarget } from './fuzz-target.ts';
import { hunt, replay } from './hunt.ts';

/** What was not taken well once. */
const known: readonly [target: string, what: string, input: Uint8Array][] = [
  ['net-yaml', 'an alias that leads nowhere', utf8('relays: {<<: *a}')],
  ['net-yaml', 'aliases that lead everywhere', utf8(`a: &a [x]\nb: [${'*a, '.repeat(200)}]`)],
  ['http-requests', 'a head that never ends, a few bytes at a time', utf8('\r'.repeat(20_000))],
  ['torrc', 'an option with a very long name', utf8('auth1'.repeat(200))],
  ['records', 'an address with a very long text', Uint8Array.of(5, ...utf8('1'.repeat(4_000)))],
  [
    'relay-cells',
    'a long padding cell, a few bytes at a time',
    Uint8Array.of(3, 0, 63, 0, 1, 136, 128, 2, 230, 60, 0, 0),
  ],
];

describe('a hunt', () => {
  it.each(known)('%s: takes %s', (target, _what, input) => {
    expect(replay(targetNamed(target), [input], { seed: '1', timed: false })).toBeUndefined();
  });

  it.each(fuzzTargets)('$name: takes what nobody should send', { timeout: 120_000 }, async target => {
    const cases = Math.min(2_000, target.cases / 50);
    const { failures, cases: done } = await hunt(target, { seed: '1', cases, guided: false, timed: false });
    expect(failures).toEqual([]);
    expect(done).toBeGreaterThanOrEqual(cases);
  });

  it('finds what one input in thousands brings about, and says which', async () => {
    const throwing: FuzzTarget = {
      name: 'throwing',
      cases: 1,
      inputBytesMax: 64,
      sources: [],
      open: () => ({
        seeds: [utf8('length=1')],
        words: [],
        take(input, tell) {
          if (input.includes(0xff) && input.length > 20) throw new RangeError('as planted');
          tell('taken');
        },
      }),
    };
    const { failures } = await hunt(throwing, { seed: '1', cases: 100_000, guided: false, timed: false });
    expect(failures).toMatchObject([{ kind: 'crash', inputs: [expect.any(String)] }]);
    const input = new Uint8Array(Buffer.from(failures[0].inputs[0], 'hex'));
    expect(replay(throwing, [input], { seed: '1', timed: false })).toMatchObject({ kind: 'crash' });
  });
});

import { describe, expect, it } from 'vitest';
import { paidBy, parseNetFile, planOf, relaysOf } from './net-file.ts';

const faultOf = (text: string): string => {
  try {
    parseNetFile('net.yaml', text);
  } catch (error) {
    expect(error).toMatchObject({ exitCode: 2 });
    return (error as Error).message;
  }
  return 'no fault';
};

describe('net.yaml', () => {
  it('describes relays, payment and chain', () => {
    const plan = parseNetFile(
      'net.yaml',
      `
relays:
  - {count: 2, flags: [guard], price: 2 msat/cell}
  - {count: 1, price: 50000 sat/GiB}
  - {exit: true}
pay: {scheme: channel, window: 2048, max_spend: 100000 sat}
chain: {kind: regtest}
`,
    );
    expect(plan).toMatchObject({
      pay: { window: 2048, max_spend: 100_000 },
      chain: { kind: 'regtest' },
    });
    expect(relaysOf(plan)).toEqual([
      { nickname: 'guard1', exit: false, impl: 'naulon', price: '4194.304 sat/GiB' },
      { nickname: 'guard2', exit: false, impl: 'naulon', price: '4194.304 sat/GiB' },
      { nickname: 'middle1', exit: false, impl: 'naulon', price: '50000 sat/GiB' },
      { nickname: 'exit1', exit: true, impl: 'naulon', price: '100000 sat/GiB' },
    ]);
  });

  it.each(['0', '"0"', '0 sat/GiB'])('reads a price of %s as free', written => {
    const plan = parseNetFile('net.yaml', `relays: [{exit: true, price: ${written}}]`);
    expect(relaysOf(plan)).toMatchObject([{ price: '0 sat/GiB' }]);
  });

  it('takes parameters of the consensus', () => {
    const plan = parseNetFile(
      'net.yaml',
      'relays: [{exit: true}]\nparams: {cc_cwnd_init: 2000, circwindow: 500}',
    );
    expect(plan.params).toEqual({ cc_cwnd_init: 2_000, circwindow: 500 });
    expect(faultOf('relays: [{exit: true}]\nparams:\n  cc alg: 2')).toMatch(/^net\.yaml:3: params\.cc alg: /);
    expect(faultOf('relays: [{exit: true}]\nparams: {cc_alg: two}')).toMatch(
      /^net\.yaml:2: params\.cc_alg: /,
    );
  });

  it.each(['relays: *nobody', '{<<: *a}', `a: &a [x]\nb: [${'*a, '.repeat(200)}]`])(
    'names no stack for an alias that leads nowhere, or everywhere: %s',
    text => expect(faultOf(text)).toMatch(/^net\.yaml:\d+: /),
  );

  it('has no price where nothing is paid', () => {
    const plan = parseNetFile('net.yaml', 'relays: [{exit: true, count: 2}]\npay: {scheme: none}');
    expect(relaysOf(plan).map(({ price }) => price)).toEqual([undefined, undefined]);
  });

  it('names file, line and the nearest option', () => {
    expect(faultOf('relays:\n  - {count: 1, exit: true}\n  - count: 1\n    prise: 2 msat/cell')).toBe(
      'net.yaml:4: there is no option relays.1.prise; did you mean price?',
    );
    expect(faultOf('relays: [{exit: true}]\npay:\n  windw: 5')).toBe(
      'net.yaml:3: there is no option pay.windw; did you mean window?',
    );
    expect(faultOf('authorities: 1\nrelay: [{exit: true}]')).toBe(
      'net.yaml:2: there is no option relay; did you mean relays?',
    );
  });

  it('names what is wrong with a value', () => {
    expect(faultOf('relays:\n  - exit: true\n    price: 2 msat')).toMatch(
      /^net\.yaml:3: relays\.0\.price: .*sat\/GiB/,
    );
    expect(faultOf('relays:\n  - exit: true\npay:\n  max_spend: lots')).toMatch(
      /^net\.yaml:4: pay\.max_spend: /,
    );
    expect(faultOf('relays:\n  - count: 0\n    exit: true')).toMatch(/^net\.yaml:2: relays\.0\.count: /);
    expect(faultOf('relays:\n  - count: 3')).toBe('net.yaml:1: relays: none of them is an exit');
    expect(faultOf('relays: [{exit: true}]\npay: {variant: cltx}')).toBe(
      'net.yaml:2: pay.variant: channel knows spillman, cltv; not "cltx"',
    );
    for (const address of ['foo', '127.0.0.1:99999', '127.0.0.1:0', '1.2.3:80', '[127.0.0.1]:80', ''])
      expect(faultOf(`relays: [{exit: true}]\nexit_to: ["${address}"]`)).toMatch(
        /^net\.yaml:2: exit_to\.0: an address reads like/,
      );
    expect(faultOf('relays: [\n')).toMatch(/^net\.yaml:\d+: /);
    expect(faultOf('')).toMatch(/^net\.yaml:1: relays: /);
  });
});

it('names the scheme that was meant, or all that there are', () => {
  expect(() => paidBy(planOf(3), 'paywrd')).toThrow('there is no scheme "paywrd"; did you mean payword?');
  expect(() => paidBy(planOf(3), '')).toThrow(/there are channel, .*payword/);
});

it('plans a network of any size with at least one exit', () => {
  for (let count = 1; count <= 30; count++) {
    const relays = relaysOf(planOf(count));
    expect(relays).toHaveLength(count);
    expect(relays.filter(({ exit }) => exit).length).toBeGreaterThan(0);
    expect(new Set(relays.map(({ nickname }) => nickname)).size).toBe(count);
  }
  expect(relaysOf(planOf(3)).map(({ nickname }) => nickname)).toEqual(['guard1', 'middle1', 'exit1']);
});

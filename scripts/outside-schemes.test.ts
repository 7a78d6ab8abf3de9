import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatProof } from '../src/payment/proof.ts';
import { brokeredSchemes } from '../src/schemes/brokered.ts';
import { runNaulon } from './naulon.fixture.ts';

/** Several processes one after the other, on a machine that is busy. */
const processesMsMax = 120_000;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'naulon-outside-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** @param file below the folder of the test. Returns its whole path. */
function put(file: string, text: string): string {
  const path = join(folder, file);
  writeFileSync(path, text);
  return path;
}

async function run(...args: string[]) {
  return runNaulon(args, { cwd: folder });
}

/** A scheme with a broker that does nothing but judge. */
const judging = (id: number, name: string) => `
const absent = () => { throw new Error('nobody pays here'); };
export default {
  id: ${id}, name: '${name}', variants: ['quick'], node: absent, broker: absent,
  judge: ({ cheat, parts }) => cheat === 'lied'
    ? { guilty: parts[0], role: 'payer', what: 'lied' }
    : { guilty: undefined, why: 'it is no lie' },
};`;

/** The same as an object of a class, whose methods are its prototype's and look into what is its own. */
const ofClass = `
class Judging {
  #cheats = ['lied'];
  get id() { return 202; }
  get name() { return 'judge'; }
  get variants() { return ['quick']; }
  node() { throw new Error('nobody pays here'); }
  broker() { throw new Error('nobody pays here'); }
  judge({ cheat, parts }) {
    return this.#cheats.includes(cheat)
      ? { guilty: parts[0], role: 'payer', what: 'lied' }
      : { guilty: undefined, why: 'it is no lie' };
  }
}
export default new Judging();`;

/** Payments on the payer's word alone, with nothing behind them: each says what was paid in all. */
const onWord = `
const id = 201;
const said = msat => { const bytes = Buffer.alloc(9, id); bytes.writeBigUInt64BE(msat, 1); return new Uint8Array(bytes); };
const read = bytes => bytes.length === 9 && bytes[0] === id ? Buffer.from(bytes).readBigUInt64BE(1) : undefined;
class Payee {
  #sums = new Map();
  target(session) { return said(this.#sums.get(session) ?? 0n); }
  redeem(session, payment) {
    const [msat, before] = [read(payment), this.#sums.get(session) ?? 0n];
    if (msat === undefined || msat <= before) return { kind: 'refused', fault: { code: 'malformed' } };
    this.#sums.set(session, msat);
    return { kind: 'added', value: msat - before, persist: [], reply: said(msat) };
  }
  onAnswer() {}
  onChain() {}
  ended(session) { this.#sums.delete(session); }
}
class Payer {
  begin() {}
  pay(_session, target, value) {
    const before = read(target);
    if (before === undefined) return { kind: 'refused', fault: { code: 'PAY_BAD_TARGET' } };
    return value === 0n ? { kind: 'ready' } : { kind: 'send', payment: said(before + value), value, persist: [] };
  }
  onAnswer() {}
  onChain() {}
  onRefused() {}
  finish() {}
  ended() {}
}
class Word {
  id = id;
  name = 'word';
  payee() { return new Payee(); }
  payer() { return new Payer(); }
}
export default new Word();`;

describe('a scheme out of a module', { timeout: processesMsMax }, () => {
  const wrong: readonly [name: string, text: string | undefined, says: RegExp][] = [
    ['absent.mjs', undefined, /: there is no such file$/],
    ['typed.ts', 'export default {}', /: Node runs no \.ts file; build it to JavaScript and name that$/],
    ['thrown.mjs', "throw new Error('out of order')", /: it fails when it is loaded: Error: out of order$/],
    ['late.mjs', "await null; throw new Error('later')", /: it fails when it is loaded: Error: later$/],
    ['nothing.mjs', 'throw undefined', /: it fails when it is loaded: undefined$/],
    ['broken.mjs', 'export default {', /: it fails when it is loaded: SyntaxError: /],
    [
      'alone.mjs',
      "import 'not-installed';",
      /: it fails when it is loaded: Error.* Cannot find package 'not-installed'/,
    ],
    ['bare.mjs', 'export const id = 200;', /: its default export is neither a BrokeredScheme nor a Pay/],
    ['other.mjs', 'export default { id: 200 };', /: its default export is neither a BrokeredScheme nor a/],
    ['ours.mjs', judging(2, 'two'), /: its id is 2; one from 128 to 255 is needed$/],
    ['named.mjs', judging(200, 'payword'), /: its name, payword, is that of another scheme$/],
    ['odd.mjs', judging(200, 'No Name'), /: its name is not made of /],
  ];

  it('is refused in one line, with what is to be done, where it is none', () => {
    const files = wrong.map(([name, text]) => (text === undefined ? join(folder, name) : put(name, text)));
    // Not in a process of the tests', whose way to load modules is another.
    const loaded = new URL('../dist/src/node-io/scheme-module.js', import.meta.url);
    const script = `
      const { chosenScheme } = await import('${loaded}');
      for (const file of process.argv.slice(1))
        await chosenScheme(file).catch(({ code, exitCode, message }) => console.log(code, exitCode, message));`;
    const args = ['--input-type=module', '-e', script, ...files];
    const said = execFileSync(process.execPath, args, { encoding: 'utf8' }).trimEnd().split('\n');
    expect(said.length).toBe(wrong.length);
    for (const [at, [, , says]] of wrong.entries()) {
      expect(said[at]).toContain(`SCHEME_UNUSABLE 2 scheme ${files[at]}: `);
      expect(said[at]).toMatch(says);
    }
  });

  it('is given up where it is never loaded, whatever it leaves running', async () => {
    const asleep = {
      'asleep.mjs': 'await new Promise(() => {}); export default {};',
      'busy.mjs': 'setInterval(() => {}, 1_000); await new Promise(() => {}); export default {};',
      // Whatever it says of itself comes too late.
      'thrown.mjs': "await new Promise(() => {}).then(() => { throw new Error('never'); });",
    };
    const proof = put('proof.json', formatProof({ scheme: 'judge', cheat: 'lied', parts: [] }));
    const ran = Object.entries(asleep).map(async ([name, text]) => {
      const file = put(name, text);
      const { code, out, err } = await run('pay', 'proof', proof, '--scheme', `./${name}`);
      const why = 'it is not loaded after 10 s: what it waits for does not come';
      expect({ code, out, err }).toEqual({ code: 2, out: '', err: `naulon: scheme ${file}: ${why}\n` });
    });
    await Promise.all(ran);
  });

  it('is no folder, and knows its variants', async () => {
    mkdirSync(join(folder, 'scheme'));
    const { code, err } = await run('up', '--scheme', './scheme');
    expect([code, err]).toEqual([
      2,
      `naulon: scheme ${folder}/scheme: it is no file; name the module in it\n`,
    ]);
    expect(readdirSync(folder)).toEqual(['scheme']);
    put('judge.mjs', judging(200, 'judge'));
    const slow = await run('demo', '--scheme', './judge.mjs', '--variant', 'slow');
    expect([slow.code, slow.err]).toEqual([2, 'naulon: variant: judge knows quick; not "slow"\n']);
  });

  it('is looked for beside the file that names it, by relay, client and broker alike', async () => {
    mkdirSync(join(folder, 'etc'));
    const missing = { code: 2, err: `naulon: scheme ${folder}/etc/absent.mjs: there is no such file\n` };
    const chain = 'chain: {rpc: http://127.0.0.1:1, cookie: none}';
    const authority = `DirAuthority a orport=1 v3ident=${'A'.repeat(40)} 127.0.0.1:1 ${'B'.repeat(40)}`;
    const torrc = put(
      'etc/torrc',
      `DataDirectory ${folder}/data\nORPort 127.0.0.1:auto\nSocksPort 0\n${authority}\n`,
    );
    const pay = put('etc/pay.yaml', 'price: 2 msat/cell\nscheme: ./absent.mjs\n');
    const broker = put('etc/broker.yaml', `data_directory: data\n${chain}\nschemes: [./absent.mjs]\n`);
    put('etc/net.yaml', 'relays: [{exit: true}]\npay: {scheme: ./absent.mjs}\n');
    for (const args of [
      ['relay', '-f', torrc, '--pay', pay],
      ['client', '-f', torrc, '--pay', pay],
      ['broker', '-f', broker],
      ['books', '-f', broker],
      ['up', 'etc/net.yaml'],
    ]) {
      const { code, err } = await run(...args);
      expect({ args, code, err }).toEqual({ args, ...missing });
    }
    const { err } = await run('relay', '-f', torrc, '--pay', pay, '--scheme', './absent.mjs');
    expect(err).toBe(`naulon: scheme ${folder}/absent.mjs: there is no such file\n`);
  });

  it('cannot take the id or the name of another that a node has', async () => {
    put('one.mjs', judging(200, 'one'));
    put('two.mjs', judging(200, 'two'));
    const chain = 'chain: {rpc: http://127.0.0.1:1, cookie: none}';
    const broker = put(
      'broker.yaml',
      `data_directory: data\n${chain}\nschemes: [payword, ./one.mjs, ./two.mjs]\n`,
    );
    const { code, err } = await run('broker', '-f', broker);
    const what = `naulon: scheme ${folder}/two.mjs: it has the id or the name of ${folder}/one.mjs\n`;
    expect([code, err]).toEqual([2, what]);
  });

  it('pays the relays of a network without a broker, which has nothing for the demo to show', async () => {
    put('word.mjs', onWord);
    const demo = await run('demo', '--scheme', './word.mjs');
    expect([demo.code, demo.err]).toEqual([
      2,
      `naulon: --scheme: word has no broker, whose books the demo would show; try: naulon up --scheme ${folder}/word.mjs\n`,
    ]);
    const up = await run('up', '-d', '--scheme', './word.mjs', '--data-dir', 'net', '--json');
    try {
      expect({ code: up.code, err: up.code === 0 ? '' : up.err }).toEqual({ code: 0, err: '' });
      const url = `http://${JSON.parse(readFileSync(join(folder, 'net', 'network.json'), 'utf8')).lab}/any/100000`;
      const got = await run('get', url, '-o', 'got', '--json', '--data-dir', 'net');
      expect({ code: got.code, err: got.code === 0 ? '' : got.err }).toEqual({ code: 0, err: '' });
      const { bytes, circuit } = JSON.parse(got.out);
      expect([bytes, circuit.hops.length]).toEqual([100_000, 3]);
      for (const { paidMsat } of circuit.hops) expect(BigInt(paidMsat)).toBeGreaterThan(0n);
    } finally {
      expect((await run('down', '--data-dir', 'net')).code).toBe(0);
    }
  });

  it.each([
    ['an object', judging(200, 'judge')],
    ['an object of a class', ofClass],
  ])('judges proofs of its own, for whoever names the module: %s', async (_, text) => {
    put('judge.mjs', text);
    const proof = (cheat: string) =>
      put(`${cheat}.json`, formatProof({ scheme: 'judge', cheat, parts: [Uint8Array.of(7)] }));
    const [lied, said] = [proof('lied'), proof('said')];
    const unknown = await run('pay', 'proof', lied);
    expect([unknown.code, unknown.out]).toEqual([
      1,
      'proves nothing: there is no scheme "judge" with a broker here; --scheme names the module of one\n',
    ]);
    const guilty = await run('pay', 'proof', lied, '--scheme', './judge.mjs');
    expect([guilty.code, guilty.out]).toEqual([0, 'judge: the payer 07 lied.\n']);
    const innocent = await run('pay', 'proof', said, '--scheme', './judge.mjs');
    expect([innocent.code, innocent.out]).toEqual([1, 'proves nothing: it is no lie\n']);
  });
});

it('lists the schemes that there are when a name is of none, and says how a module is named', {
  timeout: processesMsMax,
}, async () => {
  const names = brokeredSchemes.map(({ name }) => name).join(', ');
  const { code, err } = await run('demo', '--scheme', 'paywrd');
  expect(code).toBe(2);
  expect(err).toContain('there is no scheme "paywrd"; did you mean payword? there are channel, ');
  expect(err).toContain(`${names}; a module is named by its path, as ./paywrd.js\n`);
});

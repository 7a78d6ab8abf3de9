import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runNaulon } from './naulon.fixture.ts';
import { naulonFile } from './node-process.ts';

const authority =
  'DirAuthority auth1 orport=1 v3ident=8617C6694B8E9CA71A019876073A82954DAB73A8 127.0.0.1:2 28F8F58A61EAB9E340191DA0B90B31F5B04C0878';
let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'naulon-cli-test-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const naulon = (args: readonly string[], env: Record<string, string> = {}, file?: string) =>
  runNaulon(args, { cwd: root, env, file });

describe('the command line', () => {
  it('prints help and version', async () => {
    const help = await naulon(['--help']);
    expect(help).toMatchObject({ code: 0, err: '' });
    for (const command of ['demo', 'doctor', 'up', 'status', 'verify', 'down', 'regtest'])
      expect(help.out).toMatch(new RegExp(`^ +${command}\\b`, 'm'));
    expect(await naulon(['--version'])).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    });
    expect((await naulon(['version', '--json'])).out).toContain(`"node":"${process.versions.node}"`);
  });

  it('ends with 2 on a usage error and suggests what was meant', async () => {
    const wrongCommand = await naulon(['stauts']);
    const err = "naulon: unknown command 'stauts' (Did you mean status?)\n";
    expect(wrongCommand).toEqual({ code: 2, out: '', err });
    expect(JSON.parse((await naulon(['get', '--json'])).out)).toEqual({
      error: { code: 'USAGE', message: "missing required argument 'url'" },
    });
    const wrongOption = await naulon(['up', '--relay', '3']);
    expect(wrongOption.code).toBe(2);
    expect(wrongOption.err).toContain('--relays');
    expect((await naulon(['up', '--relays', 'many'])).code).toBe(2);
    expect((await naulon([])).code).toBe(2);
    expect((await naulon(['sim', 'planted', '--only', 'nosuchbug'])).code).toBe(2);
    const noAct = await naulon(['sim', 'replay', '--seed', '1', '--steps', '2000', '--acts', '9999']);
    expect(noAct).toMatchObject({ code: 2, err: expect.stringContaining('9999') });
    expect(JSON.parse((await naulon(['--json'])).out)).toEqual({
      error: { code: 'USAGE', message: 'a command is needed; see --help' },
    });
    expect((await naulon(['regtest'])).code).toBe(2);
  });

  it('ends with 2 on a wrong file and names its line', async () => {
    const file = join(root, 'net.yaml');
    writeFileSync(file, 'relays:\n  - {exit: true, prise: 2 msat/cell}\n');
    const wrong = await naulon(['up', file, '--json']);
    expect(wrong.code).toBe(2);
    expect(wrong.err).toBe(`naulon: ${file}:2: there is no option relays.0.prise; did you mean price?\n`);
    expect(JSON.parse(wrong.out)).toMatchObject({ error: { code: 'CONFIG_UNKNOWN_OPTION' } });
    expect((await naulon(['up', file, '--relays', '3'])).code).toBe(2);
    expect((await naulon(['up', 'absent.yaml'])).code).toBe(2);
    for (const node of ['relay', 'dirauth', 'client']) {
      const unread = await naulon([node, '-f', 'absent', '--json']);
      expect(unread).toMatchObject({
        code: 2,
        err: 'naulon: cannot read absent: no such file or directory\n',
      });
      expect(JSON.parse(unread.out)).toMatchObject({ error: { code: 'CONFIG_UNREADABLE' } });
    }
  });

  it('ends with 2 on a wrong option before anything is made', async () => {
    const dir = join(root, 'unmade');
    for (const [args, words] of [
      [['up', '-d', '--exit-to', 'foo'], '--exit-to "foo": an address reads like'],
      [['up', '--exit-to', ''], '--exit-to ""'],
      [['demo', '--scheme', 'payword', '--variant', 'crdit'], '--variant: payword knows prepaid, credit'],
      [['demo', '--variant', 'credit'], '--variant: channel knows spillman, cltv'],
    ] as const) {
      const { code, err } = await naulon([...args, '--data-dir', dir], { TMPDIR: root });
      expect({ code, err }).toEqual({ code: 2, err: expect.stringContaining(words) });
    }
    expect(existsSync(dir)).toBe(false);
    expect(readdirSync(root).filter(name => name.startsWith('naulon-demo'))).toEqual([]);
  });

  it('ends with 2 where the data folder is a file', async () => {
    const file = join(root, 'file');
    writeFileSync(file, '');
    expect(await naulon(['up', '-d', '--data-dir', file])).toMatchObject({
      code: 2,
      err: `naulon: ${file} is no directory\n`,
    });
  });

  it('ends with 2 where the data folder has no name', async () => {
    for (const command of ['up', 'status', 'down'])
      expect(await naulon([command, '--data-dir', ''])).toMatchObject({ code: 2, out: '' });
    expect(await naulon(['status'], { NAULON_DATA_DIR: '' })).toMatchObject({ code: 2 });
  });

  it('leaves alone a folder that holds other things than a network', async () => {
    const foreign = join(root, 'foreign');
    mkdirSync(foreign, { mode: 0o755 });
    writeFileSync(join(foreign, 'thesis'), '');
    for (const command of [['up'], ['up', '-d'], ['regtest', 'start']]) {
      const { code, err } = await naulon([...command, '--data-dir', foreign]);
      expect({ code, err }).toMatchObject({ code: 3, err: expect.stringContaining(foreign) });
    }
    expect(statSync(foreign).mode & 0o777).toBe(0o755);
    expect(readdirSync(foreign)).toEqual(['thesis']);
  });

  it('ends with 3 where a network or a chain is missing, and says how to get one', async () => {
    const dir = join(root, 'nothing');
    for (const args of [
      ['status'],
      ['logs'],
      ['verify'],
      ['regtest', 'mine'],
      ['regtest', 'faucet', 'bcrt1'],
    ]) {
      const { code, err } = await naulon([...args, '--data-dir', dir]);
      expect(code).toBe(3);
      expect(err).toMatch(/^naulon: .*naulon (up|regtest start)/);
    }
    expect(await naulon(['down', '--data-dir', dir])).toMatchObject({ code: 0 });
  });

  it('makes nothing of a node whose pay.yaml is wrong', async () => {
    const folder = join(root, 'never');
    const [torrc, pay] = [join(root, 'never.torrc'), join(root, 'never.yaml')];
    const chain = 'chain: {rpc: "http://127.0.0.1:1", cookie: none}';
    for (const [node, lines] of [
      ['relay', 'Nickname alice\nAddress 127.0.0.1\nORPort 127.0.0.1:auto'],
      ['client', 'SocksPort 127.0.0.1:auto'],
    ] as const)
      for (const [wrong, words] of [
        ['scheme: payword', 'broker is missing'],
        [`variant: fast\n${chain}`, 'knows spillman, cltv'],
        ['scheme: paywrd', 'did you mean payword?'],
      ] as const) {
        writeFileSync(torrc, `${lines}\nDataDirectory ${folder}\n${authority}\n`);
        writeFileSync(pay, node === 'relay' ? `price: 2 msat/cell\n${wrong}\n` : `${wrong}\n`);
        const { code, out, err } = await naulon([node, '-f', torrc, '--pay', pay]);
        expect({ code, out, err }).toEqual({ code: 2, out: '', err: expect.stringContaining(words) });
        expect(existsSync(folder)).toBe(false);
      }
  });

  it('names the option whose port another program has', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const at = `127.0.0.1:${port}`;
    const nodes: Record<string, [option: string, lines: readonly string[]]> = {
      relay: ['ORPort', ['Nickname alice', 'Address 127.0.0.1', `ORPort ${at}`, authority]],
      client: ['SocksPort', [`SocksPort ${at}`, authority]],
      dirauth: [
        'DirPort',
        [
          'AuthoritativeDirectory 1',
          'V3AuthoritativeDirectory 1',
          'Nickname auth2',
          'Address 127.0.0.1',
          'ORPort auto',
          `DirPort ${at}`,
        ],
      ],
      broker: ['listen', [`listen: ${at}`, 'chain: {rpc: "http://127.0.0.1:1", cookie: none}']],
    };
    for (const [node, [option, lines]] of Object.entries(nodes)) {
      const file = join(root, `${node}.conf`);
      const folder = join(root, `${node}-data`);
      const place = node === 'broker' ? `data_directory: ${folder}` : `DataDirectory ${folder}`;
      writeFileSync(file, [place, ...lines, ''].join('\n'));
      expect(await naulon([node, '-f', file])).toEqual({
        code: 3,
        out: '',
        err: `naulon: ${option}: cannot listen at ${at}: address already in use\n`,
      });
    }
    taken.close();
  });

  it('says which file of an input is none', async () => {
    const file = join(root, 'package.json');
    writeFileSync(file, '{"type":"module"}');
    expect(await naulon(['fuzz', '--replay', file])).toMatchObject({
      code: 3,
      err: `naulon: cannot read ${file}: naulon fuzz did not write it\n`,
    });
  });

  it('ends with 3 when a bitcoind that was named cannot be used', async () => {
    const { code, err } = await naulon(['regtest', 'start'], { NAULON_BITCOIND: join(root, 'absent') });
    expect(code).toBe(3);
    expect(err).toContain('is not a bitcoind that runs here');
  });

  it('ends with 3 and one line when the disk takes no answer', () => {
    const full = openSync('/dev/full', 'w');
    const { status, stderr } = spawnSync(process.execPath, [naulonFile(), 'version'], {
      stdio: ['ignore', full, 'pipe'],
      encoding: 'utf8',
    });
    closeSync(full);
    expect({ status, stderr }).toEqual({
      status: 3,
      stderr: 'naulon: cannot write to standard output: no space left on device\n',
    });
  });

  it('refuses what it could not write to before it begins', async () => {
    for (const args of [
      ['sim', 'replay', '--seed', '1', '--trace', root],
      ['sim', 'replay', '--seed', '1', '--trace', join(root, 'no', 'trace')],
      ['bench', 'crypto', '--out', naulonFile()],
      ['fuzz', '--out', naulonFile()],
      ['backup', '--dir', root, '-o', root],
    ]) {
      const { code, err } = await naulon(args);
      expect({ code: [2, 3].includes(code ?? 0), err }).toEqual({
        code: true,
        err: expect.stringMatching(/^naulon: .*\n$/),
      });
    }
  });

  it('says what to do where it is not built', async () => {
    const bare = join(root, 'bare');
    mkdirSync(bare);
    copyFileSync(naulonFile(), join(bare, 'naulon'));
    writeFileSync(join(bare, 'package.json'), '{"type":"module"}');
    const { code, err } = await naulon(['--help'], {}, join(bare, 'naulon'));
    expect(code).toBe(3);
    expect(err).toContain('npm ci');
  });
});

it('drives a private chain: start, mine, faucet, Ctrl-C', async () => {
  const dir = join(root, 'chain');
  const owner = spawn(process.execPath, [naulonFile(), 'regtest', 'start', '--json', '--data-dir', dir], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ended = new Promise(done => owner.once('exit', done));
  const line = await new Promise<string>(got => createInterface(owner.stdout).once('line', got));
  expect(JSON.parse(line)).toMatchObject({ rpcUrl: expect.stringMatching(/^http:\/\/127\.0\.0\.1:/) });
  const twice = await naulon(['regtest', 'start', '--data-dir', dir]);
  expect(twice.code).toBe(2);
  const mined = await naulon(['regtest', 'mine', '3', '--json', '--data-dir', dir]);
  expect(JSON.parse(mined.out)).toMatchObject({ height: 104 });
  const address = 'bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080';
  const paid = await naulon(['regtest', 'faucet', address, '--sat', '50000', '--data-dir', dir]);
  expect(paid).toMatchObject({ code: 0, out: expect.stringMatching(/^[0-9a-f]{64}\n$/) });
  const refused = await naulon(['regtest', 'faucet', 'nonsense', '--data-dir', dir]);
  expect(refused.code).toBe(2);
  owner.kill('SIGINT');
  expect(await ended).toBe(0);
});

describe('the doctor', () => {
  it('looks at everything and says what to fix', async () => {
    const { code, out } = await naulon(['doctor', '--json', '--data-dir', join(root, 'doctor')], {
      NAULON_BITCOIND: join(root, 'absent'),
    });
    const { ok, checks } = JSON.parse(out) as {
      ok: boolean;
      checks: { name: string; state: string; fix?: string }[];
    };
    expect({ code, ok }).toEqual({ code: 3, ok: false });
    expect(checks.map(({ name }) => name)).toContain('disk');
    expect(checks.find(({ name }) => name === 'bitcoind')).toMatchObject({
      state: 'missing',
      fix: expect.any(String),
    });
  });

  it('refuses a data folder that others can read', async () => {
    const open = join(root, 'open');
    mkdirSync(open, { mode: 0o755 });
    const { code, out } = await naulon(['doctor', '--data-dir', open]);
    expect(code).toBe(3);
    expect(out).toContain('chmod 700');
  });
});

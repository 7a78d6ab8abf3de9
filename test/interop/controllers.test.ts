import { execFile, execFileSync, spawn } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { labUrl } from '../../scripts/lab-server.ts';
import { splitAddress } from '../../scripts/network-ports.ts';
import { type LabNetwork, startLabNetwork, until } from '../lab-network.fixture.ts';
import { hasTor, Tor, TorControl } from './c-tor.fixture.ts';
import './interop-table.ts';

const timeoutMs = 180_000;
const fileBytes = 5_000_000;
/** The python that Debian's stem and nyx belong to. */
const python = '/usr/bin/python3';
const link = '3';

/** Whether stem and nyx are on this machine. CI has them: there their absence is an error, never a test left out. */
function hasControllers(): boolean {
  try {
    execFileSync(python, ['-c', 'import stem, nyx'], { stdio: 'ignore' });
    return true;
  } catch (error) {
    if (process.env.CI !== undefined) throw error;
    console.warn(
      'LEFT OUT: no stem or nyx on this machine; these tests need: apt-get install nyx python3-stem',
    );
    return false;
  }
}

describe.skipIf(!hasControllers())('controllers of our client', () => {
  let network: LabNetwork;
  let port: number;

  beforeAll(async () => {
    network = await startLabNetwork(
      'relays: [{count: 2, flags: [guard]}, {count: 2}, {count: 2, exit: true}]\n',
    );
    [, port] = splitAddress(network.state.controlPort);
  }, timeoutMs);
  afterAll(() => network?.stop(), timeoutMs);

  async function stem(script: string, ...args: readonly string[]): Promise<Record<string, unknown>> {
    const file = join(import.meta.dirname, script);
    const { stdout } = await promisify(execFile)(python, [file, String(port), ...args], {
      timeout: timeoutMs,
    });
    return JSON.parse(stdout) as Record<string, unknown>;
  }

  it(
    'stem builds a circuit of its choice, attaches a stream and pays for it',
    async ({ task }) => {
      const path = ['guard2', 'middle1', 'exit2'];
      const { socks, lab } = network.state;
      const url = labUrl(lab, { seed: 'static', bytes: fileBytes });
      const told = await stem('static-circuit.py', socks, url, path.join(','));
      const { circuit, bytes } = told;
      task.meta.interop = {
        scenario: 'stem on our client: a static circuit, paid',
        link,
        path: path.join(' > '),
        bytes: Number(bytes),
      };
      expect(told).toEqual({
        circuit,
        streamOf: circuit,
        reason: 'END',
        status: 'BUILT',
        path,
        bytes: fileBytes,
        paidHops: [1, 2, 3],
        costs: path.map(name =>
          expect.stringMatching(new RegExp(`~${name} .* PAID_MSAT=[1-9]\\d* .* CONTRACT=`)),
        ),
      });
    },
    timeoutMs,
  );

  it(
    'stem gets an answer to all that it can ask',
    async ({ task }) => {
      task.meta.interop = { scenario: 'stem on our client: all its questions', link, path: '' };
      const { pid } = network.node('client').process;
      expect(await stem('ask-everything.py', 'exit1')).toMatchObject({
        safecookie: '0',
        cookie: '0',
        version: expect.stringMatching(/^0\.4\.9\.0-naulon-/),
        pid,
        socks: [splitAddress(network.state.socks)],
        control: [['127.0.0.1', port]],
        relays: ['exit1', 'exit2', 'guard1', 'guard2', 'middle1', 'middle2'],
        flags: expect.arrayContaining(['Exit', 'Running', 'Valid']),
        byFingerprint: 'exit1',
        microdescriptors: 6,
        exits: true,
        circuits: ['BUILT'],
        streams: [],
        traffic: true,
        conf: { CookieAuthentication: ['1'], MaxCircuitDirtiness: ['600'], Nickname: [] },
        schemes: 'bitcoin-channel',
        alive: true,
      });
    },
    timeoutMs,
  );

  it(
    'nyx shows all of its pages',
    async ({ task }) => {
      task.meta.interop = { scenario: 'nyx on our client: all pages', link, path: '' };
      const path = ['guard1', 'middle2', 'exit1'];
      const circuit = await network.control.openCircuit(path, 'nyx');
      const home = await mkdtemp(join(tmpdir(), 'naulon-nyx-'));
      // Debian's script gives it a terminal, and passes on its exit code.
      const command = `stty rows 45 cols 150; exec nyx -i ${network.state.controlPort}`;
      const nyx = spawn('script', ['-qefc', command, '/dev/null'], {
        env: { ...process.env, TERM: 'xterm', HOME: home },
      });
      let screen = '';
      nyx.stdout.setEncoding('utf8').on('data', text => {
        screen += String(text);
      });
      const ended = new Promise(resolve => nyx.once('exit', resolve));
      const shows = (wanted: RegExp) => until(() => wanted.test(plain(screen)), `${wanted} in nyx`, 30_000);
      try {
        await shows(/Tor 0\.4\.9\.0-naulon-/);
        await shows(/Control Port \(cookie\)/);
        // The arrow leads from the last page to the first again; nyx hears no key before it has drawn all of one.
        for (const heading of [
          /Connections \(/,
          /Tor Configuration/,
          /File \(\S+torrc\)/,
          /Control Interpreter/,
        ])
          await until(
            () => {
              if (heading.test(plain(screen))) return true;
              nyx.stdin.write('\x1bOC');
              return pause(500, false);
            },
            `${heading} in nyx`,
            30_000,
          );
        for (const [at, name] of path.entries())
          expect(plain(screen)).toMatch(new RegExp(`${name} *${at + 1} / `));
        nyx.stdin.write('q');
        await shows(/q again to confirm/);
        nyx.stdin.write('q');
        expect(await ended).toBe(0);
        expect(plain(screen)).not.toMatch(/Traceback|NYX_ERR|NYX_WARN/);
      } finally {
        if (nyx.exitCode === null) nyx.kill();
        await ended;
        await rm(home, { recursive: true, force: true });
        await network.control.closeCircuit(circuit.id);
      }
    },
    timeoutMs,
  );

  it.skipIf(!hasTor())(
    'gives the codes that C tor gives',
    async ({ task }) => {
      task.meta.interop = {
        scenario: `C tor and our client: ${wrongCommands.length} bad commands`,
        link: '',
        path: '',
      };
      const dir = join(network.dir, 'asked');
      // Whether Debian's table of countries is installed is not for this test to depend on: neither has one.
      const noCountries = [`GeoIPFile ${dir}/none`, `GeoIPv6File ${dir}/none`];
      const lines = ['SocksPort 0', 'DisableNetwork 1', ...noCountries];
      const tor = await Tor.start({ dir, name: 'asked', lines, ready: /Opened Control listener/ });
      try {
        const cookie = readFileSync(join(network.node('client').dataDir, 'control_auth_cookie')).toString(
          'hex',
        );
        const both = [await tor.control(), await TorControl.to({ host: '127.0.0.1', port }, cookie)];
        const [theirs, ours] = await Promise.all(
          both.map(async control => {
            const codes: string[] = [];
            for (const command of wrongCommands) codes.push(`${command}: ${await codeOf(control, command)}`);
            return codes;
          }),
        );
        for (const control of both) control.close();
        expect(ours).toEqual(theirs);
      } finally {
        await tor.stop();
      }
    },
    timeoutMs,
  );

  it('the cookie is for its owner alone, and a browser is sent away', async ({ task }) => {
    task.meta.interop = { scenario: 'HTTP on our control port: closed', link: '', path: '' };
    const cookie = join(network.node('client').dataDir, 'control_auth_cookie');
    expect([statSync(cookie).mode & 0o777, statSync(cookie).size]).toEqual([0o600, 32]);
    const browser = connect({ host: '127.0.0.1', port });
    browser.write('POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nAUTHENTICATE\r\nSIGNAL SHUTDOWN\r\n');
    let answer = '';
    browser.setEncoding('latin1').on('data', text => {
      answer += String(text);
    });
    await new Promise(closed => browser.once('close', closed));
    expect(answer).toMatch(/^HTTP\/1\.0 501 /);
    expect(network.node('client').end).toBeUndefined();
  });
});

/** What a script that errs may send. */
const wrongCommands = [
  'GETINFO foo version bar',
  'GETINFO ns/name/nobody',
  'GETINFO md/name/nobody',
  'GETINFO md/id/$12',
  'GETINFO desc/name/nobody',
  'GETINFO ip-to-country/1.2.3.4',
  'GETINFO fingerprint',
  'GETCONF',
  'GETCONF foo',
  'SETCONF foo=1',
  'SETCONF MaxCircuitDirtiness=abc',
  'SETCONF MaxCircuitDirtiness="60',
  'RESETCONF foo',
  '+LOADCONF\r\nfoo 1\r\n.',
  'SETEVENTS foo',
  'SETEVENTS circ EXTENDED',
  'USEFEATURE foo',
  'SIGNAL',
  'SIGNAL foo',
  'EXTENDCIRCUIT',
  'EXTENDCIRCUIT x',
  'EXTENDCIRCUIT 999 foo',
  'EXTENDCIRCUIT 0 nobody',
  'EXTENDCIRCUIT 0 a purpose=foo',
  'CLOSECIRCUIT',
  'CLOSECIRCUIT x',
  'CLOSESTREAM',
  'CLOSESTREAM 999',
  'CLOSESTREAM 999 1',
  'ATTACHSTREAM 999',
  'ATTACHSTREAM 999 1',
  'SETCIRCUITPURPOSE 999 purpose=general',
  'MAPADDRESS a',
  'FOO bar',
  'PROTOCOLINFO x',
  'AUTHCHALLENGE FOO',
];

/** Of the reply's last line. */
function codeOf(control: TorControl, command: string): Promise<string> {
  return control.ask(command).then(
    () => '250',
    (error: Error) => /: (\d{3}) [^:]*/.exec(error.message.slice(command.length))?.[1] ?? error.message,
  );
}

/** What a terminal was sent, without where and in which colours. */
function plain(screen: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is left out
  return screen.replace(/\x1b\[[0-9;?]*[A-Za-z]|\x1b\([A-Z0-9]|\x0f/g, '');
}

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, type NetConnectOpts, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort } from '../../regtest/bitcoind.ts';
import { authorityLines } from '../../scripts/network-config.ts';
import { type NodeProcess, startNode } from '../../scripts/node-process.ts';
import { findTor } from '../../scripts/tor-node.ts';

const eventMsMax = 30_000;

/** Whether a C tor is on this machine. CI has one: there its absence is an error, never a test left out. */
export function hasTor(): boolean {
  try {
    return findTor() !== '';
  } catch (error) {
    if (process.env.CI !== undefined) throw error;
    console.warn('LEFT OUT: no C tor on PATH; these tests need: apt-get install tor');
    return false;
  }
}

/** Events and replies of a C tor, over its control socket. spec: control-spec */
export class TorControl {
  readonly #socket: Socket;
  #text = '';
  #inData = false;
  #reply: string[] = [];
  readonly #waiting: ((reply: readonly string[]) => void)[] = [];
  /** Every asynchronous event so far, without its 650. */
  readonly events: string[] = [];

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('utf8').on('data', text => this.#read(String(text)));
  }

  /** `cookie` in hex; empty: none is asked for. */
  static async to(at: NetConnectOpts, cookie = ''): Promise<TorControl> {
    const socket = connect(at);
    await new Promise((opened, failed) => socket.once('connect', opened).once('error', failed));
    const control = new TorControl(socket);
    await control.ask(`AUTHENTICATE ${cookie}`);
    return control;
  }

  /** The lines of a reply, those of its data among them. An error reply is thrown. */
  ask(command: string): Promise<readonly string[]> {
    return new Promise((answered, failed) => {
      this.#waiting.push(reply => {
        const last = reply.at(-1) ?? '';
        if (last.startsWith('250')) answered(reply);
        else failed(new Error(`${command}: ${last}`));
      });
      this.#socket.write(`${command}\r\n`);
    });
  }

  /** The first event, of those so far or to come, that matches; the bound only ends a test that hangs. */
  async event(wanted: RegExp): Promise<string> {
    const deadline = performance.now() + eventMsMax;
    for (;;) {
      const found = this.events.find(event => wanted.test(event));
      if (found !== undefined) return found;
      if (performance.now() > deadline)
        throw new Error(`no event ${wanted} among:\n${this.events.join('\n')}`);
      await pause(20);
    }
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(text: string): void {
    this.#text += text;
    for (;;) {
      const end = this.#text.indexOf('\r\n');
      if (end < 0) return;
      const line = this.#text.slice(0, end);
      this.#text = this.#text.slice(end + 2);
      if (line.startsWith('650')) {
        this.events.push(line.slice(4));
        continue;
      }
      this.#reply.push(line);
      this.#inData = this.#inData ? line !== '.' : /^\d{3}\+/.test(line);
      if (this.#inData || !/^\d{3} /.test(line)) continue;
      this.#waiting.shift()?.(this.#reply);
      this.#reply = [];
    }
  }
}

/** A C tor in a folder of its own, started from `lines` of torrc, once its log says `ready`. */
export class Tor {
  readonly dir: string;
  readonly #node: NodeProcess;

  private constructor(dir: string, node: NodeProcess) {
    this.dir = dir;
    this.#node = node;
  }

  static async start(options: {
    readonly dir: string;
    readonly name: string;
    readonly lines: readonly string[];
    readonly ready: RegExp;
  }): Promise<Tor> {
    const { dir, name, lines, ready } = options;
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    const torrc = join(dir, 'torrc');
    const own = [`DataDirectory ${dir}`, `ControlSocket ${join(dir, 'control')}`, 'Log notice stdout'];
    writeFileSync(torrc, `${[...own, ...lines].join('\n')}\n`);
    const node = await startNode({
      name,
      executable: findTor(),
      args: ['-f', torrc, '__OwningControllerProcess', String(process.pid)],
      log: join(dir, 'log'),
      readyLine: ready,
      readyMsMax: 90_000,
    });
    return new Tor(dir, node);
  }

  control(): Promise<TorControl> {
    return TorControl.to({ path: join(this.dir, 'control') });
  }

  /** What it has warned of, that is not about how these tests run it. */
  get warnings(): string[] {
    const expected =
      /running Tor as root|specified a relay .* by name|is giving Tor only an IP address|DirAuthority or AlternateDirAuthority|TestingTorNetwork is set/;
    const lines = readFileSync(join(this.dir, 'log'), 'utf8').split('\n');
    return lines.filter(line => /\[(warn|err)\]/.test(line) && !expected.test(line));
  }

  stop(): Promise<void> {
    return this.#node.stop();
  }
}

/** A client, C tor's or ours, whose circuits and streams a test directs by its control port. */
export class ControlledClient {
  readonly socks: string;
  readonly control: TorControl;

  protected constructor(socks: string, control: TorControl) {
    this.socks = socks;
    this.control = control;
  }

  protected static async listen(control: TorControl): Promise<void> {
    await control.ask('SETEVENTS CIRC STREAM ADDRMAP');
  }

  /** Builds a circuit over these relays, by nickname. Returns its number. */
  async extend(path: readonly string[]): Promise<number> {
    const [extended] = await this.control.ask(`EXTENDCIRCUIT 0 ${path.join(',')}`);
    const circuit = Number(/EXTENDED (\d+)/.exec(extended)?.[1]);
    await this.control.event(new RegExp(`^CIRC ${circuit} BUILT .*${path.join('.*')}`));
    return circuit;
  }

  /** Does `work`, whose SOCKS user name it gives, over that circuit. */
  async over<T>(circuit: number, work: (user: string) => Promise<T>): Promise<T> {
    const user = `circuit${circuit}`;
    await this.control.ask('SETCONF __LeaveStreamsUnattached=1');
    try {
      const working = work(user);
      working.catch(() => {});
      const asked = await this.control.event(new RegExp(`^STREAM \\d+ NEW(RESOLVE)? 0 .*USERNAME="${user}"`));
      await this.control.ask(`ATTACHSTREAM ${asked.split(' ')[1]} ${circuit}`);
      return await working;
    } finally {
      await this.control.ask('SETCONF __LeaveStreamsUnattached=0');
    }
  }

  /** Nicknames along the circuit that this user's stream was sent over. */
  async pathOf(user: string): Promise<string> {
    const sent = await this.control.event(new RegExp(`^STREAM \\d+ SENTCONNECT .*"${user}"`));
    const listed = await this.control.ask('GETINFO circuit-status');
    const line = listed.find(each => each.startsWith(`${sent.split(' ')[3]} `)) ?? '';
    return [...line.matchAll(/~(\w+)/g)].map(([, nickname]) => nickname).join(' > ');
  }
}

/** A C tor client. */
export class TorClient extends ControlledClient {
  readonly #tor: Tor;

  private constructor(tor: Tor, socks: string, control: TorControl) {
    super(socks, control);
    this.#tor = tor;
  }

  /** A client of the network that these authorities make, once it is bootstrapped to 100 %. */
  static async start(dir: string, authorities: readonly string[]): Promise<TorClient> {
    const socks = `127.0.0.1:${await freePort()}`;
    const lines = [
      'TestingTorNetwork 1',
      'ProtocolWarnings 1',
      `SocksPort ${socks}`,
      ...authorityLines(authorities),
    ];
    const tor = await Tor.start({ dir, name: 'tor-client', lines, ready: /Bootstrapped 100%/ });
    const control = await tor.control();
    await ControlledClient.listen(control);
    return new TorClient(tor, socks, control);
  }

  get warnings(): string[] {
    return this.#tor.warnings;
  }

  stop(): Promise<void> {
    this.control.close();
    return this.#tor.stop();
  }
}

/** When authorities vote, in seconds; both kinds read these lines. */
export function scheduleLines(interval: number, delay: number, firstInterval = interval): string[] {
  return [
    `V3AuthVotingInterval ${interval}`,
    `V3AuthVoteDelay ${delay}`,
    `V3AuthDistDelay ${delay}`,
    `TestingV3AuthInitialVotingInterval ${firstInterval}`,
    `TestingV3AuthInitialVoteDelay ${delay}`,
    `TestingV3AuthInitialDistDelay ${delay}`,
  ];
}

/** A directory authority of C tor: what its DirAuthority line says, and the lines of its torrc. */
export async function torAuthorityLines(
  dir: string,
  { name = 'torauth', schedule = scheduleLines(20, 2, 5) } = {},
): Promise<{ readonly trusted: string; readonly lines: readonly string[] }> {
  const keys = join(dir, 'keys');
  mkdirSync(keys, { recursive: true, mode: 0o700 });
  const [orPort, dirPort] = [await freePort(), await freePort()];
  if (!existsSync(join(keys, 'authority_certificate')))
    execFileSync(
      'tor-gencert',
      ['--create-identity-key', '--passphrase-fd', '0', '-m', '1', '-a', `127.0.0.1:${dirPort}`],
      { cwd: keys, input: 'none\n', stdio: ['pipe', 'ignore', 'ignore'] },
    );
  const certificate = readFileSync(join(keys, 'authority_certificate'), 'utf8');
  const v3ident = /^fingerprint ([0-9A-F]{40})$/m.exec(certificate)?.[1] ?? '';
  const listed = execFileSync(
    findTor(),
    ['--list-fingerprint', '--quiet', '--DataDirectory', dir, '--ORPort', '1', '--Nickname', name],
    { encoding: 'utf8' },
  );
  const fingerprint = / ((?:[0-9A-F]{4} ?){10})/.exec(listed)?.[1].replaceAll(' ', '') ?? '';
  const trusted = `${name} orport=${orPort} no-v2 v3ident=${v3ident} 127.0.0.1:${dirPort} ${fingerprint}`;
  const lines = [
    'TestingTorNetwork 1',
    `Nickname ${name}`,
    'Address 127.0.0.1',
    `ORPort 127.0.0.1:${orPort}`,
    `DirPort 127.0.0.1:${dirPort}`,
    'SocksPort 0',
    'ContactInfo none',
    'AssumeReachable 1',
    'AuthoritativeDirectory 1',
    'V3AuthoritativeDirectory 1',
    'ExitRelay 0',
    ...schedule,
    'TestingAuthDirTimeToLearnReachability 0',
    'TestingDirAuthVoteGuard *',
    'TestingDirAuthVoteExit *',
    `DirAuthority ${trusted}`,
  ];
  return { trusted, lines };
}

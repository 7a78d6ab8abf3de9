import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Endpoint } from '../../src/ports.ts';
import { splitAddress } from '../network-ports.ts';
import { type NodeProcess, startNode } from '../node-process.ts';

const pageBytes = 4_096;
const readyMsMax = 60_000;
/** Another than the relay's: no exit connects to its own address. */
const echoHost = '127.0.0.2';

/** A relay in a process of its own, and an echo behind its exit. */
export class LiveRelay {
  readonly orPort: Endpoint;
  readonly echo: Endpoint;
  readonly #node: NodeProcess;
  readonly #server: Server;
  readonly #folder: string;
  #ended: string | undefined;

  private constructor(node: NodeProcess, server: Server, folder: string) {
    const [host, port] = splitAddress((JSON.parse(node.readyLine) as { or: string }).or);
    this.orPort = { host, port };
    this.echo = { host: echoHost, port: (server.address() as AddressInfo).port };
    this.#node = node;
    this.#server = server;
    this.#folder = folder;
    void node.ended.then(({ code, signal }) => {
      this.#ended = String(signal ?? code);
    });
  }

  static async start(): Promise<LiveRelay> {
    const folder = mkdtempSync(join(tmpdir(), 'naulon-fuzz-relay-'));
    const server = createServer(socket => socket.on('error', () => {}).pipe(socket));
    await new Promise<void>(listens => server.listen(0, echoHost, listens));
    const { port } = server.address() as AddressInfo;
    const torrc = join(folder, 'torrc');
    writeFileSync(torrc, torrcFor(folder, port));
    const pay = join(folder, 'pay.yaml');
    writeFileSync(pay, 'link_protocols: 3-5\n');
    const node = await startNode({
      name: 'fuzzed',
      args: ['relay', '-f', torrc, '--pay', pay],
      log: join(folder, 'log'),
      readyLine: /"event":"ready"/,
      readyMsMax,
    });
    return new LiveRelay(node, server, folder);
  }

  /** How its process ended; undefined while it lives. */
  get ended(): string | undefined {
    return this.#ended;
  }

  /** What it has resident. */
  get residentBytes(): number {
    const pages = readFileSync(`/proc/${this.#node.identity.pid}/statm`, 'latin1').split(' ')[1];
    return Number(pages) * pageBytes;
  }

  /** What it has printed. */
  get log(): string {
    return readFileSync(join(this.#folder, 'log'), 'utf8');
  }

  async stop(): Promise<void> {
    await this.#node.stop();
    this.#server.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** A free exit to one port, which tells nobody of itself: its authority is not there. */
function torrcFor(folder: string, echoPort: number): string {
  return `Nickname fuzzed
Address 127.0.0.1
ORPort 127.0.0.1:auto
DataDirectory ${join(folder, 'data')}
TestingTorNetwork 1
DirAuthority nobody orport=1 v3ident=${'11'.repeat(20)} 127.0.0.1:1 ${'22'.repeat(20)}
PublishServerDescriptor 0
ExitRelay 1
ExitPolicyRejectPrivate 0
ExitPolicy accept ${echoHost}:${echoPort},reject *:*
Log warn stderr
`;
}

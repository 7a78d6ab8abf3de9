import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Listr, ListrLogger, ProcessOutput } from 'listr2';
import type { CircuitReport, HopReport } from '../client/circuit-report.ts';
import { connectThrough } from '../client/socks-connect.ts';
import { regtestRpc } from '../regtest/bitcoind-rpc.ts';
import { assert } from '../src/base/assert.ts';
import { OperatorError } from '../src/base/fault.ts';
import type { BrokeredScheme } from '../src/payment/brokered.ts';
import { auditBroker, type BrokerAudit, toldBooks } from './broker-commands.ts';
import { type ClientControl, controlOf } from './client-control.ts';
import {
  accountLines,
  disagreements,
  type HopAccount,
  type RelayAccount,
  relayAccount,
} from './demo-accounts.ts';
import {
  type BrokeredAccount,
  brokeredAccounts,
  brokeredDisagreements,
  brokeredLines,
} from './demo-brokered.ts';
import { type Downloaded, download } from './download.ts';
import type { GlobalOptions } from './global-options.ts';
import { interruption } from './interruption.ts';
import { labUrl } from './lab-server.ts';
import { type NetPlan, paidBy, planOf, relaysOf, schemeOf } from './net-file.ts';
import { splitAddress } from './network-ports.ts';
import { type SeededFile, seededSha256 } from './seeded-bytes.ts';
import { type Network, NetworkStart } from './spawn-network.ts';
import { colour, counted, grouped, megabytes, type Terminal } from './terminal.ts';

export interface DemoOptions extends GlobalOptions {
  readonly size: number;
  readonly window: number | 'auto';
  readonly scheme?: string;
  readonly variant?: string;
  readonly bitcoind?: string;
}

const waitMsMax = 30_000;

/** A step as its work sees it: a title that ends up saying what came of it, and lines that tell of the way there. */
interface Step {
  title: string;
  output: string;
}

/** The main job, start to end, on real processes and a real bitcoind: pay three hops, stream, settle, stop. */
export async function demo(options: DemoOptions, terminal: Terminal): Promise<number> {
  const start = performance.now();
  const plan = planOfDemo(options);
  const scheme = await schemeOf(plan.pay);
  if (scheme?.brokerless !== undefined) {
    const what = `${scheme.name} has no broker, whose books the demo would show; try: naulon up --scheme ${plan.pay.scheme}`;
    throw new OperatorError('USAGE', `--scheme: ${what}`, 2);
  }
  const stopping = interruption();
  const dir = await mkdtemp(join(tmpdir(), 'naulon-demo-'));
  const run = new DemoRun(options, plan, scheme?.brokered, terminal, dir, stopping.signal);
  try {
    await listOf(run, terminal).run();
    return run.report((performance.now() - start) / 1_000);
  } catch (error) {
    if (stopping.signal.aborted) return 130;
    throw error;
  } finally {
    terminal.say('stopping');
    await run.stop();
    await rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    stopping.done();
  }
}

function planOfDemo({ window, scheme, variant }: DemoOptions): NetPlan {
  const plan = planOf(3);
  return paidBy({ ...plan, pay: { ...plan.pay, window } }, scheme, variant);
}

/** The steps in order: redrawn in place on a screen, plain lines when piped, nothing with --json or -q. */
function listOf(run: DemoRun, terminal: Terminal): Listr {
  const step = (title: string, work: (step: Step) => Promise<void>, keepOutput = false) => ({
    title,
    task: (_: unknown, wrapper: Step) => work(wrapper),
    rendererOptions: keepOutput ? { persistentOutput: true, outputBar: Number.POSITIVE_INFINITY } : {},
  });
  const processOutput = new ProcessOutput(process.stderr, process.stderr);
  const renderer = terminal.json || terminal.quiet ? 'silent' : terminal.live ? 'default' : 'simple';
  return new Listr(
    [
      step('bitcoind', each => run.startChain(each), true),
      step('network', each => run.startNodes(each)),
      step('wallet', each => run.fundWallet(each)),
      step('channels', each => run.openChannels(each)),
      step('stream', each => run.stream(each)),
      step('settled', each => run.settle(each)),
    ],
    {
      concurrent: false,
      // Ctrl-C is ours: everything that was started is stopped in order.
      registerSignalListeners: false,
      renderer,
      rendererOptions: { logger: new ListrLogger({ processOutput }), collapseErrors: false },
    } as never,
  );
}

/** What the steps hand on, and what must be stopped whichever of them was the last. */
class DemoRun {
  readonly #terminal: Terminal;
  readonly #start: NetworkStart;
  readonly #signal: AbortSignal;
  /** The network of the demo, started to stay. */
  readonly #nextUp: string;
  readonly #file: SeededFile;
  readonly #sha256: Promise<string>;
  #say: (line: string) => void = () => {};
  /** How bitcoind is looked for. */
  #sayWay: (line: string) => void = () => {};
  #network: Network | undefined;
  #control: ClientControl | undefined;
  #circuit: CircuitReport | undefined;
  #downloaded: Downloaded | undefined;
  #accounts: readonly RelayAccount[] = [];
  /** Set where a broker stands behind the payments. */
  readonly #brokered: BrokeredScheme | undefined;
  #earned: readonly BrokeredAccount[] = [];
  #audit: BrokerAudit | undefined;

  constructor(
    options: DemoOptions,
    plan: NetPlan,
    brokered: BrokeredScheme | undefined,
    terminal: Terminal,
    dir: string,
    signal: AbortSignal,
  ) {
    this.#terminal = terminal;
    this.#signal = signal;
    this.#file = { seed: 'demo', bytes: options.size };
    this.#sha256 = seededSha256(this.#file);
    this.#brokered = brokered;
    this.#nextUp = [
      './naulon up -d',
      ...(options.scheme === undefined ? [] : ['--scheme', options.scheme]),
    ].join(' ');
    this.#start = new NetworkStart({
      dir,
      plan,
      bitcoind: options.bitcoind,
      exitTo: [],
      onStep: ({ step, way, text }) => this.#sayWay(`${step}/6 ${way}: ${text}`),
      say: line => this.#say(line),
      signal,
      removeWhenOrphaned: dir,
    });
  }

  async startChain(step: Step): Promise<void> {
    this.#sayWay = line => {
      step.output = line;
    };
    this.#say = line => {
      step.title = line;
    };
    await this.#start.chain();
  }

  async startNodes(step: Step): Promise<void> {
    this.#say = line => {
      step.output = line;
    };
    await this.#start.nodes();
    this.#network = this.#start.network();
    const relays = this.#network.state.nodes.filter(({ role }) => role === 'relay').length;
    step.title = `network    1 authority, ${relays} relays, 1 client, each its own process; consensus valid`;
  }

  async fundWallet(step: Step): Promise<void> {
    this.#network = this.#start.network();
    this.#control = await controlOf(this.#network.state.control);
    if (this.#brokered) {
      step.title = `account    ${grouped(await this.#start.fundAccounts())} sat paid to the broker, confirmed`;
      return;
    }
    const { sat, coins } = await this.#start.fund(this.#control);
    step.title = `wallet     ${grouped(sat)} sat in ${coins} coins`;
  }

  async openChannels(step: Step): Promise<void> {
    const { control } = this.#running();
    const path = relaysOf(planOf(3)).map(({ nickname }) => nickname);
    this.#circuit = await control.openCircuit(path, 'demo');
    const what = this.#brokered ? 'paid       hops' : 'channels  ';
    step.title = `${what} ${this.#circuit.hops.length} opened over ${path.join(' > ')}`;
  }

  async stream(step: Step): Promise<void> {
    const { network, control } = this.#running();
    const [host, port] = splitAddress(network.state.lab);
    const ticket = { socks: network.state.socks, user: 'demo', password: 'demo' };
    const socket = await connectThrough(ticket, host, port);
    const start = performance.now();
    let bytes = 0;
    let hops = this.#circuit?.hops ?? [];
    const draw = () => {
      step.output = progressLine(bytes, performance.now() - start, hops);
    };
    const ask = setInterval(
      () => {
        draw();
        void control.circuit(this.#circuit?.id ?? 0).then(
          circuit => {
            hops = circuit.hops;
          },
          () => {},
        );
      },
      this.#terminal.live ? 200 : 1_000,
    );
    try {
      const url = labUrl(network.state.lab, this.#file);
      this.#downloaded = await download(
        socket,
        url,
        now => {
          bytes = now;
        },
        this.#signal,
      );
      draw();
    } finally {
      clearInterval(ask);
    }
    const right = this.#downloaded.sha256 === (await this.#sha256);
    const rate = megabytes((this.#downloaded.bytes * 1_000) / this.#downloaded.milliseconds);
    const verdict = right ? 'sha256 matches' : 'SHA-256 IS WRONG';
    step.title = `stream     ${megabytes(bytes)} over ${hops.map(hop => hop.relay).join(' > ')}, ${rate}/s, ${verdict}`;
  }

  async settle(step: Step): Promise<void> {
    const { network, control } = this.#running();
    const circuit = await control.closeCircuit(this.#circuit?.id ?? 0);
    if (this.#brokered) {
      await this.#redeem(step, circuit);
      return;
    }
    const rpc = regtestRpc(network.chain.rpcUrl, network.chain.cookieFile);
    const hops = circuit.hops.flatMap(hopAccount);
    await this.#until(async () => {
      const found = await Promise.all(hops.map(hop => relayAccount(rpc, hop)));
      this.#accounts = found.filter(account => account !== undefined);
      step.output = `${this.#accounts.length} of ${hops.length} contracts spent`;
      return found.every(account => account !== undefined && account.settlement.confirmations > 0);
    }, 'all contracts are settled');
    step.title = `settled    ${hops.length} settlement transactions mined`;
  }

  /** Relays hand in at the broker what they were paid with; its books are held against the chain. */
  async #redeem(step: Step, { hops }: CircuitReport): Promise<void> {
    const { network } = this.#running();
    await this.#until(async () => {
      this.#earned = await brokeredAccounts(network.state, hops);
      const equal = hops.length - brokeredDisagreements(this.#earned).length;
      step.output = `${equal} of ${hops.length} relays have redeemed all`;
      return equal === hops.length;
    }, 'all relays have redeemed what they were paid with').catch(error => {
      if (!(error instanceof OperatorError)) throw error;
    });
    const broker = network.state.nodes.find(({ role }) => role === 'broker');
    const rpc = regtestRpc(network.chain.rpcUrl, network.chain.cookieFile);
    const place = { dataDirectory: broker?.dataDir ?? '', store: undefined };
    this.#audit = await auditBroker(place, rpc, this.#brokered && [this.#brokered]);
    step.title = `redeemed   by ${hops.length} relays at the broker, its books held against bitcoind`;
  }

  /** Prints the table; the exit code says whether hash and sums are right. */
  async report(seconds: number): Promise<number> {
    const audit = this.#audit;
    const wrong =
      audit === undefined
        ? disagreements(this.#accounts)
        : [...brokeredDisagreements(this.#earned), ...audit.problems];
    const sha256 = await this.#sha256;
    const hashRight = this.#downloaded?.sha256 === sha256;
    if (!hashRight) wrong.unshift(`the stream's SHA-256 is ${this.#downloaded?.sha256}, not ${sha256}`);
    this.#terminal.object({
      ok: wrong.length === 0,
      seconds,
      stream: this.#downloaded,
      relays: audit === undefined ? this.#accounts : this.#earned,
      ...(audit && { books: toldBooks(audit) }),
      wrong,
    });
    this.#terminal.print('');
    const lines =
      audit === undefined
        ? accountLines(this.#accounts)
        : brokeredLines(this.#earned, audit.ledger, audit.outstandingMsat);
    for (const line of lines) this.#terminal.print(line);
    this.#terminal.print('');
    for (const line of wrong) this.#terminal.print(colour.red(line));
    if (wrong.length === 0)
      this.#terminal.print(
        this.#brokered
          ? "What the client paid is what the broker has in each relay's account, and bitcoind backs all of it."
          : "What the client paid is what bitcoind's chain says each relay earned.",
      );
    this.#terminal.print(`${seconds.toFixed(1)} s in all. Next: ${this.#nextUp}, then ./naulon get URL`);
    return wrong.length === 0 ? 0 : 1;
  }

  async stop(): Promise<void> {
    this.#control?.close();
    await this.#start.stop();
  }

  #running(): { network: Network; control: ClientControl } {
    assert(this.#network !== undefined && this.#control !== undefined, 'the steps before have started both');
    return { network: this.#network, control: this.#control };
  }

  async #until(holds: () => Promise<boolean>, what: string): Promise<void> {
    for (const deadline = performance.now() + waitMsMax; !(await holds()); await pause(100)) {
      this.#signal.throwIfAborted();
      if (performance.now() > deadline)
        throw new OperatorError('DEMO_TIMEOUT', `waited ${waitMsMax / 1_000} s and still not: ${what}`, 4);
    }
  }
}

function hopAccount(hop: HopReport): HopAccount[] {
  const { relay, cells, payments, paidMsat, contract } = hop;
  const price = `${grouped((hop.priceMsat * 2n) / 1_000n)} sat/GiB`;
  return contract === undefined ? [] : [{ relay, price, cells, payments, paidMsat, contract }];
}

/** bytes, rate, and per hop what is left and how often it was paid. */
function progressLine(bytes: number, ms: number, hops: readonly HopReport[]): string {
  const rate = ms > 0 ? megabytes((bytes * 1_000) / ms) : '-';
  const perHop = hops.map(
    hop => `${hop.relay} ${counted(hop.balance, 'cell')}, ${counted(hop.payments, 'payment')}`,
  );
  return [`${megabytes(bytes)}  ${rate}/s`, ...perHop].join('  |  ');
}

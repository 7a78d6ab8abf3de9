import { BrokenInvariant } from '../src/base/assert.ts';
import { toHex } from '../src/base/bytes.ts';
import { isInternalIp } from '../src/base/ip.ts';
import type { PayConfig } from '../src/config/pay-config.ts';
import { wrongAnswers } from '../src/crypto/known-answers.ts';
import { BitcoindChain } from '../src/node-io/bitcoind-chain.ts';
import { openDataDirectory } from '../src/node-io/data-directory.ts';
import { endAtOnce } from '../src/node-io/end-at-once.ts';
import { FileStore } from '../src/node-io/file-store.ts';
import { type JsonLog, openJsonLog, scrubbed } from '../src/node-io/json-log.ts';
import { noChain } from '../src/node-io/no-chain.ts';
import { noParties } from '../src/node-io/no-parties.ts';
import { openPartySide, type PartySide } from '../src/node-io/party-side.ts';
import { chosenSchemes } from '../src/node-io/scheme-module.ts';
import { listening } from '../src/node-io/server-socket.ts';
import { SystemClock } from '../src/node-io/system-clock.ts';
import { SystemEntropy } from '../src/node-io/system-entropy.ts';
import { TcpStreams } from '../src/node-io/tcp-streams.ts';
import { TlsLinks } from '../src/node-io/tls-links.ts';
import type { PaymentScheme } from '../src/payment/scheme.ts';
import type {
  Answer,
  AnswerHandler,
  AskId,
  ChainEvent,
  Endpoint,
  Observer,
  PartyPort,
  RequestHandler,
  RequestId,
  StorePort,
} from '../src/ports.ts';
import {
  type BitcoinChannelScheme,
  bitcoinChannel,
  channelVariant,
} from '../src/schemes/bitcoin-channel/index.ts';
import { type ChosenScheme, makeChosen, requirePay } from '../src/schemes/brokered.ts';
import { memoryCredit } from '../src/schemes/memory-credit/index.ts';
import { ChannelCare } from './channel-care.ts';
import { ChannelCircuits } from './channel-circuits.ts';
import { ChannelMoney } from './channel-money.ts';
import { ClientCore, type ClientHooks } from './client-core.ts';
import type { ClientConfig } from './config.ts';
import { ControlService } from './control-service.ts';
import { type RunningController, startController } from './start-controller.ts';

/** A client that serves. */
export interface RunningClient {
  readonly core: ClientCore;
  /** HOST:PORT of each SOCKS listener. */
  readonly socks: readonly string[];
  /** Path of the control socket. */
  readonly control: string;
  /** Where the Tor control protocol is spoken: HOST:PORT or `unix:PATH`. */
  readonly controllers: readonly string[];
  /** Where other parties of its payments ask it, if any do. */
  readonly party: Endpoint | undefined;
  /** Resolves when a controller wants the client to end. */
  readonly stopAsked: Promise<void>;
  /** Resolves once a circuit was built through the network. */
  readonly ready: Promise<void>;
  /** What it has counted so far. */
  counters(): Readonly<Record<string, number>>;
  /** Closes circuits and channels in order, writes out what is under way, frees ports and the data directory. */
  stop(): Promise<void>;
}

/** What a client stands on: its records, its money, its log. A client of its own has it for itself. */
export interface ClientGround {
  readonly log: JsonLog;
  readonly store: StorePort;
  readonly parties: PartyPort;
  readonly party: Endpoint | undefined;
  readonly schemes: readonly PaymentScheme[];
  readonly channels?: BitcoinChannelScheme | undefined;
  /** Of a core that hears of the same answers; absent: no other does. */
  readonly newAsk?: () => AskId;
  /** From now on `client` hears what store and parties answer, and what other parties ask. */
  attach(client: AnswerHandler & RequestHandler): void;
  /** The client needs it no more. */
  close(): Promise<void>;
}

/**
 * Wires a client's core to sockets, disk and chain. Throws OperatorError for what a person can mend.
 * @param version told by the control socket.
 * @param ground that of another program, in whose process it runs; its own when absent.
 */
export async function startClient(
  config: ClientConfig,
  version: string,
  ground?: ClientGround,
): Promise<RunningClient> {
  const wrong = wrongAnswers();
  if (wrong.length > 0) throw new BrokenInvariant(`known answers differ: ${wrong.join(', ')}`);
  const wired = new WiredClient(config, ground ?? (await ownGround(config)));
  try {
    await wired.listen(version);
  } catch (error) {
    await wired.stopPorts();
    throw error;
  }
  wired.start();
  return wired;
}

/** The core with its ports and services, and who tells whom. */
class WiredClient implements RunningClient, AnswerHandler, RequestHandler {
  readonly core: ClientCore;
  readonly socks: string[] = [];
  readonly control: string;
  readonly ready: Promise<void>;
  readonly stopAsked: Promise<void>;
  readonly #config: ClientConfig;
  readonly #ground: ClientGround;
  readonly #log: JsonLog;
  readonly #clock = new SystemClock();
  readonly #links = new TlsLinks();
  readonly #streams = new TcpStreams();
  readonly #chain: BitcoindChain | undefined;
  readonly #channelCircuits: ChannelCircuits;
  readonly #money: ChannelMoney | undefined;
  readonly #care: ChannelCare | undefined;
  #service: ControlService | undefined;
  #controller: RunningController | undefined;
  #tellReady = (): void => {};
  #askToStop = (): void => {};

  constructor(config: ClientConfig, ground: ClientGround) {
    this.#config = config;
    this.#ground = ground;
    this.control = config.control;
    this.#log = ground.log;
    ground.attach(this);
    const { chain } = config.pay;
    const observer = this.#observer();
    if (chain !== undefined) {
      this.#chain = new BitcoindChain({ url: chain.rpc, cookieFile: chain.cookie, observer });
    }
    this.ready = new Promise(resolve => {
      this.#tellReady = resolve;
    });
    this.stopAsked = new Promise(resolve => {
      this.#askToStop = resolve;
    });
    const ports = {
      links: this.#links,
      streams: this.#streams,
      clock: this.#clock,
      entropy: new SystemEntropy(),
      store: ground.store,
      chain: this.#chain ?? noChain,
      parties: ground.parties,
      observer,
      newAsk: ground.newAsk,
    };
    // A module's scheme goes by its own name from here on.
    const payment = { ...config.settings.payment, schemes: ground.schemes.map(({ name }) => name) };
    this.core = new ClientCore({ ...config.settings, payment }, ports, ground.schemes, this.#hooks());
    this.#channelCircuits = new ChannelCircuits(this.core);
    this.#money = ground.channels && this.#moneyOf(ground.channels);
    this.#care = this.#money && new ChannelCare(this.#money, this.#clock, observer);
    this.#links.attach(this.core.linkHandler);
    this.#streams.attach(this.core);
  }

  /** Opens the listeners. */
  async listen(version: string): Promise<void> {
    for (const [at, endpoint] of this.#config.socks.entries())
      this.socks.push(await listenAt(this.#streams, endpoint, `socks ${at}`));
    const ports = { streams: this.#streams, clock: this.#clock, observer: this.#log };
    const facts = { version, socks: this.socks[0] ?? '' };
    this.#service = new ControlService(this.core, this.#money, ports, facts);
    this.core.addService('control', this.#service);
    await this.#streams.listenAtPath(this.control, 'control');
    this.#controller = await startController({
      ...ports,
      config: this.#config,
      core: this.core,
      money: this.#money,
      socks: this.socks,
      version,
      stop: () => this.#askToStop(),
    });
  }

  get party(): Endpoint | undefined {
    return this.#ground.party;
  }

  get controllers(): readonly string[] {
    return this.#controller?.listeners ?? [];
  }

  start(): void {
    this.#chain?.attach(this);
    this.core.start();
    this.#care?.start();
    for (const option of this.#config.unused) this.#log.log('warn', 'option without effect', { option });
  }

  counters(): Readonly<Record<string, number>> {
    return this.#log.counters();
  }

  async stop(): Promise<void> {
    this.#care?.stop();
    await new Promise<void>(done => this.core.stop(done));
    this.#controller?.service.stop();
    await this.stopPorts();
  }

  async stopPorts(): Promise<void> {
    await Promise.all([this.#links.stop(), this.#streams.stop(), this.#chain?.stop()]);
    this.#clock.stop();
    await this.#ground.close();
  }

  onAnswer(answer: Answer): void {
    this.core.onAnswer(answer);
  }

  onRequest(request: RequestId, scheme: number, bytes: Uint8Array): void {
    this.core.onRequest(request, scheme, bytes);
  }

  onChain(event: ChainEvent): void {
    this.core.onChain(event);
  }

  /** The log; controllers may listen to it. */
  #observer(): Observer {
    return {
      log: (level, event, fields) => {
        this.#log.log(level, event, fields);
        this.#controller?.service.onLog(level, event, fields && scrubbed(fields));
      },
      count: (counter, by) => this.#log.count(counter, by),
    };
  }

  #hooks(): ClientHooks {
    return {
      onReady: () => this.#tellReady(),
      onCircuitOpen: circuit => {
        this.#service?.onCircuitOpen(circuit);
        this.#channelCircuits.onCircuitOpen(circuit);
      },
      onCircuitPaid: circuit => this.#service?.onCircuitPaid(circuit),
      onCircuitEnded: (circuit, fault) => {
        this.#service?.onCircuitEnded(circuit, fault);
        this.#channelCircuits.onCircuitEnded(circuit, fault);
      },
    };
  }

  #moneyOf(channels: BitcoinChannelScheme): ChannelMoney {
    const money = new ChannelMoney(channels.desk, {
      commit: (writes, stored) => this.core.payments.commit(writes, stored),
      circuits: this.#channelCircuits,
      nicknameOf: peer =>
        this.core.planner.view?.relays.find(relay => toHex(relay.ed25519) === peer)?.nickname,
    });
    this.core.payments.contractOf = session => money.contractOf(session);
    return money;
  }
}

/** The ground of a client that is alone in its process. */
async function ownGround(config: ClientConfig): Promise<ClientGround> {
  const chosen = await chosenSchemes(config.settings.payment.schemes);
  requirePay(chosen, config.pay);
  const directory = openDataDirectory(config.dataDirectory);
  const hasBroker = chosen.some(({ brokered }) => brokered !== undefined);
  const isForbidden = config.settings.internal.asked ? () => false : isInternalIp;
  const { party: at, broker } = config.pay;
  const options = { at, broker: broker?.address, isForbidden };
  const side = hasBroker ? await openPartySide(directory, new SystemEntropy(), options) : undefined;
  const { all: schemes, channels } = schemesOf(config.pay, chosen, side);
  const log = openJsonLog({ name: 'client', ...config.log });
  const store = new FileStore({ directory, onBroken: endAtOnce });
  return {
    log,
    store,
    parties: side?.parties ?? noParties,
    party: side?.self,
    schemes,
    channels,
    attach(client) {
      store.attach(client);
      side?.parties.attach(client);
    },
    async close() {
      await side?.parties.stop();
      await store.close();
      log.close();
    },
  };
}

/** The schemes that pay.yaml names, each for this client. */
function schemesOf(
  pay: PayConfig,
  chosen: readonly ChosenScheme[],
  side: PartySide | undefined,
): { all: readonly PaymentScheme[]; channels: BitcoinChannelScheme | undefined } {
  let channels: BitcoinChannelScheme | undefined;
  const all = chosen.map((each): PaymentScheme => {
    switch (each.name) {
      case 'bitcoin-channel': {
        const rules = pay.refund_blocks === undefined ? {} : { refundBlocks: pay.refund_blocks };
        const variant = channelVariant(pay.variant);
        const { fee_reserve: feeReserveSat } = pay;
        channels = bitcoinChannel({ network: 'regtest', variant, rules, feeReserveSat });
        return channels;
      }
      case 'memory-credit':
        return memoryCredit({ purseMsat: 2n ** 50n, limitMsat: 0n });
      default:
        return makeChosen(each, side, pay);
    }
  });
  return { all, channels };
}

async function listenAt(streams: TcpStreams, at: Endpoint, listener: string): Promise<string> {
  const { host, port } = await listening('SocksPort', at, streams.listen(at, listener));
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

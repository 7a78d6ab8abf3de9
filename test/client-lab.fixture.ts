import { ClientCore } from '../client/client-core.ts';
import {
  type ClientSettings,
  defaultClientSettings,
  defaultPoolSettings,
} from '../client/client-settings.ts';
import { ControlService } from '../client/control-service.ts';
import { type ExitPolicy, makeExitPolicy } from '../relay/exit-policy.ts';
import { Machine } from '../scripts/sim/machine-room.ts';
import { PaidNetwork, type PaidNetworkOptions } from '../scripts/sim/paid-network.ts';
import type { PaymentScheme } from '../src/payment/scheme.ts';
import { memoryCredit } from '../src/schemes/memory-credit/index.ts';
import type { SimHost } from '../src/sim/sim-host.ts';
import type { LoggedLine } from '../src/sim/sim-node.ts';
import { SimStore } from '../src/sim/sim-store.ts';
import type { World } from '../src/sim/world.ts';
import { Destination, type Talk, Talker } from './talker.fixture.ts';

const clientAddress = '80.9.9.9';
const socksPort = 9_050;
export const otherSocksPort = 9_150;
const controlPort = 9_051;

/** How a lab differs from six free relays, two of them exits, and a client with its defaults. */
export interface ClientLabOptions extends Partial<PaidNetworkOptions> {
  readonly pool?: Partial<ClientSettings['pool']>;
  readonly payment?: Partial<ClientSettings['payment']>;
  /** What the client pays by. */
  readonly scheme?: PaymentScheme;
  readonly guards?: number;
  readonly distinctSubnets?: boolean;
  readonly internal?: ClientSettings['internal'];
  /** The relay that the client shares its process with, as far as paths go by it. */
  readonly ownRelay?: ClientSettings['ownRelay'];
}

/**
 * One client in a simulated network, and the programs that talk to its SOCKS port and its control socket. The relays,
 * their payments and the client are the real cores.
 */
export class ClientLab {
  readonly network: PaidNetwork;
  readonly programs: SimHost;
  /** Log lines of the client. */
  readonly log: LoggedLine[] = [];
  /** All lives of the client together. */
  core: ClientCore;
  readonly #options: ClientLabOptions;
  readonly #talker: Talker;
  #machine: Machine;
  #command: Talk | undefined;
  #calls = 0;

  constructor(options: ClientLabOptions = {}) {
    this.#options = options;
    this.network = new PaidNetwork({
      seed: 'client lab',
      relays: 6,
      exits: 2,
      clients: 0,
      priceMsatPer2Pow20: 0n,
      schemeFor: () => credit(),
      ...options,
    });
    this.programs = this.network.network.host('programs', { ip: '81.2.2.2' });
    this.#talker = new Talker(this.programs);
    const host = this.network.network.host('client', { ip: clientAddress });
    host.node.onLog = line => this.log.push(line);
    this.#machine = new Machine(host, this.network.chain, this.network.parties, new SimStore(host.node), 0);
    this.core = this.#start();
  }

  get world(): World {
    return this.network.world;
  }

  get machine(): Machine {
    return this.#machine;
  }

  /** Runs until the client has built a circuit. */
  bootstrap(): this {
    this.until(() => this.core.ready, 'the client is ready');
    return this;
  }

  /** Lets things happen until `holds`; fails when virtual time runs out first. */
  until(holds: () => boolean, what: string, virtualMs = 600_000): void {
    const end = this.world.runUntil(holds, { virtualMs });
    if (end !== 'done') throw new Error(`${what}: not within ${virtualMs} ms (${end})`);
  }

  /** Does something to the client's core, as an event of its own. */
  turn<T>(run: (core: ClientCore) => T): T {
    return this.#machine.host.node.turn(() => run(this.core));
  }

  /** The client's process dies and starts again with what was durable. */
  restart(): void {
    this.#machine.crash();
    this.#machine = this.#machine.revive();
    this.core = this.#start();
    this.#command = undefined;
  }

  /** A program connects to the SOCKS port. */
  socks() {
    return this.connect(socksPort);
  }

  /** A command connects to the control socket. */
  control() {
    return this.connect(controlPort);
  }

  /** A program connects to a port of the client's machine. */
  connect(port: number) {
    return this.#talker.connect({ host: clientAddress, port });
  }

  /** Asks the control socket, over one connection for all: the result, or the error's code. */
  call(method: string, params: Readonly<Record<string, unknown>> = {}) {
    this.#command ??= this.control();
    const command = this.#command;
    this.#calls += 1;
    const id = this.#calls;
    command.send(`${JSON.stringify({ id, method, params })}\n`);
    let last: { readonly result?: unknown; readonly error?: { readonly code: string } } = {};
    this.until(() => {
      last = linesOf(command).findLast(line => line.id === id) ?? {};
      return last.result !== undefined || last.error !== undefined;
    }, `an answer to ${method}`);
    return last.error === undefined ? last.result : last.error.code;
  }

  /** Streams that are open now, by circuit. */
  streams(): ReadonlyMap<number, number> {
    const circuits = this.call('circuits') as readonly { readonly id: number; readonly streams: number }[];
    return new Map(circuits.filter(({ streams }) => streams > 0).map(({ id, streams }) => [id, streams]));
  }

  /** A server of the simulated internet. */
  destination(ip: string, port: number, name?: string): Destination {
    const host = this.network.network.host(`server ${ip}`, { ip });
    if (name !== undefined)
      this.network.network.name(name, [
        { kind: ip.includes(':') ? 'ipv6' : 'ipv4', value: ip, ttlSeconds: 60 },
      ]);
    return new Destination(host, port);
  }

  #start(): ClientCore {
    const { pool, payment, scheme = credit(), guards, distinctSubnets, internal, ownRelay } = this.#options;
    const { host, ports } = this.#machine;
    return host.node.turn(() => {
      const settings: ClientSettings = {
        ...defaultClientSettings,
        authorities: [this.network.authority.self],
        guards: guards ?? defaultClientSettings.guards,
        distinctSubnets: distinctSubnets ?? true,
        internal: internal ?? defaultClientSettings.internal,
        ownRelay,
        pool: { ...defaultPoolSettings, ...pool },
        payment: { ...defaultClientSettings.payment, schemes: [scheme.name], window: 512, ...payment },
      };
      const core: ClientCore = new ClientCore(settings, ports, [scheme], {
        onCircuitOpen: circuit => control.onCircuitOpen(circuit),
        onCircuitPaid: circuit => control.onCircuitPaid(circuit),
        onCircuitEnded: (circuit, fault) => control.onCircuitEnded(circuit, fault),
      });
      const { streams, clock, observer } = ports;
      const facts = { version: 'test', socks: `${clientAddress}:${socksPort}` };
      const control = new ControlService(core, undefined, { streams, clock, observer }, facts);
      core.addService('control', control);
      host.links.attach(core.linkHandler);
      host.streams.attach(core);
      this.#machine.attachAnswers(core);
      host.streams.listen(socksPort, 'socks 0');
      host.streams.listen(otherSocksPort, 'socks 1');
      host.streams.listen(controlPort, 'control');
      core.start();
      return core;
    });
  }
}

/** What a control connection was told, line by line. */
export function linesOf(command: Talk): Record<string, unknown>[] {
  const lines = command.text.split('\n').slice(0, -1);
  return lines.map(line => JSON.parse(line) as Record<string, unknown>);
}

/** A scheme whose payers own 10 million satoshi each. */
export function credit(): PaymentScheme {
  return memoryCredit({ purseMsat: 10_000_000_000n, limitMsat: 10_000_000_000n });
}

/** An exit's policy, as torrc lines state it; everything public when there are none. */
export function exitTo(...lines: readonly string[]): ExitPolicy {
  const made = makeExitPolicy({ exitRelay: true, lines, rejectPrivate: true, ipv6Exit: true, never: [] });
  if (!made.ok) throw new Error(made.fault.detail);
  return made.value;
}

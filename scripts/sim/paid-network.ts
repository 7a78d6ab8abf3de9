import { ClientCore } from '../../client/client-core.ts';
import {
  type ClientSettings,
  defaultClientSettings,
  type PaymentSettings,
} from '../../client/client-settings.ts';
import type { ManagedCircuit, ManagedFault } from '../../client/managed-circuit.ts';
import { AuthorityCore } from '../../dirauth/authority-core.ts';
import { withCertificate } from '../../dirauth/authority-keys.ts';
import type { AuthoritySettings } from '../../dirauth/authority-settings.ts';
import { type ExitPolicy, makeExitPolicy, noExit } from '../../relay/exit-policy.ts';
import { RelayCore } from '../../relay/relay-core.ts';
import { defaultRelaySettings, type RelaySettings } from '../../relay/relay-settings.ts';
import { assert } from '../../src/base/assert.ts';
import { toHex } from '../../src/base/bytes.ts';
import type { RelayCircuit } from '../../src/circuit/relay-circuit.ts';
import type { NodeKeys } from '../../src/crypto/node-keys.ts';
import { RsaKey } from '../../src/crypto/rsa.ts';
import type { DirectoryAuthority } from '../../src/directory/directory-authority.ts';
import { labFlagRules } from '../../src/directory/flag-rules.ts';
import { makeTlsCertificate } from '../../src/link/link-certificates.ts';
import type { CellBalance } from '../../src/payment/cell-balance.ts';
import type { PaymentScheme } from '../../src/payment/scheme.ts';
import type { Endpoint } from '../../src/ports.ts';
import { BulkServer } from '../../src/sim/bulk-server.ts';
import { FaultInjector, type Faults, noFaults } from '../../src/sim/faults.ts';
import { rsaFixture } from '../../src/sim/rsa-fixtures.ts';
import { SimChain } from '../../src/sim/sim-chain.ts';
import type { SimHost } from '../../src/sim/sim-host.ts';
import { SimNetwork } from '../../src/sim/sim-network.ts';
import type { LoggedLine } from '../../src/sim/sim-node.ts';
import { SimParties } from '../../src/sim/sim-parties.ts';
import { SimStore } from '../../src/sim/sim-store.ts';
import type { TraceLine } from '../../src/sim/trace-hash.ts';
import { World } from '../../src/sim/world.ts';
import { Audit, audited } from './audit.ts';
import { Machine, simNodeKeys } from './machine-room.ts';
import { type Download, SocksUsers } from './socks-users.ts';
import { verifyInput } from './verify-input.ts';
import { WireTap } from './wire-tap.ts';

/** A scheme for one node, made anew for each: they keep their state. */
export type SchemeFor = (role: 'payer' | 'payee', index: number) => PaymentScheme;

/** Told of what happens in a network as it happens; changes nothing. */
export interface NetworkWatch {
  /** A relay in a life that has just begun. */
  relayBegan(relay: SimRelay): void;
  /** A relay is dead, until it begins again. */
  relayDied(relay: number): void;
  /** A new circuit at a relay; `balance` is what it may still carry. */
  circuitBegan(relay: number, circuit: RelayCircuit, balance: CellBalance): void;
  clientBegan(client: SimClient): void;
  /** A client's circuit has all its hops; nobody has been paid yet. */
  circuitOpened(client: number, circuit: ManagedCircuit): void;
  circuitEnded(client: number, circuit: ManagedCircuit, fault: ManagedFault): void;
}

/** What a network is made of; with equal options two networks do the same to the last byte. */
export interface PaidNetworkOptions {
  readonly seed: string | number;
  readonly relays: number;
  /** Of the relays, how many are exits; the last ones. */
  readonly exits: number;
  readonly clients: number;
  readonly priceMsatPer2Pow20: bigint;
  readonly schemeFor: SchemeFor;
  /** Clients that have no money, by index. */
  readonly penniless?: ReadonlySet<number>;
  readonly linkProtocols?: readonly (3 | 4 | 5)[];
  readonly window?: number | 'auto';
  /** What the consensus sets otherwise than usual. */
  readonly consensusParams?: ReadonlyMap<string, number>;
  /** What a relay does otherwise than the rest, by index. */
  readonly relaySettings?: (index: number) => Partial<RelaySettings>;
  /** How clients pay otherwise than usual. */
  readonly paying?: Partial<PaymentSettings>;
  readonly faults?: Faults;
  readonly watch?: NetworkWatch;
  readonly trace?: TraceLine;
  readonly onLog?: (line: LoggedLine) => void;
}

/** A relay in its present life. */
export interface SimRelay {
  readonly index: number;
  readonly keys: NodeKeys;
  readonly machine: Machine;
  readonly core: RelayCore;
  readonly tap: WireTap;
}

/** A client in its present life. */
export interface SimClient {
  readonly index: number;
  readonly machine: Machine;
  readonly core: ClientCore;
  readonly socks: Endpoint;
}

const orPort = 9_001;
const dirPort = 9_030;
const socksPort = 9_050;
const authorityAddress = '9.9.9.9';
const webAddress = '93.184.216.34';
const usersAddress = '81.1.1.1';
/** Where the `index`th relay, which is paid, or client, which pays, is found. */
export function addressOf(role: 'payer' | 'payee', index: number): string {
  return role === 'payee' ? `${11 + index}.1.0.1` : `80.${index >> 8}.${index & 255}.7`;
}

/** A name of the simulated internet that a BulkServer stands behind. */
const bulkHost = 'bulk.example';
const bulkPort = 80;
/** A node whose disk has broken ends, and begins again after so long. */
const brokenDownMs = 500;

/** An authority, relays, clients, and programs that use them, in one process and in virtual time. */
export class PaidNetwork {
  readonly world: World;
  readonly network: SimNetwork;
  readonly chain: SimChain;
  readonly parties = new SimParties();
  readonly audit = new Audit();
  readonly authority: AuthorityCore;
  readonly relays: SimRelay[];
  readonly clients: SimClient[];
  readonly users: SocksUsers;
  readonly web: BulkServer;
  readonly faults: FaultInjector;
  readonly #options: PaidNetworkOptions;
  #down = new Set<SimHost>();

  constructor(options: PaidNetworkOptions) {
    const { seed, trace, faults = noFaults } = options;
    this.#options = options;
    this.world = new World(trace === undefined ? { seed } : { seed, trace });
    this.network = new SimNetwork(this.world, faults.network);
    this.chain = new SimChain({ verifyInput });
    this.web = this.#startWeb();
    this.users = new SocksUsers(this.network.host('users', { ip: usersAddress }));
    this.authority = this.#startAuthority();
    this.relays = Array.from({ length: options.relays }, (_, index) => this.#newRelay(index));
    this.clients = Array.from({ length: options.clients }, (_, index) => this.#newClient(index));
    this.faults = new FaultInjector(this.network, faults);
  }

  /** Runs until every client knows the network and has a circuit through it. */
  bootstrap(virtualMs = 600_000): void {
    const end = this.world.runUntil(() => this.clients.every(({ core }) => core.ready), { virtualMs });
    const ready = this.clients.filter(({ core }) => core.ready).length;
    assert(end === 'done', `all clients are ready: ${ready} of ${this.clients.length} (${end})`);
  }

  /** A program fetches `bytes` bytes through the client. */
  fetch({ socks }: SimClient, bytes: number): Download {
    return this.users.fetch(socks, bulkHost, bulkPort, bytes);
  }

  /** Each client fetches `bytes` bytes; runs until all downloads are over, whichever way. */
  transfer(bytes: number, clients: readonly SimClient[] = this.clients, virtualMs = 600_000): void {
    for (const client of clients) this.fetch(client, bytes);
    this.world.runUntil(() => this.users.finished === this.users.downloads.length, { virtualMs });
  }

  /** Clients close their circuits and channels, then what is under way comes to rest. */
  stopClients(virtualMs = 60_000): void {
    let open = this.clients.length;
    for (const { machine, core } of this.clients) {
      machine.host.node.turn(() =>
        core.stop(() => {
          open -= 1;
        }),
      );
    }
    const end = this.world.runUntil(() => open === 0, { virtualMs });
    assert(end === 'done', `all clients stop: ${open} have not`);
    this.world.runFor(5_000);
  }

  /** The relay dies at once and starts again, `downMs` later, with what was durable. */
  restartRelay(index: number, downMs = 0): void {
    const { keys, machine } = this.relays[index];
    if (!this.#down.has(machine.host)) this.#options.watch?.relayDied(index);
    this.restart(machine, downMs, next => {
      this.relays[index] = this.#startRelay(index, keys, next);
    });
  }

  /** The client dies at once and starts again, `downMs` later, with what was durable. */
  restartClient(index: number, downMs = 0): void {
    this.restart(this.clients[index].machine, downMs, next => {
      this.clients[index] = this.#startClient(index, next);
    });
  }

  /** True between the death of a node and its next life. */
  isDown({ machine }: { readonly machine: Machine }): boolean {
    return this.#down.has(machine.host);
  }

  /** The machine dies at once and begins its next life `downMs` later; one that is dead already just stays so. */
  restart(machine: Machine, downMs: number, begin: (next: Machine) => void): void {
    const { host } = machine;
    if (this.#down.has(host)) return;
    machine.crash();
    this.#down.add(host);
    const rise = () => {
      this.#down.delete(host);
      begin(machine.revive());
    };
    if (downMs === 0) rise();
    else this.world.after(Math.round(downMs * 1_000), rise);
  }

  /** A host of this network with a disk, a clock and a view of the chain, with the faults of all. */
  machine(name: string, ip: string): Machine {
    const { faults = noFaults, onLog } = this.#options;
    const draw = this.world.entropy.fork(`machine/${name}`);
    const { wallSkewMsMax } = faults;
    const skewMs = wallSkewMsMax === 0 ? 0 : draw.between(-wallSkewMsMax, wallSkewMsMax);
    const host = this.network.host(name, { ip });
    host.node.onLog = onLog;
    return new Machine(host, this.chain, this.parties, new SimStore(host.node, faults.store), skewMs);
  }

  /** An authority lives as long as its world: nothing breaks its disk. */
  #authorityMachine(): Machine {
    const machine = this.machine('authority', authorityAddress);
    machine.store.mend();
    return machine;
  }

  #startWeb(): BulkServer {
    const host = this.network.host('web', { ip: webAddress });
    const server = new BulkServer(host.streams);
    host.streams.attach(server);
    host.streams.listen(bulkPort, 'http');
    this.network.name(bulkHost, [{ kind: 'ipv4', value: webAddress, ttlSeconds: 3_600 }]);
    return server;
  }

  #startAuthority(): AuthorityCore {
    const machine = this.#authorityMachine();
    const { host, ports } = machine;
    return host.node.turn(() => {
      const node = simNodeKeys(ports.entropy, 0);
      const identity = new RsaKey(rsaFixture('authorityIdentity', 0));
      const signing = new RsaKey(rsaFixture('authoritySigning', 0));
      const keys = withCertificate(node, identity, signing, ports.clock.wallMs());
      const params = this.#options.consensusParams ?? new Map();
      const core = new AuthorityCore({ ...authoritySettings, params }, keys, ports);
      host.links.attach(core.links);
      host.streams.attach(core);
      machine.attachAnswers(core);
      host.links.listen(orPort, makeTlsCertificate(node, ports.clock.wallMs()));
      host.streams.listen(dirPort, 'dir');
      core.start();
      return core;
    });
  }

  #newRelay(index: number): SimRelay {
    const machine = this.machine(`relay${index}`, addressOf('payee', index));
    machine.store.onBroken = () => this.restartRelay(index, brokenDownMs);
    return this.#startRelay(index, simNodeKeys(machine.ports.entropy, index + 1), machine);
  }

  #startRelay(index: number, keys: NodeKeys, machine: Machine): SimRelay {
    const { relays, exits, priceMsatPer2Pow20, schemeFor, linkProtocols, relaySettings } = this.#options;
    const { host, ports } = machine;
    const settings: RelaySettings = {
      ...defaultRelaySettings,
      nickname: `relay${index}`,
      address: { host: host.ip, port: orPort },
      authorities: this.#trusted(),
      exitPolicy: index >= relays - exits ? anyExit() : noExit,
      priceMsatPer2Pow20,
      ...(linkProtocols === undefined ? {} : { linkProtocols }),
      ...relaySettings?.(index),
    };
    const tap = new WireTap(() => this.world.steps);
    host.links.tap = tap;
    const core = host.node.turn(() => {
      const scheme = audited(schemeFor('payee', index), this.audit);
      const made = new RelayCore(settings, keys, ports, [scheme]);
      made.onCircuit = (circuit, balance) => {
        const { previous } = circuit;
        const seen = tap.find(previous.link, previous.id);
        this.audit.circuits.push({ relay: settings.nickname, balance, previous, seen });
        this.#options.watch?.circuitBegan(index, circuit, balance);
      };
      host.links.attach(made.linkHandler);
      host.streams.attach(made);
      machine.attachAnswers(made);
      host.links.listen(orPort, makeTlsCertificate(keys, ports.clock.wallMs()));
      made.start();
      return made;
    });
    const relay = { index, keys, machine, core, tap };
    this.#options.watch?.relayBegan(relay);
    return relay;
  }

  #newClient(index: number): SimClient {
    const machine = this.machine(`client${index}`, addressOf('payer', index));
    machine.store.onBroken = () => this.restartClient(index, brokenDownMs);
    return this.#startClient(index, machine);
  }

  #startClient(index: number, machine: Machine): SimClient {
    const { schemeFor, linkProtocols, window = 'auto', penniless, paying, watch } = this.#options;
    const { host, ports } = machine;
    const core = host.node.turn(() => {
      const scheme = audited(schemeFor('payer', index), this.audit);
      const circuitMsatMax = penniless?.has(index) ? 0n : undefined;
      const settings: ClientSettings = {
        ...defaultClientSettings,
        authorities: this.#trusted(),
        ...(linkProtocols === undefined ? {} : { linkProtocols }),
        payment: {
          ...defaultClientSettings.payment,
          schemes: [scheme.name],
          window,
          circuitMsatMax,
          ...paying,
        },
      };
      const made = new ClientCore(settings, ports, [scheme], {
        onCircuitOpen: each => watch?.circuitOpened(index, each),
        onCircuitEnded: (each, fault) => {
          this.#noteReceipts(each);
          watch?.circuitEnded(index, each, fault);
        },
      });
      host.links.attach(made.linkHandler);
      host.streams.attach(made);
      machine.attachAnswers(made);
      host.streams.listen(socksPort, 'socks');
      made.start();
      return made;
    });
    const client = { index, machine, core, socks: { host: host.ip, port: socksPort } };
    watch?.clientBegan(client);
    return client;
  }

  #noteReceipts({ path, payments }: ManagedCircuit): void {
    for (const [hop, { paidMsat }] of (payments?.hops() ?? []).entries()) {
      const { relay } = path[hop];
      if (relay !== undefined) this.audit.receipted(toHex(relay.ed25519), paidMsat);
    }
  }

  #trusted(): readonly DirectoryAuthority[] {
    return [this.authority.self];
  }
}

const authoritySettings: Omit<AuthoritySettings, 'params'> = {
  nickname: 'authority',
  contact: undefined,
  platform: 'naulon 0.1.0 on Node',
  address: authorityAddress,
  orPort,
  dirPort,
  lab: false,
  assumeReachable: false,
  authorities: [],
  schedule: { intervalMs: 60_000, intervalsValid: 3, voteMs: 4_000, signMs: 4_000, settleMs: 2_000 },
  flagRules: labFlagRules,
  protocols: [3, 4, 5],
};

function anyExit(): ExitPolicy {
  const made = makeExitPolicy({
    exitRelay: true,
    lines: ['accept *:*'],
    rejectPrivate: true,
    ipv6Exit: false,
    never: [],
  });
  assert(made.ok, 'an exit policy that accepts');
  return made.value;
}

import { fail, type Result } from '../src/base/fault.ts';
import { DirectoryClient, type DirectoryRequest } from '../src/directory/directory-client.ts';
import type { NetworkView } from '../src/directory/network-view.ts';
import { LackTeller } from '../src/directory/protocol-demands.ts';
import type { RelayInfo } from '../src/directory/relay-info.ts';
import type { LinkFault, LinkPeer, LinkProtocol } from '../src/link/link-faults.ts';
import { LinkMux, type LinkUser } from '../src/link/link-mux.ts';
import type { PaymentScheme } from '../src/payment/scheme.ts';
import type {
  Answer,
  AnswerHandler,
  AskId,
  ChainEvent,
  ChainPort,
  Clock,
  CloseReason,
  Endpoint,
  Entropy,
  LinkHandler,
  LinkId,
  LinkPort,
  Observer,
  PartyPort,
  RequestHandler,
  RequestId,
  ResolvedAddress,
  StorePort,
  StreamHandler,
  StreamId,
  StreamPort,
} from '../src/ports.ts';
import { CircuitParties } from './circuit-parties.ts';
import { CircuitPool } from './circuit-pool.ts';
import { CircuitTickets } from './circuit-tickets.ts';
import type { CircuitPurpose, CircuitTerms, ExitGoal, PlannedHop } from './circuit-want.ts';
import type { ClientSettings } from './client-settings.ts';
import type { ClientWatch } from './client-watch.ts';
import { DirectoryFetch } from './directory-fetch.ts';
import { LinkPool } from './link-pool.ts';
import type { ManagedCircuit, ManagedFault } from './managed-circuit.ts';
import { PathPlanner } from './path-planner.ts';
import { PaymentPlan } from './payment-plan.ts';
import { RequestedStream, type RequestUser, type StreamRequest } from './requested-stream.ts';
import { SocksService } from './socks-service.ts';
import { StreamBook } from './stream-book.ts';

/** All that a client needs of the world. */
export interface ClientPorts {
  readonly links: LinkPort;
  readonly streams: StreamPort;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly store: StorePort;
  readonly chain: ChainPort;
  readonly parties: PartyPort;
  readonly observer: Observer;
  /** Of a core that hears of the same answers; absent: no other does. */
  readonly newAsk?: () => AskId;
}

/** What a client tells whoever runs it. */
export interface ClientHooks {
  /** Once: the network is known and a circuit was built through it. */
  onReady?(): void;
  onCircuitOpen?(circuit: ManagedCircuit): void;
  /** Every hop is free or has been paid. */
  onCircuitPaid?(circuit: ManagedCircuit): void;
  onCircuitEnded?(circuit: ManagedCircuit, fault: ManagedFault): void;
}

/** Accepts connections of a listener other than `socks`: the control socket. */
export interface StreamService {
  owns(stream: StreamId): boolean;
  onAccepted(stream: StreamId, from: Endpoint, listener: string): void;
  onBytes(stream: StreamId, bytes: Uint8Array): void;
  onWritable(stream: StreamId): void;
  onEnd(stream: StreamId): void;
  onClosed(stream: StreamId, why: CloseReason): void;
}

/** A circuit that somebody asks for by name. */
export interface CircuitRequest {
  /** Nicknames or fingerprints; absent: chosen. */
  readonly path?: readonly string[];
  readonly hops?: number;
  /** What its exit must allow, when the path is chosen. */
  readonly to?: ExitGoal;
  readonly terms?: CircuitTerms;
  /** `fixed` when absent. */
  readonly purpose?: CircuitPurpose;
}

/** A client: directory, circuits, payments, SOCKS. Knows no socket, clock or disk but its ports. */
export class ClientCore implements LinkUser, StreamHandler, AnswerHandler, RequestHandler {
  readonly pool: CircuitPool;
  readonly planner: PathPlanner;
  readonly payments: PaymentPlan;
  readonly directory: DirectoryClient;
  readonly streams: StreamBook;
  readonly links: LinkPool;
  /** Hears every step from now on. */
  watch: ClientWatch | undefined;
  readonly tickets: CircuitTickets;
  readonly #ports: ClientPorts;
  readonly #hooks: ClientHooks;
  readonly #mux: LinkMux;
  readonly #lacks: LackTeller;
  readonly #fetch: DirectoryFetch;
  /** Undefined: other parties are asked directly. */
  readonly #asking: CircuitParties | undefined;
  readonly #services = new Map<string, StreamService>();
  #lastAsk = 0;
  #ready = false;

  constructor(
    settings: ClientSettings,
    ports: ClientPorts,
    schemes: readonly PaymentScheme[],
    hooks: ClientHooks = {},
  ) {
    this.#ports = ports;
    this.#hooks = hooks;
    const { clock, entropy, observer, store } = ports;
    this.#lacks = new LackTeller('client', observer);
    const newAsk = (): AskId => this.newAsk();
    this.#mux = new LinkMux({
      port: ports.links,
      clock,
      entropy,
      observer,
      identity: undefined,
      protocols: settings.linkProtocols,
      ownAddresses: [],
      user: this,
    });
    this.links = new LinkPool(this.#mux, (link, step, fault) => this.watch?.onLink(link, step, fault));
    this.#asking = this.#askingOf(settings, ports);
    this.payments = new PaymentPlan(settings.payment, schemes, {
      ...ports,
      parties: this.#partiesOf(ports),
      newAsk,
      onCredited: (circuit, payment) => this.watch?.onPayment(circuit, payment),
    });
    this.planner = new PathPlanner(settings, {
      clock,
      entropy,
      store,
      newAsk,
      affords: relay => this.payments.affords(relay),
      onLack: () => this.#fetch.wantNewer(),
    });
    this.tickets = new CircuitTickets(entropy);
    this.pool = new CircuitPool(settings.pool, this.#poolHost(), {
      clock,
      entropy,
      observer,
      links: this.links,
    });
    this.streams = new StreamBook(this.pool, clock, settings.internal, (stream, step) =>
      this.watch?.onStream(stream, step),
    );
    this.directory = new DirectoryClient({
      authorities: settings.authorities,
      clock,
      entropy,
      retryMs: settings.directoryRetryMs,
    });
    this.#fetch = new DirectoryFetch(this.directory, this.#fetchHost(), {
      clock,
      observer,
      store,
      pool: this.pool,
    });
    this.addService('socks', new SocksService(this, ports));
  }

  /** Bytes of all links so far. */
  get traffic(): { readonly read: number; readonly written: number } {
    return { read: this.#mux.bytesRead, written: this.#mux.bytesWritten };
  }

  /** Takes the events of the LinkPort. */
  get linkHandler(): LinkHandler {
    return this.#mux;
  }

  get ready(): boolean {
    return this.#ready;
  }

  /** Fresh for each question to the store or the chain. */
  newAsk(): AskId {
    const { newAsk } = this.#ports;
    if (newAsk !== undefined) return newAsk();
    this.#lastAsk += 1;
    return this.#lastAsk;
  }

  /** Begins. Channels of an earlier run are looked after from the first news of the chain on. */
  start(): void {
    this.#fetch.start();
    this.pool.start();
  }

  /** Closes circuits and channels in order. */
  stop(done: () => void): void {
    this.#fetch.stop();
    this.pool.stop(done);
  }

  /** From now on connections of `listener` go there, and those of others whose names say more behind a space. */
  addService(listener: string, service: StreamService): void {
    this.#services.set(listener, service);
  }

  /** A stream, not started yet: call `start` once its user is ready to hear of it. */
  openStream(request: StreamRequest, user: RequestUser): RequestedStream {
    const { goal } = request;
    const mapped = goal.kind === 'connect' ? this.streams.mapped.get(goal.host.toLowerCase()) : undefined;
    const led = mapped === undefined ? request : { ...request, goal: { ...goal, host: mapped } };
    return new RequestedStream(led, user, this.streams);
  }

  /** A circuit for whoever asks; unless its purpose is general, no other stream uses it. */
  openCircuit(request: CircuitRequest): Result<ManagedCircuit> {
    const { path, hops, to, terms = {}, purpose = 'fixed' } = request;
    const chosen = path === undefined ? this.planner.choose(to, { hops }) : this.planner.named(path);
    if (!chosen.ok) return chosen;
    for (const { relay } of chosen.value) {
      if (relay !== undefined && !this.payments.affords(relay)) return fail('PAY_NO_SCHEME', relay.nickname);
    }
    return this.pool.open({ purpose, path: chosen.value, terms });
  }

  /** A circuit whose last hop is that relay, for its payments alone. */
  openCircuitTo(relay: RelayInfo): Result<ManagedCircuit> {
    const chosen = this.planner.choose(undefined, { last: relay });
    return chosen.ok ? this.pool.open({ purpose: 'fixed', path: chosen.value, terms: {} }) : chosen;
  }

  // LinkUser

  onLinkReady(link: LinkId, _peer: LinkPeer, _protocol: LinkProtocol): void {
    this.links.onLinkReady(link);
  }

  onLinkLost(link: LinkId, fault: LinkFault): void {
    this.links.onLinkLost(link, fault);
  }

  onCell(link: LinkId, circuit: number, command: number, bytes: Uint8Array, at: number): void {
    this.links.onCell(link, circuit, command, bytes, at);
  }

  onRun(link: LinkId, circuit: number, bytes: Uint8Array, at: number, stride: number, count: number): void {
    this.links.onRun(link, circuit, bytes, at, stride, count);
  }

  onCircuitWritable(link: LinkId, circuit: number): void {
    this.links.onCircuitWritable(link, circuit);
  }

  // StreamHandler

  onResolved(_ask: AskId, _addresses: readonly ResolvedAddress[]): void {
    // A client looks no name up: exits do.
  }

  onStreamAccepted(stream: StreamId, listener: string, from: Endpoint): void {
    const service = this.#services.get(listener.split(' ', 1)[0]);
    if (service === undefined) this.#ports.streams.close(stream);
    else service.onAccepted(stream, from, listener);
  }

  onConnected(_stream: StreamId, _remote: Endpoint): void {
    // A client connects nowhere but by links.
  }

  onStreamBytes(stream: StreamId, bytes: Uint8Array): void {
    this.#serviceOf(stream)?.onBytes(stream, bytes);
  }

  onStreamWritable(stream: StreamId): void {
    this.#serviceOf(stream)?.onWritable(stream);
  }

  onStreamEnd(stream: StreamId): void {
    this.#serviceOf(stream)?.onEnd(stream);
  }

  onStreamClosed(stream: StreamId, why: CloseReason): void {
    this.#serviceOf(stream)?.onClosed(stream, why);
  }

  // AnswerHandler

  onAnswer(answer: Answer): void {
    this.payments.onAnswer(answer);
  }

  onRequest(request: RequestId, scheme: number, bytes: Uint8Array): void {
    this.payments.onRequest(request, scheme, bytes);
  }

  onChain(event: ChainEvent): void {
    this.payments.onChain(event);
  }

  #serviceOf(stream: StreamId): StreamService | undefined {
    for (const service of this.#services.values()) if (service.owns(stream)) return service;
    return undefined;
  }

  #askingOf({ payment }: ClientSettings, ports: ClientPorts): CircuitParties | undefined {
    const broker = payment.askedThroughCircuits;
    if (broker === undefined) return undefined;
    const host = {
      choosePath: () => this.planner.choose(undefined),
      open: (path: readonly PlannedHop[]) => this.pool.open({ purpose: 'asks', path, terms: {} }),
      onAnswer: (answer: Answer) => this.onAnswer(answer),
    };
    return new CircuitParties(broker, host, ports);
  }

  #partiesOf({ parties }: ClientPorts): PartyPort {
    const asking = this.#asking;
    if (asking === undefined) return parties;
    return {
      ask: (to, scheme, bytes, ask) => asking.ask(to, scheme, bytes, ask),
      answer: (request, reply) => parties.answer(request, reply),
    };
  }

  #poolHost(): ConstructorParameters<typeof CircuitPool>[1] {
    return {
      choosePath: (to, notExits) => this.planner.choose(to, { notExits }),
      congestion: path => this.planner.congestion(path),
      onFirstHop: (hop, reached) => this.planner.onFirstHop(hop, reached),
      pay: (circuit, onPaid) => this.payments.pay(circuit, onPaid),
      onCircuitLaunched: circuit => this.watch?.onCircuit(circuit, 'launched'),
      onCircuitExtended: circuit => this.watch?.onCircuit(circuit, 'extended'),
      onCircuitPaid: circuit => this.#onCircuitPaid(circuit),
      onCircuitOpen: circuit => this.#onCircuitOpen(circuit),
      onCircuitEnded: (circuit, fault) => this.#onCircuitEnded(circuit, fault),
    };
  }

  #fetchHost(): ConstructorParameters<typeof DirectoryFetch>[1] {
    return {
      directoryHop: (from: DirectoryRequest['from']): PlannedHop | undefined =>
        this.planner.directoryHop(from),
      onView: view => this.#onView(view),
      onDirectoryFailed: hop => this.planner.onFirstHop(hop, false),
      newAsk: () => this.newAsk(),
    };
  }

  #onView(view: NetworkView): void {
    this.planner.onView(view);
    this.#lacks.onView(view);
    this.#ports.observer.log('info', 'network-view', { relays: view.relays.length });
    this.watch?.onView(view);
    this.pool.onView();
  }

  #onCircuitOpen(circuit: ManagedCircuit): void {
    const { purpose } = circuit;
    const first = !this.#ready && purpose !== 'directory' && purpose !== 'asks';
    if (first) this.#ready = true;
    this.watch?.onCircuit(circuit, 'built');
    if (purpose === 'directory') this.#fetch.onCircuitOpen(circuit);
    else if (purpose === 'asks') this.#asking?.onCircuitOpen(circuit);
    else this.#hooks.onCircuitOpen?.(circuit);
    if (first) this.#hooks.onReady?.();
  }

  #onCircuitPaid(circuit: ManagedCircuit): void {
    if (circuit.purpose === 'asks') this.#asking?.onCircuitPaid(circuit);
    else this.#hooks.onCircuitPaid?.(circuit);
  }

  #onCircuitEnded(circuit: ManagedCircuit, fault: ManagedFault): void {
    const { purpose } = circuit;
    this.watch?.onCircuit(circuit, 'ended');
    if (purpose === 'directory') this.#fetch.onCircuitEnded(circuit);
    else if (purpose === 'asks') this.#asking?.onCircuitEnded(circuit);
    else this.#hooks.onCircuitEnded?.(circuit, fault);
    this.tickets.forget(circuit);
  }
}

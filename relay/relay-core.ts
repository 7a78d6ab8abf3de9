import {
  circuitQueueCellsHigh,
  circuitsMax,
  refusedCreateWaste,
  refusedStreamWaste,
  relayCreatesPerTurn,
} from '../src/base/limits.ts';
import { cellCommand, destroyReason, endReason } from '../src/cell/commands.ts';
import { decodeCreated2, decodeDestroy } from '../src/cell/link-messages.ts';
import type { BeginMessage, Extend2Message } from '../src/cell/relay-messages.ts';
import { CircuitRest } from '../src/circuit/circuit-rest.ts';
import { HeldBytes } from '../src/circuit/held-bytes.ts';
import { RelayCircuit } from '../src/circuit/relay-circuit.ts';
import type { CircuitSide, RelayCircuitHost } from '../src/circuit/relay-circuit-host.ts';
import type { NodeKeys } from '../src/crypto/node-keys.ts';
import { DirectoryClient } from '../src/directory/directory-client.ts';
import { HttpTransfers } from '../src/directory/http-transfers.ts';
import { congestionOf } from '../src/directory/network-view.ts';
import { congestionFlow } from '../src/flow/congestion-flow.ts';
import type { CongestionParams } from '../src/flow/congestion-params.ts';
import type { CircuitFlow } from '../src/flow/flow-control.ts';
import { fixedFlow } from '../src/flow/sendme-window.ts';
import type { LinkFault, LinkPeer, LinkProtocol } from '../src/link/link-faults.ts';
import type { LinkUser, QueuedCells } from '../src/link/link-mux.ts';
import type { CellBalance } from '../src/payment/cell-balance.ts';
import { PartyDesk, partiesOf } from '../src/payment/party-desk.ts';
import { PayeeDesk } from '../src/payment/payee-desk.ts';
import type { PaymentScheme } from '../src/payment/scheme.ts';
import type {
  Admission,
  Answer,
  AnswerHandler,
  AskId,
  ChainEvent,
  Clock,
  CloseReason,
  ComputeHandler,
  Endpoint,
  Entropy,
  LinkHandler,
  LinkId,
  Observer,
  RequestHandler,
  RequestId,
  ResolvedAddress,
  StorePort,
  StreamHandler,
  StreamId,
  StreamPort,
} from '../src/ports.ts';
import type { DirectoryService } from '../src/stream/directory-stream.ts';
import type { ExitStream } from '../src/stream/exit-stream.ts';
import { type AnsweredCreate, CircuitHandshakes } from './circuit-handshakes.ts';
import { CircuitTable } from './circuit-table.ts';
import { CreateDesk } from './create-desk.ts';
import { Defences } from './defences.ts';
import { DirectoryDesk } from './directory-desk.ts';
import { DirectoryDuties } from './directory-duties.ts';
import { ExitConnections } from './exit-connections.ts';
import { Extensions } from './extensions.ts';
import { LinkTable } from './link-table.ts';
import { OnionKeys } from './onion-keys.ts';
import { PricePolicy } from './price-policy.ts';
import { Publisher } from './publish.ts';
import { limitedLinks, type RelayLinks, relayLinks } from './relay-links.ts';
import type { RelayPorts } from './relay-ports.ts';
import type { RelaySettings } from './relay-settings.ts';
import { SpareCircuits } from './spare-circuits.ts';

/**
 * A relay: links, circuits, exits, payments and its directory, composed. Knows no socket, clock or disk but its ports.
 *
 * | event | goes to |
 * |-------|---------|
 * | a cell of a circuit | its RelayCircuit, found by link and id |
 * | CREATE_FAST, CREATE2 | a new RelayCircuit with a balance, and a payee session unless the relay is free |
 * | CREATED2, DESTROY | Extensions, or the circuit |
 * | an exit connection's bytes | ExitConnections, then its ExitStream |
 * | a directory transfer's bytes | HttpTransfers, for DirectoryDuties and Publisher |
 * | answers of store, chain and other parties, blocks | DirectoryDesk, PayeeDesk, PartyDesk |
 * | what other parties ask | PartyDesk |
 */
export class RelayCore
  implements
    LinkUser,
    StreamHandler,
    AnswerHandler,
    RequestHandler,
    ComputeHandler,
    RelayCircuitHost<RelayCircuit>
{
  readonly settings: RelaySettings;
  readonly entropy: Entropy;
  readonly observer: Observer;
  readonly port: StreamPort;
  /** Takes the events of the LinkPort. */
  readonly linkHandler: LinkHandler;
  readonly directoryClient: DirectoryClient;
  readonly circuits = new CircuitTable();
  /** Told of each new circuit and of what it may still carry: for auditors, who change nothing. */
  onCircuit: ((circuit: RelayCircuit, balance: CellBalance) => void) | undefined;
  readonly #clock: Clock;
  readonly #creates: CreateDesk;
  readonly #defences: Defences<RelayCircuit>;
  readonly #rest: CircuitRest;
  readonly #spares = new SpareCircuits(this.circuits);
  readonly #mux: RelayLinks;
  readonly #links: LinkTable;
  readonly #extensions: Extensions;
  readonly #exits: ExitConnections;
  readonly #transfers: HttpTransfers;
  readonly #duties: DirectoryDuties;
  readonly #onionKeys: OnionKeys;
  readonly #publisher: Publisher;
  readonly #directory: DirectoryDesk;
  readonly #price: PricePolicy;
  readonly #desk: PayeeDesk;
  readonly #partyDesk: PartyDesk;
  #lastAsk = 0;
  #cellsCarried = 0;

  constructor(settings: RelaySettings, keys: NodeKeys, ports: RelayPorts, schemes: readonly PaymentScheme[]) {
    const { clock, entropy, observer, store, streams } = ports;
    this.settings = settings;
    this.entropy = entropy;
    this.observer = observer;
    this.port = streams;
    this.#clock = clock;
    this.#rest = new CircuitRest(this.circuits, clock);
    this.#defences = new Defences(clock, entropy, observer, settings.dos);
    const newAsk = (): AskId => this.newAsk();
    const handshakes = new CircuitHandshakes(keys, entropy);
    this.#creates = this.#newCreateDesk(handshakes, ports);
    this.#onionKeys = this.#newOnionKeys(handshakes, keys, ports);
    const limited = limitedLinks(settings, ports.links, clock);
    this.#mux = relayLinks(this, limited ?? ports.links, keys, ports);
    this.#mux.emptyOne = () => this.#spares.emptyLink();
    limited?.attach(this.#mux);
    this.linkHandler = limited ?? this.#mux;
    const listed = (rsaId: Uint8Array) => this.directoryClient.view?.relayById(rsaId);
    this.#links = new LinkTable(this.#mux, keys.identity.publicKey, listed);
    this.#extensions = new Extensions({
      links: this.#mux,
      linkTable: this.#links,
      circuits: this.circuits,
      clock,
      ownRsaId: keys.rsaIdentity.fingerprint,
      allowPrivate: settings.extendPrivate,
    });
    const held = new HeldBytes(clock, this.#mux);
    this.#exits = new ExitConnections(streams, clock, entropy, settings.exitPolicy, held);
    this.#price = new PricePolicy(settings.priceMsatPer2Pow20, schemes);
    this.#desk = new PayeeDesk({ ...ports, newAsk, schemes, signer: signerOf(keys) });
    this.#partyDesk = this.#newPartyDesk(ports, schemes);
    this.#transfers = new HttpTransfers(streams, clock);
    this.directoryClient = new DirectoryClient({
      authorities: settings.authorities,
      clock,
      entropy,
      mirror: true,
      retryMs: settings.directoryRetryMs,
    });
    this.#directory = new DirectoryDesk(this, this.#partyDesk, held, ports);
    this.#publisher = new Publisher({
      settings,
      keys,
      onionKey: () => this.#onionKeys.current,
      price: this.#price.published(),
      directory: this.directoryClient,
      transfers: this.#transfers,
      clock,
      observer,
      bytesCarried: () => this.#cellsCarried * 512,
    });
    this.#duties = new DirectoryDuties({
      client: this.directoryClient,
      authorities: settings.authorities,
      transfers: this.#transfers,
      clock,
      store,
      newAsk,
      observer,
      onNews: () => this.#onNews(),
    });
  }

  /** What other parties ask is about the same records as payments, so it is written in one order with them. */
  #newPartyDesk(ports: RelayPorts, schemes: readonly PaymentScheme[]): PartyDesk {
    const { commits } = this.#desk;
    const { store } = commits;
    const chain = commits.chain(ports.chain);
    const parties = partiesOf(schemes, { ...ports, store, chain, newAsk: () => this.newAsk() });
    return new PartyDesk(parties, ports.parties, commits);
  }

  #newCreateDesk(handshakes: CircuitHandshakes, { clock, compute }: RelayPorts): CreateDesk {
    return new CreateDesk({
      handshakes,
      clock,
      compute,
      newAsk: () => this.newAsk(),
      params: () => congestionOf(this.directoryClient.view),
      shareOf: link => (this.#links.peerOf(link)?.kind === 'relay' ? relayCreatesPerTurn : 1),
      onAnswer: (side, made, params) => this.#onCreateAnswer(side, made, params),
    });
  }

  #newOnionKeys(handshakes: CircuitHandshakes, keys: NodeKeys, ports: RelayPorts): OnionKeys {
    return new OnionKeys({
      ...ports,
      first: keys.ntor,
      newAsk: () => this.newAsk(),
      view: () => this.directoryClient.view,
      onServed: onionKeys => void Object.assign(handshakes, { onionKeys }),
      onNew: () => this.#publisher.renew(),
    });
  }

  #onNews(): void {
    this.#defences.onConsensus(this.directoryClient.view);
    this.#publisher.onConsensus();
  }

  /** Who may connect to it. */
  get admission(): Admission {
    return this.#defences.admission;
  }

  /** For a core that writes about the same money: after what is being written. Its answers come to both. */
  get moneyStore(): StorePort {
    return this.#desk.commits.store;
  }

  /** Fresh for each question to the store or the chain. */
  newAsk(): AskId {
    this.#lastAsk += 1;
    return this.#lastAsk;
  }

  /** Begins to publish and to fetch; links and circuits are served from the construction on. */
  start(): void {
    this.#rest.start();
    this.#onionKeys.start();
    this.#publisher.start();
    this.#duties.start();
  }

  /** Ends all circuits, telling both neighbours of each. Payments that are under way stay with the schemes. */
  stop(): void {
    this.#rest.stop();
    this.#creates.stop();
    this.#onionKeys.stop();
    this.#publisher.stop();
    this.#duties.stop();
    this.#transfers.stop();
    for (const circuit of [...this.circuits]) circuit.destroy(destroyReason.hibernating);
    this.#exits.stop();
  }

  // Links

  onLinkReady(link: LinkId, peer: LinkPeer, _protocol: LinkProtocol): void {
    this.#links.onReady(link, peer);
  }

  onLinkLost(link: LinkId, _fault: LinkFault): void {
    this.#mux.forgetAddress(link);
    this.#links.onLost(link);
    this.#creates.forgetLink(link);
    for (const { circuit, towards } of this.circuits.onLink(link)) {
      if (towards === 'previous') circuit.onPreviousLost(destroyReason.channelClosed);
      else circuit.onNextLost(destroyReason.channelClosed);
    }
  }

  onCircuitWritable(link: LinkId, id: number): void {
    const entry = this.circuits.find(link, id);
    if (entry?.towards === 'previous') entry.circuit.onWritable();
  }

  onCell(link: LinkId, id: number, command: number, bytes: Uint8Array, at: number): void {
    const entry = this.circuits.find(link, id);
    switch (command) {
      case cellCommand.relayEarly:
        this.#cellsCarried += 1;
        if (entry === undefined) this.#onStray(link, 1);
        else if (entry.towards === 'previous') entry.circuit.onClientEarly(bytes, at);
        else entry.circuit.onNextEarly();
        break;
      case cellCommand.destroy:
        if (entry === undefined) this.#onUnmade({ link, id });
        else if (entry.towards === 'previous') entry.circuit.onPreviousLost(decodeDestroy(bytes, at));
        // Why is between the next hop and us: C tor passes no reason on.
        else entry.circuit.onNextLost(destroyReason.destroyed);
        break;
      case cellCommand.created2:
        if (entry?.towards === 'next') this.#extensions.onCreated(entry.circuit, decodeCreated2(bytes, at));
        else entry?.circuit.destroy(destroyReason.protocol);
        break;
      case cellCommand.created:
      case cellCommand.createdFast:
        // We send no CREATE and no CREATE_FAST that these could answer.
        entry?.circuit.destroy(destroyReason.protocol);
        break;
      case cellCommand.createFast:
      case cellCommand.create2:
        this.#onCreate({ link, id }, command, bytes, at);
        break;
      default:
        this.observer.count('naulon_cells_unexpected_total');
    }
  }

  onRun(link: LinkId, id: number, bytes: Uint8Array, at: number, stride: number, count: number): void {
    this.#cellsCarried += count;
    const entry = this.circuits.find(link, id);
    if (entry === undefined) this.#onStray(link, count);
    else if (entry.towards === 'previous') entry.circuit.onClientRun(bytes, at, stride, count);
    else entry.circuit.onNextRun(bytes, at, stride, count);
  }

  /** Cells of no circuit: of one that has ended, as a rule. */
  #onStray(link: LinkId, cells: number): void {
    this.observer.count('naulon_cells_without_circuit_total', cells);
    this.#mux.waste(link, cells);
  }

  // Circuits

  #onCreate(side: CircuitSide, command: number, bytes: Uint8Array, at: number): void {
    if (!this.#mux.acceptsCircuit(side.link, side.id)) {
      this.observer.count('naulon_circuits_refused_total');
      return;
    }
    const isRelay = this.#links.peerOf(side.link)?.kind === 'relay';
    const allowed = isRelay || this.#defences.mayCreate(this.#mux.addressOf(side.link));
    const hasRoom = this.circuits.size < circuitsMax || this.#spares.endOne();
    if (!allowed || !hasRoom || !this.#creates.ask(side, command, bytes, at)) {
      this.#refuse(side, destroyReason.resourceLimit);
      this.#mux.waste(side.link, refusedCreateWaste);
    }
  }

  /** The client gave the circuit up before it was made. */
  #onUnmade(side: CircuitSide): void {
    if (this.#creates.forget(side)) this.#mux.releaseCircuit(side.link, side.id);
  }

  #refuse(side: CircuitSide, reason: number): void {
    this.#mux.releaseCircuit(side.link, side.id, reason);
    this.observer.count('naulon_circuits_refused_total');
  }

  #onCreateAnswer(side: CircuitSide, made: AnsweredCreate | undefined, params: CongestionParams): void {
    if (made === undefined) {
      this.#refuse(side, destroyReason.protocol);
      return;
    }
    const { keys, sendmeCells } = made;
    const balance = this.#price.newBalance();
    const circuit = new RelayCircuit(this, side, keys, balance, this.#flowOf(side, params, sendmeCells));
    if (this.#price.charges) circuit.payee = this.#desk.open(circuit, balance);
    this.circuits.add(circuit);
    this.onCircuit?.(circuit, balance);
    this.observer.count('naulon_circuits_created_total');
    this.#mux.send(side.link, side.id, made.command, made.reply, 0);
  }

  /** Fixed windows, or what the client was granted. */
  #flowOf(side: CircuitSide, params: CongestionParams, sendmeCells: number | undefined): CircuitFlow {
    if (sendmeCells === undefined) return fixedFlow();
    const blocked = (): boolean => !this.canQueue(side);
    return congestionFlow({ params, sendmeCells, clock: this.#clock, blocked, end: 'exit' });
  }

  // What circuits ask for

  send(side: CircuitSide, command: number, bytes: Uint8Array, at: number): boolean {
    return this.#mux.send(side.link, side.id, command, bytes, at);
  }

  sendRun(side: CircuitSide, bytes: Uint8Array, at: number, stride: number, count: number): boolean {
    return this.#mux.sendRun(side.link, side.id, bytes, at, stride, count);
  }

  canQueue(side: CircuitSide): boolean {
    return this.#mux.queued(side.link, side.id) < circuitQueueCellsHigh;
  }

  extend(circuit: RelayCircuit, message: Extend2Message): void {
    this.#extensions.start(circuit, message);
  }

  dropNext(
    circuit: RelayCircuit,
    next: CircuitSide | undefined,
    reason: number | undefined,
    queued: QueuedCells,
  ): void {
    this.#extensions.forget(circuit);
    if (next === undefined) return;
    this.circuits.removeSide(next);
    this.#mux.releaseCircuit(next.link, next.id, reason, queued);
  }

  gone(circuit: RelayCircuit, reason: number | undefined, queued: QueuedCells): void {
    this.circuits.remove(circuit);
    this.#mux.releaseCircuit(circuit.previous.link, circuit.previous.id, reason, queued);
  }

  beginExit(circuit: RelayCircuit, stream: ExitStream, message: BeginMessage): void {
    if (this.#mayOpen(circuit)) this.#exits.begin(stream, message);
    else if (this.#defences.endsCircuits) circuit.destroy(destroyReason.resourceLimit);
    else stream.end(endReason.resourceLimit);
  }

  #mayOpen(circuit: RelayCircuit): boolean {
    if (this.#defences.mayOpen(circuit)) return true;
    const { link } = circuit.previous;
    if (this.#links.peerOf(link)?.kind !== 'relay') this.#mux.waste(link, refusedStreamWaste);
    return false;
  }

  resolve(circuit: RelayCircuit, streamId: number, name: string): void {
    if (this.#mayOpen(circuit)) this.#exits.resolve(name, answer => circuit.onResolved(streamId, answer));
    else if (this.#defences.endsCircuits) circuit.destroy(destroyReason.resourceLimit);
    else circuit.onResolved(streamId, { addresses: [], error: 'transient' });
  }

  finished(stream: ExitStream, flush: boolean): void {
    this.#exits.finished(stream, flush);
  }

  holds(stream: ExitStream, bytes: number): void {
    this.#exits.holds(stream, bytes);
  }

  directory(circuit: RelayCircuit): DirectoryService | undefined {
    return this.#directory.serve(this.#mux.addressOf(circuit.previous.link));
  }

  // Streams

  onResolved(ask: AskId, addresses: readonly ResolvedAddress[]): void {
    this.#exits.onResolved(ask, addresses);
  }

  /** A relay takes no connections but links. */
  onStreamAccepted(stream: StreamId, _listener: string, _from: Endpoint): void {
    this.port.close(stream);
  }

  onConnected(stream: StreamId, remote: Endpoint): void {
    if (this.#transfers.owns(stream)) this.#transfers.onConnected(stream);
    else this.#exits.onConnected(stream, remote);
  }

  onStreamBytes(stream: StreamId, bytes: Uint8Array): void {
    if (this.#transfers.owns(stream)) this.#transfers.onBytes(stream, bytes);
    else this.#exits.onBytes(stream, bytes);
  }

  onStreamWritable(stream: StreamId): void {
    this.#exits.onWritable(stream);
  }

  onStreamEnd(stream: StreamId): void {
    if (this.#transfers.owns(stream)) this.#transfers.onEnd(stream);
    else this.#exits.onEnd(stream);
  }

  onStreamClosed(stream: StreamId, why: CloseReason): void {
    if (this.#transfers.owns(stream)) this.#transfers.onClosed(stream, why);
    else this.#exits.onClosed(stream, why);
  }

  onComputed(ask: AskId, result: Uint8Array): void {
    this.#creates.onComputed(ask, result);
  }

  // Money

  onAnswer(answer: Answer): void {
    if (this.#onionKeys.onAnswer(answer) || this.#directory.onAnswer(answer)) return;
    if (!this.#desk.onAnswer(answer)) this.#partyDesk.onAnswer(answer);
  }

  onRequest(request: RequestId, scheme: number, bytes: Uint8Array): void {
    this.#partyDesk.onRequest(request, scheme, bytes);
  }

  onChain(event: ChainEvent): void {
    this.#desk.onChain(event);
  }
}

function signerOf(keys: NodeKeys): { ed25519: Uint8Array; sign(message: Uint8Array): Uint8Array } {
  return { ed25519: keys.identity.publicKey, sign: message => keys.identity.sign(message) };
}

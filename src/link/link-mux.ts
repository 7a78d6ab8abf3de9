import { assert } from '../base/assert.ts';
import {
  circuitQueueCellsMax,
  linkHandshakeMsMax,
  linkIdleMsMax,
  linksMax,
  nodeQueueCellsMax,
} from '../base/limits.ts';
import { cellCommand, circuitCommands, destroyReason } from '../cell/commands.ts';
import { type CellHandler, encodeRun, fixedCellBytes } from '../cell/link-codec.ts';
import { encodeDestroy } from '../cell/link-messages.ts';
import { rsaModulus } from '../crypto/rsa.ts';
import type {
  Clock,
  CloseReason,
  Endpoint,
  Entropy,
  LinkHandler,
  LinkId,
  LinkPort,
  Observer,
} from '../ports.ts';
import { CircuitIds, ownHalf } from './circuit-ids.ts';
import { KeepAlive } from './keep-alive.ts';
import type { LinkIdentity } from './link-certificates.ts';
import { closeReasonOf, fieldsOf, type LinkFault, type LinkPeer, type LinkProtocol } from './link-faults.ts';
import { handshakeCommands, LinkHandshake, unexpected } from './link-handshake.ts';
import { LinkOutbox } from './link-outbox.ts';
import { type ExpectedPeer, LinkState } from './link-state.ts';
import { type HeldElsewhere, longestIdle, type SharedRoom } from './overload.ts';
import { WasteBrake } from './waste-brake.ts';

/** Who uses the links: the core of a relay, client or authority. */
export interface LinkUser {
  /** The handshake is done; `peer` is proven. */
  onLinkReady(link: LinkId, peer: LinkPeer, protocol: LinkProtocol): void;
  /** At any time, ready or not: the link and all its circuits are gone. */
  onLinkLost(link: LinkId, fault: LinkFault): void;
  /** A fixed cell about circuits; its payload is bytes[at .. at + 509), writable during the call. */
  onCell(link: LinkId, circuit: number, command: number, bytes: Uint8Array, at: number): void;
  /** RELAY cells of one circuit; their payloads lie `stride` bytes apart, writable during the call. */
  onRun(link: LinkId, circuit: number, bytes: Uint8Array, at: number, stride: number, count: number): void;
  /** The circuit's queue was high and has drained. */
  onCircuitWritable(link: LinkId, circuit: number): void;
}

/** What becomes of the cells that a circuit has queued when it ends. */
export type QueuedCells = 'dropped' | 'sent';

export interface LinkMuxOptions {
  readonly port: LinkPort;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly observer: Observer;
  /** Absent: a client, which shows no certificates and takes no links. */
  readonly identity: LinkIdentity | undefined;
  readonly protocols: readonly LinkProtocol[];
  readonly ownAddresses: readonly string[];
  readonly user: LinkUser;
  /** Cells that may wait here over all links; nodeQueueCellsMax when absent. */
  readonly queueCellsMax?: number;
}

/** All links of one node: handshakes, circuit ids, cells in, and an outbox for what goes out. */
export class LinkMux implements LinkHandler, SharedRoom {
  readonly #options: LinkMuxOptions;
  readonly #links = new Map<LinkId, LinkState>();
  readonly #outbox: LinkOutbox;
  readonly #brake: WasteBrake;
  readonly #keepAlive: KeepAlive;
  #bytesRead = 0;

  constructor(options: LinkMuxOptions) {
    this.#options = options;
    const onStuck = (state: LinkState) => this.#fail(state, { code: 'LINK_STALLED' });
    this.#outbox = new LinkOutbox({
      port: options.port,
      clock: options.clock,
      links: this.#links,
      cellsMax: options.queueCellsMax ?? nodeQueueCellsMax,
      user: options.user,
      onStuck,
      onOverdue: (state, circuit) => this.#shedCircuit(state, circuit),
    });
    this.#brake = new WasteBrake(options);
    this.#keepAlive = new KeepAlive({
      clock: options.clock,
      links: this.#links,
      // All zeros: PADDING, of no circuit.
      pad: state => this.#outbox.write(state, new Uint8Array(fixedCellBytes(state.codec.circuitIdBytes))),
      onStuck,
    });
  }

  get linkCount(): number {
    return this.#links.size;
  }

  has(link: LinkId): boolean {
    return this.#links.has(link);
  }

  /** Cells queued over all links. */
  get queuedCells(): number {
    return this.#outbox.queuedCells;
  }

  share(elsewhere: HeldElsewhere): void {
    this.#outbox.share(elsewhere);
  }

  taken(): void {
    this.#outbox.taken();
  }

  /** Bytes of all links so far, without what TLS adds. */
  get bytesRead(): number {
    return this.#bytesRead;
  }

  get bytesWritten(): number {
    return this.#outbox.bytesWritten;
  }

  /** Connects and shakes hands; ends in onLinkReady or onLinkLost, later. */
  open(to: Endpoint, expect: ExpectedPeer): LinkId {
    const link = this.#options.port.open(to);
    const state = new LinkState(link, true, to, expect, this.#outbox.spares);
    this.#links.set(link, state);
    this.#watchTimeout(state, linkHandshakeMsMax, 'LINK_TIMEOUT');
    return link;
  }

  /** Queues a fixed cell, copying its 509 bytes. False: the circuit's queue is at its cap, and the circuit must die. */
  send(link: LinkId, circuit: number, command: number, bytes: Uint8Array, at: number): boolean {
    const state = this.#links.get(link);
    if (state === undefined) return true;
    assert(state.peer !== undefined, 'cells go over open links');
    const queued = this.#outbox.push(state, circuit, command, bytes, at);
    if (!queued) this.#options.observer.count('naulon_circuit_queue_full_total');
    return queued;
  }

  /**
   * Queues RELAY cells, copying their payloads from bytes[at], `stride` bytes apart; a link that is behind with nothing takes
   * them at once. False: the circuit's queue is at its cap, and the circuit must die.
   */
  sendRun(
    link: LinkId,
    circuit: number,
    bytes: Uint8Array,
    at: number,
    stride: number,
    count: number,
  ): boolean {
    const state = this.#links.get(link);
    if (state === undefined) return true;
    if (!state.full && state.scheduler.queuedCells === 0) {
      assert(state.peer !== undefined, 'cells go over open links');
      this.#outbox.write(state, encodeRun(state.codec.circuitIdBytes, circuit, bytes, at, stride, count));
      return true;
    }
    for (; count > 0; count--, at += stride)
      if (!this.send(link, circuit, cellCommand.relay, bytes, at)) return false;
    return true;
  }

  queued(link: LinkId, circuit: number): number {
    return this.#links.get(link)?.scheduler.queued(circuit) ?? 0;
  }

  /** A fresh circuit id of ours, or undefined when the link can carry no more. */
  allocateCircuit(link: LinkId): number | undefined {
    return this.#links.get(link)?.ids?.allocate(this.#options.entropy);
  }

  /**
   * Takes an id that the peer chose in a CREATE cell. False: the circuit is refused, and the peer is told, unless the id is
   * that of a circuit that lives or of none. spec: tor-spec/create-created-cells
   */
  acceptsCircuit(link: LinkId, circuit: number): boolean {
    const ids = this.#links.get(link)?.ids;
    if (ids?.accept(circuit)) return true;
    if (ids !== undefined && circuit !== 0 && !ids.has(circuit)) {
      const reason = ids.isOfOurHalf(circuit) ? destroyReason.protocol : destroyReason.resourceLimit;
      this.send(link, circuit, cellCommand.destroy, encodeDestroy(reason), 0);
    }
    return false;
  }

  /**
   * The circuit is gone: tells the peer why (unless it told us), and gives the id back. What is queued is dropped, or goes
   * out before the peer is told.
   */
  releaseCircuit(link: LinkId, circuit: number, reason?: number, queued: QueuedCells = 'dropped'): void {
    const state = this.#links.get(link);
    if (state === undefined) return;
    const isFull = state.scheduler.queued(circuit) === circuitQueueCellsMax;
    if (queued === 'dropped' || isFull) this.#outbox.drop(state, circuit);
    if (reason !== undefined) this.send(link, circuit, cellCommand.destroy, encodeDestroy(reason), 0);
    state.ids?.release(circuit);
    if (state.ids?.count === 0) this.#watchTimeout(state, linkIdleMsMax, 'LINK_IDLE');
  }

  /** The link brought what is of no use, worth so many cells. One that brings too much is not read for a while. */
  waste(link: LinkId, cells: number): void {
    const state = this.#links.get(link);
    if (state !== undefined) this.#brake.count(state, cells);
  }

  /** Closes without a word to the user. */
  close(link: LinkId, why: CloseReason): void {
    const state = this.#links.get(link);
    if (state === undefined) return;
    this.#forget(state);
    this.#options.port.close(link, why);
  }

  onAccepted(link: LinkId, from: Endpoint): void {
    const hasRoom = this.#links.size < linksMax || this.makeRoom();
    if (this.#options.identity === undefined || !hasRoom) {
      this.#options.port.close(link, 'overload');
      return;
    }
    const state = new LinkState(link, false, from, {}, this.#outbox.spares);
    this.#links.set(link, state);
    this.#watchTimeout(state, linkHandshakeMsMax, 'LINK_TIMEOUT');
    this.#startHandshake(state);
  }

  onOpen(link: LinkId): void {
    const state = this.#links.get(link);
    if (state !== undefined) this.#startHandshake(state);
  }

  onBytes(link: LinkId, bytes: Uint8Array): void {
    const state = this.#links.get(link);
    if (state === undefined) return;
    this.#bytesRead += bytes.length;
    this.#outbox.beginEvent();
    try {
      const fault = state.codec.push(bytes, this.#handlerOf(state));
      if (fault !== undefined) this.#fail(state, { code: 'LINK_CELL_TOO_LONG' });
    } finally {
      this.#outbox.endEvent();
    }
    this.#outbox.flushDirty();
  }

  onWritable(link: LinkId): void {
    const state = this.#links.get(link);
    if (state === undefined) return;
    state.full = false;
    this.#outbox.flush(state);
    this.#outbox.flushDirty();
  }

  onClosed(link: LinkId, why: CloseReason): void {
    const state = this.#links.get(link);
    if (state === undefined) return;
    this.#forget(state);
    this.#options.user.onLinkLost(link, { code: 'LINK_CLOSED', detail: why });
  }

  #startHandshake(state: LinkState): void {
    const { port, identity, protocols, entropy, clock, ownAddresses } = this.#options;
    const handshake = new LinkHandshake(
      {
        initiator: state.initiator,
        identity,
        expect: state.expect,
        protocols,
        facts: port.facts(state.id),
        entropy,
        wallMs: () => clock.wallMs(),
        ownAddresses,
        peerAddress: state.remote.host,
      },
      {
        write: bytes => this.#outbox.writeUnheld(state, bytes),
        useProtocol: protocol => state.codec.useProtocol(protocol),
      },
    );
    state.handshake = handshake;
    handshake.start();
  }

  /** One handler a link, made once: cells cost no closure each. */
  readonly #handlers = new WeakMap<LinkState, CellHandler>();

  #handlerOf(state: LinkState): CellHandler {
    let handler = this.#handlers.get(state);
    if (handler === undefined) {
      handler = {
        onFixed: (circuit, command, bytes, at) => this.#onFixed(state, circuit, command, bytes, at),
        onRun: (circuit, bytes, at, stride, count) => this.#onRun(state, circuit, bytes, at, stride, count),
        onVariable: (circuit, command, payload, cell) =>
          this.#onVariable(state, circuit, command, payload, cell),
      };
      this.#handlers.set(state, handler);
    }
    return handler;
  }

  #onFixed(state: LinkState, circuit: number, command: number, bytes: Uint8Array, at: number): void {
    if (state.peer !== undefined) {
      if (circuitCommands.has(command)) this.#options.user.onCell(state.id, circuit, command, bytes, at);
      // Nobody takes the retired handshake any more.
      else if (command === cellCommand.create && this.acceptsCircuit(state.id, circuit))
        this.releaseCircuit(state.id, circuit, destroyReason.protocol);
      else this.#brake.count(state, 1);
      return;
    }
    const { handshake } = state;
    const fault =
      handshake === undefined
        ? ({ code: 'LINK_UNEXPECTED_CELL', detail: 'before TLS' } as const)
        : handshake.onFixed(command, bytes, at);
    if (fault !== undefined) this.#fail(state, fault);
    else if (handshake?.peer !== undefined && handshake.protocol !== undefined)
      this.#ready(state, handshake.peer, handshake.protocol);
  }

  #onRun(
    state: LinkState,
    circuit: number,
    bytes: Uint8Array,
    at: number,
    stride: number,
    count: number,
  ): void {
    if (state.peer !== undefined) this.#options.user.onRun(state.id, circuit, bytes, at, stride, count);
    else this.#onFixed(state, circuit, cellCommand.relay, bytes, at);
  }

  /** Variable-length cells belong to the handshake; afterwards they are padding or unknown. */
  #onVariable(
    state: LinkState,
    circuit: number,
    command: number,
    payload: Uint8Array,
    cell: Uint8Array,
  ): void {
    if (!handshakeCommands.has(command)) this.#brake.count(state, 1);
    if (state.peer !== undefined && !handshakeCommands.has(command)) return;
    const { handshake } = state;
    const fault = handshake ? handshake.onVariable(circuit, command, payload, cell) : unexpected(command);
    if (fault !== undefined) this.#fail(state, fault);
  }

  #ready(state: LinkState, peer: LinkPeer, protocol: LinkProtocol): void {
    const own = this.#options.identity?.keys.rsaIdentity.publicDer;
    const modulusOf = (der: Uint8Array | undefined) =>
      der === undefined ? undefined : rsaModulus(der)?.modulus;
    const peerDer = peer.kind === 'relay' ? peer.rsaPublicDer : undefined;
    state.shookHands(peer, protocol);
    state.ids = new CircuitIds(
      protocol,
      ownHalf(protocol, state.initiator, modulusOf(own), modulusOf(peerDer)),
    );
    this.#watchTimeout(state, linkIdleMsMax, 'LINK_IDLE');
    this.#keepAlive.watch();
    this.#options.observer.count('naulon_links_opened_total');
    this.#options.user.onLinkReady(state.id, peer, protocol);
  }

  /** The peer broke the rules, or time ran out: the link ends, the node goes on. */
  #fail(state: LinkState, fault: LinkFault): void {
    if (!this.#links.has(state.id)) return;
    this.#options.observer.count('naulon_link_fault_total');
    this.#options.observer.log('debug', 'link-fault', fieldsOf(fault));
    this.#forget(state);
    this.#options.port.close(state.id, closeReasonOf(fault));
    this.#options.user.onLinkLost(state.id, fault);
  }

  #forget(state: LinkState): void {
    if (this.#links.delete(state.id)) this.#outbox.forget(state);
    state.codec.stop();
    state.cancelTimeout?.();
    state.cancelHold?.();
  }

  #watchTimeout(state: LinkState, ms: number, code: 'LINK_TIMEOUT' | 'LINK_IDLE'): void {
    state.idleSinceMs = this.#options.clock.monotonicMs();
    state.cancelTimeout?.();
    state.cancelTimeout = this.#options.clock.after(ms, () => {
      if (code === 'LINK_TIMEOUT' || (state.ids?.count ?? 0) === 0) this.#fail(state, { code });
    });
  }

  /** A link that serves nobody is not to keep out one that might. False: there is none. */
  protected makeRoom(): boolean {
    const idlest = longestIdle(this.#links.values());
    if (idlest !== undefined) this.#fail(idlest, { code: 'LINK_IDLE' });
    return idlest !== undefined;
  }

  /** Ends a circuit as if its peer had, and tells the peer. */
  #shedCircuit(state: LinkState, circuit: number): void {
    if (!this.#links.has(state.id) || !state.ids?.has(circuit)) return;
    this.#options.observer.count('naulon_circuits_shed_total');
    const reason = encodeDestroy(destroyReason.resourceLimit);
    this.#options.user.onCell(state.id, circuit, cellCommand.destroy, reason, 0);
    this.releaseCircuit(state.id, circuit, destroyReason.resourceLimit);
  }
}

import { assert } from '../base/assert.ts';
import {
  cellsPerRunMax,
  circuitQueueCellsHigh,
  idleCellsMax,
  relayBodyBytesMax,
  relayEarlyCellsMax,
} from '../base/limits.ts';
import { cellCommand, destroyReason, endReason, relayCommand } from '../cell/commands.ts';
import { cellPayloadBytes } from '../cell/link-codec.ts';
import { decodeCreated2, decodeDestroy } from '../cell/link-messages.ts';
import {
  bodyOf,
  packFullData,
  relayCommandOf,
  streamIdOf,
  takeFullData,
  writeRelayCell,
} from '../cell/relay-cell.ts';
import { decodeExtended2, decodeSendme } from '../cell/relay-messages.ts';
import { cellMemory, packArea } from '../crypto/kernels/cell-memory.ts';
import { ClientLayers, type LayersUser } from '../onion/client-layers.ts';
import type { Clock, Entropy, Observer } from '../ports.ts';
import {
  ClientStream,
  type StreamCircuit,
  type StreamKind,
  type StreamUser,
} from '../stream/client-stream.ts';
import { CircuitBudget } from './circuit-budget.ts';
import { CircuitOutbox, type OutboxCircuit } from './circuit-outbox.ts';
import type { CircuitCarrier, CircuitEnd, CircuitUser } from './circuit-user.ts';
import { checkCommand } from './command-check.ts';
import {
  type CongestionOffer,
  type Exchange,
  type HopTarget,
  startCreate2,
  startCreateFast,
  startExtend2,
} from './extend.ts';
import { type HopPayer, HopState } from './hop-state.ts';
import { openingCell, type StreamGoal } from './stream-goal.ts';
import { StreamTable } from './stream-table.ts';

export interface CircuitOptions {
  readonly path: readonly HopTarget[];
  /** CREATE_FAST for the first hop, for a directory whose onion key is not known yet. */
  readonly fast: boolean;
  /** Asked of the last hop. Undefined: fixed windows. */
  readonly congestion?: CongestionOffer;
  readonly carrier: CircuitCarrier;
  readonly user: CircuitUser;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly observer: Observer;
}

type State = 'new' | 'building' | 'open' | 'ended';

/**
 * One circuit at its client: built hop by hop, then streams, windows and what each hop is paid.
 *
 * | cell            | while building     | open |
 * |-----------------|--------------------|------|
 * | CREATED_FAST/2  | first hop's keys   | protocol error |
 * | CREATE_FAST/2   | ignored            | ignored |
 * | DESTROY         | ended              | ended |
 * | RELAY           | EXTENDED2 of the last hop, TRUNCATED, RECEIPT | all below |
 * | RELAY_EARLY     | protocol error     | protocol error |
 * | stream 0        |                    | SENDME, RECEIPT, TRUNCATED |
 * | stream n        |                    | to the stream, if it is with the hop that sent it |
 *
 * As C tor does, it passes over what is for no stream, what only a client may say, DROP and unknown commands: but since each
 * of them costs, only so many.
 *
 * Every cell that passes a hop is counted for it, in both directions, as the relay counts it. What would cost more than a
 * hop has been paid waits in order: first control cells, then circuit SENDMEs, stream SENDMEs, DATA.
 * spec: tor-spec/circuit-management, tor-spec/relay-cells
 */
export class ClientCircuit implements StreamCircuit, OutboxCircuit, LayersUser {
  readonly path: readonly HopTarget[];
  readonly hops: HopState[] = [];
  readonly #options: CircuitOptions;
  readonly #layers = new ClientLayers(this);
  readonly #budget: CircuitBudget;
  #state: State = 'new';
  #exchange: Exchange | undefined;
  #earlyLeft = relayEarlyCellsMax;
  #idleCells = 0;
  #streams = new StreamTable();
  readonly #outbox: CircuitOutbox;

  constructor(options: CircuitOptions) {
    assert(options.path.length > 0, 'a circuit has a hop');
    this.path = options.path;
    this.#options = options;
    this.#budget = new CircuitBudget(this.hops, options.clock);
    this.#outbox = new CircuitOutbox(this, this.hops, this.#budget);
  }

  get state(): State {
    return this.#state;
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  get openStreams(): number {
    return this.#streams.size;
  }

  /** Begins to build. */
  start(): void {
    assert(this.#state === 'new', 'a circuit is started once');
    this.#state = 'building';
    const { entropy, fast, carrier } = this.#options;
    this.#exchange = fast ? startCreateFast(entropy) : startCreate2(entropy, this.path[0], this.#offerTo(0));
    const command = fast ? cellCommand.createFast : cellCommand.create2;
    if (!carrier.send(command, this.#exchange.message, 0))
      this.#die({ by: 'link', reason: destroyReason.resourceLimit });
  }

  /** Who pays the hop; set at once when the circuit is built, before the first stream. */
  setPayer(hop: number, payer: HopPayer): void {
    this.hops[hop].setPayer(payer);
    this.#budget.exposureChanged();
  }

  /** A payer has more to spend than before. */
  onFunds(): void {
    this.#outbox.pump();
  }

  /** The circuit's queue on the link is low again. */
  onWritable(): void {
    this.#outbox.pump();
  }

  onLinkLost(): void {
    if (this.#state !== 'ended') this.#finish({ by: 'link', reason: destroyReason.channelClosed });
  }

  /** A cell of this circuit from the link. */
  onCell(command: number, bytes: Uint8Array, at: number): void {
    if (this.#state === 'ended') return;
    switch (command) {
      case cellCommand.destroy:
        this.#finish({ by: 'peer', reason: decodeDestroy(bytes, at) });
        return;
      case cellCommand.createdFast:
        this.#onCreated(true, bytes.slice(at, at + 40));
        return;
      case cellCommand.created2:
        this.#onCreated(false, decodeCreated2(bytes, at));
        return;
      case cellCommand.createFast:
      case cellCommand.create2:
        return;
      default:
        // spec: tor-spec/relay-cells: RELAY_EARLY never travels towards the client
        this.#blame(`cell command ${command}`, 0);
        return;
    }
  }

  /** RELAY cells of this circuit from the link, their payloads `stride` bytes apart. */
  onRun(bytes: Uint8Array, at: number, stride: number, count: number): void {
    if (this.#state !== 'ended') this.#layers.open(bytes, at, stride, count);
  }

  /** Opens a stream at `hop`, by default the last. Undefined: too many streams, or the circuit is not open. */
  openStream(goal: StreamGoal, user: StreamUser, hop = this.path.length - 1): ClientStream | undefined {
    const id = this.#state === 'open' ? this.#streams.freeId() : undefined;
    if (id === undefined) return undefined;
    const stream = new ClientStream(id, hop, goal.kind, this.hops[hop].flow, this, user);
    this.#streams.add(stream);
    if (goal.kind !== 'resolve') this.hops[hop].addStream(stream.receiveWindow);
    this.#budget.exposureChanged();
    const { command, body } = openingCell(goal);
    this.sendControl(stream, command, body);
    return stream;
  }

  /** Sends one REDEEM body to a hop, ahead of all that waits but other payments. */
  sendRedeem(hop: number, body: Uint8Array): void {
    if (this.isOpen) this.#outbox.redeem(hop, body);
  }

  /** Ends the circuit. */
  close(reason: number = destroyReason.none): void {
    this.#die({ by: 'us', reason });
  }

  /** Ends the circuit because of what a hop did. */
  #blame(fault: string, hop: number): void {
    this.#die({ by: 'us', reason: destroyReason.protocol, fault, hop });
  }

  // What streams ask for

  sendControl(stream: ClientStream, command: number, body: Uint8Array): void {
    if (this.isOpen && !this.#outbox.control(stream, command, body))
      this.#die({ by: 'us', reason: destroyReason.resourceLimit });
  }

  dataRoom(stream: ClientStream): number {
    if (!this.isOpen || this.#outbox.holds) return 0;
    const queueRoom = circuitQueueCellsHigh - this.#options.carrier.queued();
    const { cells, cellsToMark } = this.hops[stream.hop].flow.sent;
    const most = Math.min(cells, cellsToMark, cellsPerRunMax, queueRoom);
    if (most <= 0) return 0;
    return Math.max(0, Math.min(most, this.#budget.dataRoom(stream.hop, stream.kind !== 'directory')));
  }

  sendData(stream: ClientStream, bytes: Uint8Array, at: number, length: number): void {
    if (this.#state !== 'open') return;
    const body = bytes.subarray(at, at + length);
    this.#sendData(stream, this.#sealed(stream.hop, relayCommand.data, stream.id, body), 1);
  }

  sendFullData(stream: ClientStream, bytes: Uint8Array, at: number, count: number): void {
    if (this.#state !== 'open') return;
    const cells = packFullData(bytes, at, count, stream.id);
    this.#layers.seal(cellMemory, cells, cellPayloadBytes, count, stream.hop);
    this.#sendData(stream, cells, count);
  }

  /** Sealed DATA cells in the cell memory, the last of them perhaps one that the hop answers. */
  #sendData(stream: ClientStream, at: number, count: number): void {
    const { sent } = this.hops[stream.hop].flow;
    let marked = false;
    for (let cell = 0; cell < count; cell++) marked = sent.package();
    // The digest is taken before the cells are counted: counting may send a REDEEM, which moves it.
    if (marked) sent.expectDigest(this.#layers.lastForwardDigest(stream.hop));
    const queued = this.#options.carrier.sendRun(cellMemory, at, cellPayloadBytes, count);
    this.#sent(queued, stream.hop, stream.kind, count);
  }

  permit(stream: ClientStream): void {
    this.#outbox.permit(stream);
  }

  wait(stream: ClientStream): void {
    this.#outbox.wait(stream);
  }

  release(stream: ClientStream, lingers: boolean): void {
    if (!this.#streams.remove(stream, lingers)) return;
    this.#outbox.forget(stream);
    if (stream.kind !== 'resolve') {
      const lingersFromMs = lingers ? this.#options.clock.monotonicMs() : undefined;
      this.hops[stream.hop].removeStream(stream.receiveWindow, lingersFromMs);
    }
    this.#budget.exposureChanged();
    if (this.#streams.size === 0 && this.#state === 'open') this.#options.user.onIdle();
  }

  // Sending

  sendCell(hop: number, command: number, streamId: number, body: Uint8Array, kind?: StreamKind): void {
    const cell = this.#sealed(hop, command, streamId, body);
    this.#sent(this.#options.carrier.sendRun(cellMemory, cell, cellPayloadBytes, 1), hop, kind, 1);
  }

  /** A cell for `hop`, in the pack area of the cell memory: its address. */
  #sealed(hop: number, command: number, streamId: number, body: Uint8Array): number {
    writeRelayCell(cellMemory, packArea.at, command, streamId, body, this.#options.entropy);
    this.#layers.seal(cellMemory, packArea.at, cellPayloadBytes, 1, hop);
    return packArea.at;
  }

  /** Cells were queued, and are counted; or the queue was full. */
  #sent(queued: boolean, hop: number, kind: StreamKind | undefined, cells: number): void {
    if (queued) this.#count(hop, kind, cells);
    else this.#die({ by: 'link', reason: destroyReason.resourceLimit });
  }

  /** Counts cells at every hop that they passed. Cells of directory streams cost nothing where they are served. */
  #count(hop: number, kind: StreamKind | undefined, cells: number): void {
    const last = kind === 'directory' ? hop - 1 : hop;
    for (let i = 0; i <= last; i++) this.hops[i].countCells(cells);
  }

  // Receiving

  #onCreated(fast: boolean, reply: Uint8Array | undefined): void {
    if (this.#state !== 'building' || this.hops.length > 0 || fast !== this.#options.fast) {
      this.#blame('CREATED out of turn', 0);
      return;
    }
    this.#addHop(reply, 0);
  }

  /** The hop as the answer to its handshake has it; then the next hop, or the circuit is open. */
  #addHop(reply: Uint8Array | undefined, blamed: number): void {
    const agreed = reply === undefined ? undefined : this.#exchange?.finish(reply);
    this.#exchange = undefined;
    if (agreed === undefined || !agreed.ok) {
      this.#blame(`bad handshake${agreed === undefined ? '' : `, ${agreed.fault.code}`}`, blamed);
      return;
    }
    this.#layers.push(agreed.value.keys);
    this.hops.push(new HopState(this.path[this.hops.length], agreed.value.flow));
    this.#options.user.onHop();
    if (this.hops.length < this.path.length) {
      this.#extend();
      return;
    }
    this.#state = 'open';
    this.#options.user.onBuilt();
  }

  #offerTo(hop: number): CongestionOffer | undefined {
    return hop === this.path.length - 1 ? this.#options.congestion : undefined;
  }

  #extend(): void {
    const last = this.hops.length - 1;
    this.#exchange = startExtend2(this.#options.entropy, this.path[last + 1], this.#offerTo(last + 1));
    assert(this.#earlyLeft > 0, 'a path is shorter than RELAY_EARLY cells last');
    this.#earlyLeft -= 1;
    const cell = this.#sealed(last, relayCommand.extend2, 0, this.#exchange.message);
    // spec: tor-spec/relay-cells: EXTEND2 travels in RELAY_EARLY alone
    this.#sent(this.#options.carrier.send(cellCommand.relayEarly, cellMemory, cell), last, undefined, 1);
  }

  /** A cell that no hop vouches for was made up on the way, to cost us money or to mark the circuit. */
  unrecognised(): false {
    this.#blame('cell not recognised', 0);
    return false;
  }

  cellsToMark(hop: number): number {
    return this.hops[hop].flow.received.cellsToMark;
  }

  opened(hop: number, bytes: Uint8Array, at: number, stride: number, count: number): boolean {
    while (count > 0 && !this.#ended) {
      let taken = this.#onFullData(hop, bytes, at, stride, count);
      if (taken === 0) {
        this.#onRelayCell(hop, bytes, at);
        taken = 1;
      }
      at += taken * stride;
      count -= taken;
    }
    return !this.#ended;
  }

  /** Takes the full DATA cells of an open stream that the run begins with, all at once. Returns how many they are. */
  #onFullData(hop: number, bytes: Uint8Array, at: number, stride: number, count: number): number {
    const stream = this.#streams.known(streamIdOf(bytes, at), hop);
    if (stream === undefined || stream.closed || stream.kind === 'resolve') return 0;
    const body = takeFullData(bytes, at, stride, count);
    const cells = body.length / relayBodyBytesMax;
    if (cells === 0) return 0;
    const state = this.hops[hop];
    if (!this.#countData(state, hop, stream, cells)) return cells;
    this.#count(hop, stream.kind, cells);
    const fault = stream.onData(body, cells);
    if (fault !== undefined) this.#blame(fault.detail ?? fault.code, hop);
    if (state.sendmesOwed.length > 0) this.#outbox.pump();
    return cells;
  }

  get #ended(): boolean {
    return this.#state === 'ended';
  }

  #onRelayCell(hop: number, bytes: Uint8Array, at: number): void {
    const body = bodyOf(bytes, at);
    if (body === undefined) {
      this.#blame('relay cell too long', hop);
      return;
    }
    const command = relayCommandOf(bytes, at);
    const streamId = streamIdOf(bytes, at);
    const stream = streamId === 0 ? undefined : this.#streams.known(streamId, hop);
    const state = this.hops[hop];
    if (command === relayCommand.data && !this.#countData(state, hop, stream, 1)) return;
    this.#count(hop, stream?.kind, 1);
    const verdict = checkCommand('relay', command, streamId);
    if (verdict === 'illegal') this.#blame(`relay command ${command} out of turn`, hop);
    // spec: tor-spec/closing-streams: END carries at least its reason
    else if (verdict === 'legal' && command === relayCommand.end && body.length === 0)
      this.#blame('END without a reason', hop);
    else if (verdict === 'idle') this.#onIdleCell(hop);
    else if (streamId === 0) this.#onCircuitMessage(hop, command, body);
    else this.#onStreamCell(hop, stream, command, body);
    if (state.sendmesOwed.length > 0) this.#outbox.pump();
  }

  /** Moves the windows for DATA cells; false: they were beyond them. */
  #countData(state: HopState, hop: number, stream: ClientStream | undefined, cells: number): boolean {
    const { received } = state.flow;
    if (received.deliver(cells) !== undefined) {
      this.#blame('DATA beyond the circuit window', hop);
      return false;
    }
    if (received.marked) state.sendmesOwed.push(this.#layers.lastBackwardDigest(hop));
    if (stream !== undefined && !stream.closed) state.countStreamData(cells, stream.receiveWindow);
    return true;
  }

  #onStreamCell(hop: number, stream: ClientStream | undefined, command: number, body: Uint8Array): void {
    const late = stream === undefined || stream.closed;
    const verdict = late ? this.#streams.onLateCell(stream?.id, command) : stream.onCell(command, body);
    if (verdict === 'idle') this.#onIdleCell(hop);
    else if (verdict !== undefined) this.#blame(verdict.detail ?? verdict.code, hop);
  }

  #onCircuitMessage(hop: number, command: number, body: Uint8Array): void {
    switch (command) {
      case relayCommand.extended2:
        if (this.#exchange === undefined || hop !== this.hops.length - 1) break;
        this.#addHop(decodeExtended2(body), hop);
        return;
      case relayCommand.sendme:
        if (!this.#onSendme(hop, body)) break;
        this.#outbox.pump();
        return;
      case relayCommand.receipt: {
        const payer = this.hops[hop].payer;
        if (payer === undefined || !payer.onReceipt(body)) break;
        this.#outbox.pump();
        return;
      }
      case relayCommand.truncated:
        // A circuit that lost its end has lost its streams: it is given up whole.
        this.#die({ by: 'peer', reason: body[0] ?? destroyReason.none, hop });
        return;
    }
    this.#blame(`relay command ${command} out of turn`, hop);
  }

  /** A hop that earns by every cell may not make up as many as it likes. */
  #onIdleCell(hop: number): void {
    this.#idleCells += 1;
    if (this.#idleCells > idleCellsMax) this.#blame('cells that say nothing', hop);
  }

  /** False: not the SENDME that is due. */
  #onSendme(hop: number, body: Uint8Array): boolean {
    const digest = decodeSendme(body);
    return digest !== undefined && this.hops[hop].flow.sent.sendme(digest) === undefined;
  }

  // Ending

  /** Ends the circuit and tells the first hop. */
  #die(end: CircuitEnd): void {
    if (this.#state === 'ended') return;
    // spec: tor-spec/tearing-down-circuits: a client gives no reason away
    this.#finish(end, destroyReason.none);
  }

  #finish(end: CircuitEnd, tell?: number): void {
    this.#state = 'ended';
    this.#outbox.clear();
    this.#options.carrier.release(tell);
    for (const hop of this.hops) hop.payer?.ended();
    for (const stream of this.#streams.clear()) stream.onCircuitLost(endReason.destroy);
    this.#options.user.onEnded(end);
  }
}

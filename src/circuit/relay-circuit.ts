import { assert, BrokenInvariant } from '../base/assert.ts';
import type { Fault } from '../base/fault.ts';
import { cellsPerRunMax, circuitSpareRounds, relayBodyBytesMax, relayEarlyCellsMax } from '../base/limits.ts';
import { cellCommand, destroyReason, relayCommand } from '../cell/commands.ts';
import { cellPayloadBytes } from '../cell/link-codec.ts';
import {
  bodyOf,
  packFullData,
  padRelayCell,
  relayCommandOf,
  relayHeaderBytes,
  streamIdOf,
  takeFullData,
  writeRelayCell,
  writeRelayHeader,
} from '../cell/relay-cell.ts';
import {
  decodeExtend2,
  decodeSendme,
  encodeExtended2,
  encodeSendme,
  type ResolvedMessage,
  truncatedMessage,
} from '../cell/relay-messages.ts';
import type { CircuitKeys } from '../crypto/circuit-keys.ts';
import { cellMemory, packArea } from '../crypto/kernels/cell-memory.ts';
import type { CircuitFlow } from '../flow/flow-control.ts';
import { fixedFlow } from '../flow/sendme-window.ts';
import type { QueuedCells } from '../link/link-mux.ts';
import type { RunTaker } from '../onion/recognise.ts';
import { RelayLayer } from '../onion/relay-layer.ts';
import type { RelayStream } from '../stream/relay-stream.ts';
import { checkCommand } from './command-check.ts';
import { debitUpTo, type Fare, fareOf } from './fares.ts';
import type { CircuitBalance, CircuitPayee, CircuitSide, RelayCircuitHost } from './relay-circuit-host.ts';
import { RelayStreams, type StreamsCircuit } from './relay-streams.ts';

type NextState = 'none' | 'extending' | 'open';
/** What answers a stream's opening, which only a client does. */
const answers: ReadonlySet<number> = new Set([relayCommand.connected, relayCommand.resolved]);

/**
 * One circuit at one relay. Every RELAY and RELAY_EARLY cell that comes in or goes out costs one cell of the balance,
 * before anything is done with it; DATA of exit streams costs a paid one; cells of directory streams served here cost
 * nothing. A cell that cannot be paid for ends the circuit (DESTROY 5).
 *
 * | recognised from the client | handled by |
 * |------------------|------------|
 * | BEGIN, RESOLVE   | the streams and the host, once paid; else END 11 |
 * | BEGIN_DIR        | a DirectoryStream |
 * | DATA, END, XOFF, XON | the stream |
 * | SENDME           | the stream; on stream 0 the circuit's window |
 * | EXTEND2          | the host; in RELAY_EARLY alone, once, while nothing follows |
 * | TRUNCATE         | DESTROY to the next hop, TRUNCATED |
 * | REDEEM           | the payee |
 * | BEGIN and the like for an id in use, DROP, unknown | paid for and dropped |
 *
 * spec: tor-spec/relay-cells, tor-spec/tearing-down-circuits
 */
export class RelayCircuit implements StreamsCircuit, RunTaker {
  readonly previous: CircuitSide;
  #host: RelayCircuitHost<RelayCircuit>;
  #layer: RelayLayer;
  #balance: CircuitBalance;
  /** Set once, right after the circuit was made; a free relay sets none. */
  payee: CircuitPayee | undefined;
  #next: CircuitSide | undefined;
  #nextState: NextState = 'none';
  #earlyCells = 0;
  /** The cell at hand is RELAY_EARLY. */
  #early = false;
  readonly flow: CircuitFlow;
  #streams: RelayStreams<RelayCircuit>;
  #alive = true;

  constructor(
    host: RelayCircuitHost<RelayCircuit>,
    previous: CircuitSide,
    keys: CircuitKeys,
    balance: CircuitBalance,
    flow: CircuitFlow = fixedFlow(),
  ) {
    this.#host = host;
    this.previous = previous;
    this.#layer = new RelayLayer(keys);
    this.#balance = balance;
    this.flow = flow;
    this.#streams = new RelayStreams<RelayCircuit>(this, host);
  }

  get alive(): boolean {
    return this.#alive;
  }

  get paid(): boolean {
    return this.#balance.paid;
  }

  get next(): CircuitSide | undefined {
    return this.#next;
  }

  /** True while an EXTEND2 waits for its link or its CREATED2. */
  get extending(): boolean {
    return this.#nextState === 'extending';
  }

  /** Told once in a while; a circuit that carried nothing since the last time gives memory back. */
  rest(): void {
    this.#layer.rest();
  }

  /** It serves nobody, and nobody has paid for it to wait: where there is no room, it gives way. */
  get isSpare(): boolean {
    const isPaid = this.payee !== undefined && this.paid;
    return !isPaid && this.#layer.restedRounds >= circuitSpareRounds && this.#streams.size === 0;
  }

  // Cells from the client's side

  /** RELAY cells from the previous hop, their payloads `stride` bytes apart. */
  onClientRun(bytes: Uint8Array, at: number, stride: number, count: number): void {
    if (this.#alive) this.#layer.fromClient(bytes, at, stride, count, this);
  }

  /** A RELAY_EARLY cell from the previous hop. */
  onClientEarly(bytes: Uint8Array, at: number): void {
    if (!this.#alive) return;
    this.#earlyCells += 1;
    // spec: tor-spec/relay-cells: at most 8 RELAY_EARLY cells on a circuit
    if (this.#earlyCells > relayEarlyCellsMax) {
      this.fail({ code: 'RELAY_EARLY_EXCESS' });
      return;
    }
    this.#early = true;
    this.#layer.fromClient(bytes, at, cellPayloadBytes, 1, this);
    this.#early = false;
  }

  get ownCellsMost(): number {
    return this.flow.received.cellsToMark;
  }

  own(bytes: Uint8Array, at: number, stride: number, count: number): boolean {
    while (count > 0 && this.#alive) {
      let taken = this.#onFullData(bytes, at, stride, count);
      if (taken === 0) {
        this.fail(this.#dispatch(bytes, at));
        taken = 1;
      }
      at += taken * stride;
      count -= taken;
    }
    return this.#alive;
  }

  /** Takes the full DATA cells of an open stream that the run begins with, all at once. Returns how many they are. */
  #onFullData(bytes: Uint8Array, at: number, stride: number, count: number): number {
    const stream = this.#streams.get(streamIdOf(bytes, at));
    if (stream === undefined) return 0;
    const body = takeFullData(bytes, at, stride, count);
    const cells = body.length / relayBodyBytesMax;
    if (cells === 0) return 0;
    const paid = debitUpTo(this.#balance, fareOf(relayCommand.data, stream.kind), cells);
    if (paid > 0) this.fail(this.#onData(stream.id, body.subarray(0, paid * relayBodyBytesMax), paid));
    if (paid < cells) this.#unpaid();
    return cells;
  }

  foreign(bytes: Uint8Array, at: number, stride: number, count: number): boolean {
    const next = this.#next;
    if (this.#nextState !== 'open' || next === undefined) {
      // Nobody behind us could have been meant.
      this.fail({ code: 'RELAY_UNRECOGNISED' });
      return false;
    }
    const send = (cells: number): boolean =>
      this.#early
        ? this.#host.send(next, cellCommand.relayEarly, bytes, at)
        : this.#host.sendRun(next, bytes, at, stride, cells);
    return this.#carry(count, send);
  }

  /** Pays for cells that go through and sends them; what cannot be paid for ends the circuit. */
  #carry(count: number, send: (cells: number) => boolean): boolean {
    const paid = debitUpTo(this.#balance, 'any', count);
    if (paid > 0 && !send(paid)) this.destroy(destroyReason.resourceLimit);
    if (paid < count) this.#unpaid();
    return this.#alive;
  }

  #dispatch(bytes: Uint8Array, at: number): Fault | undefined {
    const command = relayCommandOf(bytes, at);
    const streamId = streamIdOf(bytes, at);
    const body = bodyOf(bytes, at);
    if (body === undefined) return { code: 'RELAY_BAD_LENGTH' };
    const verdict = checkCommand('client', command, streamId);
    const answersOurs = answers.has(command) && this.#streams.taken(streamId);
    if (verdict === 'illegal' || answersOurs) return { code: 'RELAY_ILLEGAL_COMMAND' };
    if (!this.#pay(fareOf(command, streamId === 0 ? undefined : this.#streams.kindOf(streamId))))
      return undefined;
    if (verdict === 'idle') {
      this.#host.observer.count('naulon_relay_idle_cells_total');
      return undefined;
    }
    switch (command) {
      case relayCommand.data:
        return this.#onData(streamId, body, 1);
      case relayCommand.sendme:
        return streamId === 0 ? this.#onCircuitSendme(body) : this.#onStreamCell(streamId, command, body);
      case relayCommand.end:
      case relayCommand.xoff:
      case relayCommand.xon:
        return this.#onStreamCell(streamId, command, body);
      case relayCommand.begin:
        this.#streams.onBegin(streamId, body);
        return undefined;
      case relayCommand.beginDir:
        this.#streams.onBeginDir(streamId);
        return undefined;
      case relayCommand.resolve:
        this.#streams.onResolve(streamId, body);
        return undefined;
      case relayCommand.extend2:
        return this.#onExtend(body);
      case relayCommand.truncate:
        return this.#onTruncate(body);
      case relayCommand.redeem:
        return this.#onRedeem(body);
      default:
        throw new BrokenInvariant(`relay command ${command} is legal and has no handler`);
    }
  }

  #onData(streamId: number, body: Uint8Array, cells: number): Fault | undefined {
    const { received } = this.flow;
    const fault = received.deliver(cells);
    if (fault !== undefined) return fault;
    if (received.marked) {
      // The digest is of this very cell, so it is taken before anything else happens.
      received.acknowledge();
      const digest = this.#layer.lastForwardDigest();
      this.originate(relayCommand.sendme, 0, encodeSendme(digest), 'any');
      if (!this.#alive) return undefined;
    }
    return this.#onStreamCell(streamId, relayCommand.data, body, cells);
  }

  #onStreamCell(streamId: number, command: number, body: Uint8Array, cells = 1): Fault | undefined {
    const fault = this.#streams.onCell(streamId, command, body, cells);
    if (fault === undefined) this.#pump();
    return fault;
  }

  #onCircuitSendme(body: Uint8Array): Fault | undefined {
    const digest = decodeSendme(body);
    if (digest === undefined) return { code: 'SENDME_MALFORMED' };
    const fault = this.flow.sent.sendme(digest);
    if (fault === undefined) this.#pump();
    return fault;
  }

  #onExtend(body: Uint8Array): Fault | undefined {
    // spec: tor-spec/create-created-cells: EXTEND2 must ride in RELAY_EARLY
    if (!this.#early) return undefined;
    if (this.#nextState !== 'none') return { code: 'EXTEND_TWICE' };
    const message = decodeExtend2(body);
    if (message === undefined) return { code: 'EXTEND_MALFORMED' };
    this.#nextState = 'extending';
    this.#host.extend(this, message);
    return undefined;
  }

  #onTruncate(body: Uint8Array): Fault | undefined {
    this.#cutNext(body.length > 0 ? body[0] : destroyReason.none, true);
    const reply = truncatedMessage.encode({ reason: destroyReason.requested });
    this.originate(relayCommand.truncated, 0, reply, 'any');
    return undefined;
  }

  #onRedeem(body: Uint8Array): Fault | undefined {
    if (this.payee === undefined) this.#host.observer.count('naulon_redeem_unexpected_total');
    return this.payee?.onRedeem(body);
  }

  // Cells from the next hop

  /** RELAY cells from the next hop, their payloads `stride` bytes apart; the client judges any before its CREATED2. */
  onNextRun(bytes: Uint8Array, at: number, stride: number, count: number): void {
    if (!this.#alive || this.#next === undefined) return;
    this.#layer.toClient(bytes, at, stride, count);
    this.#carry(count, cells => this.#host.sendRun(this.previous, bytes, at, stride, cells));
  }

  /** A RELAY_EARLY cell from the next hop. */
  onNextEarly(): void {
    // spec: tor-spec/relay-cells: RELAY_EARLY never travels towards the client
    if (this.#next !== undefined) this.fail({ code: 'RELAY_EARLY_INBOUND' });
  }

  /** CREATE2 is on its way to the next hop. */
  setNext(next: CircuitSide): void {
    assert(this.#nextState === 'extending', 'the circuit extends');
    this.#next = next;
  }

  /** The next hop answered with CREATED2. */
  extended(reply: Uint8Array): void {
    if (!this.#alive || this.#nextState !== 'extending') return;
    this.#nextState = 'open';
    this.originate(relayCommand.extended2, 0, encodeExtended2(reply), 'any');
  }

  /** The next hop is gone and knows it, or could not be reached: so is the circuit, as C tor has it. */
  onNextLost(reason: number): void {
    if (!this.#alive || this.#nextState === 'none') return;
    this.#cutNext(reason, false);
    // What is queued has been paid for.
    this.destroy(reason, 'sent');
  }

  #cutNext(reason: number, tell: boolean, queued: QueuedCells = 'dropped'): void {
    if (this.#nextState === 'none') return;
    const next = this.#next;
    this.#next = undefined;
    this.#nextState = 'none';
    this.#host.dropNext(this, next, tell ? reason : undefined, queued);
  }

  // What streams ask for

  dataRoom(): number {
    if (!this.#alive || !this.#host.canQueue(this.previous)) return 0;
    const { cells, cellsToMark } = this.flow.sent;
    return Math.min(cells, cellsToMark, cellsPerRunMax);
  }

  sendFullData(stream: RelayStream, bytes: Uint8Array, at: number, count: number): void {
    const paid = debitUpTo(this.#balance, stream.kind === 'exit' ? 'paid' : 'none', count);
    if (this.#alive && paid > 0) this.#sendOwnData(packFullData(bytes, at, paid, stream.id), paid);
    if (paid < count) this.#unpaid();
  }

  /** DATA cells in the cell memory, the last of them perhaps one that the client answers. */
  #sendOwnData(at: number, count: number): void {
    this.#layer.originate(cellMemory, at, cellPayloadBytes, count);
    const { sent } = this.flow;
    let marked = false;
    for (let cell = 0; cell < count; cell++) marked = sent.package();
    if (marked) sent.expectDigest(this.#layer.lastBackwardDigest());
    if (!this.#host.sendRun(this.previous, cellMemory, at, cellPayloadBytes, count))
      this.destroy(destroyReason.resourceLimit);
  }

  sendData(stream: RelayStream, bytes: Uint8Array, at: number, length: number): void {
    if (!this.#pay(stream.kind === 'exit' ? 'paid' : 'none')) return;
    const cell = packArea.at;
    writeRelayHeader(cellMemory, cell, relayCommand.data, stream.id, length);
    cellMemory.set(bytes.subarray(at, at + length), cell + relayHeaderBytes);
    padRelayCell(cellMemory, cell, length, this.#host.entropy);
    this.#sendOwnData(cell, 1);
  }

  sendControl(stream: RelayStream, command: number, body: Uint8Array): void {
    this.originate(command, stream.id, body, stream.kind === 'directory' ? 'none' : 'any');
  }

  wait(stream: RelayStream): void {
    this.#streams.wait(stream);
  }

  wake(stream: RelayStream): void {
    this.#streams.wait(stream);
    this.#pump();
  }

  release(stream: RelayStream, half: boolean): void {
    this.#streams.release(stream, half);
  }

  /** The answer to a RESOLVE. */
  onResolved(streamId: number, answer: ResolvedMessage): void {
    this.#streams.onResolved(streamId, answer);
  }

  /** The body of a RECEIPT cell. */
  sendReceipt(body: Uint8Array): void {
    this.originate(relayCommand.receipt, 0, body, 'any');
  }

  /** The queue of the previous side is short again. */
  onWritable(): void {
    this.#pump();
  }

  #pump(): void {
    this.#streams.pump(() => this.dataRoom() > 0);
  }

  originate(command: number, streamId: number, body: Uint8Array, fare: Fare): void {
    if (!this.#alive || !this.#pay(fare)) return;
    const cell = packArea.at;
    writeRelayCell(cellMemory, cell, command, streamId, body, this.#host.entropy);
    this.#layer.originate(cellMemory, cell, cellPayloadBytes, 1);
    if (!this.#host.sendRun(this.previous, cellMemory, cell, cellPayloadBytes, 1))
      this.destroy(destroyReason.resourceLimit);
  }

  /** Pays for one cell, or ends the circuit. */
  #pay(fare: Fare): boolean {
    if (debitUpTo(this.#balance, fare, 1) === 1) return true;
    this.#unpaid();
    return false;
  }

  #unpaid(): void {
    if (!this.#alive) return;
    this.#host.observer.count('naulon_circuits_unpaid_total');
    // What is queued has been paid for.
    this.destroy(destroyReason.resourceLimit, 'sent');
  }

  // The end

  /** With a fault the client or a relay broke the protocol, or the payer its own. */
  fail(fault: Fault | undefined): void {
    if (fault === undefined || !this.#alive) return;
    this.#host.observer.log('info', 'circuit broke the protocol', { code: fault.code });
    this.#host.observer.count('naulon_circuit_faults_total');
    this.destroy(destroyReason.protocol);
  }

  /** Ends the circuit and tells both neighbours. */
  destroy(reason: number, queued: QueuedCells = 'dropped'): void {
    if (!this.#alive) return;
    this.#end(reason, queued);
    this.#host.gone(this, reason, queued);
  }

  /** The previous hop destroyed the circuit, or its link is lost: only the next hop is told. */
  onPreviousLost(reason: number): void {
    if (!this.#alive) return;
    this.#end(reason, 'dropped');
    this.#host.gone(this, undefined, 'dropped');
  }

  #end(reason: number, queued: QueuedCells): void {
    this.#alive = false;
    this.#cutNext(reason, true, queued);
    this.#streams.abandon();
    this.payee?.ended();
  }
}

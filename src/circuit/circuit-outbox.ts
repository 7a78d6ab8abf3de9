import { heldCellsMax } from '../base/limits.ts';
import { relayCommand } from '../cell/commands.ts';
import { encodeSendme } from '../cell/relay-messages.ts';
import type { ClientStream, StreamKind } from '../stream/client-stream.ts';
import type { CircuitBudget } from './circuit-budget.ts';
import type { HopState } from './hop-state.ts';
import { opensStream } from './stream-goal.ts';

/** What an outbox asks of its circuit. */
export interface OutboxCircuit {
  /** False once the circuit has ended, which any cell sent may bring about. */
  readonly isOpen: boolean;
  /** Seals a cell for `hop`, queues it on the link and counts it. @param kind of its stream, if it has one. */
  sendCell(hop: number, command: number, streamId: number, body: Uint8Array, kind?: StreamKind): void;
  /** DATA cells of the stream that may go out now. */
  dataRoom(stream: ClientStream): number;
}

/** A cell that waits until every hop on its way can be paid for it. */
interface HeldCell {
  readonly stream: ClientStream;
  readonly command: number;
  readonly body: Uint8Array;
}

const empty = new Uint8Array(0);

/**
 * What a client's circuit has to send and may have to wait with, because it would cost more than a hop has been paid. In
 * this order: payments, control cells of streams, circuit SENDMEs, stream SENDMEs, DATA.
 */
export class CircuitOutbox {
  readonly #circuit: OutboxCircuit;
  readonly #hops: readonly HopState[];
  readonly #budget: CircuitBudget;
  readonly #redeems: { readonly hop: number; readonly body: Uint8Array }[] = [];
  readonly #held: HeldCell[] = [];
  /** Streams whose far side has earned a SENDME. */
  readonly #permits = new Set<ClientStream>();
  /** Streams with DATA that could not go out. */
  readonly #waiting = new Set<ClientStream>();
  #pumping = false;

  constructor(circuit: OutboxCircuit, hops: readonly HopState[], budget: CircuitBudget) {
    this.#circuit = circuit;
    this.#hops = hops;
    this.#budget = budget;
  }

  /** True while control cells wait: DATA must not overtake them. */
  get holds(): boolean {
    return this.#held.length > 0;
  }

  /** One REDEEM body for a hop. */
  redeem(hop: number, body: Uint8Array): void {
    this.#redeems.push({ hop, body });
    this.#sendRedeems();
  }

  /** A cell of a stream that is no DATA. False: too many wait. */
  control(stream: ClientStream, command: number, body: Uint8Array): boolean {
    const cell = { stream, command, body };
    if (this.#held.length === 0 && this.#affords(cell)) {
      this.#send(cell);
      return true;
    }
    if (command === relayCommand.end && this.#dropOpening(stream)) return true;
    if (this.#held.length >= heldCellsMax) return false;
    this.#held.push(cell);
    return true;
  }

  /** A SENDME for the stream, once the cells that it permits are paid for. */
  permit(stream: ClientStream): void {
    this.#permits.add(stream);
    this.pump();
  }

  /** The stream is flushed once DATA goes out again. */
  wait(stream: ClientStream): void {
    this.#waiting.add(stream);
  }

  /** The stream is over; its control cells still go out. */
  forget(stream: ClientStream): void {
    this.#permits.delete(stream);
    this.#waiting.delete(stream);
  }

  clear(): void {
    this.#redeems.length = 0;
    this.#held.length = 0;
    this.#permits.clear();
    this.#waiting.clear();
  }

  /** Sends what has waited, as far as it is paid for. */
  pump(): void {
    if (this.#pumping || !this.#circuit.isOpen) return;
    this.#pumping = true;
    this.#sendRedeems();
    while (this.#held.length > 0 && this.#affords(this.#held[0])) this.#send(this.#held.shift()!);
    if (this.#held.length === 0) {
      this.#sendCircuitPermits();
      this.#sendStreamPermits();
      this.#flushStreams();
    }
    this.#pumping = false;
  }

  /** True when every hop on the way can be paid for the cell and for what it permits the far side to send. */
  #affords({ stream, command }: HeldCell): boolean {
    if (!opensStream(command)) return this.#budget.affordsCell(stream.hop);
    return this.#budget.affordsPermitted(stream.hop, stream.kind !== 'directory');
  }

  #send({ stream, command, body }: HeldCell): void {
    this.#circuit.sendCell(stream.hop, command, stream.id, body, stream.kind);
  }

  /** A stream that was ended before its BEGIN left needs no cell at all. */
  #dropOpening(stream: ClientStream): boolean {
    const at = this.#held.findIndex(held => held.stream === stream && opensStream(held.command));
    if (at < 0) return false;
    this.#held.splice(at, 1);
    return true;
  }

  /** In order, as far as every hop on their way still takes a cell. */
  #sendRedeems(): void {
    while (this.#redeems.length > 0 && this.#budget.passes(this.#redeems[0].hop)) {
      const { hop, body } = this.#redeems.shift()!;
      this.#circuit.sendCell(hop, relayCommand.redeem, 0, body);
    }
  }

  #sendCircuitPermits(): void {
    for (const [hop, state] of this.#hops.entries()) {
      while (
        state.sendmesOwed.length > 0 &&
        this.#circuit.isOpen &&
        this.#budget.affordsGrant(hop, true, 'circuit')
      ) {
        const digest = state.takeSendme();
        if (digest === undefined) return;
        if (!state.flow.streamWindows) this.#budget.exposureChanged();
        this.#circuit.sendCell(hop, relayCommand.sendme, 0, encodeSendme(digest));
      }
    }
  }

  #sendStreamPermits(): void {
    for (const stream of this.#permits) {
      while (this.#circuit.isOpen && stream.permitDue) {
        const exit = stream.kind !== 'directory';
        if (!this.#budget.affordsGrant(stream.hop, exit, 'stream')) return;
        stream.givePermit();
        this.#hops[stream.hop].countStreamPermit();
        this.#circuit.sendCell(stream.hop, relayCommand.sendme, stream.id, empty, stream.kind);
      }
      this.#permits.delete(stream);
    }
  }

  /** Streams that could not send take turns. */
  #flushStreams(): void {
    for (const stream of [...this.#waiting]) {
      if (this.#circuit.dataRoom(stream) === 0) continue;
      this.#waiting.delete(stream);
      stream.flush();
    }
  }
}

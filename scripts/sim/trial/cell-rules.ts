import {
  circuitQueueCellsMax,
  freeCells,
  nodeQueueCellsMax,
  relayBodyBytesMax,
} from '../../../src/base/limits.ts';
import type { RelayCircuit } from '../../../src/circuit/relay-circuit.ts';
import type { CircuitSide } from '../../../src/circuit/relay-circuit-host.ts';
import type { LinkMux } from '../../../src/link/link-mux.ts';
import type { CellBalance } from '../../../src/payment/cell-balance.ts';
import type { PaidNetwork, SimRelay } from '../paid-network.ts';
import type { SeenCircuit } from '../wire-tap.ts';
import type { RuleBook } from './rule-book.ts';

interface WatchedCircuit {
  readonly circuit: RelayCircuit;
  readonly balance: CellBalance;
  readonly relay: SimRelay;
  /** The side of the client, as the wire shows it. */
  readonly seen: SeenCircuit;
  /** As this onlooker adds it up. */
  creditedMsat: bigint;
  /** Bytes that its exit streams have read. */
  exitBytes: number;
  exitStreams: number;
  /** Cells that the relay has handed to its links for the client. */
  sentBack: number;
  /** Cells that it has handed on in the step in which it last did so. */
  sentOn: number;
  sentOnStep: number;
}

const cellsPerPrice = 1n << 20n;

/** Rules I2, I8 and I9: what relays carried, as their wires show it, against what was credited. */
export class CellRules {
  readonly #book: RuleBook;
  readonly #network: () => PaidNetwork;
  readonly #circuits = new Map<RelayCircuit, WatchedCircuit>();

  constructor(book: RuleBook, network: () => PaidNetwork) {
    this.#book = book;
    this.#network = network;
  }

  /** From now on counts what exit streams of the relay read. */
  relayBegan({ core }: SimRelay): void {
    const begin = core.beginExit.bind(core);
    core.beginExit = (circuit, stream, message) => {
      const watched = this.#circuits.get(circuit);
      if (watched !== undefined) {
        this.#book.hold(
          watched.creditedMsat > 0n,
          'I9',
          () => `${nameOf(watched.relay)} serves an exit stream on free cells`,
        );
        watched.exitStreams += 1;
        const read = stream.onBytes.bind(stream);
        stream.onBytes = bytes => {
          watched.exitBytes += bytes.length;
          read(bytes);
        };
      }
      begin(circuit, stream, message);
    };
    const send = core.sendRun.bind(core);
    core.sendRun = (side, bytes, at, stride, count) => {
      this.#onSent(core.circuits.find(side.link, side.id)?.circuit, side, count);
      return send(side, bytes, at, stride, count);
    };
  }

  /** Its circuits are no more; the turn in which it died may have been cut anywhere. */
  relayDied({ core }: SimRelay): void {
    for (const [circuit, { relay }] of this.#circuits)
      if (relay.core === core) this.#circuits.delete(circuit);
  }

  /** What is returned is to be told of value that the circuit is credited. */
  circuitBegan(relay: SimRelay, circuit: RelayCircuit, balance: CellBalance): (msat: bigint) => void {
    const seen = relay.tap.find(circuit.previous.link, circuit.previous.id);
    if (!balance.metered || seen === undefined) return () => {};
    const watched = {
      circuit,
      balance,
      relay,
      seen,
      creditedMsat: 0n,
      exitBytes: 0,
      exitStreams: 0,
      sentBack: 0,
      sentOn: 0,
      sentOnStep: 0,
    };
    this.#circuits.set(circuit, watched);
    const debitExit = balance.debitExit.bind(balance);
    balance.debitExit = cells => {
      const before = balance.paidCells;
      const taken = debitExit(cells);
      const paid = before - balance.paidCells;
      this.#book.hold(
        !taken || paid === cells,
        'I9',
        () => `${nameOf(relay)}: ${cells} cells for an exit cost ${paid} paid ones`,
      );
      return taken;
    };
    return msat => {
      watched.creditedMsat += msat;
    };
  }

  /**
   * What goes out was debited before, and so was all that came in before this step; of what came in just now, so much as goes
   * out with it. Directory cells are on circuits that nobody pays for.
   */
  #onSent(circuit: RelayCircuit | undefined, { link, id }: CircuitSide, cells: number): void {
    const watched = circuit && this.#circuits.get(circuit);
    if (watched === undefined) return;
    const { balance, seen } = watched;
    const step = this.#network().world.steps;
    if (watched.sentOnStep !== step) watched.sentOn = 0;
    watched.sentOnStep = step;
    if (link === seen.link && id === seen.id) watched.sentBack += cells;
    else watched.sentOn += cells;
    if (!balance.paid) return;
    const cameIn = seen.lastInStep === step ? seen.relayInBefore + watched.sentOn : seen.relayIn;
    const debited = freeCells + grantedCells(watched) - balance.balance;
    this.#book.hold(
      watched.sentBack + cameIn <= debited,
      'I2',
      () =>
        `${nameOf(watched.relay)} has ${watched.sentBack} + ${cameIn} cells of a circuit, and ${debited} debited`,
    );
  }

  all(): void {
    for (const watched of this.#circuits.values()) {
      this.#check(watched);
      if (!watched.circuit.alive) this.#circuits.delete(watched.circuit);
    }
    for (const relay of this.#network().relays) this.#checkQueues(relay);
  }

  #check(watched: WatchedCircuit): void {
    const { circuit, balance, relay, seen } = watched;
    const carried = seen.relayIn + seen.relayOut;
    const bought = freeCells + grantedCells(watched);
    const where = () => `${nameOf(relay)}, circuit ${seen.link}/${seen.id}`;
    this.#book.hold(
      seen.relayOut <= bought || !balance.paid,
      'I2',
      () => `${where()}: ${seen.relayOut} cells went back for ${bought} bought`,
    );
    const { exitBytes, exitStreams } = watched;
    // A read that was under way when its connection was paused waits at the exit.
    const aheadBytes = exitStreams * 2 * this.#network().network.segmentBytesMax;
    this.#book.hold(
      exitBytes <= (bought - freeCells) * relayBodyBytesMax + aheadBytes,
      'I9',
      () => `${where()}: exit streams read ${exitBytes} bytes for ${bought - freeCells} paid cells`,
    );
    // Directory cells cost nothing; they are on circuits that nobody pays for.
    if (!circuit.alive || !balance.paid) return;
    const queued = muxOf(relay).queued(circuit.previous.link, circuit.previous.id);
    const debited = bought - balance.balance;
    this.#book.hold(
      debited === carried + queued,
      'I2',
      () => `${where()}: ${debited} cells debited for ${carried} carried and ${queued} queued`,
    );
  }

  #checkQueues(relay: SimRelay): void {
    const mux = muxOf(relay);
    this.#book.hold(
      mux.queuedCells <= nodeQueueCellsMax,
      'I8',
      () => `${nameOf(relay)} has ${mux.queuedCells} cells queued`,
    );
    for (const { previous } of relay.core.circuits) {
      const queued = mux.queued(previous.link, previous.id);
      this.#book.hold(
        queued <= circuitQueueCellsMax,
        'I8',
        () => `${nameOf(relay)} has ${queued} cells of a circuit queued`,
      );
    }
  }
}

function grantedCells({ creditedMsat, balance }: WatchedCircuit): number {
  return Number((creditedMsat * cellsPerPrice) / balance.price);
}

function muxOf({ core }: SimRelay): LinkMux {
  return core.linkHandler as LinkMux;
}

const nameOf = ({ core }: SimRelay): string => core.settings.nickname;

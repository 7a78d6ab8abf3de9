import { freeCells, relayBodyBytesMax } from '../src/base/limits.ts';
import type { HttpResponse } from '../src/directory/http-codec.ts';
import type { Clock } from '../src/ports.ts';
import { DirectoryExchange } from './directory-exchange.ts';
import type { ManagedCircuit } from './managed-circuit.ts';

/** At its first hop a circuit of three costs two EXTEND2 and what answers them; END cells may cross at its end. */
const buildCells = 6;
/** BEGIN_DIR, CONNECTED, an END each way. */
const streamCells = 4;
/** Of an answer: a head, and a few signed statements. */
const answerCellsGuess = 2;

/** Cells of a question that is asked without payment, before its answer is known. */
export function cellsToAsk(requestBytes: number): number {
  return streamCells + cellsOf(requestBytes) + answerCellsGuess;
}

/** What free cells leave for questions. */
export const freeAskCells = freeCells - buildCells;

/** One circuit that carries questions to one party: on its free cells, or paid for. */
export class AskCircuit {
  readonly circuit: ManagedCircuit;
  /** HOST:PORT of the party. */
  readonly party: string;
  readonly paid: boolean;
  readonly #clock: Clock;
  #cellsLeft: number;
  #underWay = 0;
  #spent = false;
  /** Questions that wait for the circuit to be built, or paid. */
  #waiting: DirectoryExchange[] = [];
  #ready = false;

  constructor(circuit: ManagedCircuit, party: string, paid: boolean, clock: Clock) {
    this.circuit = circuit;
    this.party = party;
    this.paid = paid;
    this.#clock = clock;
    this.#cellsLeft = paid ? Number.POSITIVE_INFINITY : freeAskCells;
  }

  get idle(): boolean {
    return this.#underWay === 0;
  }

  /** True for a circuit, built or to be, that can take a question of so many cells. */
  takes(cells: number): boolean {
    const { state, retired } = this.circuit;
    return !this.#spent && !retired && state !== 'closing' && state !== 'ended' && cells <= this.#cellsLeft;
  }

  /** Asks its last hop. @param done told once; undefined: no answer came. */
  carry(request: Uint8Array, msMax: number, done: (response: HttpResponse | undefined) => void): void {
    const cells = cellsToAsk(request.length);
    this.#cellsLeft -= cells;
    this.#underWay += 1;
    const exchange = new DirectoryExchange(request, this.#clock, msMax, response => {
      this.#underWay -= 1;
      this.#cellsLeft += answerCellsGuess - cellsOf(response?.body.length ?? 0);
      done(response);
      if (this.#cellsLeft < cells) this.#spent = true;
      this.#closeIfDone();
    });
    if (this.#ready) exchange.open(this.circuit, this.circuit.path.length - 1);
    else this.#waiting.push(exchange);
  }

  /** It is built. */
  onOpen(): void {
    if (this.paid) this.circuit.startPayments();
    if (!this.paid || this.circuit.payments === undefined) this.onReady();
  }

  /** It is paid for, or carries free cells. */
  onReady(): void {
    this.#ready = true;
    for (const exchange of this.#waiting.splice(0)) exchange.open(this.circuit, this.circuit.path.length - 1);
  }

  onEnded(): void {
    this.#spent = true;
    for (const exchange of this.#waiting.splice(0)) exchange.fail();
  }

  /** Takes no more questions; closed once those under way are over. */
  giveUp(): void {
    this.#spent = true;
    this.#closeIfDone();
  }

  #closeIfDone(): void {
    if (this.#spent && this.#underWay === 0) this.circuit.close();
  }
}

function cellsOf(bytes: number): number {
  // With the head of a response, which is not counted apart.
  return Math.ceil((bytes + 60) / relayBodyBytesMax);
}

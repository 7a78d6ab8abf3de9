import type { Fault } from '../src/base/fault.ts';
import { circuitQueueCellsHigh } from '../src/base/limits.ts';
import type { CircuitEnd } from '../src/circuit/circuit-user.ts';
import { ClientCircuit } from '../src/circuit/client-circuit.ts';
import type { StreamGoal } from '../src/circuit/stream-goal.ts';
import type { CongestionParams } from '../src/flow/congestion-params.ts';
import type { SessionId } from '../src/payment/scheme.ts';
import type { Cancel, Clock, Entropy, LinkId, Observer } from '../src/ports.ts';
import type { ClientStream, StreamUser } from '../src/stream/client-stream.ts';
import type { CircuitPurpose, CircuitTerms, CircuitWant, PlannedHop } from './circuit-want.ts';
import type { LinkPlace, LinkPool } from './link-pool.ts';

export type ManagedState =
  /** Waits for the link to its first hop. */
  | 'linking'
  | 'building'
  | 'open'
  /** Takes no new streams; channels are being closed in order. */
  | 'closing'
  | 'ended';

/** Why a managed circuit is no more. */
export type ManagedFault = Fault<
  | 'CIRCUIT_LINK'
  | 'CIRCUIT_TIMEOUT'
  | 'CIRCUIT_DESTROYED'
  | 'CIRCUIT_PROTOCOL'
  | 'CIRCUIT_CLOSED'
  | 'CIRCUIT_NO_PATH'
  | 'CIRCUIT_UNPAID'
  | 'CIRCUIT_CHEATED'
>;

/** How the hops of a circuit are paid; made when its first stream needs it. */
export interface CircuitPayments {
  /** Called once, when the circuit knows of its payments. */
  start(): void;
  /** In place of `start`: see ManagedCircuit.prepareLast. */
  prepare(hop: number, begin: (session: SessionId) => boolean, done: (session: SessionId) => void): boolean;
  /**
   * Ends all sessions in order (CLOSE to each hop), then calls back, with what a hop refused; at once where there is
   * nothing to close.
   */
  finish(done: (refusal?: string) => void): void;
  /** The circuit is gone. */
  ended(): void;
  /** One for each hop. */
  hops(): readonly HopMoney[];
  /** True when every hop is free or has been paid. */
  readonly ready: boolean;
  /** True when a hop cannot be paid for long any more. */
  readonly endsSoon: boolean;
}

/** What one hop has cost, as the client counts. */
export interface HopMoney {
  /** Cells that the hop still owes us, by our count; 0 for a free hop. */
  readonly balance: number;
  /** A payment was credited: streams can be opened. */
  readonly paid: boolean;
  readonly payments: number;
  readonly paidMsat: bigint;
  /** The contract's output, where the scheme has one. */
  readonly contract: { readonly txid: string; readonly index: number } | undefined;
}

export interface ManagedUser {
  onCircuitOpen(circuit: ManagedCircuit): void;
  /** One more hop is there. */
  onCircuitExtended(circuit: ManagedCircuit): void;
  /** Every hop has been paid for the first time. */
  onCircuitPaid(circuit: ManagedCircuit): void;
  /** Its streams have been told before. */
  onCircuitEnded(circuit: ManagedCircuit, fault: ManagedFault): void;
  onCircuitIdle(circuit: ManagedCircuit): void;
  /** Starts the payment of a circuit that has a priced hop; undefined when all hops are free. */
  pay(circuit: ManagedCircuit, onPaid: () => void): CircuitPayments | undefined;
}

export interface ManagedOptions {
  readonly id: number;
  readonly want: CircuitWant;
  /** Asked of the last hop. */
  readonly congestion: CongestionParams | undefined;
  readonly links: LinkPool;
  readonly user: ManagedUser;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly observer: Observer;
  readonly buildMsMax: number;
  /** How long an orderly close waits for the hops' answers. */
  readonly closeMsMax: number;
}

/** One circuit from the wish for it to its end: link, building, payments, orderly close. */
export class ManagedCircuit {
  readonly id: number;
  purpose: CircuitPurpose;
  readonly path: readonly PlannedHop[];
  readonly terms: CircuitTerms;
  /** Good for streams that live long. */
  readonly longLived: boolean;
  readonly createdMs: number;
  /** Time of day at that moment, for people. */
  readonly createdWallMs: number;
  /** The isolation that the first stream gave it; undefined while clean. */
  isolation: string | undefined;
  /** When its first stream was opened; undefined while clean. */
  dirtySinceMs: number | undefined;
  /** It takes no streams of the pool any more. */
  retired = false;
  /** That it goes over; undefined while it waits for one. */
  link: LinkId | undefined;
  bytesIn = 0;
  bytesOut = 0;
  readonly #options: ManagedOptions;
  #state: ManagedState = 'linking';
  #circuit: ClientCircuit | undefined;
  #payments: CircuitPayments | undefined;
  #paymentsAsked = false;
  #timer: Cancel | undefined;
  #fault: ManagedFault | undefined;
  #destroyReason: number | undefined;

  constructor(options: ManagedOptions) {
    this.#options = options;
    this.id = options.id;
    this.purpose = options.want.purpose;
    this.path = options.want.path;
    this.terms = options.want.terms;
    this.longLived = options.want.longLived ?? false;
    this.createdMs = options.clock.monotonicMs();
    this.createdWallMs = options.clock.wallMs();
  }

  get state(): ManagedState {
    return this.#state;
  }

  get fault(): ManagedFault | undefined {
    return this.#fault;
  }

  /** What the hop said that ended the circuit; undefined: no hop did. spec: tor-spec/tearing-down-circuits */
  get destroyReason(): number | undefined {
    return this.#destroyReason;
  }

  /** Hops that are there, of those planned. */
  get hopsBuilt(): number {
    return this.#circuit?.hops.length ?? 0;
  }

  get openStreams(): number {
    return this.#circuit?.openStreams ?? 0;
  }

  /** The circuit itself, once its first hop was asked for. */
  get circuit(): ClientCircuit | undefined {
    return this.#circuit;
  }

  get payments(): CircuitPayments | undefined {
    return this.#payments;
  }

  /** Begins to build. */
  start(): void {
    if (this.#state === 'ended') return;
    const { clock, links, buildMsMax } = this.#options;
    this.#timer = clock.after(buildMsMax, () => this.#end({ code: 'CIRCUIT_TIMEOUT' }));
    const [first] = this.path;
    const goal = { address: first.address, rsaId: first.rsaId, ed25519: first.relay?.ed25519 };
    const sink = {
      onCell: (command: number, bytes: Uint8Array, at: number) => this.#circuit?.onCell(command, bytes, at),
      onRun: (bytes: Uint8Array, at: number, stride: number, count: number) =>
        this.#circuit?.onRun(bytes, at, stride, count),
      onWritable: () => this.#circuit?.onWritable(),
      onLinkLost: () => this.#circuit?.onLinkLost(),
    };
    links.place(goal, sink, answer => {
      if (this.#state === 'ended') {
        if (answer.ok) answer.value.release(undefined);
      } else if (answer.ok) this.#build(answer.value);
      else this.#end({ code: 'CIRCUIT_LINK', detail: answer.fault.code });
    });
  }

  /** Opens a stream; payment starts with the first. Undefined: not open, or full. */
  openStream(goal: StreamGoal, user: StreamUser, hop?: number): ClientStream | undefined {
    if (this.#state !== 'open' || this.#circuit === undefined) return undefined;
    this.dirtySinceMs ??= this.#options.clock.monotonicMs();
    if (goal.kind !== 'directory') this.startPayments();
    // Payment may have been refused on the spot, and the circuit ended with it.
    return this.#circuit.openStream(goal, user, hop);
  }

  /** Begins to pay the hops, unless that has happened. */
  startPayments(): void {
    if (this.#paymentsAsked || this.#state !== 'open') return;
    this.#paymentsAsked = true;
    const { user } = this.#options;
    this.#payments = user.pay(this, () => user.onCircuitPaid(this));
    this.#payments?.start();
  }

  /**
   * In place of `startPayments`: the last hop's scheme sets up, as opening a channel, and nobody is paid. `begin` gets the
   * session before its first word, `done` once all is set up. False: that hop is free, or `begin` said no.
   */
  prepareLast(begin: (session: SessionId) => boolean, done: (session: SessionId) => void): boolean {
    if (this.#paymentsAsked || this.#state !== 'open') return false;
    this.#paymentsAsked = true;
    this.#payments = this.#options.user.pay(this, () => {});
    return this.#payments?.prepare(this.path.length - 1, begin, done) ?? false;
  }

  /** Payment is not possible: the circuit ends, its streams are told why. */
  onUnpaid(detail: string): void {
    this.#end({ code: 'CIRCUIT_UNPAID', detail });
  }

  /** A hop's receipts cannot be right: the circuit ends, and the hop is named. */
  onCheated(detail: string): void {
    this.#end({ code: 'CIRCUIT_CHEATED', detail });
  }

  /** Closes channels in order, then the circuit. */
  close(): void {
    if (this.#state === 'closing' || this.#state === 'ended') return;
    if (this.#state !== 'open' || this.#payments === undefined) {
      this.#end({ code: 'CIRCUIT_CLOSED' });
      return;
    }
    this.#state = 'closing';
    const { clock, closeMsMax } = this.#options;
    const finished = (detail?: string): void => this.#end({ code: 'CIRCUIT_CLOSED', detail });
    this.#timer = clock.after(closeMsMax, () => finished('not every hop answered'));
    this.#payments.finish(finished);
  }

  /** Ends the circuit now. */
  abandon(): void {
    this.#end({ code: 'CIRCUIT_CLOSED' });
  }

  #build(place: LinkPlace): void {
    const { clock, congestion: params, entropy, observer, user } = this.#options;
    const blocked = (): boolean => place.queued() >= circuitQueueCellsHigh;
    this.#state = 'building';
    this.link = place.link;
    this.#circuit = new ClientCircuit({
      path: this.path,
      fast: this.path[0].relay === undefined,
      congestion: params && { params, clock, blocked },
      carrier: place,
      clock,
      entropy,
      observer,
      user: {
        onHop: () => user.onCircuitExtended(this),
        onBuilt: () => {
          this.#timer?.();
          this.#timer = undefined;
          this.#state = 'open';
          user.onCircuitOpen(this);
        },
        onEnded: end => {
          if (end.by === 'peer') this.#destroyReason = end.reason;
          this.#ended(faultOf(end));
        },
        onIdle: () => user.onCircuitIdle(this),
      },
    });
    this.#circuit.start();
  }

  #end(fault: ManagedFault): void {
    if (this.#state === 'ended') return;
    this.#fault ??= fault;
    if (this.#circuit !== undefined && this.#circuit.state !== 'ended') this.#circuit.close();
    else this.#ended(fault);
  }

  #ended(fault: ManagedFault): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#timer?.();
    this.#fault ??= fault;
    this.#payments?.ended();
    this.#options.user.onCircuitEnded(this, this.#fault);
  }
}

function faultOf(end: CircuitEnd): ManagedFault {
  const where = end.hop === undefined ? '' : ` at hop ${end.hop}`;
  if (end.fault !== undefined) return { code: 'CIRCUIT_PROTOCOL', detail: `${end.fault}${where}` };
  if (end.by === 'link') return { code: 'CIRCUIT_LINK' };
  return { code: 'CIRCUIT_DESTROYED', detail: `reason ${end.reason}${where}` };
}

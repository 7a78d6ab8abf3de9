import { concatBytes } from '../src/base/bytes.ts';
import type { Fault } from '../src/base/fault.ts';
import { halfOpenMsMax } from '../src/base/limits.ts';
import { endReason } from '../src/cell/commands.ts';
import { beginFlag, type ResolvedMessage } from '../src/cell/relay-messages.ts';
import type { StreamGoal } from '../src/circuit/stream-goal.ts';
import { allowsPort } from '../src/directory/port-policy.ts';
import type { Cancel, Clock } from '../src/ports.ts';
import type { ClientStream, StreamUser } from '../src/stream/client-stream.ts';
import type { CircuitPool, CircuitWaiter } from './circuit-pool.ts';
import type { ExitGoal } from './circuit-want.ts';
import type { ManagedCircuit } from './managed-circuit.ts';

export interface StreamRequest {
  readonly goal: Exclude<StreamGoal, { kind: 'directory' }>;
  /** Streams of different tokens never share a circuit. */
  readonly isolation: string;
  /** The circuit to use, and no other. */
  readonly circuit?: ManagedCircuit;
}

/** Who asked for a stream. */
export interface RequestUser {
  onOpened(address: string | undefined): void;
  /** False: full; `drained()` follows. A view: valid during the call. */
  onData(bytes: Uint8Array): boolean;
  onWritable(): void;
  onResolved(answer: ResolvedMessage): void;
  /** Over. `fault` says why no circuit served it, where none did. */
  onClosed(reason: number, fault?: Fault): void;
}

/** END reasons after which another circuit may do better. spec: tor-spec/closing-streams */
const retriable: ReadonlySet<number> = new Set([
  endReason.resolveFailed,
  endReason.exitPolicy,
  endReason.destroy,
  endReason.timeout,
  endReason.hibernating,
  endReason.resourceLimit,
  endReason.torProtocol,
]);

/** A stream as a program asked for it: carried by one circuit, or tried on several until one opens it. */
export class RequestedStream implements StreamUser, CircuitWaiter {
  readonly to: ExitGoal;
  readonly isolation: string;
  readonly avoid = new Set<number>();
  readonly #request: StreamRequest;
  readonly #user: RequestUser;
  readonly #pool: CircuitPool;
  readonly #clock: Clock;
  readonly #attemptsMax: number;
  #stream: ClientStream | undefined;
  #circuit: ManagedCircuit | undefined;
  #opened = false;
  #over = false;
  /** What the program sent before a circuit was there, or before the far side accepted. */
  #early: Uint8Array[] = [];
  #sourceEnded = false;
  #lastByteMs = 0;
  #halfOpenTimer: Cancel | undefined;

  constructor(
    request: StreamRequest,
    user: RequestUser,
    pool: CircuitPool,
    clock: Clock,
    attemptsMax: number,
  ) {
    this.#request = request;
    this.#user = user;
    this.#pool = pool;
    this.#clock = clock;
    this.#attemptsMax = attemptsMax;
    this.isolation = request.isolation;
    const { goal } = request;
    this.to = goal.kind === 'connect' ? { host: goal.host, port: goal.port } : { host: goal.name, port: 0 };
  }

  /** The circuit that carries it, or carried it last. */
  get circuit(): ManagedCircuit | undefined {
    return this.#circuit;
  }

  start(): void {
    const { circuit } = this.#request;
    if (circuit === undefined) this.#pool.request(this);
    else this.onCircuit(circuit);
  }

  /** Takes all of `bytes`. False: wait for onWritable. */
  write(bytes: Uint8Array): boolean {
    if (this.#over) return true;
    if (this.#opened && this.#stream !== undefined) {
      const more = this.#stream.write(bytes);
      if (this.#circuit !== undefined) this.#circuit.bytesOut += bytes.length;
      return more;
    }
    this.#early.push(bytes.slice());
    return false;
  }

  /** The program sends no more. The far side may: the stream ends when it does, or has been silent for long. */
  endSource(): void {
    if (this.#over || this.#sourceEnded) return;
    this.#sourceEnded = true;
    this.#lastByteMs = this.#clock.monotonicMs();
    this.#watchHalfOpen();
  }

  /** The program has room again. */
  drained(): void {
    this.#stream?.drained();
  }

  /** The program is gone; the user hears nothing more. */
  close(reason: number = endReason.done): void {
    if (this.#over) return;
    this.#finish();
    this.#pool.forget(this);
    this.#stream?.close(reason);
  }

  // From the pool

  onCircuit(circuit: ManagedCircuit): void {
    this.#circuit = circuit;
    const stream = circuit.openStream(this.#goalAt(circuit), this);
    if (this.#over) return;
    if (stream === undefined) this.#failed(endReason.destroy, circuit.fault);
    // The user may have been told of the stream's end already, while it was being opened.
    else if (!stream.closed) this.#stream = stream;
  }

  onNone(fault: Fault): void {
    if (this.#over) return;
    this.#finish();
    this.#user.onClosed(fault.code === 'CIRCUIT_TIMEOUT' ? endReason.timeout : endReason.misc, fault);
  }

  // From the stream

  onOpened(address: string | undefined): void {
    this.#opened = true;
    this.#user.onOpened(address);
    const early = this.#early;
    this.#early = [];
    if (early.length === 0 || this.#over) return;
    if (this.write(concatBytes(...early))) this.#user.onWritable();
  }

  onData(bytes: Uint8Array): boolean {
    if (this.#circuit !== undefined) this.#circuit.bytesIn += bytes.length;
    if (this.#sourceEnded) this.#lastByteMs = this.#clock.monotonicMs();
    return this.#user.onData(bytes);
  }

  onWritable(): void {
    this.#user.onWritable();
  }

  onResolved(answer: ResolvedMessage): void {
    if (this.#over) return;
    this.#finish();
    this.#user.onResolved(answer);
  }

  onClosed(reason: number): void {
    if (this.#over) return;
    this.#stream = undefined;
    if (!this.#opened && retriable.has(reason)) this.#failed(reason, this.#circuit?.fault);
    else this.#closed(reason, this.#circuit?.fault);
  }

  /** Where the exit goes to IPv6 addresses, a name may lead to one. spec: tor-spec/opening-streams */
  #goalAt({ path }: ManagedCircuit): StreamGoal {
    const { goal } = this.#request;
    const exit = path[path.length - 1].relay;
    if (goal.kind === 'resolve' || exit === undefined) return goal;
    return allowsPort(exit.exitPolicyIpv6, goal.port) ? { ...goal, flags: beginFlag.ipv6Okay } : goal;
  }

  /** Tries another circuit, if that may help. */
  #failed(reason: number, fault: Fault | undefined): void {
    const bound = this.#request.circuit !== undefined;
    if (this.#circuit !== undefined) this.avoid.add(this.#circuit.id);
    // Another circuit would cost as much: a refusal for money is final.
    if (bound || fault?.code === 'CIRCUIT_UNPAID' || this.avoid.size >= this.#attemptsMax) {
      this.#closed(reason, fault);
      return;
    }
    this.#pool.request(this);
  }

  #closed(reason: number, fault: Fault | undefined): void {
    this.#finish();
    this.#user.onClosed(reason, fault);
  }

  #finish(): void {
    this.#over = true;
    this.#early = [];
    this.#halfOpenTimer?.();
    this.#halfOpenTimer = undefined;
  }

  #watchHalfOpen(): void {
    const leftMs = this.#lastByteMs + halfOpenMsMax - this.#clock.monotonicMs();
    if (leftMs > 0) {
      this.#halfOpenTimer = this.#clock.after(leftMs, () => this.#watchHalfOpen());
      return;
    }
    this.#finish();
    this.#pool.forget(this);
    this.#stream?.finish(endReason.done);
    this.#user.onClosed(endReason.done);
  }
}

import { concatBytes, toHex } from '../src/base/bytes.ts';
import type { Fault } from '../src/base/fault.ts';
import { halfOpenMsMax, streamAnswerMsMax } from '../src/base/limits.ts';
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

/** END reasons after which another exit may do better, as C tor judges them. spec: tor-spec/closing-streams */
const exitsOwn: ReadonlySet<number> = new Set([
  endReason.misc,
  endReason.resolveFailed,
  endReason.exitPolicy,
  endReason.timeout,
  endReason.noRoute,
  endReason.hibernating,
  endReason.resourceLimit,
  endReason.torProtocol,
]);

/** How long and how often opening a stream is tried. */
export interface StreamPatience {
  readonly waitMsMax: number;
  readonly exitsMax: number;
}

/**
 * A stream as a program asked for it: carried by one circuit, or tried on several until one opens it, each time at
 * another exit. The program is told what the last exit said, not that there is none left to ask.
 */
export class RequestedStream implements StreamUser, CircuitWaiter {
  readonly to: ExitGoal;
  readonly isolation: string;
  readonly avoid = new Set<number>();
  readonly notExits = new Set<string>();
  readonly #request: StreamRequest;
  readonly #user: RequestUser;
  readonly #pool: CircuitPool;
  readonly #clock: Clock;
  readonly #patience: StreamPatience;
  #stream: ClientStream | undefined;
  #circuit: ManagedCircuit | undefined;
  #opened = false;
  #over = false;
  /** What the program sent before a circuit was there, or before the far side accepted. */
  #early: Uint8Array[] = [];
  #sourceEnded = false;
  #lastByteMs = 0;
  /** What the exit asked last has said. */
  #lastReason: number | undefined;
  /** Ends the tries, all together. */
  #deadline: Cancel | undefined;
  /** Ends the wait for this exit's answer; once opened, that of a half-open stream. */
  #timer: Cancel | undefined;

  constructor(
    request: StreamRequest,
    user: RequestUser,
    pool: CircuitPool,
    clock: Clock,
    patience: StreamPatience,
  ) {
    this.#request = request;
    this.#user = user;
    this.#pool = pool;
    this.#clock = clock;
    this.#patience = patience;
    this.isolation = request.isolation;
    const { goal } = request;
    this.to = goal.kind === 'connect' ? { host: goal.host, port: goal.port } : { host: goal.name, port: 0 };
  }

  /** The circuit that carries it, or carried it last. */
  get circuit(): ManagedCircuit | undefined {
    return this.#circuit;
  }

  start(): void {
    this.#deadline = this.#clock.after(this.#patience.waitMsMax, () => {
      this.#pool.forget(this);
      this.#stream?.close(endReason.timeout);
      this.onNone({ code: 'CIRCUIT_TIMEOUT' });
    });
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
    if (this.#opened) this.#beginHalfOpen();
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
    else if (!stream.closed) {
      this.#stream = stream;
      this.#awaitAnswer();
    }
  }

  onNone(fault: Fault): void {
    if (this.#over) return;
    if (this.#lastReason !== undefined) this.#closed(this.#lastReason);
    else this.#closed(fault.code === 'CIRCUIT_TIMEOUT' ? endReason.timeout : endReason.misc, fault);
  }

  // From the stream

  onOpened(address: string | undefined): void {
    this.#opened = true;
    this.#stopTimers();
    this.#user.onOpened(address);
    const early = this.#early;
    this.#early = [];
    if (this.#over) return;
    if (this.#sourceEnded) this.#beginHalfOpen();
    if (early.length === 0) return;
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
    const retriable = reason === endReason.destroy || exitsOwn.has(reason);
    if (!this.#opened && retriable) this.#failed(reason, this.#circuit?.fault);
    else this.#closed(reason, this.#circuit?.fault);
  }

  /** Where the exit goes to IPv6 addresses, a name may lead to one. spec: tor-spec/opening-streams */
  #goalAt({ path }: ManagedCircuit): StreamGoal {
    const { goal } = this.#request;
    const exit = path[path.length - 1].relay;
    if (goal.kind === 'resolve' || exit === undefined) return goal;
    return allowsPort(exit.exitPolicyIpv6, goal.port) ? { ...goal, flags: beginFlag.ipv6Okay } : goal;
  }

  /** An exit that has answered nothing by then never will. While hops are still to be paid it was not asked yet. */
  #awaitAnswer(): void {
    this.#timer = this.#clock.after(streamAnswerMsMax, () => {
      if (this.#circuit?.payments?.ready === false) {
        this.#awaitAnswer();
        return;
      }
      this.#stream?.close(endReason.timeout);
      this.#stream = undefined;
      this.#failed(endReason.timeout, undefined);
    });
  }

  /** Tries another circuit, if that may help. */
  #failed(reason: number, fault: Fault | undefined): void {
    this.#timer?.();
    const bound = this.#request.circuit !== undefined;
    if (this.#circuit !== undefined) this.avoid.add(this.#circuit.id);
    if (exitsOwn.has(reason)) this.#notAgain(reason);
    // Another circuit would cost as much: a refusal for money is final.
    if (bound || fault?.code === 'CIRCUIT_UNPAID' || this.avoid.size >= this.#patience.exitsMax) {
      this.#closed(reason, fault);
      return;
    }
    this.#pool.request(this);
  }

  #notAgain(reason: number): void {
    const { path } = this.#circuit ?? { path: [] };
    for (const { rsaId } of path.slice(-1)) this.notExits.add(toHex(rsaId));
    this.#lastReason = reason;
  }

  #closed(reason: number, fault?: Fault): void {
    this.#finish();
    this.#user.onClosed(reason, fault);
  }

  #finish(): void {
    this.#over = true;
    this.#early = [];
    this.#stopTimers();
  }

  #stopTimers(): void {
    this.#deadline?.();
    this.#timer?.();
  }

  #beginHalfOpen(): void {
    this.#lastByteMs = this.#clock.monotonicMs();
    this.#watchHalfOpen();
  }

  #watchHalfOpen(): void {
    const leftMs = this.#lastByteMs + halfOpenMsMax - this.#clock.monotonicMs();
    if (leftMs > 0) {
      this.#timer = this.#clock.after(leftMs, () => this.#watchHalfOpen());
      return;
    }
    this.#finish();
    this.#pool.forget(this);
    this.#stream?.finish(endReason.done);
    this.#user.onClosed(endReason.done);
  }
}

import { concatBytes, toHex } from '../src/base/bytes.ts';
import type { Fault } from '../src/base/fault.ts';
import { formatIp, isInternalIp, parseIp } from '../src/base/ip.ts';
import { halfOpenMsMax, streamAnswerMsMax } from '../src/base/limits.ts';
import { reverseAddress } from '../src/base/reverse-name.ts';
import { endReason } from '../src/cell/commands.ts';
import { beginFlag, type ResolvedMessage } from '../src/cell/relay-messages.ts';
import type { StreamGoal } from '../src/circuit/stream-goal.ts';
import { allowsPort } from '../src/directory/port-policy.ts';
import type { Cancel, Clock, Endpoint } from '../src/ports.ts';
import type { SocksIsolation } from '../src/socks/socks5.ts';
import type { ClientStream, StreamUser } from '../src/stream/client-stream.ts';
import type { CircuitPool, CircuitWaiter, PoolSettings } from './circuit-pool.ts';
import type { ExitGoal, PlannedHop } from './circuit-want.ts';
import type { InternalAddresses } from './client-settings.ts';
import type { ManagedCircuit } from './managed-circuit.ts';

export interface StreamRequest {
  readonly goal: Exclude<StreamGoal, { kind: 'directory' }>;
  /** Streams of different tokens never share a circuit. */
  readonly isolation: string;
  /** The circuit to use, and no other. */
  readonly circuit?: ManagedCircuit;
  /** The program's end of its connection; absent: the client itself asks. */
  readonly source?: Endpoint;
  /** What the program gave SOCKS as user and password. */
  readonly login?: SocksIsolation;
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

function isInternal(host: string): boolean {
  const ip = parseIp(host);
  return ip !== undefined && isInternalIp(ip);
}

/** What happens to a stream that a program asked for. Reasons are END's; `remote`: the exit gave it. */
export type StreamStep =
  | { readonly kind: 'new' }
  /** It waits for a controller to attach it. */
  | { readonly kind: 'unattached' }
  /** BEGIN or RESOLVE went to an exit. */
  | { readonly kind: 'sent' }
  /** The exit says what address a name has. */
  | { readonly kind: 'remapped'; readonly address: string }
  | { readonly kind: 'succeeded' }
  /** The circuit or its exit could not serve it; another may. */
  | { readonly kind: 'detached'; readonly reason: number; readonly remote: boolean }
  /** It was never opened; `closed` follows. */
  | { readonly kind: 'failed'; readonly reason: number; readonly remote: boolean }
  | { readonly kind: 'closed'; readonly reason: number; readonly remote: boolean };

/** What all streams of a client share. */
export interface StreamHost {
  readonly pool: CircuitPool;
  readonly clock: Clock;
  readonly internal: InternalAddresses;
  /** Streams wait for a controller to attach them, in place of the pool. */
  readonly leavesUnattached: boolean;
  /** How long and how often opening a stream is tried. */
  readonly patience: Pick<PoolSettings, 'waitMsMax' | 'exitsMax'>;
  newId(): number;
  onStep(stream: RequestedStream, step: StreamStep): void;
}

/** Where a stream is on its way: it waits for a circuit, an exit was asked, the exit has accepted. */
export type StreamPhase = 'waiting' | 'sent' | 'open';

/**
 * A stream as a program asked for it: carried by one circuit, or tried on several until one opens it, each time at
 * another exit. The program is told what the last exit said, not that there is none left to ask.
 */
export class RequestedStream implements StreamUser, CircuitWaiter {
  /** Counts the client's streams. */
  readonly id: number;
  readonly request: StreamRequest;
  readonly to: ExitGoal;
  readonly isolation: string;
  readonly avoid = new Set<number>();
  readonly notExits = new Set<string>();
  /** Bytes that the far side sent, and the program. */
  bytesIn = 0;
  bytesOut = 0;
  readonly #user: RequestUser;
  readonly #host: StreamHost;
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

  constructor(request: StreamRequest, user: RequestUser, host: StreamHost) {
    this.id = host.newId();
    this.request = request;
    this.#user = user;
    this.#host = host;
    this.isolation = request.isolation;
    const { goal } = request;
    this.to = goal.kind === 'connect' ? { host: goal.host, port: goal.port } : { host: goal.name, port: 0 };
  }

  /** The circuit that carries it, or carried it last. */
  get circuit(): ManagedCircuit | undefined {
    return this.#circuit;
  }

  get phase(): StreamPhase {
    if (this.#opened) return 'open';
    return this.#stream === undefined ? 'waiting' : 'sent';
  }

  start(): void {
    const { clock, pool, patience } = this.#host;
    this.#deadline = clock.after(patience.waitMsMax, () => {
      pool.forget(this);
      this.#stream?.close(endReason.timeout);
      this.onNone({ code: 'CIRCUIT_TIMEOUT' });
    });
    this.#host.onStep(this, { kind: 'new' });
    const { circuit, goal } = this.request;
    const known = goal.kind === 'resolve' ? this.#knownAnswer(goal.name) : undefined;
    if (known !== undefined) {
      this.#finish(endReason.done);
      this.#user.onResolved(known);
      return;
    }
    // No exit serves it, and each that is asked would learn what our own network is like. Source: tor(1), ClientRejectInternalAddresses
    if (goal.kind === 'connect' && !this.#host.internal.asked && isInternal(goal.host))
      this.#closed(endReason.misc, { code: 'STREAM_INTERNAL_ADDRESS' });
    else if (circuit === undefined) this.#await();
    else this.onCircuit(circuit);
  }

  /**
   * Leads the stream to a circuit and there to a hop, by default the last; without a circuit, to whichever the pool has.
   * What was asked elsewhere is taken back. False: it is open already, or bound to a circuit.
   */
  attach(circuit: ManagedCircuit | undefined, hop?: number): boolean {
    if (this.#over || this.#opened || this.request.circuit !== undefined) return false;
    const { pool } = this.#host;
    pool.forget(this);
    this.#takeBack(endReason.misc);
    if (circuit === undefined) pool.request(this);
    else {
      // Streams of other tokens do not follow it there.
      circuit.isolation ??= this.isolation;
      this.onCircuit(circuit, hop);
    }
    return true;
  }

  /** Ends the stream from this side; its program is told. */
  end(reason: number): void {
    if (this.#over) return;
    this.#host.pool.forget(this);
    this.#stream?.close(reason);
    this.#closed(reason);
  }

  /** Takes all of `bytes`. False: wait for onWritable. */
  write(bytes: Uint8Array): boolean {
    if (this.#over) return true;
    if (this.#opened && this.#stream !== undefined) {
      const more = this.#stream.write(bytes);
      this.bytesOut += bytes.length;
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
    this.#finish(reason);
    this.#host.pool.forget(this);
    this.#stream?.close(reason);
  }

  // From the pool

  onCircuit(circuit: ManagedCircuit, hop = circuit.path.length - 1): void {
    this.#circuit = circuit;
    const stream = circuit.openStream(this.#goalAt(circuit.path[hop]), this, hop);
    if (this.#over) return;
    if (stream === undefined) this.#failed(endReason.destroy, circuit.fault);
    // The user may have been told of the stream's end already, while it was being opened.
    else if (!stream.closed) {
      this.#stream = stream;
      this.#host.onStep(this, { kind: 'sent' });
      this.#awaitAnswer();
    }
  }

  onNone(fault: Fault): void {
    if (this.#over) return;
    if (this.#lastReason !== undefined) this.#closed(this.#lastReason, undefined, true);
    else this.#closed(fault.code === 'CIRCUIT_TIMEOUT' ? endReason.timeout : endReason.misc, fault);
  }

  // From the stream

  onOpened(address: string | undefined): void {
    if (address !== undefined && !this.#believes(address)) {
      this.#takeBack(endReason.torProtocol);
      this.#failed(endReason.torProtocol, undefined);
      return;
    }
    this.#opened = true;
    this.#stopTimers();
    if (address !== undefined) this.#host.onStep(this, { kind: 'remapped', address });
    this.#host.onStep(this, { kind: 'succeeded' });
    this.#user.onOpened(address);
    const early = this.#early;
    this.#early = [];
    if (this.#over) return;
    if (this.#sourceEnded) this.#beginHalfOpen();
    if (early.length === 0) return;
    if (this.write(concatBytes(...early))) this.#user.onWritable();
  }

  onData(bytes: Uint8Array): boolean {
    this.bytesIn += bytes.length;
    if (this.#circuit !== undefined) this.#circuit.bytesIn += bytes.length;
    if (this.#sourceEnded) this.#lastByteMs = this.#host.clock.monotonicMs();
    return this.#user.onData(bytes);
  }

  onWritable(): void {
    this.#user.onWritable();
  }

  onResolved({ addresses: told, error }: ResolvedMessage): void {
    if (this.#over) return;
    const addresses = told.filter(({ value }) => this.#believes(value));
    for (const { value } of addresses.slice(0, 1))
      this.#host.onStep(this, { kind: 'remapped', address: value });
    this.#finish(endReason.done);
    this.#user.onResolved({ addresses, error });
  }

  /** What no exit is asked: an address' own address, and the name of one of our own network. Source: tor(1), ClientDNSRejectInternalAddresses */
  #knownAnswer(name: string): ResolvedMessage | undefined {
    const ip = parseIp(name);
    if (ip !== undefined) {
      const kind = ip.length === 4 ? 'ipv4' : 'ipv6';
      return { addresses: [{ kind, value: formatIp(ip), ttlSeconds: 0 }], error: undefined };
    }
    const about = reverseAddress(name);
    if (about === undefined || this.#believes(about)) return undefined;
    return { addresses: [], error: 'permanent' };
  }

  /** An exit that names an address of our own network would have the program go there. */
  #believes(address: string): boolean {
    return this.#host.internal.believed || !isInternal(address);
  }

  onClosed(reason: number, address?: string): void {
    if (this.#over) return;
    if (reason === endReason.exitPolicy) this.#refused(address);
    this.#stream = undefined;
    const retriable = reason === endReason.destroy || exitsOwn.has(reason);
    const remote = this.#circuit?.circuit?.state !== 'ended';
    if (!this.#opened && retriable) this.#failed(reason, this.#circuit?.fault, remote);
    else this.#closed(reason, this.#circuit?.fault, remote);
  }

  /** Streams to come ask others first. */
  #refused(address: string | undefined): void {
    const path = this.#circuit?.path ?? [];
    const exit = path[this.#stream?.hop ?? path.length - 1];
    if (exit === undefined) return;
    this.#host.pool.onRefused(exit, address === undefined ? [] : [this.to.host, address]);
  }

  /** Where the exit goes to IPv6 addresses, a name may lead to one. spec: tor-spec/opening-streams */
  #goalAt({ relay: exit }: PlannedHop): StreamGoal {
    const { goal } = this.request;
    if (goal.kind === 'resolve' || exit === undefined) return goal;
    return allowsPort(exit.exitPolicyIpv6, goal.port) ? { ...goal, flags: beginFlag.ipv6Okay } : goal;
  }

  /** An exit that has answered nothing by then never will. While hops are still to be paid it was not asked yet. */
  #awaitAnswer(): void {
    this.#timer = this.#host.clock.after(streamAnswerMsMax, () => {
      if (this.#circuit?.payments?.ready === false) {
        this.#awaitAnswer();
        return;
      }
      // Every exit says something by then, so it is the circuit. Source: C tor, connection_ap_expire_beginning.
      if (this.#circuit !== undefined) this.#circuit.retired = true;
      this.#takeBack(endReason.timeout);
      this.#failed(endReason.timeout, undefined);
    });
  }

  /** Tries another circuit, if that may help. */
  #failed(reason: number, fault: Fault | undefined, remote = false): void {
    this.#timer?.();
    const bound = this.request.circuit !== undefined;
    const { leavesUnattached, patience } = this.#host;
    if (this.#circuit !== undefined) this.avoid.add(this.#circuit.id);
    if (exitsOwn.has(reason)) this.#notAgain(reason);
    // Another circuit would cost as much: a refusal for money is final.
    const final = bound || fault?.code === 'CIRCUIT_UNPAID';
    if (final || (!leavesUnattached && this.avoid.size >= patience.exitsMax)) {
      this.#closed(reason, fault, remote);
      return;
    }
    this.#host.onStep(this, { kind: 'detached', reason, remote });
    this.#await();
  }

  /** For a circuit: the pool's, or a controller's choice. */
  #await(): void {
    if (this.#host.leavesUnattached) this.#host.onStep(this, { kind: 'unattached' });
    else this.#host.pool.request(this);
  }

  /** The exit that was asked need not answer any more. */
  #takeBack(reason: number): void {
    this.#timer?.();
    this.#stream?.close(reason);
    this.#stream = undefined;
  }

  #notAgain(reason: number): void {
    const { path } = this.#circuit ?? { path: [] };
    for (const { rsaId } of path.slice(-1)) this.notExits.add(toHex(rsaId));
    this.#lastReason = reason;
  }

  #closed(reason: number, fault?: Fault, remote = false): void {
    if (!this.#opened) this.#host.onStep(this, { kind: 'failed', reason, remote });
    this.#finish(reason, remote);
    this.#user.onClosed(reason, fault);
  }

  #finish(reason: number, remote = false): void {
    this.#over = true;
    this.#early = [];
    this.#stopTimers();
    this.#host.onStep(this, { kind: 'closed', reason, remote });
  }

  #stopTimers(): void {
    this.#deadline?.();
    this.#timer?.();
  }

  #beginHalfOpen(): void {
    this.#lastByteMs = this.#host.clock.monotonicMs();
    this.#watchHalfOpen();
  }

  #watchHalfOpen(): void {
    const { clock, pool } = this.#host;
    const leftMs = this.#lastByteMs + halfOpenMsMax - clock.monotonicMs();
    if (leftMs > 0) {
      this.#timer = clock.after(leftMs, () => this.#watchHalfOpen());
      return;
    }
    this.#finish(endReason.done);
    pool.forget(this);
    this.#stream?.finish(endReason.done);
    this.#user.onClosed(endReason.done);
  }
}

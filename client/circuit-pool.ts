import { toHex } from '../src/base/bytes.ts';
import { fail, ok, type Result } from '../src/base/fault.ts';
import { circuitsPerClientMax, streamWaitersMax } from '../src/base/limits.ts';
import { exitAllows, isLongLived } from '../src/directory/path-choice.ts';
import { RetrySchedule } from '../src/directory/retry-schedule.ts';
import type { CongestionParams } from '../src/flow/congestion-params.ts';
import type { Clock, Entropy, Observer } from '../src/ports.ts';
import type { CircuitWant, ExitGoal, PlannedHop } from './circuit-want.ts';
import { ExitRefusals } from './exit-refusals.ts';
import type { LinkPool } from './link-pool.ts';
import { type CircuitPayments, ManagedCircuit, type ManagedFault } from './managed-circuit.ts';

export interface PoolSettings {
  /** A circuit that has been used for so long takes no new streams. torrc MaxCircuitDirtiness */
  readonly dirtinessMsMax: number;
  /** A circuit that nobody has used is closed after so long. */
  readonly cleanMsMax: number;
  /** torrc CircuitBuildTimeout */
  readonly buildMsMax: number;
  /** How long an orderly close waits for the hops' answers. */
  readonly closeMsMax: number;
  /** Circuits kept built for streams to come. */
  readonly preemptive: number;
  /** How long a stream may take to be opened, all its circuits together. torrc SocksTimeout */
  readonly waitMsMax: number;
  /** Exits that are tried for one stream. */
  readonly exitsMax: number;
  /** Circuits that are begun for one stream until one of them is built. */
  readonly buildsMax: number;
  readonly careMs: number;
}

/** Chooses paths and payers for the pool: the client core. */
export interface PoolHost {
  choosePath(to: ExitGoal, notExits: ReadonlySet<string>): Result<readonly PlannedHop[]>;
  /** A first hop did not answer, or did. */
  onFirstHop(hop: PlannedHop, reached: boolean): void;
  /** What the last hop of such a circuit is asked for. */
  congestion(path: readonly PlannedHop[]): CongestionParams | undefined;
  pay(circuit: ManagedCircuit, onPaid: () => void): CircuitPayments | undefined;
  onCircuitLaunched(circuit: ManagedCircuit): void;
  /** One more hop is there. */
  onCircuitExtended(circuit: ManagedCircuit): void;
  onCircuitPaid(circuit: ManagedCircuit): void;
  onCircuitEnded(circuit: ManagedCircuit, fault: ManagedFault): void;
  onCircuitOpen(circuit: ManagedCircuit): void;
}

export interface PoolPorts {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly observer: Observer;
  readonly links: LinkPool;
}

/** Somebody who waits for a circuit, until `forget` or told once. */
export interface CircuitWaiter {
  readonly to: ExitGoal;
  readonly isolation: string;
  /** Circuits that have failed this stream already. */
  readonly avoid: ReadonlySet<number>;
  /** Exits that could not serve it: RSA identities in hex. */
  readonly notExits: ReadonlySet<string>;
  onCircuit(circuit: ManagedCircuit): void;
  onNone(fault: ManagedFault): void;
}

const aheadRetryMs = [1_000, 60_000] as const;

interface Waiting {
  readonly waiter: CircuitWaiter;
  builds: number;
  circuit: ManagedCircuit | undefined;
  /** All others are out of the question: it asks exits too that have refused its host before. */
  asksRefusers: boolean;
}

/** All circuits of a client, and the streams that wait for one. */
export class CircuitPool {
  #settings: PoolSettings;
  readonly #host: PoolHost;
  readonly #ports: PoolPorts;
  readonly #circuits = new Map<number, ManagedCircuit>();
  readonly #refusals = new ExitRefusals();
  #waiting: Waiting[] = [];
  #lastId = 0;
  #stopping = false;
  /** Nobody is left who could still have to ask. */
  #asksOver = false;
  /** When the next circuit is built that nobody waits for. */
  #ahead = new RetrySchedule(aheadRetryMs);

  constructor(settings: PoolSettings, host: PoolHost, ports: PoolPorts) {
    this.#settings = settings;
    this.#host = host;
    this.#ports = ports;
  }

  get settings(): PoolSettings {
    return this.#settings;
  }

  get circuits(): Iterable<ManagedCircuit> {
    return this.#circuits.values();
  }

  get(id: number): ManagedCircuit | undefined {
    return this.#circuits.get(id);
  }

  /** Looks after circuits from now on. */
  start(): void {
    this.#care();
  }

  /** Takes other settings while running. */
  change(settings: Partial<PoolSettings>): void {
    this.#settings = { ...this.#settings, ...settings };
  }

  /**
   * Streams to come share no circuit with streams so far. Circuits that are bound to whoever asked for them stay as they
   * are.
   */
  renew(): void {
    for (const circuit of [...this.#circuits.values()]) {
      if (circuit.purpose !== 'general' && circuit.purpose !== 'asks') continue;
      circuit.retired = true;
      if (circuit.openStreams === 0) circuit.close();
    }
  }

  /** Builds a circuit that streams use only when they name it. */
  open(want: CircuitWant): Result<ManagedCircuit> {
    if (this.#stopping && (want.purpose !== 'asks' || this.#asksOver)) return fail('CLIENT_STOPPING');
    if (this.#circuits.size >= circuitsPerClientMax) this.#makeRoom();
    if (this.#circuits.size >= circuitsPerClientMax) return fail('CIRCUIT_TOO_MANY');
    this.#lastId += 1;
    const { buildMsMax, closeMsMax } = this.#settings;
    const circuit = new ManagedCircuit({
      id: this.#lastId,
      want,
      congestion: this.#host.congestion(want.path),
      ...this.#ports,
      buildMsMax,
      closeMsMax,
      user: {
        onCircuitOpen: opened => this.#onOpen(opened),
        onCircuitExtended: extended => this.#host.onCircuitExtended(extended),
        onCircuitEnded: (ended, fault) => this.#onEnded(ended, fault),
        onCircuitIdle: idle => this.#retireIfDone(idle),
        onCircuitPaid: paid => this.#host.onCircuitPaid(paid),
        pay: (each, onPaid) => this.#host.pay(each, onPaid),
      },
    });
    this.#circuits.set(circuit.id, circuit);
    this.#host.onCircuitLaunched(circuit);
    // Whoever asked for it knows it before it can end.
    this.#ports.clock.after(0, () => circuit.start());
    return ok(circuit);
  }

  /** A circuit for one stream: now if there is one, or once it is built. */
  request(waiter: CircuitWaiter): void {
    const ready = this.#findOpen(waiter);
    if (ready !== undefined) {
      this.#give(ready, waiter);
      return;
    }
    if (this.#waiting.length >= streamWaitersMax) {
      waiter.onNone({ code: 'CIRCUIT_CLOSED', detail: 'too many streams wait' });
      return;
    }
    const waiting = { waiter, builds: 0, circuit: undefined, asksRefusers: false };
    this.#waiting.push(waiting);
    this.#launchFor(waiting);
  }

  /** A waiter gave up. */
  forget(waiter: CircuitWaiter): void {
    const awaited = this.#waiting.find(each => each.waiter === waiter)?.circuit;
    this.#waiting = this.#waiting.filter(each => each.waiter !== waiter);
    this.#unbind(awaited);
  }

  /** Closes every circuit in order, last those that others may ask through meanwhile; `done` when all are gone. */
  stop(done: () => void): void {
    this.#stopping = true;
    for (const { waiter } of this.#waiting.splice(0)) waiter.onNone({ code: 'CIRCUIT_CLOSED' });
    for (const circuit of [...this.#circuits.values()]) if (circuit.purpose !== 'asks') circuit.close();
    this.#whenEmpty(done);
  }

  /** An exit's policy refused one of these hosts; none: it refuses whatever it is asked. */
  onRefused(exit: PlannedHop, hosts: readonly string[]): void {
    this.#refusals.note(toHex(exit.rsaId), hosts);
  }

  /** A newer view of the network has come: what waited for a path may find one. */
  onView(): void {
    this.#refusals.forget();
    for (const waiting of [...this.#waiting]) if (waiting.circuit === undefined) this.#launchFor(waiting);
    this.#keepPreemptive();
  }

  #whenEmpty(done: () => void): void {
    const left = [...this.#circuits.values()];
    if (!this.#asksOver && left.every(({ purpose }) => purpose === 'asks')) {
      this.#asksOver = true;
      for (const circuit of left) circuit.close();
    }
    if (this.#circuits.size === 0) done();
    else this.#ports.clock.after(100, () => this.#whenEmpty(done));
  }

  #findOpen(waiter: CircuitWaiter, asksRefusers = false): ManagedCircuit | undefined {
    let clean: ManagedCircuit | undefined;
    for (const circuit of this.#circuits.values()) {
      if (circuit.state !== 'open' || !this.#serves(circuit, waiter, asksRefusers)) continue;
      if (circuit.isolation === waiter.isolation) return circuit;
      clean ??= circuit;
    }
    return clean;
  }

  /** True when the circuit may carry the waiter's stream, once it is open. */
  #serves(circuit: ManagedCircuit, waiter: CircuitWaiter, asksRefusers: boolean): boolean {
    const { to, isolation, avoid, notExits } = waiter;
    if (circuit.purpose !== 'general' || avoid.has(circuit.id)) return false;
    if (circuit.isolation !== undefined && circuit.isolation !== isolation) return false;
    if (this.#isTooDirty(circuit) || (isLongLived(to) && !circuit.longLived)) return false;
    const exit = circuit.path[circuit.path.length - 1].relay;
    if (exit === undefined || !exitAllows(exit, to)) return false;
    const id = toHex(exit.rsaId);
    return !notExits.has(id) && (asksRefusers || !this.#refusals.of(to).has(id));
  }

  /** Used for long, given up, or soon without money for a hop: what begins on it now would end with it. */
  #isTooDirty(circuit: ManagedCircuit): boolean {
    const { dirtySinceMs, payments, retired } = circuit;
    if (retired || payments?.endsSoon) return true;
    if (dirtySinceMs === undefined) return false;
    return this.#ports.clock.monotonicMs() - dirtySinceMs >= this.#settings.dirtinessMsMax;
  }

  #give(circuit: ManagedCircuit, waiter: CircuitWaiter): void {
    circuit.isolation ??= waiter.isolation;
    waiter.onCircuit(circuit);
  }

  #launchFor(waiting: Waiting): void {
    const { waiter } = waiting;
    for (const circuit of this.#circuits.values()) {
      if (circuit.state !== 'linking' && circuit.state !== 'building') continue;
      if (!this.#serves(circuit, waiter, waiting.asksRefusers)) continue;
      circuit.isolation ??= waiter.isolation;
      waiting.circuit = circuit;
      return;
    }
    const refusers = waiting.asksRefusers ? [] : this.#refusals.of(waiter.to);
    const built = this.#launch(waiter.to, new Set([...waiter.notExits, ...refusers]));
    if (built.ok) {
      waiting.builds += 1;
      built.value.isolation = waiter.isolation;
      waiting.circuit = built.value;
    } else if (built.fault.code !== 'NO_VIEW' && built.fault.code !== 'CIRCUIT_TOO_MANY') {
      if (this.#asksRefusers(waiting)) return;
      // With a view of the network and room for a circuit, waiting finds no other relays.
      this.forget(waiter);
      waiter.onNone({ code: 'CIRCUIT_NO_PATH', detail: built.fault.code });
    }
  }

  /** Nobody else is left, so whoever asks hears from the exit itself that it is refused. False: that was tried. */
  #asksRefusers(waiting: Waiting): boolean {
    const { waiter } = waiting;
    if (waiting.asksRefusers || this.#refusals.of(waiter.to).size === 0) return false;
    waiting.asksRefusers = true;
    const ready = this.#findOpen(waiter, true);
    if (ready === undefined) {
      this.#launchFor(waiting);
      return true;
    }
    this.forget(waiter);
    this.#give(ready, waiter);
    return true;
  }

  #launch(to: ExitGoal, notExits: ReadonlySet<string> = new Set()): Result<ManagedCircuit> {
    const path = this.#host.choosePath(to, notExits);
    if (!path.ok) return path;
    return this.open({ purpose: 'general', path: path.value, terms: {}, longLived: isLongLived(to) });
  }

  /** Closes the circuit that has been idle and dirty longest, if others are not being closed already. */
  #makeRoom(): void {
    const closing = [...this.#circuits.values()].filter(({ state }) => state === 'closing').length;
    const wanting = this.#waiting.filter(({ circuit }) => circuit === undefined).length;
    if (closing > 0 && closing >= wanting) return;
    let idlest: ManagedCircuit | undefined;
    for (const circuit of this.#circuits.values()) {
      if (circuit.state !== 'open' || circuit.purpose !== 'general' || circuit.openStreams > 0) continue;
      if (idlest === undefined || dirtySince(circuit) < dirtySince(idlest)) idlest = circuit;
    }
    idlest?.close();
  }

  #onOpen(circuit: ManagedCircuit): void {
    this.#ahead = new RetrySchedule(aheadRetryMs);
    this.#host.onFirstHop(circuit.path[0], true);
    this.#host.onCircuitOpen(circuit);
    const served = this.#waiting.filter(({ waiter, asksRefusers }) =>
      this.#serves(circuit, waiter, asksRefusers),
    );
    const taken = served.filter(({ waiter }) => {
      circuit.isolation ??= waiter.isolation;
      return circuit.isolation === waiter.isolation;
    });
    this.#waiting = this.#waiting.filter(each => !taken.includes(each));
    for (const { waiter } of taken) this.#give(circuit, waiter);
    for (const { circuit: awaited } of taken) this.#unbind(awaited);
  }

  /** Nobody waits for the circuit any more, and nothing was sent on it: it may be anybody's again. */
  #unbind(circuit: ManagedCircuit | undefined): void {
    if (circuit?.state !== 'linking' && circuit?.state !== 'building') return;
    if (this.#waiting.every(waiting => waiting.circuit !== circuit)) circuit.isolation = undefined;
  }

  #onEnded(circuit: ManagedCircuit, fault: ManagedFault): void {
    this.#circuits.delete(circuit.id);
    const neverOpen = circuit.circuit === undefined || circuit.circuit.hops.length === 0;
    if (neverOpen && (fault.code === 'CIRCUIT_LINK' || fault.code === 'CIRCUIT_TIMEOUT')) {
      this.#host.onFirstHop(circuit.path[0], false);
      // A connection can be dead long before TCP says so. Source: C tor, circuit_build_failed.
      if (circuit.link !== undefined) this.#ports.links.giveUp(circuit.link);
    }
    this.#ports.observer.log('info', 'circuit-ended', {
      circuit: circuit.id,
      purpose: circuit.purpose,
      code: fault.code,
      detail: fault.detail ?? '',
    });
    this.#host.onCircuitEnded(circuit, fault);
    for (const waiting of [...this.#waiting]) {
      if (waiting.circuit !== circuit) continue;
      waiting.circuit = undefined;
      if (waiting.builds < this.#settings.buildsMax && !this.#stopping) {
        this.#launchFor(waiting);
        continue;
      }
      this.forget(waiting.waiter);
      waiting.waiter.onNone(fault);
    }
  }

  #care(): void {
    if (this.#stopping) return;
    for (const circuit of [...this.#circuits.values()]) this.#retireIfDone(circuit);
    for (const waiting of [...this.#waiting]) if (waiting.circuit === undefined) this.#launchFor(waiting);
    this.#keepPreemptive();
    this.#ports.clock.after(this.#settings.careMs, () => this.#care());
  }

  /** Closes a circuit that takes no more streams and has none, or was never wanted. */
  #retireIfDone(circuit: ManagedCircuit): void {
    if (circuit.state !== 'open' || circuit.openStreams > 0 || circuit.purpose === 'fixed') return;
    const ageMs = this.#ports.clock.monotonicMs() - circuit.createdMs;
    const forgotten = circuit.dirtySinceMs === undefined && ageMs >= this.#settings.cleanMsMax;
    if (this.#isTooDirty(circuit) || forgotten) circuit.close();
  }

  #keepPreemptive(): void {
    if (this.#stopping) return;
    let clean = 0;
    for (const circuit of this.#circuits.values()) {
      if (circuit.purpose === 'general' && circuit.isolation === undefined && circuit.state !== 'closing')
        clean += 1;
    }
    const nowMs = this.#ports.clock.monotonicMs();
    if (clean >= this.#settings.preemptive || this.#ahead.readyInMs(nowMs) > 0) return;
    // It has failed until it is open: a network where none can be built is asked ever more rarely.
    if (this.#launch(anyExit).ok) this.#ahead.fail(nowMs);
  }
}

/** A circuit that was never used is the last to give way. */
function dirtySince({ dirtySinceMs }: ManagedCircuit): number {
  return dirtySinceMs ?? Number.POSITIVE_INFINITY;
}

/** Which port a stream to come will want is not known: any exit at all. */
const anyExit: ExitGoal = { host: 'preemptive.invalid', port: 0 };

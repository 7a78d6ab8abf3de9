import { fromHex } from '../src/base/bytes.ts';
import { fail, ok, type Result } from '../src/base/fault.ts';
import type { Cancel, Clock, Observer } from '../src/ports.ts';
import type { ChannelMoney } from './channel-money.ts';
import type { ClientCore } from './client-core.ts';
import type { ManagedCircuit, ManagedFault } from './managed-circuit.ts';

/** How often channels are looked through, and how long one that could not be closed is left alone. */
const careMs = 10_000;
const retryMs = 300_000;

/**
 * Closes channels that no circuit uses any more, as a crash leaves them: over a new circuit to their relay. What cannot
 * be closed comes back by its refund after T, which the scheme sees to.
 */
export class ChannelCare {
  readonly #core: ClientCore;
  readonly #clock: Clock;
  readonly #observer: Observer;
  readonly #closing = new Map<ManagedCircuit, (result: Result<undefined>) => void>();
  readonly #notBeforeMs = new Map<string, number>();
  #timer: Cancel | undefined;

  constructor(core: ClientCore, clock: Clock, observer: Observer) {
    this.#core = core;
    this.#clock = clock;
    this.#observer = observer;
  }

  start(money: ChannelMoney): void {
    this.#timer = this.#clock.after(careMs, () => {
      this.#look(money);
      this.start(money);
    });
  }

  stop(): void {
    this.#timer?.();
  }

  /** Begins a session with that relay (Ed25519 identity in hex) and ends it in order. */
  closeOver(peer: string, answer: (result: Result<undefined>) => void): void {
    const id = fromHex(peer);
    const relay = id === undefined ? undefined : this.#core.planner.view?.relayByEd25519(id);
    if (relay === undefined) {
      answer(fail('CHANNEL_RELAY_GONE', 'its relay is not in the consensus; the refund comes after T'));
      return;
    }
    const opened = this.#core.openCircuitTo(relay);
    if (opened.ok) this.#closing.set(opened.value, answer);
    else answer(opened);
  }

  onCircuitOpen(circuit: ManagedCircuit): void {
    if (!this.#closing.has(circuit)) return;
    circuit.startPayments();
    circuit.close();
  }

  onCircuitEnded(circuit: ManagedCircuit, fault: ManagedFault): void {
    const answer = this.#closing.get(circuit);
    this.#closing.delete(circuit);
    answer?.(fault.code === 'CIRCUIT_CLOSED' ? ok(undefined) : { ok: false, fault });
  }

  #look(money: ChannelMoney): void {
    const nowMs = this.#clock.monotonicMs();
    for (const row of money.leftOver()) {
      if (nowMs < (this.#notBeforeMs.get(row.channel) ?? 0)) continue;
      this.#notBeforeMs.set(row.channel, nowMs + retryMs);
      money.close(row, result => {
        const code = result.ok ? 'ok' : result.fault.code;
        this.#observer.log('info', 'left channel closed', { code });
      });
    }
  }
}

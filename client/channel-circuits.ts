import { fromHex } from '../src/base/bytes.ts';
import { fail, ok, type Result } from '../src/base/fault.ts';
import type { SessionId } from '../src/payment/scheme.ts';
import type { ClientCore } from './client-core.ts';
import type { HopMoney, ManagedCircuit, ManagedFault } from './managed-circuit.ts';

type Answer<T> = (result: Result<T>) => void;

/** What a circuit was asked to be closed, or built, for. */
interface Errand {
  onOpen(): void;
  onEnded(fault: ManagedFault): void;
}

/** Circuits for the sake of a channel: to open one at the last relay, or to close one there. */
export class ChannelCircuits {
  readonly #core: ClientCore;
  readonly #errands = new Map<ManagedCircuit, Errand>();

  constructor(core: ClientCore) {
    this.#core = core;
  }

  /**
   * Opens a channel at the relay of that name, pays nothing and leaves it open. `begin` gets the session before its
   * first word, and says false if it is none that opens channels. The answer comes while the session still lives.
   * Returns what gives the opening up.
   */
  openOver(name: string, begin: (session: SessionId) => boolean, answer: Answer<SessionId>): () => void {
    const built = this.#circuitTo(name);
    if (!built.ok) {
      answer(built);
      return () => {};
    }
    const circuit = built.value;
    const end = (result: Result<SessionId>): void => {
      this.#errands.delete(circuit);
      answer(result);
      circuit.abandon();
    };
    this.#errands.set(circuit, {
      onOpen: () => {
        if (!circuit.prepareLast(begin, session => end(ok(session))))
          end(fail('CHANNEL_NOT_NEEDED', 'the relay is paid by a scheme without channels'));
      },
      onEnded: fault => answer({ ok: false, fault }),
    });
    return () => circuit.abandon();
  }

  #circuitTo(name: string): Result<ManagedCircuit> {
    const { view } = this.#core.planner;
    if (view === undefined) return fail('NO_VIEW');
    const relay = view.relayByName(name);
    if (relay === undefined) return fail('PATH_UNKNOWN_RELAY', name);
    if (relay.priceMsatPer2Pow20 === 0n) return fail('CHANNEL_NOT_NEEDED', `${name} asks for nothing`);
    return this.#core.payments.affords(relay) ? this.#core.openCircuitTo(relay) : fail('PAY_NO_SCHEME', name);
  }

  /** Begins a session with that relay (Ed25519 identity in hex) and ends it in order: the scheme closes its channel. */
  closeOver(peer: string, answer: Answer<undefined>): void {
    const id = fromHex(peer);
    const relay = id === undefined ? undefined : this.#core.planner.view?.relayByEd25519(id);
    if (relay === undefined) {
      answer(fail('CHANNEL_RELAY_GONE', 'its relay is not in the consensus; the refund comes after T'));
      return;
    }
    const built = this.#core.openCircuitTo(relay);
    if (!built.ok) {
      answer(built);
      return;
    }
    this.#errands.set(built.value, {
      onOpen: () => {
        built.value.startPayments();
        built.value.close();
      },
      onEnded: fault => answer(closed(fault)),
    });
  }

  /**
   * Ends in order the circuit that pays from that contract, and with it all its channels. @param now even under open
   * streams, which end with it.
   */
  closeUser(contract: NonNullable<HopMoney['contract']>, now: boolean, answer: Answer<undefined>): void {
    const circuit = [...this.#core.pool.circuits].find(({ payments }) =>
      payments
        ?.hops()
        .some(hop => hop.contract?.txid === contract.txid && hop.contract.index === contract.index),
    );
    if (circuit === undefined || this.#errands.has(circuit))
      answer(fail('CHANNEL_NOT_IDLE', 'it is just being opened or closed'));
    else if (circuit.openStreams > 0 && !now) {
      const what = circuit.openStreams === 1 ? 'a stream uses' : `${circuit.openStreams} streams use`;
      answer(
        fail(
          'CHANNEL_IN_USE',
          `${what} its circuit (${circuit.path.map(({ nickname }) => nickname).join(' > ')})`,
        ),
      );
    } else {
      this.#errands.set(circuit, { onOpen: () => {}, onEnded: fault => answer(closed(fault)) });
      circuit.close();
    }
  }

  onCircuitOpen(circuit: ManagedCircuit): void {
    this.#errands.get(circuit)?.onOpen();
  }

  onCircuitEnded(circuit: ManagedCircuit, fault: ManagedFault): void {
    const errand = this.#errands.get(circuit);
    this.#errands.delete(circuit);
    errand?.onEnded(fault);
  }
}

/** An orderly end, unless a hop refused the scheme's last message or did not answer it. */
function closed(fault: ManagedFault): Result<undefined> {
  if (fault.code !== 'CIRCUIT_CLOSED') return { ok: false, fault };
  return fault.detail === undefined ? ok(undefined) : fail('CHANNEL_CLOSE_REFUSED', fault.detail);
}

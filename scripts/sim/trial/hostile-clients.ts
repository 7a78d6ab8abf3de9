import type { ManagedCircuit } from '../../../client/managed-circuit.ts';
import type { HopPayer } from '../../../src/circuit/hop-state.ts';
import type { Paid, Payer, PaymentScheme, SessionId } from '../../../src/payment/scheme.ts';
import { payerLike, schemeLike } from '../scheme-like.ts';

const amountAt = 10;

/**
 * A payer that sends, in turn with its true payments, ones that are worth nothing: those of before,
 * with a higher amount under the same signature, with a bit flipped, cut short.
 */
export function forging(scheme: PaymentScheme): PaymentScheme {
  return schemeLike(scheme, {
    payer: host => forger(scheme.payer(host), length => host.entropy.bytes(length)),
  });
}

function forger(payer: Payer, random: (length: number) => Uint8Array): Payer {
  const sentBy = new Map<SessionId, Uint8Array[]>();
  let sent: Uint8Array[] = [];
  const forge = (payment: Uint8Array): Uint8Array => {
    const [kind, choice] = random(2);
    const forged = payment.slice();
    // Mostly true, or there would be nothing to forge.
    if (kind >= 80) return forged;
    switch (kind % 5) {
      case 0:
        return sent.at(-1 - (choice % 4)) ?? forged;
      case 1:
        forged[amountAt + (choice % 8)] ^= 1 << (choice % 8);
        return forged;
      case 2:
        forged[choice % forged.length] ^= 1 << (choice % 8);
        return forged;
      case 3:
        return forged.subarray(0, choice % forged.length);
      default:
        forged.fill(0xff, amountAt, amountAt + 8);
        return forged;
    }
  };
  const dishonest = (session: SessionId, paid: Paid): Paid => {
    if (paid.kind !== 'send') return paid;
    sent = sentBy.get(session) ?? [];
    sentBy.set(session, sent);
    const payment = forge(paid.payment);
    sent.push(paid.payment);
    return { ...paid, payment };
  };
  return payerLike(payer, {
    pay: (session, target, value, most) => dishonest(session, payer.pay(session, target, value, most)),
  });
}

const boundless = 1_000_000;

/**
 * A payer that pays once in some sessions, and keeps those hops waiting when it is asked again. It goes on paying the others:
 * what an exit has not been paid ends a circuit before anybody nearer runs out.
 */
export function payingOnce(scheme: PaymentScheme): PaymentScheme {
  return schemeLike(scheme, {
    payer: host => {
      const payer = scheme.payer(host);
      const over = new Map<SessionId, boolean>();
      return payerLike(payer, {
        pay: (session, target, value, most) => {
          if (over.get(session) === true) return { kind: 'pending', ask: host.newAsk() };
          const paid = payer.pay(session, target, value, most);
          if (paid.kind === 'send' && paid.value > 0n && !over.has(session))
            over.set(session, host.entropy.bytes(1)[0] % 2 === 0);
          return paid;
        },
      });
    },
  });
}

/** From now on the circuit behaves as if all hops were paid for ever; or, if it `waits`, from the first payment on. */
export function rideFree({ circuit }: ManagedCircuit, waits: boolean): void {
  if (circuit === undefined) return;
  const setPayer = circuit.setPayer.bind(circuit);
  circuit.setPayer = (hop, payer) => setPayer(hop, careless(payer, waits));
}

function careless(payer: HopPayer, waits: boolean): HopPayer {
  const bounded = () => waits && payer.spendableExit <= 0;
  return {
    get spendable() {
      return bounded() ? payer.spendable : boundless;
    },
    get spendableExit() {
      return bounded() ? payer.spendableExit : boundless;
    },
    countCells: cells => payer.countCells(cells),
    needs: () => {},
    onReceipt: body => payer.onReceipt(body),
    ended: () => payer.ended(),
  };
}

import type { Paid, Payer, PaymentScheme, SessionId } from '../../../src/payment/scheme.ts';

const amountAt = 10;

/**
 * A payer that sends, in turn with its true payments, ones that are worth nothing: those of before, of another session,
 * with a higher amount under the same signature, with a bit flipped, cut short.
 */
export function forging(scheme: PaymentScheme): PaymentScheme {
  return { ...scheme, payer: host => forger(scheme.payer(host), length => host.entropy.bytes(length)) };
}

function forger(payer: Payer, random: (length: number) => Uint8Array): Payer {
  const sent: Uint8Array[] = [];
  const forge = (payment: Uint8Array): Uint8Array => {
    const [kind, choice] = random(2);
    const forged = payment.slice();
    switch (kind % 6) {
      case 0:
        return sent[choice % sent.length] ?? forged;
      case 1:
        forged[amountAt + (choice % 8)] ^= 1 << (choice % 8);
        return forged;
      case 2:
        forged[choice % forged.length] ^= 1 << (choice % 8);
        return forged;
      case 3:
        return forged.subarray(0, choice % forged.length);
      case 4:
        forged.fill(0xff, amountAt, amountAt + 8);
        return forged;
      default:
        return forged;
    }
  };
  const dishonest = (paid: Paid): Paid => {
    if (paid.kind !== 'send') return paid;
    const payment = forge(paid.payment);
    sent.push(paid.payment);
    return { ...paid, payment };
  };
  return {
    begin: (session, payee, budget) => payer.begin(session, payee, budget),
    pay: (session: SessionId, target, value) => dishonest(payer.pay(session, target, value)),
    onAnswer: answer => payer.onAnswer(answer),
    onChain: event => payer.onChain(event),
    onRefused: (session, fault) => payer.onRefused(session, fault),
    finish: session => payer.finish(session),
    ended: session => payer.ended(session),
  };
}

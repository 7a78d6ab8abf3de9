import type { CellBalance } from '../../../src/payment/cell-balance.ts';
import type { Payee, PaymentScheme, Redeemed } from '../../../src/payment/scheme.ts';
import { payeeLike, schemeLike } from '../scheme-like.ts';

/** Draws bytes at random; from the rogue's own node, so that a replay draws the same. */
type Random = (length: number) => Uint8Array;

/** Targets that are not what they should be: a bit flipped, cut short, or those of before. For as long as `still` says. */
export function lying(scheme: PaymentScheme, still: () => boolean): PaymentScheme {
  return schemeLike(scheme, {
    payee: (host, signer) => liar(scheme.payee(host, signer), length => host.entropy.bytes(length), still),
  });
}

function liar(payee: Payee, random: Random, still: () => boolean): Payee {
  const shown: Uint8Array[] = [];
  const bent = (target: Uint8Array): Uint8Array => {
    const [lie, kind, choice] = random(3);
    shown.push(target);
    // Mostly true, or nobody would ever pay it.
    if (!still() || lie > 60 || target.length === 0) return target;
    const other = target.slice();
    switch (kind % 3) {
      case 0:
        other[choice % other.length] ^= 1 << (choice % 8);
        return other;
      case 1:
        return other.subarray(0, choice % other.length);
      default:
        return shown[choice % shown.length];
    }
  };
  const bentReply = (redeemed: Redeemed): Redeemed =>
    redeemed.kind === 'pending' || redeemed.reply === undefined
      ? redeemed
      : { ...redeemed, reply: bent(redeemed.reply) };
  return payeeLike(payee, {
    target: session => bent(payee.target(session)),
    redeem: (session, payment) => bentReply(payee.redeem(session, payment)),
    onAnswer: answer => {
      const outcome = payee.onAnswer(answer);
      return outcome && { ...outcome, result: bentReply(outcome.result) };
    },
  });
}

/** From now on each cell of the circuit costs two, once it is paid for. @param onStolen told of each cell too many. */
export function overcharge(
  balance: CellBalance,
  still: () => boolean,
  onStolen: (cells: number) => void,
): void {
  const [debit, debitExit] = [balance.debit.bind(balance), balance.debitExit.bind(balance)];
  const again = (cells: number, taken: boolean): boolean => {
    if (taken && balance.paid && still() && debit(cells)) onStolen(cells);
    return taken;
  };
  balance.debit = cells => again(cells, debit(cells));
  balance.debitExit = cells => again(cells, debitExit(cells));
}

import { ByteReader, ByteWriter } from '../base/bytes.ts';
import type { Payee, Payer, PaymentScheme, Value } from './scheme.ts';

const id = 0xf7;

/**
 * Payments that state what was paid in all, on the payer's word alone. `refuses` is asked before each is credited. What the
 * payer has lasts for `purse`, and is there again once all that was paid is credited.
 */
export function tallyScheme(refuses: () => boolean = () => false, purse?: Value): PaymentScheme {
  return { id, name: 'tally', payee: () => payeeOf(refuses), payer: () => payerOf(purse) };
}

function payeeOf(refuses: () => boolean): Payee {
  let credited = 0n;
  const target = () => new ByteWriter().u8(id).u64(credited).finish();
  return {
    target,
    redeem(_session, payment) {
      const total = new ByteReader(payment.subarray(1)).u64();
      if (total <= credited) return { kind: 'refused', fault: { code: 'stale' }, reply: target() };
      if (refuses()) return { kind: 'refused', fault: { code: 'frozen' }, reply: target() };
      const value = total - credited;
      credited = total;
      const key = 'tally';
      return { kind: 'added', value, persist: [{ key, value: payment.slice() }], reply: target() };
    },
    onAnswer: () => undefined,
    onChain() {},
    ended() {},
  };
}

function payerOf(purse: Value | undefined): Payer {
  let signed = 0n;
  let signedMax = purse;
  let refused = false;
  return {
    cumulative: true,
    begin() {},
    pay(_session, target, value) {
      const credited = new ByteReader(target.subarray(1)).u64();
      const from = refused ? credited : signed;
      if (purse !== undefined && signedMax !== undefined && from + value > signedMax) {
        if (credited < signed) return { kind: 'refused', fault: { code: 'PAY_CHANNEL_EXHAUSTED' } };
        signedMax = signed + purse;
      }
      refused = false;
      signed = from + value > signed ? from + value : signed;
      const payment = new ByteWriter().u8(id).u64(signed).finish();
      const persist = [{ key: 'tally', value: payment }];
      return { kind: 'send', payment, value: signed - from, persist };
    },
    onAnswer: () => undefined,
    onChain() {},
    onRefused() {
      refused = true;
    },
    finish() {
      return undefined;
    },
    ended() {},
  };
}

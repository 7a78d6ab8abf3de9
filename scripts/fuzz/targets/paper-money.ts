import { ByteReader } from '../../../src/base/bytes.ts';
import type { Payee, Payer, PaymentScheme, Redeemed } from '../../../src/payment/scheme.ts';

/** Says what is paid by it: nothing stands behind it, and nothing is kept. So that circuits can be paid for nothing. */
export const paperMoney: PaymentScheme = {
  id: 126,
  name: 'paper-money',
  payee: (): Payee => ({ target: () => target, redeem, onAnswer: () => undefined, onChain() {}, ended() {} }),
  payer: (): Payer => ({
    begin() {},
    pay: (_session, _target, value) =>
      value === 0n
        ? { kind: 'ready' }
        : { kind: 'send', payment: paperPayment(Number(value % 2n ** 32n)), value, persist },
    onAnswer: () => undefined,
    onChain() {},
    onRefused() {},
    finish: () => undefined,
    ended() {},
  }),
};

const target = Uint8Array.of(126);
const persist = [{ key: 'paper-money', value: target }];

/** Pays so many msat. */
export function paperPayment(msat: number): Uint8Array {
  const bytes = new Uint8Array(5);
  bytes[0] = paperMoney.id;
  new DataView(bytes.buffer).setUint32(1, msat);
  return bytes;
}

function redeem(_session: number, payment: Uint8Array): Redeemed {
  const reader = new ByteReader(payment.subarray(1));
  const msat = reader.u32();
  if (!reader.exhausted || msat === 0) return { kind: 'refused', fault: { code: 'malformed' } };
  return { kind: 'added', value: BigInt(msat), persist, reply: target };
}

import type { Operation } from './micro-trials.ts';
import type { PaidRelay } from './paid-relay.ts';
import { rawSignatures, times } from './raw-primitives.ts';

const batch = 50;
export const rawSubject = 'raw sign or verify';
export const schemeSubject = 'bitcoin-channel';

/** The primitive and what the scheme makes of it; each Pay is of a new amount, each Redeem of a new payment. */
export function paymentOperations(relay: PaidRelay): Operation[] {
  const { sign, verify } = rawSignatures();
  // Of their own: what is only verified here is never stored.
  const [payer, payee] = relay.circuits.slice(-2);
  let payments: readonly Uint8Array[] = [];
  return [
    { operation: 'Pay', subject: rawSubject, batch, run: times(batch, sign) },
    { operation: 'Pay', subject: schemeSubject, batch, run: () => void relay.sign(payer, batch) },
    {
      operation: 'Redeem',
      subject: rawSubject,
      batch,
      run: times(batch, verify),
    },
    {
      operation: 'Redeem',
      subject: schemeSubject,
      batch,
      prepare: () => {
        payments = relay.sign(payee, batch);
      },
      run: () => relay.verify(payee, payments),
    },
  ];
}

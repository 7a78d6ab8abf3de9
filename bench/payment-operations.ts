import type { Operation } from './micro-trials.ts';
import type { PaidDesk } from './paid-desk.ts';
import { rawSignatures, times } from './raw-primitives.ts';

const batch = 50;
export const rawSubject = 'raw sign or verify';
export const schemeSubject = 'bitcoin-channel';

/** The primitive and what the scheme makes of it; each Pay is of a new amount, each Redeem of a new payment. */
export function paymentOperations(desk: PaidDesk): Operation[] {
  const { sign, verify } = rawSignatures();
  // Of their own: what is only verified here is never stored.
  const [payer, payee] = desk.sessions.slice(-2);
  let payments: readonly Uint8Array[] = [];
  return [
    { operation: 'Pay', subject: rawSubject, batch, run: times(batch, sign) },
    { operation: 'Pay', subject: schemeSubject, batch, run: () => void desk.sign(payer, batch) },
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
        payments = desk.sign(payee, batch);
      },
      run: () => desk.verify(payee, payments),
    },
  ];
}

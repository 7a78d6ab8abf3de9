import { assert } from '../src/base/assert.ts';
import { keyPairFromSecret, signDigest, verifyDigest } from '../src/bitcoin/keys.ts';
import type { Operation } from './micro-trials.ts';
import type { PaidDesk } from './paid-desk.ts';

const batch = 50;
export const rawSubject = 'raw sign or verify';
export const schemeSubject = 'bitcoin-channel';

/** The primitive and what the scheme makes of it; each Pay is of a new amount, each Redeem of a new payment. */
export function paymentOperations(desk: PaidDesk): Operation[] {
  const secret = new Uint8Array(32).fill(7);
  const digest = new Uint8Array(32).fill(9);
  const { publicKey } = keyPairFromSecret(secret);
  const signature = signDigest(secret, digest);
  const times = (work: () => void) => () => {
    for (let i = 0; i < batch; i++) work();
  };
  // Of their own: what is only verified here is never stored.
  const [payer, payee] = desk.sessions.slice(-2);
  let payments: readonly Uint8Array[] = [];
  return [
    { operation: 'Pay', subject: rawSubject, batch, run: times(() => signDigest(secret, digest)) },
    { operation: 'Pay', subject: schemeSubject, batch, run: () => void desk.sign(payer, batch) },
    {
      operation: 'Redeem',
      subject: rawSubject,
      batch,
      run: times(() => assert(verifyDigest(publicKey, digest, signature), 'a valid signature')),
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

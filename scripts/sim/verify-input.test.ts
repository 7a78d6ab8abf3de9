import { describe, expect, it } from 'vitest';
import {
  type ChannelTerms,
  type ContractVariant,
  contractOutputScript,
} from '../../src/bitcoin/contract-tx.ts';
import { keyPairFromSecret } from '../../src/bitcoin/keys.ts';
import { PaymentTemplate } from '../../src/bitcoin/payment-tx.ts';
import { RefundTemplate } from '../../src/bitcoin/refund-tx.ts';
import { keyOutputScript } from '../../src/bitcoin/spend-coin.ts';
import { signDigest } from '../../src/crypto/ecdsa.ts';
import { SimChain } from '../../src/sim/sim-chain.ts';
import { verifyInput } from './verify-input.ts';

const payer = keyPairFromSecret(new Uint8Array(32).fill(1));
const payee = keyPairFromSecret(new Uint8Array(32).fill(2));
const capacitySat = 50_000n;
const refundHeight = 110;

/** A chain with a contract on it. */
function opened(variant: ContractVariant): { chain: SimChain; terms: ChannelTerms } {
  const chain = new SimChain({ verifyInput, startHeight: 100 });
  const keys = { variant, payerKey: payer.publicKey, payeeKey: payee.publicKey, refundHeight };
  chain.issue(contractOutputScript(keys), capacitySat);
  chain.mine();
  const outpoint = { txid: chain.tip.transactions[0].txid, index: 0 };
  const refundScript = keyOutputScript(payer.publicKey);
  const payoutScript = keyOutputScript(payee.publicKey);
  return { chain, terms: { ...keys, outpoint, capacitySat, feeSat: 400n, refundScript, payoutScript } };
}

function payment(terms: ChannelTerms, paidSat: bigint, signedSat = paidSat): Uint8Array {
  const template = new PaymentTemplate(terms);
  const payerSignature = signDigest(payer.secret, template.digest(signedSat));
  const payeeSignature = signDigest(payee.secret, template.digest(paidSat));
  return template.transaction(paidSat, payerSignature, payeeSignature).toBuffer();
}

describe.each(['spillman', 'cltv'] as const)('a %s contract on the simulated chain', variant => {
  it('is spent by a payment that both signed, for the amount that both signed', () => {
    const { chain, terms } = opened(variant);
    expect(chain.offer([payment(terms, 20_000n, 10_000n)])).toMatch(/does not verify/);
    expect(chain.offer([payment(terms, 20_000n)])).toBeUndefined();
    chain.mine();
    expect(chain.balanceSat(terms.payoutScript)).toBe(20_000n);
    expect(chain.balanceSat(terms.refundScript)).toBe(capacitySat - 20_000n - 400n - 240n);
  });

  it('goes back to the payer from the agreed height on, not before', () => {
    const { chain, terms } = opened(variant);
    const template = new RefundTemplate(terms);
    const [own, other] = [payer, payee].map(({ secret }) => signDigest(secret, template.digest()));
    const refund = template.transaction(own, variant === 'spillman' ? other : undefined).toBuffer();
    expect(chain.offer([refund])).toBe('non-final');
    chain.mine(refundHeight - chain.height - 1);
    expect(chain.offer([refund])).toBe('non-final');
    chain.mine();
    expect(chain.offer([refund])).toBeUndefined();
    chain.mine();
    expect(chain.balanceSat(terms.refundScript)).toBe(capacitySat - 400n);
  });

  it('is not spent by the payee alone', () => {
    const { chain, terms } = opened(variant);
    const template = new PaymentTemplate(terms);
    const alone = signDigest(payee.secret, template.digest(20_000n));
    expect(chain.offer([template.transaction(20_000n, alone, alone).toBuffer()])).toMatch(/does not verify/);
  });
});

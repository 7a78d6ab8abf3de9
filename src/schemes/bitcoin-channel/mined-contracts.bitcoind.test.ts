import { Block } from 'bitcoinjs-lib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Bitcoind, startBitcoind } from '../../../regtest/bitcoind.ts';
import { type Funds, openFunds } from '../../../regtest/funds.ts';
import { ChannelLab } from '../../../test/channel-lab.fixture.ts';
import { contractOutputScript } from '../../bitcoin/contract-tx.ts';
import { PaymentTemplate } from '../../bitcoin/payment-tx.ts';
import { addressOfScript } from '../../bitcoin/wallet.ts';
import { SigningKey } from '../../crypto/ecdsa.ts';
import type { Redeemed } from '../../payment/scheme.ts';
import {
  channelId,
  fundedMessage,
  offerMessage,
  openMessage,
  payMessage,
  paymentOp,
  schemeId,
} from './messages.ts';

let bitcoind: Bitcoind;
let funds: Funds;
beforeAll(async () => {
  bitcoind = await startBitcoind();
  funds = await openFunds(bitcoind);
});
afterAll(() => bitcoind.stop());

const session = 1;
const scheme = schemeId;

/** A payer that mines: its contract is what the block pays it. */
async function mineContract(lab: ChannelLab, blocksToT: number) {
  const redeem = async (payment: Uint8Array) => {
    const redeemed = await lab.payee.result<Redeemed>(session, side => side.redeem(session, payment));
    if (redeemed?.kind === 'added') await lab.payee.commit(redeemed.persist);
    return redeemed;
  };
  const offer = offerMessage.decode(lab.payee.side.target(session))!;
  const key = SigningKey.fresh(lab.payeeHost.host.entropy);
  const { nonce, feeSat, payeeKey, payoutScript } = offer;
  const refundHeight = (await bitcoind.rpc<number>('getblockcount')) + blocksToT;
  const refundScript = Uint8Array.of(0, 20, ...payeeKey.subarray(13));
  const script = contractOutputScript({
    variant: 'spillman',
    payerKey: key.publicKey,
    payeeKey,
    refundHeight,
  });
  const { hex } = await bitcoind.rpc<{ hex: string }>('generateblock', addressOfScript(script), [], false);
  const coinbase = Block.fromHex(hex).transactions![0];
  const outpoint = { txid: coinbase.getHash(), index: 0 };
  const terms = { capacitySat: coinbase.outs[0].value, refundHeight, payerKey: key.publicKey, refundScript };
  const opened = await redeem(
    openMessage.encode({ scheme, op: paymentOp.open, nonce, feeSat, ...outpoint, ...terms }),
  );
  expect(opened).toMatchObject({ kind: 'added' });
  await bitcoind.rpc('submitblock', hex);
  await lab.mine();
  const channel = channelId('regtest', outpoint);
  const fixed = { variant: 'spillman', outpoint, feeSat: BigInt(feeSat), payeeKey, payoutScript } as const;
  const payments = new PaymentTemplate({ ...terms, ...fixed });
  const paidSat = payments.satMax;
  const signature = key.sign(payments.digest(paidSat));
  return {
    fund: () => redeem(fundedMessage.encode({ scheme, op: paymentOp.funded, channel })),
    pay: () => redeem(payMessage.encode({ scheme, op: paymentOp.pay, channel, paidSat, signature })),
  };
}

it('takes no contract that no block would let it settle yet', { timeout: 60_000 }, async () => {
  const lab = new ChannelLab(bitcoind, funds, { capacitySatMax: 5_000_000_000n });
  const channel = await mineContract(lab, 120);
  expect(await channel.fund()).toMatchObject({ kind: 'refused', fault: { code: 'unconfirmed' } });
  expect(await channel.pay()).toMatchObject({ kind: 'refused', fault: { code: 'unconfirmed' } });
  await lab.mine(97);
  expect(await channel.fund()).toMatchObject({ kind: 'refused', fault: { code: 'unconfirmed' } });
  await lab.mine();
  expect(await channel.fund()).toMatchObject({ kind: 'added' });
  expect(await channel.pay()).toMatchObject({ kind: 'added', value: 4_999_999_388_000n });
  lab.payee.side.ended(session);
  await lab.mine(3);
  await lab.inMempool(1);
  await lab.mine();
  await lab.phase('payee', 'closed');
  await lab.stop();
});

import { expect, it, vi } from 'vitest';
import { toHex } from '../../base/bytes.ts';
import { PaymentTemplate } from '../../bitcoin/payment-tx.ts';
import { SigningKey } from '../../crypto/ecdsa.ts';
import type { Redeemed, SessionId } from '../../payment/scheme.ts';
import {
  channelId,
  fundedMessage,
  offerMessage,
  openMessage,
  payMessage,
  paymentOp,
  schemeId,
} from './messages.ts';
import type { ChannelPayee } from './payee.ts';
import { Lab, type SimHostWorld } from './sim-lab.fixture.ts';

const opening = vi.hoisted(() => 12);

vi.mock('../../base/limits.ts', async original => ({
  ...(await original<object>()),
  channelsOpeningMax: opening,
}));

/** Sessions of whoever forges; honest ones count from 1. */
const firstSession = 1_000;

async function redeem(
  lab: Lab,
  session: SessionId,
  payment: Uint8Array,
): Promise<{ readonly redeemed: Redeemed | undefined }> {
  const redeemed = await lab.payee.result<Redeemed>(session, side => side.redeem(session, payment));
  if (redeemed?.kind === 'added') await lab.payee.commit(redeemed.persist);
  return { redeemed };
}

/** Names a contract that is nowhere. CLOSE then has the payee settle what all of it would pay. */
async function forge(lab: Lab, count: number, { close }: { readonly close: boolean }) {
  const { world } = lab.payee;
  const session = firstSession + count;
  const offer = offerMessage.decode(world.turn(() => lab.payee.side.target(session)));
  if (offer === undefined) throw new Error('a payee makes an offer');
  const { entropy } = world.host;
  const [key, txid] = world.turn(() => [SigningKey.fresh(entropy), entropy.bytes(32)]);
  const terms = {
    capacitySat: offer.capacitySatMax,
    refundHeight: lab.chain.height + offer.refundBlocksMin,
    payerKey: key.publicKey,
    refundScript: Uint8Array.of(0, 20, ...txid.subarray(0, 20)),
  };
  const { nonce, feeSat, payeeKey, payoutScript } = offer;
  const head = { scheme: schemeId, op: paymentOp.open, nonce, txid, index: 0, feeSat };
  const opened = await redeem(lab, session, openMessage.encode({ ...head, ...terms }));
  if (!close) return opened;
  const outpoint = { txid, index: 0 };
  const payments = new PaymentTemplate({
    ...terms,
    variant: 'spillman',
    outpoint,
    feeSat: BigInt(feeSat),
    payeeKey,
    payoutScript,
  });
  const paidSat = payments.satMax;
  const last = { scheme: schemeId, op: paymentOp.close, channel: channelId('regtest', outpoint), paidSat };
  return redeem(lab, session, payMessage.encode({ ...last, signature: key.sign(payments.digest(paidSat)) }));
}

function leave(lab: Lab, count: number): void {
  lab.payee.world.turn(() => lab.payee.side.ended(firstSession + count));
}

it.each([
  { after: 'OPEN', close: false },
  { after: 'CLOSE', close: true },
])(
  'contracts that nobody saw make room for others after $after, and cost no addresses',
  async ({ close }) => {
    const lab = new Lab();
    const wallet = lab.payeeScheme.desk.wallet('payee')!;
    const watchedBefore = wallet.watchedAddresses;
    for (let at = 0; at < 10 * opening; at++) {
      expect((await forge(lab, at, { close })).redeemed).toMatchObject({ kind: 'added' });
      leave(lab, at);
      lab.mine(at % 7 === 0 ? 1 : 0);
    }
    expect([...(lab.payee.side as ChannelPayee).book.live]).toHaveLength(opening);
    expect(wallet.watchedAddresses - watchedBefore).toBeLessThan(2 * opening);
    // Somebody honest is served.
    const talk = await lab.open();
    await talk.close();
    lab.mine(2);
    expect(lab.row('payer')).toMatchObject({ phase: 'closed', paidSat: 1_000n });
  },
);

it('a contract that nobody saw is not settled, costs no fees, and is forgotten at T', async () => {
  const lab = new Lab();
  lab.issue('payee', 100_000n);
  lab.mine(1);
  for (let at = 0; at < 3; at++) {
    await forge(lab, at, { close: true });
    leave(lab, at);
  }
  const { port } = lab.payee.world as SimHostWorld;
  const offered = vi.spyOn(port, 'broadcast');
  lab.mine(5);
  lab.startPayee((lab.payee.world as SimHostWorld).restart());
  const offeredAgain = vi.spyOn((lab.payee.world as SimHostWorld).port, 'broadcast');
  lab.mine(5);
  expect([offered.mock.calls, offeredAgain.mock.calls]).toEqual([[], []]);
  expect(lab.payeeScheme.desk.wallet('payee')!.balance.confirmedSat).toBe(100_000n);
  const [{ refundHeight }] = lab.rows('payee');
  lab.mine(refundHeight - lab.chain.height + 1);
  expect(lab.rows('payee')).toEqual([]);
});

it('a contract that a session waits for gives way to nobody for some blocks', async () => {
  const lab = new Lab();
  const one = async (at: number) => (await forge(lab, at, { close: false })).redeemed;
  for (let at = 0; at < opening; at++) expect(await one(at)).toMatchObject({ kind: 'added' });
  expect(await one(opening)).toMatchObject({ kind: 'refused', fault: { code: 'busy' } });
  leave(lab, 0);
  expect(await one(opening)).toMatchObject({ kind: 'added' });
  expect(await one(opening + 1)).toMatchObject({ kind: 'refused', fault: { code: 'busy' } });
  lab.mine(6);
  expect(await one(opening + 1)).toMatchObject({ kind: 'added' });
  // The session that waited for the oldest is told so.
  const funded = fundedMessage.encode({ scheme: schemeId, op: paymentOp.funded, channel: new Uint8Array(8) });
  const said = await redeem(lab, firstSession + 1, funded);
  expect(said.redeemed).toMatchObject({ kind: 'refused', fault: { code: 'unknownChannel' } });
});

it('a channel that is closed before its contract is in a block returns whole as soon as it is', async () => {
  const lab = new Lab();
  const talk = lab.talk();
  expect(await talk.pay(1_000_000n)).toEqual({ kind: 'waiting' });
  await talk.close();
  lab.mine(3);
  const { capacitySat, contractTxid } = lab.row('payer');
  expect(lab.row('payer')).toMatchObject({ phase: 'closed', paidSat: 0n });
  expect(contractTxid).not.toBe(toHex(new Uint8Array(32)));
  expect(lab.payerScheme.desk.wallet('payer')!.balance.confirmedSat).toBeGreaterThan(capacitySat);
});

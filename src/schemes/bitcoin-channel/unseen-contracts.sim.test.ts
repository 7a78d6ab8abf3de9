import { expect, it, vi } from 'vitest';
import { SigningKey } from '../../crypto/ecdsa.ts';
import type { Redeemed } from '../../payment/scheme.ts';
import { offerMessage, openMessage, paymentOp, schemeId } from './messages.ts';
import type { ChannelPayee } from './payee.ts';
import { Lab } from './sim-lab.fixture.ts';

const opening = vi.hoisted(() => 12);

vi.mock('../../base/limits.ts', async original => ({
  ...(await original<object>()),
  channelsOpeningMax: opening,
}));

/** Names a contract that is nowhere; from session 1,000 on, so that honest ones have their own. */
async function forge(lab: Lab, count: number): Promise<Redeemed | undefined> {
  const { world } = lab.payee;
  const session = 1_000 + count;
  const offer = offerMessage.decode(world.turn(() => lab.payee.side.target(session)))!;
  const { entropy } = world.host;
  const open = world.turn(() =>
    openMessage.encode({
      scheme: schemeId,
      op: paymentOp.open,
      nonce: offer.nonce,
      txid: entropy.bytes(32),
      index: 0,
      capacitySat: offer.capacitySatMin,
      refundHeight: lab.chain.height + offer.refundBlocksMin,
      feeSat: offer.feeSat,
      payerKey: SigningKey.fresh(entropy).publicKey,
      refundScript: Uint8Array.of(0, 20, ...entropy.bytes(20)),
    }),
  );
  const redeemed = await lab.payee.result<Redeemed>(session, side => side.redeem(session, open));
  if (redeemed?.kind === 'added') await lab.payee.commit(redeemed.persist);
  return redeemed;
}

it('contracts that nobody saw make room for others, and cost no addresses', async () => {
  const lab = new Lab();
  const { book } = lab.payee.side as ChannelPayee;
  const wallet = lab.payeeScheme.desk.wallet('payee')!;
  const watchedBefore = wallet.watchedAddresses;
  for (let at = 0; at < 10 * opening; at++) {
    expect(await forge(lab, at)).toMatchObject({ kind: 'added' });
    lab.payee.world.turn(() => lab.payee.side.ended(1_000 + at));
    lab.mine(at % 7 === 0 ? 1 : 0);
  }
  expect([...book.live]).toHaveLength(opening);
  expect(wallet.watchedAddresses - watchedBefore).toBeLessThan(2 * opening);
  // Somebody honest is served.
  const talk = await lab.open();
  await talk.close();
  lab.mine(2);
  expect(lab.row('payer')).toMatchObject({ phase: 'closed', paidSat: 1_000n });
});

it('a contract that a session waits for gives way to nobody', async () => {
  const lab = new Lab();
  for (let at = 0; at < opening; at++) expect(await forge(lab, at)).toMatchObject({ kind: 'added' });
  expect(await forge(lab, opening)).toMatchObject({ kind: 'refused', fault: { code: 'busy' } });
  lab.payee.world.turn(() => lab.payee.side.ended(1_000));
  expect(await forge(lab, opening)).toMatchObject({ kind: 'added' });
});

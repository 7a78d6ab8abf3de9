import { describe, expect, it } from 'vitest';
import { refundBlocksMax } from '../../base/limits.ts';
import { regtestRules } from '../../bitcoin/channel-rules.ts';
import { RefundTemplate } from '../../bitcoin/refund-tx.ts';
import { SigningKey, signDigest } from '../../crypto/ecdsa.ts';
import type { Redeemed } from '../../payment/scheme.ts';
import { readChannels } from './channel-record.ts';
import {
  acceptedMessage,
  type Offer,
  offerDigest,
  offerMessage,
  openMessage,
  paymentOp,
  schemeId,
} from './messages.ts';
import { channelKeyRoot, readSeed } from './role-keys.ts';
import { gib, Lab, type SimHostWorld, signer } from './sim-lab.fixture.ts';

const everything = { confirmedSat: 3n * gib, unconfirmedSat: 0n };
const balance = (lab: Lab) => lab.payerScheme.desk.wallet('payer')!.balance;
const { acceptMarginBlocks, settleMarginBlocks, refundBlocks } = regtestRules;

/** What a payee answers to a contract with that T, of which nothing else is wrong. */
async function opened(lab: Lab, session: number, refundHeight: number): Promise<Redeemed | undefined> {
  const { world } = lab.payee;
  const offer = offerMessage.decode(world.turn(() => lab.payee.side.target(session)))!;
  const [key, txid] = world.turn(() => [SigningKey.fresh(world.host.entropy), world.host.entropy.bytes(32)]);
  const { nonce, feeSat, capacitySatMax: capacitySat } = offer;
  const refundScript = Uint8Array.of(0, 20, ...txid.subarray(0, 20));
  const head = { scheme: schemeId, op: paymentOp.open, nonce, txid, index: 0, feeSat, capacitySat };
  const open = openMessage.encode({ ...head, refundHeight, refundScript, payerKey: key.publicKey });
  return lab.payee.result<Redeemed>(session, side => side.redeem(session, open));
}

describe('a payer that steers T', () => {
  it('has no contract taken whose T is nearer than two margins, farther than the limit, or a time', async () => {
    const lab = new Lab();
    const tip = lab.chain.height;
    const nearest = tip + 2 * acceptMarginBlocks - 1;
    const farthest = tip + refundBlocksMax;
    const refusedT = [0, tip, nearest - 1, farthest + 1, 499_999_999, 500_000_000, 2 ** 32 - 1];
    for (const [session, refundHeight] of refusedT.entries()) {
      const answer = await opened(lab, 100 + session, refundHeight);
      expect(answer).toMatchObject({ kind: 'refused', fault: { code: 'badTerms' } });
    }
    for (const [session, refundHeight] of [nearest, farthest].entries())
      expect(await opened(lab, 200 + session, refundHeight)).toMatchObject({ kind: 'added', value: 0n });
  });

  it.each([
    ['the last block in which it is taken', acceptMarginBlocks + 1, 'credited'],
    ['one later', acceptMarginBlocks, 'refusedByPayee'],
  ])('by keeping its contract out of blocks until %s leaves its payee the margin', async (_, left, kind) => {
    const lab = new Lab();
    const talk = lab.talk();
    await talk.pay(1_000_000n);
    const { refundHeight } = lab.row('payer');
    lab.chain.minedSatPerKvb = 50_000n;
    lab.mine(refundHeight - left - 1 - lab.chain.height);
    lab.chain.minedSatPerKvb = 0n;
    lab.mine();
    expect(await talk.pay(1_000_000n)).toMatchObject({ kind });
    // It hangs on to its circuit, and its payee settles all the same.
    lab.mine(refundHeight - settleMarginBlocks + 1 - lab.chain.height);
    const settled = kind === 'credited';
    expect(lab.row('payee').phase).toBe(settled ? 'closed' : 'funded');
    lab.mine(settleMarginBlocks + 1);
    expect(lab.row('payer').phase).toBe(settled ? 'closed' : 'refunded');
    expect(lab.row('payee').paidSat).toBe(settled ? 1_000n : 0n);
  });
});

describe('a payee that steers T', () => {
  /** Its offer with other heights in it, signed anew. */
  async function offered(lab: Lab, heights: Partial<Offer>) {
    const talk = lab.talk();
    const { signature: _, ...offer } = offerMessage.decode(
      lab.payee.world.turn(() => lab.payee.side.target(talk.session)),
    )!;
    const changed = { ...offer, ...heights };
    talk.target = offerMessage.encode({ ...changed, signature: signer.sign(offerDigest(changed)) });
    return talk.pay(1_000_000n);
  }

  it.each([
    ['farther than its payer wants', { refundBlocksMin: refundBlocks + 1 }],
    ['nearer than its payer wants', { refundBlocksMax: refundBlocks - 1 }],
    ['beyond all limits', { refundBlocksMax: refundBlocksMax + 1 }],
  ])('is not paid where its offer asks for one %s', async (__, heights) => {
    const lab = new Lab();
    expect(await offered(lab, heights)).toMatchObject({ fault: { code: 'PAY_BAD_TARGET' } });
    expect([lab.rows('payer'), balance(lab)]).toEqual([[], everything]);
  });

  it.each([{}, { refundBlocksMin: 0 }, { refundBlocksMin: refundBlocks, refundBlocksMax: refundBlocks }])(
    'gets the T that its payer has set, by whatever offer fits: %j',
    async heights => {
      const lab = new Lab();
      const before = lab.chain.height;
      await offered(lab, heights);
      expect(lab.row('payer').refundHeight).toBe(before + refundBlocks);
    },
  );

  it('by signing the refund of another height gets no contract', async () => {
    const lab = new Lab({ variant: 'spillman' });
    const talk = lab.talk();
    await talk.pay(1_000_000n, 1);
    const { store } = lab.payee.world as SimHostWorld;
    const [{ record }, seed] = lab.payee.world.turn(
      () => [readChannels(store, 'payee')[0], readSeed(store, 'payee')!] as const,
    );
    const key = channelKeyRoot(seed, 'payee').named(record!.keyName).keyPair();
    const later = { ...record!.terms, refundHeight: record!.terms.refundHeight + 1_000 };
    const refundSignature = signDigest(key.secret, new RefundTemplate(later).digest());
    const accepted = acceptedMessage.decode(talk.target)!;
    talk.target = acceptedMessage.encode({ ...accepted, refundSignature });
    expect(await talk.pay(1_000_000n)).toMatchObject({ fault: { code: 'PAY_BAD_REFUND_SIGNATURE' } });
    lab.mine(3);
    expect([lab.rows('payer'), balance(lab)]).toEqual([[], everything]);
  });
});

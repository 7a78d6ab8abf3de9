import { expect, it } from 'vitest';
import { utf8 } from '../../base/bytes.ts';
import { sha256 } from '../../crypto/sha.ts';
import { CoinWorld } from '../coin-peers.fixture.ts';
import { p2pNetpay } from './index.ts';
import { payMessage, targetBody, targetMessage, targetTag, visitMessage } from './messages.ts';
import { holdSeconds } from './terms.ts';

const start = 10n ** 9n;
const value = 1_000_000n;

function worldOf(seed: string) {
  const world = new CoinWorld(p2pNetpay, seed);
  const [payer, first, second] = ['payer', 'first', 'second'].map(name => world.peer(name));
  return { world, broker: world.broker, payer, first, second };
}

it.each(['a chain that was nowhere yet', 'a purchase that had no answer yet'] as const)(
  'takes no chain to two places when an old copy of its records is put back that tells of %s',
  what => {
    const { world, broker, payer, first, second } = worldOf(what);
    const session = 1;
    const target = first.process.turn(() => first.payee.target(session));
    if (what === 'a purchase that had no answer yet') world.trouble(broker.at, 'absent');
    payer.process.turn(() => payer.payer.begin(session, { ed25519: first.identity.publicKey }, value));
    expect(payer.process.turn(() => payer.payer.pay(session, target, value)).kind).toBe('pending');
    payer.do(() => payer.payer.ended(session));
    const old = payer.process.durable();
    world.trouble(broker.at, undefined);
    world.settle();
    expect(payer.pay(first, value)).toBe(value);
    expect(broker.outstandingMsat).toBe(value);
    payer.restart(true, old);
    expect(payer.pay(second, value)).toBe(value);
    broker.world.runFor((holdSeconds + 10) * 1_000);
    broker.tick();
    expect(broker.proofs).toEqual([]);
    expect([payer, first, second].map(peer => broker.balanceOf(peer) - start)).toEqual([
      -2n * value,
      value,
      value,
    ]);
    broker.expectBacked();
  },
);

it('pays nothing for words that a vendor says it has and was never sent', () => {
  const { payer, first, second } = worldOf('lying vendor');
  const { session, paid } = payer.makePayment(first, 10_000n, value);
  const { payment } = paid as { readonly payment: Uint8Array };
  expect(first.take(session, payment)).toMatchObject({ kind: 'added', value: 10_000n });
  payer.process.turn(() => payer.payer.ended(session));
  const chain = visitMessage.decode(payment)?.touchstone.chain;
  const next = payer.makePayment(second, 10_000n, value);
  const moved = next.paid as { readonly payment: Uint8Array };
  expect(visitMessage.decode(moved.payment)?.touchstone.chain).toEqual(chain);
  const taken = second.take(next.session, moved.payment) as { readonly reply: Uint8Array };
  const truth = targetMessage.decode(taken.reply)!;
  expect(truth).toMatchObject({ chain, index: 10 });
  const said = { ...truth, index: 900 };
  const signature = second.identity.sign(sha256(utf8(targetTag), targetBody.encode(said)));
  const lied = payer.payOn(next.session, targetMessage.encode({ ...said, signature }), 10_000n);
  const sent = (lied as { readonly payment: Uint8Array }).payment;
  expect(payMessage.decode(sent)).toBeUndefined();
  expect(visitMessage.decode(sent)).toMatchObject({ index: 10 });
  expect(visitMessage.decode(sent)?.touchstone.chain).not.toEqual(chain);
});

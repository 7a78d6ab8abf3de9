import { expect, it } from 'vitest';
import type { Peer } from '../coin-peers.fixture.ts';
import { handedOver } from './coin-path.ts';
import {
  answerOp,
  assignedAnswer,
  assignedCoin,
  contradictedAnswer,
  reportRequest,
  requestOp,
} from './messages.ts';
import { deposit, heldBy, peersOf, reassign, value } from './ppay-peers.fixture.ts';

/** A relay was paid with a coin whose owner will say anything of it. */
function paidRelay(seed: string) {
  const peers = peersOf(seed);
  expect(peers.owner.pay(peers.relay, value)).toBe(value);
  const { assigned } = heldBy(peers.relay)[0].path;
  return { ...peers, assigned };
}

/** The relay pays on with that very coin, by the broker. */
function paysOn({ coins, relay, other, assigned }: ReturnType<typeof paidRelay>): void {
  expect(relay.pay(other, value)).toBe(value);
  expect(heldBy(other)[0].path.assigned.coin).toEqual(assigned.coin);
  expect(coins.broker.proofs).toEqual([]);
}

const forged = (next: Peer) => ({ next: next.account.publicKey, signature: new Uint8Array(64).fill(1) });

it('an owner that makes up a hand-over of its holder is not believed', () => {
  const scene = paidRelay('forged hand-over');
  const path = { assigned: scene.assigned, layers: [forged(scene.third)] };
  scene.coins.answerAt(scene.owner.at, contradictedAnswer.encode({ op: answerOp.contradicted, path }));
  paysOn(scene);
});

it('an owner that assigns a coin of its own making instead is not believed', () => {
  const scene = paidRelay('another coin');
  const { coins, owner, other, assigned } = scene;
  const coin = { ...assigned.coin, value: 2n * value };
  const holder = other.account.publicKey;
  const made = assignedCoin.sign(owner.account, { coin, holder, position: assigned.position + 1n });
  coins.answerAt(owner.at, assignedAnswer.encode({ op: answerOp.assigned, assigned: made }));
  paysOn(scene);
});

it('a coin that is worth more than its broker signed is reassigned by nobody, and not taken back', () => {
  const { coins, owner, relay, other, assigned } = paidRelay('inflated');
  const coin = { ...assigned.coin, value: 2n * value };
  const { holder, position } = assigned;
  const inflated = { assigned: assignedCoin.sign(owner.account, { coin, holder, position }), layers: [] };
  const handedTo = (next: Uint8Array) => handedOver(inflated, relay.account, next);
  for (const at of [owner.at, coins.broker.at])
    expect(relay.ask(at, reassign(handedTo(other.account.publicKey)))).toBe('badSignature');
  expect(relay.ask(coins.broker.at, deposit(handedTo(coins.broker.key.publicKey)))).toBe('badSignature');
});

it('a broker takes no report of a coin that it never sold, or of two', () => {
  const { coins, owner, relay, assigned } = paidRelay('unsold');
  const good = heldBy(relay)[0].path;
  const { holder, position } = assigned;
  const coin = { ...assigned.coin, serial: new Uint8Array(assigned.coin.serial.length).fill(9) };
  const unsold = { assigned: assignedCoin.sign(owner.account, { coin, holder, position }), layers: [] };
  for (const [first, second] of [
    [unsold, unsold],
    [unsold, good],
    [good, unsold],
  ]) {
    const report = reportRequest.encode({ op: requestOp.report, first, second });
    expect(relay.ask(coins.broker.at, report)).toBe('unknownChannel');
  }
  expect(coins.broker.proofs).toEqual([]);
});

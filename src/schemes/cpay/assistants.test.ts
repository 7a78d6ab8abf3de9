import { describe, expect, it } from 'vitest';
import { toHex } from '../../base/bytes.ts';
import type { SigningKey } from '../../crypto/ecdsa.ts';
import type { CoinWorld, Peer } from '../coin-peers.fixture.ts';
import { claimSeconds } from './broker-claims.ts';
import {
  assistantOf,
  authBy,
  convicted,
  deskOf,
  enquire,
  heldBy,
  keyOf,
  nowOf,
  ofOneAssistant,
  payWith,
  peersOf,
  request,
  saidFor,
  start,
  succeeded,
  value,
} from './cpay-peers.fixture.ts';
import { accountNonce } from './dealings.ts';
import { judge } from './fraud.ts';
import {
  authStatement,
  claimRequest,
  epochMs,
  offerEveryMs,
  type PaidCoin,
  requestOp,
  showRequest,
  wish,
} from './messages.ts';

const dayMs = 86_400_000;

/** What a holder, or who says so, claims when its assistant is no more. */
function claim(by: SigningKey, coins: CoinWorld, held: PaidCoin): Uint8Array {
  const { guid, payee: payer } = held.auth;
  const nonce = accountNonce(by.publicKey);
  const said = wish.sign(by, { guid, payer, payee: coins.broker.key.publicKey, nonce });
  return claimRequest.encode({ op: requestOp.claim, account: by.publicKey, paid: held, wish: said });
}

describe('an assistant of CPay that is asked by one relay to pay another', () => {
  it.each(['late', 'lying'] as const)('and is %s, costs nobody a coin', trouble => {
    const { coins, peers } = peersOf(`assistant ${trouble}`);
    const [payer, relay, other] = peers;
    payer.pay(relay, value);
    const assistant = assistantOf(coins, peers, heldBy(relay)[0], relay);
    coins.trouble(assistant.at, trouble);
    const first = relay.pay(other, value);
    coins.trouble(assistant.at, undefined);
    const second = relay.pay(other, value);
    expect(second).toBe(value);
    const credited = [first, second].filter(each => each === value).length;
    expect(deskOf(other).receivedMsat).toBe(BigInt(credited) * value);
    expect(convicted(coins)).toEqual([]);
  });

  it('and gives the coin to two of them, is convicted by what both hand in', () => {
    const { coins, peers } = peersOf('two relays');
    const [payer, relay] = peers;
    payer.pay(relay, value);
    const [held] = heldBy(relay);
    const assistant = assistantOf(coins, peers, held, relay);
    const victims = peers.filter(peer => ![payer, relay, assistant].includes(peer)).slice(0, 2);
    for (const to of victims)
      expect(payWith(to, { coin: held.coin, auth: authBy(assistant, saidFor(coins, held, to)) })).toBe(
        'added',
      );
    for (const peer of [...victims, relay]) peer.do(() => deskOf(peer).deposit());
    enquire(coins, peers);
    const [proof, ...more] = coins.broker.proofs;
    expect(more).toEqual([]);
    expect(proof.cheat).toBe('double-authorisation');
    expect(toHex(judge(proof).guilty!)).toBe(keyOf(assistant));
    for (const peer of [relay, ...victims]) expect(coins.broker.balanceOf(peer)).toBe(start + value);
    expect(coins.broker.balanceOf(assistant)).toBe(start - 2n * value);
    expect(coins.broker.heldMsat(coins.broker.key.publicKey)).toBe(0n);
  });

  it('and authorises what it has left to its successor, is convicted by its release', () => {
    const { coins, peers } = peersOf('false release');
    const [payer, relay] = peers;
    payer.pay(relay, value);
    const [held] = heldBy(relay);
    const before = assistantOf(coins, peers, held, relay);
    const [other, third] = peers.filter(peer => ![payer, relay, before].includes(peer));
    const late = authBy(before, saidFor(coins, held, other));
    const { all } = succeeded(coins, peers, held, relay);
    expect(relay.pay(third, value)).toBe(value);
    expect(payWith(other, { coin: held.coin, auth: late })).toBe('added');
    for (const peer of [other, third]) peer.do(() => deskOf(peer).deposit());
    enquire(coins, all);
    const [proof, ...more] = coins.broker.proofs;
    expect(more).toEqual([]);
    expect(proof.cheat).toBe('false-release');
    expect(toHex(judge(proof).guilty!)).toBe(keyOf(before));
  });

  it('and authorises what was not left to it, pays for it, though it shows by whose wish it did', () => {
    const { coins, peers } = peersOf('not left');
    const [payer, relay] = peers;
    payer.pay(relay, value);
    const [held] = heldBy(relay);
    const before = assistantOf(coins, peers, held, relay);
    const [other, third] = peers.filter(peer => ![payer, relay, before].includes(peer));
    const given = relay.ask(before.at, request(held, relay.account, other, nowOf(coins)));
    const { signature, ...first } = authStatement.decode(given as Uint8Array)!;
    expect(payWith(other, { ...held, auth: { ...first, signatures: [{ place: 0, signature }] } })).toBe(
      'added',
    );
    const { all, after } = succeeded(coins, peers, held, relay);
    const second = saidFor(coins, held, third);
    expect(payWith(third, { ...held, auth: authBy(after, second) })).toBe('added');
    for (const peer of [other, third]) peer.do(() => deskOf(peer).deposit());
    const said = wish.sign(relay.account, second);
    const auth = authStatement.sign(after.account, second);
    const shown = showRequest.encode({
      op: requestOp.show,
      grant: { held, wish: said, auth, releases: [] },
    });
    enquire(coins, all);
    expect(after.ask(coins.broker.at, shown)).toBe('badSignature');
    coins.world.runFor(8 * dayMs);
    coins.broker.tick();
    expect(convicted(coins)).toEqual([]);
    for (const peer of [other, third]) expect(coins.broker.balanceOf(peer)).toBe(start + value);
    expect(coins.broker.balanceOf(after)).toBe(start - value);
  });

  it('and authorised a payment of which the payer never heard, is heard of by its successor', () => {
    const { coins, peers } = peersOf('lost answer');
    const [payer, relay] = peers;
    payer.pay(relay, value);
    const [held] = heldBy(relay);
    const before = assistantOf(coins, peers, held, relay);
    const [other, third] = peers.filter(peer => ![payer, relay, before].includes(peer));
    const asked = (to: Peer) => request(held, relay.account, to, nowOf(coins));
    const lost = relay.ask(before.at, asked(other));
    expect(lost).not.toBeTypeOf('string');
    const { after } = succeeded(coins, peers, held, relay);
    expect(relay.ask(after.at, asked(other))).toEqual(lost);
    expect(relay.ask(after.at, asked(third))).toBe('stale');
    expect(convicted(coins)).toEqual([]);
  });

  it('and was convicted, assists nobody any more, however often it offers to', () => {
    const { coins, peers } = peersOf('convict');
    const [payer, relay] = peers;
    payer.pay(relay, value);
    const [held] = heldBy(relay);
    const assistant = assistantOf(coins, peers, held, relay);
    const victims = peers.filter(peer => ![payer, relay, assistant].includes(peer)).slice(0, 2);
    for (const to of victims)
      payWith(to, { coin: held.coin, auth: authBy(assistant, saidFor(coins, held, to)) });
    for (const peer of victims) peer.do(() => deskOf(peer).deposit());
    enquire(coins, peers);
    expect(convicted(coins)).toEqual([keyOf(assistant)]);
    coins.world.runFor(2 * offerEveryMs);
    expect(payer.pay(relay, value)).toBe(value);
    const [fresh] = heldBy(relay).filter(({ auth }) => auth.timeMs > held.auth.timeMs);
    expect(assistantOf(coins, peers, fresh, relay)).not.toBe(assistant);
  });
});

describe('an assistant of CPay that never comes back', () => {
  /** A relay's coin whose assistant has died, and a broker that has found somebody else to assist it. */
  function bereaved(seed: string) {
    const { coins, peers } = peersOf(seed);
    const [payer, relay] = peers;
    payer.pay(relay, value);
    const [held] = heldBy(relay);
    const dead = assistantOf(coins, peers, held, relay);
    dead.die();
    return { coins, payer, relay, held, dead, alive: peers.filter(peer => peer !== dead) };
  }

  it('is replaced for all that is paid from then on', () => {
    const { coins, payer, relay, held, dead, alive } = bereaved('replaced');
    coins.world.runFor(6 * offerEveryMs);
    coins.broker.tick();
    coins.world.runFor(2 * epochMs);
    const giver = payer === dead ? alive.find(peer => peer !== relay)! : payer;
    expect(giver.pay(relay, value)).toBe(value);
    const [fresh] = heldBy(relay).filter(({ auth }) => auth.timeMs > held.auth.timeMs);
    const next = assistantOf(coins, alive, fresh, relay);
    const other = alive.find(peer => ![giver, relay, next].includes(peer))!;
    expect(relay.pay(other, value)).toBe(value);
    expect(deskOf(other).receivedMsat).toBe(value);
  });

  it('leaves a coin to who held it last, once it has expired, though another claims it too', () => {
    const { coins, payer, relay, held } = bereaved('claimed');
    relay.do(() => deskOf(relay).deposit());
    expect(coins.broker.balanceOf(relay)).toBe(start);
    const outstanding = coins.broker.outstandingMsat;
    coins.world.runFor(held.coin.expirySeconds * 1_000 - Number(nowOf(coins)));
    const [bought] = heldBy(payer).filter(({ coin }) => toHex(coin.guid) === toHex(held.coin.guid));
    expect(payer.ask(coins.broker.at, claim(payer.account, coins, bought))).toEqual(new Uint8Array(0));
    expect(payer.ask(coins.broker.at, claim(payer.account, coins, held))).toBe('badSignature');
    coins.broker.tick();
    expect(coins.broker.balanceOf(relay)).toBe(start);
    coins.world.runFor(claimSeconds * 1_000 + dayMs);
    coins.broker.restart();
    for (let time = 0; time < 2; time++) {
      coins.broker.tick();
      coins.world.runFor(2 * epochMs);
    }
    expect(coins.broker.balanceOf(relay)).toBe(start + value);
    expect(outstanding - coins.broker.outstandingMsat).toBeGreaterThanOrEqual(value);
    expect(relay.ask(coins.broker.at, claim(relay.account, coins, held))).toBe('expired');
    expect(convicted(coins)).toEqual([]);
  });

  /** Lets the coin expire, and all have had their time to claim it. */
  function outlast(coins: CoinWorld, { coin }: PaidCoin): void {
    coins.world.runFor(coin.expirySeconds * 1_000 - Number(nowOf(coins)) + dayMs);
    coins.world.runFor(claimSeconds * 1_000 + dayMs);
    for (let time = 0; time < 2; time++) {
      coins.broker.tick();
      coins.broker.restart();
      coins.world.runFor(2 * epochMs);
    }
    expect(coins.broker.heldMsat(coins.broker.key.publicKey)).toBe(0n);
    coins.broker.expectBacked();
  }

  it.each([0, 1, 2])('and gave a coin to two of whom %s handed it in before, pays the other', handedIn => {
    const { coins, peers, relay, assistant, held, victims } = ofOneAssistant(`gone ${handedIn}`, 1);
    const paid = victims.slice(0, 2);
    for (const to of paid)
      expect(payWith(to, { ...held[0], auth: authBy(assistant, saidFor(coins, held[0], to)) })).toBe('added');
    const worthOf = (peer: Peer) => coins.broker.balanceOf(peer) + deskOf(peer).spendableMsat;
    const before = [coins.broker.balanceOf(relay), ...paid.map(worthOf)];
    // The latest first: what it claims besides, as its ground, is not what it is short of.
    for (const to of paid.toReversed().slice(0, handedIn)) to.do(() => deskOf(to).deposit());
    assistant.die();
    const bond = coins.broker.balanceOf(assistant);
    outlast(coins, held[0]);
    enquire(
      coins,
      peers.filter(peer => peer !== assistant),
    );
    expect(convicted(coins)).toEqual([keyOf(assistant)]);
    expect(coins.broker.proofs[0].cheat).toBe('double-authorisation');
    // As far as anybody can tell it has given the coin away, and so has nothing of its claim.
    expect([coins.broker.balanceOf(relay), ...paid.map(worthOf)]).toEqual(before);
    expect(bond - coins.broker.balanceOf(assistant)).toBe(value);
  });

  it('owes nothing to a former holder that claims what was handed in long since', () => {
    const {
      coins,
      peers,
      relay,
      assistant: dead,
      held: [held],
    } = ofOneAssistant('claimed too late', 1);
    const [payer] = peers;
    const alive = peers.filter(peer => peer !== dead);
    const [bought] = heldBy(payer).filter(({ coin }) => toHex(coin.guid) === toHex(held.coin.guid));
    relay.do(() => deskOf(relay).deposit());
    const paid = coins.broker.balanceOf(relay);
    dead.die();
    const before = coins.broker.balanceOf(dead);
    expect(payer.ask(coins.broker.at, claim(payer.account, coins, bought))).toEqual(new Uint8Array(0));
    coins.world.runFor(8 * dayMs);
    coins.broker.tick();
    outlast(coins, held);
    enquire(coins, alive);
    expect(coins.broker.balanceOf(dead)).toBe(before);
    expect(coins.broker.balanceOf(relay)).toBe(paid);
    expect(convicted(coins)).toEqual([]);
  });
});

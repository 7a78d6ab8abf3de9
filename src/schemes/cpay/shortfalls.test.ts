import { describe, expect, it } from 'vitest';
import { utf8 } from '../../base/bytes.ts';
import { AccountBook } from '../../broker/account-book.ts';
import { SigningKey } from '../../crypto/ecdsa.ts';
import type { Peer } from '../coin-peers.fixture.ts';
import {
  assistantOf,
  authBy,
  convicted,
  deskOf,
  enquire,
  keyOf,
  minted,
  ofOneAssistant,
  payWith,
  saidFor,
  start,
  value,
} from './cpay-peers.fixture.ts';
import { accountNonce } from './dealings.ts';
import {
  authStatement,
  claimRequest,
  depositRequest,
  epochMs,
  type PaidCoin,
  requestOp,
  showRequest,
  wish,
} from './messages.ts';
import { Shortfalls } from './shortfalls.ts';

/** An assistant that has given one coin to so many, none of whom has handed it in. */
function givenToAll(seed: string, count: number) {
  const { coins, peers, relay, assistant, held, victims } = ofOneAssistant(seed, 1);
  const paid = [...victims, ...peers.filter(peer => peer !== assistant && !victims.includes(peer))].slice(
    0,
    count,
  );
  const lines = paid.map(to => ({
    coin: held[0].coin,
    auth: authBy(assistant, saidFor(coins, held[0], to)),
  }));
  paid.forEach((to, at) => {
    expect(payWith(to, lines[at])).toBe('added');
  });
  const before = new Map(peers.map(peer => [peer, coins.broker.balanceOf(peer)]));
  const gainOf = (peer: Peer) => coins.broker.balanceOf(peer) - (before.get(peer) ?? start);
  return { coins, peers, relay, assistant, held, paid, lines, gainOf };
}

describe('one coin of CPay that was handed in by many', () => {
  it('is paid to each of them by whoever gave it away so often, and the house has nothing of it', () => {
    const { coins, peers, relay, assistant, paid, gainOf } = givenToAll('many', 3);
    for (const to of [...paid, relay]) to.do(() => deskOf(to).deposit());
    enquire(coins, peers);
    expect(convicted(coins)).toEqual([keyOf(assistant)]);
    const all = [...new Set([...paid, relay])];
    for (const to of all) expect(gainOf(to)).toBe(value);
    expect(gainOf(assistant)).toBe(-BigInt(all.length - 1) * value);
    expect(coins.broker.heldMsat(coins.broker.key.publicKey)).toBe(0n);
    coins.broker.expectBacked();
  });

  it('is paid for too by one that was convicted before that was handed in', () => {
    const { coins, peers, assistant, paid, gainOf } = givenToAll('one late', 3);
    const [first, second, late] = paid;
    for (const to of [first, second]) to.do(() => deskOf(to).deposit());
    enquire(coins, peers);
    expect(convicted(coins)).toEqual([keyOf(assistant)]);
    late.do(() => deskOf(late).deposit());
    enquire(coins, peers);
    for (const to of paid) expect(gainOf(to)).toBe(value);
    expect(convicted(coins)).toEqual([keyOf(assistant)]);
  });

  it('is found out by what they show themselves, though whoever let them hand it in is gone', () => {
    const { coins, peers, assistant, paid, lines, gainOf } = givenToAll('shown by victims', 2);
    const all = [...peers];
    let next = assistant;
    while (next === assistant || paid.includes(next)) {
      all.push(coins.peer(`newcomer ${all.length}`));
      coins.world.runFor(2 * epochMs);
      next = assistantOf(coins, all, lines[0], paid[0]);
    }
    for (const to of paid) to.do(() => deskOf(to).deposit());
    next.die();
    enquire(
      coins,
      all.filter(peer => peer !== next),
    );
    expect(convicted(coins)).toEqual([keyOf(assistant)]);
    for (const to of paid) expect(gainOf(to)).toBe(value);
  });

  it('is asked about, and not filled up with what has nothing to do with it', () => {
    const { coins, peers, relay, assistant, held, paid, gainOf } = givenToAll('filled', 2);
    for (const to of paid) to.do(() => deskOf(to).deposit());
    coins.world.runFor(1_000);
    const made = { ...saidFor(coins, held[0], relay), payer: paid[0].account.publicKey };
    const said = wish.sign(relay.account, {
      ...saidFor(coins, held[0], relay),
      payer: relay.account.publicKey,
      payee: coins.broker.key.publicKey,
      nonce: accountNonce(relay.account.publicKey),
    });
    const claimed = Array.from({ length: 40 }, (_, at) => {
      const forged = {
        coin: held[0].coin,
        auth: authBy(assistant, { ...made, sinceMs: made.sinceMs - BigInt(at) }),
      };
      const account = relay.account.publicKey;
      const claim = claimRequest.encode({ op: requestOp.claim, account, paid: forged, wish: said });
      return relay.ask(coins.broker.at, claim);
    });
    expect(claimed.at(-1)).toBe('stale');
    enquire(coins, peers);
    expect(convicted(coins)).toEqual([keyOf(assistant)]);
    for (const to of paid) expect(gainOf(to)).toBe(value);
  });

  it('is not explained by a wish that its holder never signed', () => {
    const { coins, assistant, held, paid, lines } = givenToAll('no wish', 2);
    for (const to of paid) to.do(() => deskOf(to).deposit());
    const { signatures, ...given } = lines[0].auth;
    const grant = {
      held: held[0],
      wish: wish.sign(assistant.account, given),
      auth: { ...given, signature: signatures[0].signature },
      releases: [],
    };
    const shown = showRequest.encode({ op: requestOp.show, grant });
    expect(assistant.ask(coins.broker.at, shown)).toBe('badSignature');
  });

  it('is paid to more of them than the broker keeps the words of', () => {
    const { coins, relay, assistant, held } = ofOneAssistant('very many', 1);
    const before = coins.broker.balanceOf(assistant);
    const keys = Array.from({ length: 80 }, () => SigningKey.fresh(coins.world.entropy).publicKey);
    const said = { ...saidFor(coins, held[0], relay), payee: coins.broker.key.publicKey };
    const handIn = (account: Uint8Array) => {
      const auth = authBy(assistant, { ...said, nonce: accountNonce(account) });
      const paid = { coin: held[0].coin, auth };
      const request = depositRequest.encode({ op: requestOp.deposit, account, paid });
      expect(relay.ask(coins.broker.at, request)).toEqual(new Uint8Array(0));
    };
    for (const account of [...keys, ...keys]) handIn(account);
    coins.broker.restart();
    for (const account of keys) handIn(account);
    for (const account of keys) expect(coins.broker.heldMsat(account)).toBe(value);
    expect(before - coins.broker.balanceOf(assistant)).toBe(BigInt(keys.length - 1) * value);
    expect(convicted(coins)).toEqual([keyOf(assistant)]);
  });

  it('is paid by each assistant that gave it to two, as often as that did', () => {
    const { coins, peers, relay, assistant, held } = ofOneAssistant('two guilty', 1);
    const lineOf = (from: PaidCoin, by: Peer, to: Peer): PaidCoin => ({
      coin: from.coin,
      auth: authBy(by, saidFor(coins, from, to)),
    });
    // Where it holds the coin itself, another assists it.
    const own = lineOf(held[0], assistant, assistant);
    coins.world.runFor(1_000);
    const other = assistantOf(coins, peers, own, assistant);
    const [one, two] = peers.filter(peer => ![relay, assistant, other].includes(peer));
    const [toOne, toTwo] = [one, two].map(to => lineOf(own, other, to));
    expect([payWith(one, toOne), payWith(two, toTwo)]).toEqual(['added', 'added']);
    const before = new Map(peers.map(peer => [peer, coins.broker.balanceOf(peer)]));
    const gainOf = (peer: Peer) => coins.broker.balanceOf(peer) - before.get(peer)!;
    const handIn = (peer: Peer) => peer.do(() => deskOf(peer).deposit());
    handIn(one);
    handIn(relay);
    enquire(coins, peers);
    const { signatures, ...given } = toOne.auth;
    const grant = {
      held: own,
      wish: wish.sign(assistant.account, given),
      auth: authStatement.sign(other.account, given),
      releases: [],
    };
    expect(signatures).toHaveLength(1);
    relay.ask(coins.broker.at, showRequest.encode({ op: requestOp.show, grant }));
    expect(convicted(coins)).toEqual([keyOf(assistant)]);
    handIn(two);
    enquire(coins, peers);
    expect(convicted(coins).toSorted()).toEqual([assistant, other].map(keyOf).toSorted());
    expect([one, two, relay].map(gainOf)).toEqual([value, value, value]);
    expect([assistant, other].map(gainOf)).toEqual([-value, -value]);
  });
});

describe('what is short of a coin', () => {
  const [house, silent, guilty, poor, victim, other] = [1, 2, 3, 4, 5, 6].map(
    byte => new SigningKey(new Uint8Array(32).fill(byte)).publicKey,
  );
  const coinOf = ({ coin }: PaidCoin) => coin;
  const made = coinOf(minted(new SigningKey(new Uint8Array(32).fill(1)), victim, 0n, 1n, 100n));
  function court() {
    const accounts = new AccountBook({ list: () => [] }, house);
    for (const each of [silent, guilty]) accounts.receive(each, 1_000n);
    accounts.receive(poor, 30n);
    const short = new Shortfalls({ accounts, store: { get: () => undefined, list: () => [] } });
    short.add(made, victim);
    const convict = (keys: readonly Uint8Array[], fork = 'one') => {
      const spends = { fork: utf8(fork), said: ['to one', 'to another'].map(utf8) };
      short.demand(made, [{ guilty: keys, spends }]);
      short.settle(made, keys);
    };
    return { short, convict, of: (key: Uint8Array) => accounts.balanceMsat(key) ?? 0n };
  }

  it('that one paid who was only silent, comes back to it from who is convicted', () => {
    const { convict, short, of } = court();
    short.chargeSilent(made, [silent]);
    expect([of(victim), of(silent)]).toEqual([100n, 900n]);
    expect(short.isSilent(silent)).toBe(true);
    short.chargeSilent(made, [silent]);
    expect(of(silent)).toBe(900n);
    short.heard(made, silent);
    expect(short.isSilent(silent)).toBe(false);
    convict([guilty]);
    expect([of(victim), of(silent), of(guilty), of(house)]).toEqual([100n, 1_000n, 900n, 0n]);
  });

  it('that one paid who was silent, is not paid again when that one is convicted', () => {
    const { convict, short, of } = court();
    short.chargeSilent(made, [guilty]);
    convict([guilty]);
    expect([of(victim), of(guilty), of(house)]).toEqual([100n, 900n, 0n]);
    expect(short.isSilent(guilty)).toBe(false);
  });

  it('that two did is paid once, and first by what they have', () => {
    const { convict, of } = court();
    convict([poor, guilty]);
    expect([of(victim), of(poor), of(guilty), of(house)]).toEqual([100n, 0n, 930n, 0n]);
  });

  it('is owed where there is nothing', () => {
    const { convict, of } = court();
    convict([poor]);
    expect([of(victim), of(poor), of(house)]).toEqual([30n, -70n, 0n]);
  });

  it('more often than somebody is guilty of, stays so until another is convicted', () => {
    const { convict, short, of } = court();
    short.add(made, other);
    convict([guilty]);
    convict([guilty]);
    expect(short.isAnyShort(made)).toBe(true);
    expect([of(victim), of(other), of(guilty)]).toEqual([100n, 0n, 900n]);
    convict([silent], 'another');
    expect(short.isAnyShort(made)).toBe(false);
    expect([of(victim), of(other), of(guilty), of(silent)]).toEqual([100n, 100n, 900n, 900n]);
  });
});

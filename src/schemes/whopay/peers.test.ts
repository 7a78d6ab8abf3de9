import { describe, expect, it } from 'vitest';
import { toHex } from '../../base/bytes.ts';
import type { CoinWorld, Peer } from '../coin-peers.fixture.ts';
import { judge } from './fraud.ts';
import {
  answerOp,
  binding,
  boundAnswer,
  coin,
  contradictedAnswer,
  deposit,
  orderKind,
  reportRequest,
  requestOp,
  transfer,
} from './messages.ts';
import {
  coinSecretOf,
  deskOf,
  heldBy,
  orderOf,
  payWith,
  peersOf,
  placeAt,
  request,
  start,
  value,
} from './whopay-peers.fixture.ts';

const dayMs = 86_400_000;

function convicted(coins: CoinWorld): { readonly guilty: string; readonly role: string } {
  expect(coins.broker.proofs).toHaveLength(1);
  const verdict = judge(coins.broker.proofs[0]);
  return { guilty: toHex(verdict.guilty ?? new Uint8Array(0)), role: 'role' in verdict ? verdict.role : '' };
}

/** What each has gained or lost. */
const gains = (coins: CoinWorld, peers: readonly Peer[]) =>
  peers.map(peer => coins.broker.balanceOf(peer) - start);
const houseOf = ({ broker }: CoinWorld) => broker.heldMsat(broker.key.publicKey);

describe('a coin of WhoPay goes from peer to peer', () => {
  it('by its owner alone, and is then handed in', () => {
    const { coins, owner, relay, other } = peersOf('online');
    expect(owner.pay(relay, value)).toBe(value);
    const seen = coins.watch();
    expect(relay.pay(other, value)).toBe(value);
    expect(seen).toEqual(['relay > owner']);
    other.do(() => deskOf(other).deposit());
    expect(coins.broker.balanceOf(other)).toBe(start + value);
    expect(coins.broker.outstandingMsat).toBe(deskOf(owner).spendableMsat);
  });

  it('by the broker while its owner is away, of which the owner hears when it is back', () => {
    const { coins, owner, relay, other, third } = peersOf('downtime');
    expect(owner.pay(relay, value)).toBe(value);
    coins.trouble(owner.at, 'absent');
    const seen = coins.watch();
    expect(relay.pay(other, value)).toBe(value);
    expect(seen).toEqual(['relay > broker']);
    coins.trouble(owner.at, undefined);
    owner.restart();
    const later = coins.watch();
    expect(other.pay(third, value)).toBe(value);
    expect(later).toEqual(['other > owner']);
    third.do(() => deskOf(third).deposit());
    expect(coins.broker.proofs).toEqual([]);
  });

  it('by nobody while its owner is back and has not heard yet what the broker did', () => {
    const { coins, owner, relay, other, third } = peersOf('not heard');
    expect(owner.pay(relay, value)).toBe(value);
    const [held] = heldBy(relay);
    owner.die();
    expect(relay.pay(other, value)).toBe(value);
    coins.trouble(coins.broker.at, 'absent');
    owner.restart();
    const again = orderOf(held, 'transfer', placeAt(third, held.paid.coin).holder);
    expect(relay.ask(owner.at, request(held, again))).toBe('busy');
  });

  it.each(['late', 'lying'] as const)('by the broker while its owner is %s', trouble => {
    const { coins, owner, relay, other } = peersOf(trouble);
    expect(owner.pay(relay, value)).toBe(value);
    coins.trouble(owner.at, trouble);
    expect(relay.pay(other, value)).toBe(value);
    expect(coins.broker.proofs).toEqual([]);
  });

  it.each(Object.entries(answerOp))('by the broker when its owner answers no more than %s', (word, op) => {
    const { coins, owner, relay, other } = peersOf(`slandered ${word}`);
    expect(owner.pay(relay, value)).toBe(value);
    const { coin } = heldBy(relay)[0].paid;
    coins.answerAt(owner.at, Uint8Array.of(op));
    expect(relay.pay(other, value)).toBe(value);
    expect(heldBy(other)[0].paid.coin).toEqual(coin);
    expect(coins.broker.proofs).toEqual([]);
  });

  it('by the broker when its owner makes up that its holder ordered otherwise', () => {
    const { coins, owner, relay, other, third } = peersOf('forged order');
    expect(owner.pay(relay, value)).toBe(value);
    const [held] = heldBy(relay);
    const { kind, said } = orderOf(held, 'transfer', third.account.publicKey);
    const order = { kind, said: { ...said, signature: new Uint8Array(64).fill(1) } };
    const step = { binding: held.paid.binding, order };
    coins.answerAt(owner.at, contradictedAnswer.encode({ op: answerOp.contradicted, step }));
    expect(relay.pay(other, value)).toBe(value);
    expect(heldBy(other)[0].paid.coin).toEqual(held.paid.coin);
    expect(coins.broker.proofs).toEqual([]);
  });

  it('by no binding that has expired, nor does it come back by one', () => {
    const { coins, owner, relay, other } = peersOf('expired binding');
    expect(owner.pay(relay, value)).toBe(value);
    const [{ paid, key }] = heldBy(relay);
    const { wallStartMs, nowUs } = coins.world;
    const expirySeconds = Math.floor((wallStartMs + nowUs / 1_000) / 1_000) + 60;
    const bound = binding.sign(coinSecretOf(owner, paid.coin), { ...paid.binding, expirySeconds });
    const held = { paid: { ...paid, binding: bound }, key };
    coins.world.runFor(61_000);
    const { holder } = placeAt(other, paid.coin);
    for (const kind of ['transfer', 'deposit'] as const)
      expect(relay.ask(coins.broker.at, request(held, orderOf(held, kind, holder)))).toBe('expired');
    expect(gains(coins, [relay])).toEqual([0n]);
  });

  it('once by an order, whose owner answers the same when it comes again', () => {
    const { coins, owner, relay, other, third } = peersOf('asked again');
    expect(owner.pay(relay, value)).toBe(value);
    const [held] = heldBy(relay);
    const { holder, nonce } = placeAt(other, held.paid.coin);
    const asked = request(held, orderOf(held, 'transfer', holder, nonce));
    const reply = relay.ask(owner.at, asked);
    const { binding: bound } = boundAnswer.decode(reply as Uint8Array)!;
    expect(bound).toMatchObject({ holder, sequence: held.paid.binding.sequence + 1n });
    expect(relay.ask(owner.at, asked)).toEqual(reply);
    // In one payment it is there once.
    expect(payWith(other, held.paid.coin, bound, 2)).toBe('stale');
    expect(payWith(other, held.paid.coin, bound)).toBe('added');
    expect(other.pay(third, value)).toBe(value);
    expect(relay.ask(owner.at, asked)).toEqual(reply);
    expect(coins.broker.proofs).toEqual([]);
  });

  it('by an owner that was restarted, and a holder and a broker that were', () => {
    const { coins, owner, relay, other, third } = peersOf('restarts');
    expect(owner.pay(relay, value)).toBe(value);
    for (const node of [owner, relay, coins.broker]) node.restart();
    coins.settle();
    expect(relay.pay(other, value)).toBe(value);
    for (const node of [owner, other, coins.broker]) node.restart();
    coins.settle();
    expect(other.pay(third, value)).toBe(value);
    expect(deskOf(third).receivedMsat).toBe(value);
  });

  it('to the same payee later, when neither owner nor broker answered', () => {
    const { coins, owner, relay, other } = peersOf('stranded');
    relay.pay(other, 1n << 29n);
    expect(owner.pay(relay, value)).toBe(value);
    for (const at of [owner.at, coins.broker.at]) coins.trouble(at, 'absent');
    const spendable = () => deskOf(relay).spendableMsat;
    const before = spendable();
    relay.pay(other, before);
    expect(spendable()).toBeLessThanOrEqual(before);
    for (const at of [owner.at, coins.broker.at]) coins.trouble(at, undefined);
    expect(relay.pay(other, value)).toBe(value);
    expect(coins.broker.proofs).toEqual([]);
  });

  it.each([false, true])('and is renewed, by the broker if its owner is away (%s)', away => {
    const { coins, owner, relay, other } = peersOf(`renewal ${away}`);
    expect(owner.pay(relay, value)).toBe(value);
    const [first] = heldBy(relay);
    if (away) coins.trouble(owner.at, 'absent');
    const seen = coins.watch();
    coins.world.runFor(25 * dayMs);
    expect(seen.includes('relay > owner')).toBe(!away);
    const renewed = heldBy(relay).find(({ paid }) => paid.binding.sequence === 2n)!;
    expect(renewed.paid.binding.expirySeconds).toBeGreaterThan(first.paid.binding.expirySeconds);
    expect(renewed.paid.binding.holder).not.toEqual(first.paid.binding.holder);
    expect(deskOf(relay).receivedMsat).toBe(value);
    coins.world.runFor(10 * dayMs);
    coins.trouble(owner.at, undefined);
    expect(relay.pay(other, value)).toBe(value);
  });

  it.each([false, true])('and is renewed when nobody could do so at first (restarted: %s)', restarted => {
    const { coins, owner, relay, other } = peersOf(`renewed late ${restarted}`);
    expect(owner.pay(relay, value)).toBe(value);
    const [first] = heldBy(relay);
    coins.world.runFor(20.5 * dayMs);
    for (const at of [owner.at, coins.broker.at]) coins.trouble(at, 'absent');
    coins.world.runFor(dayMs);
    expect(deskOf(relay).spendableMsat).toBe(0n);
    for (const at of [owner.at, coins.broker.at]) coins.trouble(at, undefined);
    if (restarted) relay.restart();
    else coins.world.runFor(dayMs);
    expect(relay.pay(other, value)).toBe(value);
    expect(heldBy(other)[0].paid.coin).toEqual(first.paid.coin);
    expect(deskOf(relay).receivedMsat).toBe(value);
    expect(coins.broker.proofs).toEqual([]);
  });

  it('and shows nobody who pays or is paid', () => {
    const { coins, owner, relay, other } = peersOf('names');
    owner.pay(relay, value);
    owner.pay(relay, 2n * value);
    const said: string[] = [];
    coins.parties.tap = ({ request: asked, reply }) =>
      said.push(toHex(asked) + toHex(reply ?? new Uint8Array(0)));
    const { session, paid } = relay.makePayment(other, value);
    expect(paid.kind).toBe('send');
    if (paid.kind === 'send') said.push(toHex(paid.payment));
    expect(said.length).toBeGreaterThan(1);
    expect(session).toBeGreaterThan(0);
    for (const peer of [relay, other])
      for (const name of [peer.account.publicKey, peer.identity.publicKey])
        expect(said.join()).not.toContain(toHex(name));
    const owners = heldBy(relay).map(({ paid: { coin: made } }) => toHex(made.ownerId));
    expect(new Set(owners).size).toBe(owners.length);
    const holders = heldBy(relay).map(({ paid: { binding: bound } }) => toHex(bound.holder));
    expect(new Set(holders).size).toBe(holders.length);
  });
});

describe('whoever cheats with coins of WhoPay', () => {
  it('as holder that orders one coin to two by its owner, is refused, and its key convicted', () => {
    const { coins, owner, relay, other, third } = peersOf('double by owner');
    owner.pay(relay, value);
    const [held] = heldBy(relay);
    const [one, two] = [other, third].map(to =>
      orderOf(held, 'transfer', placeAt(to, held.paid.coin).holder),
    );
    expect(relay.ask(owner.at, request(held, one))).toMatchObject({ 0: answerOp.bound });
    expect(relay.ask(owner.at, request(held, one))).toMatchObject({ 0: answerOp.bound });
    expect(relay.ask(owner.at, request(held, two))).toMatchObject({ 0: answerOp.contradicted });
    expect(convicted(coins)).toEqual({ guilty: toHex(held.key.publicKey), role: 'holder' });
  });

  it('as holder that spends one by the broker and by its owner, is convicted once the owner is back', () => {
    const { coins, owner, relay, other, third } = peersOf('double by broker');
    owner.pay(relay, value);
    const [held] = heldBy(relay);
    const [one, two] = [other, third].map(to =>
      orderOf(held, 'transfer', placeAt(to, held.paid.coin).holder),
    );
    expect(relay.ask(coins.broker.at, request(held, one))).toMatchObject({ 0: answerOp.bound });
    expect(relay.ask(owner.at, request(held, two))).toMatchObject({ 0: answerOp.bound });
    owner.restart();
    coins.settle();
    expect(convicted(coins)).toEqual({ guilty: toHex(held.key.publicKey), role: 'holder' });
  });

  it.each(['owner', 'broker'])(
    'as holder that gives one to two, first by the %s, is convicted though neither hands it in',
    first => {
      const { coins, owner, relay, other, third } = peersOf(`given twice ${first}`);
      owner.pay(relay, value);
      const [held] = heldBy(relay);
      const { coin: made } = held.paid;
      const managers = first === 'owner' ? [owner.at, coins.broker.at] : [coins.broker.at, owner.at];
      for (const [at, to] of [other, third].entries()) {
        const { holder, nonce } = placeAt(to, made);
        const answer = relay.ask(managers[at], request(held, orderOf(held, 'transfer', holder, nonce)));
        expect(payWith(to, made, boundAnswer.decode(answer as Uint8Array)!.binding)).toBe('added');
      }
      coins.world.runFor(7 * 3_600_000);
      expect(convicted(coins)).toEqual({ guilty: toHex(held.key.publicKey), role: 'holder' });
      const before = coins.broker.balanceOf(owner);
      for (const to of [other, third]) to.do(() => deskOf(to).deposit());
      owner.restart();
      coins.settle();
      expect(convicted(coins).guilty).toBe(toHex(held.key.publicKey));
      // One is paid by the coin; whose key it is, and so whose money, nobody knows.
      expect(gains(coins, [other, third]).toSorted()).toEqual([0n, value]);
      expect(coins.broker.balanceOf(owner)).toBe(before);
      expect(houseOf(coins)).toBe(0n);
      coins.broker.expectBacked();
    },
  );

  it('as holder that spends one and hands it in, is convicted, and pays for it', () => {
    const { coins, owner, relay, other } = peersOf('spent and handed in');
    owner.pay(relay, value);
    const [held] = heldBy(relay);
    expect(relay.pay(other, value)).toBe(value);
    relay.ask(coins.broker.at, request(held, orderOf(held, 'deposit', relay.account.publicKey)));
    expect(coins.broker.balanceOf(relay)).toBe(start + value);
    const before = coins.broker.balanceOf(owner);
    owner.die();
    other.do(() => deskOf(other).deposit());
    // An owner that is away for long answers for nothing by that.
    coins.world.runFor(8 * dayMs);
    coins.broker.tick();
    expect(coins.broker.proofs).toEqual([]);
    expect(coins.broker.balanceOf(owner)).toBe(before);
    owner.restart();
    coins.settle();
    expect(convicted(coins)).toEqual({ guilty: toHex(held.key.publicKey), role: 'holder' });
    expect(gains(coins, [relay, other])).toEqual([0n, value]);
    expect(houseOf(coins)).toBe(0n);
  });

  it('as holder that names another’s account, takes nothing of it', () => {
    const { coins, owner, relay, other, third } = peersOf('framed');
    owner.pay(relay, value);
    const [held] = heldBy(relay);
    const steps = [
      orderOf(held, 'transfer', placeAt(other, held.paid.coin).holder),
      orderOf(held, 'deposit', third.account.publicKey),
    ].map(order => ({ binding: held.paid.binding, order }));
    const report = reportRequest.encode({ op: requestOp.report, coin: held.paid.coin, steps });
    relay.ask(coins.broker.at, report);
    expect(convicted(coins)).toEqual({ guilty: toHex(held.key.publicKey), role: 'holder' });
    expect(coins.broker.balanceOf(third)).toBe(start);
  });

  it('as owner that binds one coin to two, is convicted when both hand it in', () => {
    const { coins, owner, relay, other } = peersOf('double binding');
    owner.pay(relay, value);
    const { coin: made } = heldBy(relay)[0].paid;
    const { expirySeconds } = heldBy(relay)[0].paid.binding;
    const fields = { coinKey: made.coinKey, sequence: 1n, expirySeconds, ...placeAt(other, made) };
    const again = binding.sign(coinSecretOf(owner, made), fields);
    expect(payWith(other, made, again)).toBe('added');
    for (const peer of [relay, other]) peer.do(() => deskOf(peer).deposit());
    expect(convicted(coins)).toEqual({ guilty: toHex(owner.account.publicKey), role: 'owner' });
    expect(gains(coins, [relay, other])).toEqual([value, value]);
  });

  it('as owner that binds one to many, pays all of them, and the broker gains nothing', () => {
    const { coins, owner, relay, other, third } = peersOf('many bindings');
    owner.pay(relay, value);
    const before = coins.broker.balanceOf(owner);
    const { coin: made, binding: bound } = heldBy(relay)[0].paid;
    const victims = [other, third, coins.peer('fourth', 'unlisted')];
    for (const victim of victims) {
      const again = binding.sign(coinSecretOf(owner, made), { ...bound, ...placeAt(victim, made) });
      expect(payWith(victim, made, again)).toBe('added');
    }
    for (const peer of [relay, ...victims]) peer.do(() => deskOf(peer).deposit());
    expect(gains(coins, [relay, ...victims])).toEqual(Array(4).fill(value));
    expect(before - coins.broker.balanceOf(owner)).toBe(3n * value);
    expect(houseOf(coins)).toBe(0n);
    coins.broker.expectBacked();
  });

  it('is not who owns a coin that was long passed on, and answers for it', () => {
    const { coins, owner, relay, other, third } = peersOf('honest owner');
    owner.pay(relay, value);
    const [held] = heldBy(relay);
    relay.pay(other, value);
    coins.trouble(owner.at, 'absent');
    other.pay(third, value);
    coins.trouble(owner.at, undefined);
    const before = orderOf(held, 'transfer', other.account.publicKey);
    expect(relay.ask(coins.broker.at, request(held, before))).toMatchObject({ 0: answerOp.undecided });
    owner.restart();
    coins.settle();
    coins.world.runFor(8 * dayMs);
    coins.broker.tick();
    expect(convicted(coins)).toEqual({ guilty: toHex(held.key.publicKey), role: 'holder' });
  });

  it('by a coin of its own making, of more value, or that is bound to another, is refused', () => {
    const { coins, owner, relay, other } = peersOf('forged');
    owner.pay(relay, value);
    const { coin: made, binding: bound } = heldBy(relay)[0].paid;
    const secret = coinSecretOf(owner, made);
    const fields = { ...bound, ...placeAt(other, made) };
    const minted = coin.sign(owner.account, { ...made, value: 1n << 40n });
    expect(payWith(other, minted, binding.sign(secret, fields))).toBe('badSignature');
    expect(payWith(other, { ...made, value: made.value * 2n }, binding.sign(secret, fields))).toBe(
      'badSignature',
    );
    expect(payWith(other, made, binding.sign(owner.account, fields))).toBe('badSignature');
    expect(payWith(other, made, bound)).toBe('targetOld');
    expect(payWith(relay, made, bound)).toBe('stale');
    expect(payWith(other, made, binding.sign(secret, { ...fields, holder: relay.account.publicKey }))).toBe(
      'badTerms',
    );
    const [held] = heldBy(relay);
    const stolen = orderOf({ ...held, key: other.account }, 'transfer', other.account.publicKey);
    expect(other.ask(owner.at, request(held, stolen))).toBe('badSignature');
    // Nor is it whose key signs an order in its own name.
    const [thief, { coinKey }, nonce] = [other.account, held.paid.binding, new Uint8Array(16)];
    const own = { coinKey, holder: thief.publicKey, next: thief.publicKey, nonce };
    const orders = [
      { kind: orderKind.transfer, said: transfer.sign(thief, own) },
      { kind: orderKind.deposit, said: deposit.sign(thief, own) },
    ];
    expect(other.ask(owner.at, request(held, orders[0]))).toBe('badSignature');
    for (const order of orders) expect(other.ask(coins.broker.at, request(held, order))).toBe('badSignature');
    const steps = orders.map(order => ({ binding: bound, order }));
    const report = reportRequest.encode({ op: requestOp.report, coin: made, steps });
    expect(other.ask(coins.broker.at, report)).toBe('badSignature');
    expect(coins.broker.proofs).toEqual([]);
  });

  it('by more than is in its account, or by a coin handed in twice, gains nothing', () => {
    const { coins, owner, relay } = peersOf('overspent');
    expect(owner.pay(relay, start + 1n)).toBe('PAY_NO_FUNDS');
    expect(owner.pay(relay, value)).toBe(value);
    const [held] = heldBy(relay);
    const order = orderOf(held, 'deposit', relay.account.publicKey);
    for (let time = 0; time < 3; time++)
      expect(relay.ask(coins.broker.at, request(held, order))).toEqual(new Uint8Array(0));
    expect(coins.broker.balanceOf(relay)).toBe(start + value);
    expect(coins.broker.proofs).toEqual([]);
  });

  it('with noise, gets no more than a word', () => {
    const { coins, owner } = peersOf('noise');
    const requests = [
      new Uint8Array(0),
      ...[1, 2, 3, 4, 9].map(op => Uint8Array.of(op, ...coins.world.entropy.bytes(500))),
    ];
    for (const at of [owner.at, coins.broker.at])
      for (const bytes of requests) expect(owner.ask(at, bytes)).toBeTypeOf('string');
  });
});

describe('a coin of WhoPay whose holders are on the public list', () => {
  it('goes from peer to peer, by its owner and by the broker, each time under another number', () => {
    const { coins, owner, relay, other, third } = peersOf('listed', 'listed');
    expect(owner.pay(relay, value)).toBe(value);
    expect(relay.pay(other, value)).toBe(value);
    coins.trouble(owner.at, 'absent');
    expect(other.pay(third, value)).toBe(value);
    third.do(() => deskOf(third).deposit());
    expect(coins.broker.balanceOf(third)).toBe(start + value);
    expect(coins.broker.proofs).toEqual([]);
  });

  it('is refused to the second that it is bound to, and its owner convicted before anybody hands it in', () => {
    const { coins, owner, relay, other } = peersOf('listed twice', 'listed');
    owner.pay(relay, value);
    const { coin: made, binding: bound } = heldBy(relay)[0].paid;
    const again = binding.sign(coinSecretOf(owner, made), { ...bound, ...placeAt(other, made) });
    expect(payWith(other, made, again)).toBe('stale');
    expect(deskOf(other).receivedMsat).toBe(0n);
    expect(convicted(coins)).toEqual({ guilty: toHex(owner.account.publicKey), role: 'owner' });
    expect(coins.broker.balanceOf(owner)).toBeLessThan(start - value);
    relay.do(() => deskOf(relay).deposit());
    expect(coins.broker.balanceOf(relay)).toBe(start + value);
  });

  it('is refused to the second that its holder gives it to, whoever bound it', () => {
    const { coins, owner, relay, other, third } = peersOf('listed and given twice', 'listed');
    owner.pay(relay, value);
    const [held] = heldBy(relay);
    const answers = [other, third].map((to, at) => {
      const { holder, nonce } = placeAt(to, held.paid.coin);
      const order = orderOf(held, 'transfer', holder, nonce);
      const answer = relay.ask([owner.at, coins.broker.at][at], request(held, order)) as Uint8Array;
      return payWith(to, held.paid.coin, boundAnswer.decode(answer)!.binding);
    });
    expect(answers).toEqual(['added', 'stale']);
    coins.world.runFor(7 * 3_600_000);
    expect(convicted(coins)).toEqual({ guilty: toHex(held.key.publicKey), role: 'holder' });
  });

  it('is refused once it was passed on, and whoever is asked to take an older binding accuses nobody', () => {
    const { coins, owner, relay, other, third } = peersOf('listed late', 'listed');
    owner.pay(relay, value);
    const { coin: made, binding: bound } = heldBy(relay)[0].paid;
    relay.pay(other, value);
    const older = binding.sign(coinSecretOf(owner, made), { ...bound, ...placeAt(third, made) });
    expect(payWith(third, made, older)).toBe('stale');
    expect(coins.broker.proofs).toEqual([]);
    coins.trouble(coins.broker.at, 'lying');
    expect(other.pay(third, value)).toBeTypeOf('string');
    coins.trouble(coins.broker.at, 'absent');
    expect(other.pay(third, value)).toBe('partyUnavailable');
    coins.trouble(coins.broker.at, undefined);
    expect(other.pay(third, value)).toBe(value);
  });
});

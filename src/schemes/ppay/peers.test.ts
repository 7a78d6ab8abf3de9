import { describe, expect, it } from 'vitest';
import { toHex } from '../../base/bytes.ts';
import { scriptOfAddress } from '../../bitcoin/wallet.ts';
import { SigningKey } from '../../crypto/ecdsa.ts';
import type { CoinWorld, Peer } from '../coin-peers.fixture.ts';
import { handedOver, pathOf } from './coin-path.ts';
import { judge } from './fraud.ts';
import {
  answerOp,
  assignedAnswer,
  assignedCoin,
  layersMax,
  rawCoin,
  reportRequest,
  requestOp,
} from './messages.ts';
import { deposit, deskOf, heldBy, payWith, peersOf, reassign, value } from './ppay-peers.fixture.ts';

/** Who the broker's one proof convicts, once anybody can check it. */
function convicted(coins: CoinWorld): { readonly guilty: string; readonly role: string } {
  expect(coins.broker.proofs).toHaveLength(1);
  const verdict = judge(coins.broker.proofs[0]);
  return { guilty: toHex(verdict.guilty ?? new Uint8Array(0)), role: 'role' in verdict ? verdict.role : '' };
}
const guilt = (peer: Peer, role: string) => ({ guilty: toHex(peer.account.publicKey), role });

/** What each has gained or lost. */
const gains = (coins: CoinWorld, peers: readonly Peer[]) =>
  peers.map(peer => coins.broker.balanceOf(peer) - 10n ** 9n);
const houseOf = ({ broker }: CoinWorld) => broker.heldMsat(broker.key.publicKey);

describe('a coin of PPay goes from peer to peer', () => {
  it('by its owner alone, and is then handed in', () => {
    const { coins, owner, relay, other } = peersOf('online');
    expect(owner.pay(relay, value)).toBe(value);
    const seen = coins.watch();
    expect(relay.pay(other, value)).toBe(value);
    expect(seen).toEqual(['relay > owner']);
    const before = coins.broker.balanceOf(other);
    other.do(() => deskOf(other).deposit());
    expect(coins.broker.balanceOf(other) - before).toBe(value);
    expect(deskOf(other).spendableMsat).toBe(0n);
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
    expect(coins.broker.outstandingMsat).toBe(deskOf(owner).spendableMsat);
  });

  it('by nobody while its owner is back and has not heard yet what the broker did', () => {
    const { coins, owner, relay, other, third } = peersOf('not heard');
    expect(owner.pay(relay, value)).toBe(value);
    const [{ path }] = heldBy(relay);
    owner.die();
    expect(relay.pay(other, value)).toBe(value);
    coins.trouble(coins.broker.at, 'absent');
    owner.restart();
    // The holder would have it assigned to another at the same place.
    const again = handedOver(path, relay.account, third.account.publicKey);
    expect(relay.ask(owner.at, reassign(again))).toBe('busy');
  });

  it.each(['late', 'lying'] as const)('by the broker while its owner is %s', trouble => {
    const { coins, owner, relay, other } = peersOf(trouble);
    expect(owner.pay(relay, value)).toBe(value);
    coins.trouble(owner.at, trouble);
    expect(relay.pay(other, value)).toBe(value);
    expect(coins.broker.proofs).toEqual([]);
  });

  it.each(['to another', 'that it did not sign'] as const)(
    'by the broker while its owner answers with an assignment %s',
    what => {
      const { coins, owner, relay, other, third } = peersOf(`answers ${what}`);
      expect(owner.pay(relay, value)).toBe(value);
      const { coin } = heldBy(relay)[0].path.assigned;
      const [by, to] = what === 'to another' ? [owner, third] : [third, other];
      const holder = to.account.publicKey;
      const assigned = assignedCoin.sign(by.account, { coin, holder, position: 2n });
      const reply = assignedAnswer.encode({ op: answerOp.assigned, assigned });
      const { parties, clock } = relay.process.host;
      const truly = parties.ask.bind(parties);
      parties.ask = (at, scheme, request, ask) => {
        if ('port' in at && at.port === owner.at.port)
          clock.after(1, () => relay.onAnswer({ kind: 'party', ask, reply }));
        else truly(at, scheme, request, ask);
      };
      const seen = coins.watch();
      expect(relay.pay(other, value)).toBe(value);
      expect(seen).toEqual(['relay > broker']);
    },
  );

  it.each(Object.entries(answerOp))('by the broker when its owner answers no more than %s', (word, op) => {
    const { coins, owner, relay, other } = peersOf(`slandered ${word}`);
    expect(owner.pay(relay, value)).toBe(value);
    const { coin } = heldBy(relay)[0].path.assigned;
    coins.answerAt(owner.at, Uint8Array.of(op));
    expect(relay.pay(other, value)).toBe(value);
    expect(heldBy(other)[0].path.assigned.coin).toEqual(coin);
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

  it('in layers while nobody can be asked, which are peeled later', () => {
    const { coins, owner, relay, other, third } = peersOf('layers');
    expect(owner.pay(relay, value)).toBe(value);
    for (const at of [owner.at, coins.broker.at]) coins.trouble(at, 'absent');
    expect(relay.pay(other, value)).toBe(value);
    expect(other.pay(third, value)).toBe(value);
    expect(heldBy(third)[0].path.layers).toHaveLength(2);
    for (const at of [owner.at, coins.broker.at]) coins.trouble(at, undefined);
    third.restart();
    coins.settle();
    third.do(() => deskOf(third).deposit());
    expect(coins.broker.proofs).toEqual([]);
    expect(coins.broker.balanceOf(third)).toBe(10n ** 9n + value);
  });

  it('to the same payee later, when it had as many layers as are taken and nobody answered', () => {
    const { coins, owner, relay, other, third } = peersOf('stranded');
    expect(owner.pay(third, value)).toBe(value);
    let [{ path }] = heldBy(third);
    const stranger = SigningKey.fresh(coins.world.entropy);
    const ways = [
      [third.account, stranger],
      [stranger, third.account],
    ];
    for (let layers = 1; layers < layersMax; layers++) {
      const [from, to] = ways[(layers - 1) % 2];
      path = handedOver(path, from, to.publicKey);
    }
    path = handedOver(path, stranger, relay.account.publicKey);
    for (const at of [owner.at, coins.broker.at]) coins.trouble(at, 'absent');
    expect(payWith(third, relay, [path])).toBe('added');
    expect(relay.pay(other, value)).toBe('PAY_PARTY_UNAVAILABLE');
    for (const at of [owner.at, coins.broker.at]) coins.trouble(at, undefined);
    coins.world.runFor(10_000);
    expect(relay.pay(other, value)).toBe(value);
    expect(heldBy(other).map(each => each.path.assigned.coin)).toEqual([path.assigned.coin]);
    expect(coins.broker.proofs).toEqual([]);
  });

  it('back to its owner, and on', () => {
    const { owner, relay, other } = peersOf('circle');
    expect(owner.pay(relay, value)).toBe(value);
    expect(relay.pay(owner, value)).toBe(value);
    expect(deskOf(owner).receivedMsat).toBe(value);
    expect(owner.pay(other, value)).toBe(value);
  });
});

describe('whoever cheats with coins of PPay', () => {
  it('as holder that hands one to two peers by its owner, is refused and convicted', () => {
    const { coins, owner, relay, other, third } = peersOf('double by owner');
    owner.pay(relay, value);
    const [{ path }] = heldBy(relay);
    const [one, two] = [other, third].map(next => handedOver(path, relay.account, next.account.publicKey));
    expect(relay.ask(owner.at, reassign(one))).toMatchObject({ 0: answerOp.assigned });
    expect(relay.ask(owner.at, reassign(two))).toMatchObject({ 0: answerOp.contradicted });
    expect(convicted(coins)).toEqual(guilt(relay, 'holder'));
    expect(coins.broker.balanceOf(relay)).toBe(10n ** 9n - value);
  });

  it('as holder that spends it by the broker and by its owner, is convicted once the owner is back', () => {
    const { coins, owner, relay, other, third } = peersOf('double by broker');
    owner.pay(relay, value);
    const [{ path }] = heldBy(relay);
    const [one, two] = [other, third].map(next => handedOver(path, relay.account, next.account.publicKey));
    expect(relay.ask(coins.broker.at, reassign(one))).toMatchObject({ 0: answerOp.assigned });
    expect(relay.ask(owner.at, reassign(two))).toMatchObject({ 0: answerOp.assigned });
    owner.restart();
    coins.settle();
    expect(convicted(coins)).toEqual(guilt(relay, 'holder'));
  });

  it('as holder that spends it and hands it in, is convicted by what its owner shows', () => {
    const { coins, owner, relay, other } = peersOf('spent and handed in');
    owner.pay(relay, value);
    const [{ path }] = heldBy(relay);
    expect(relay.pay(other, value)).toBe(value);
    relay.ask(coins.broker.at, deposit(handedOver(path, relay.account, coins.broker.key.publicKey)));
    other.do(() => deskOf(other).deposit());
    expect(coins.broker.proofs).toEqual([]);
    owner.restart();
    coins.settle();
    expect(convicted(coins)).toEqual(guilt(relay, 'holder'));
  });

  it('as holder that layers it for two peers, is convicted when both are peeled', () => {
    const { coins, owner, relay, other, third } = peersOf('double layers');
    owner.pay(relay, value);
    const [{ path }] = heldBy(relay);
    for (const to of [other, third])
      expect(payWith(relay, to, [handedOver(path, relay.account, to.account.publicKey)])).toBe('added');
    coins.settle();
    expect(convicted(coins)).toEqual(guilt(relay, 'holder'));
  });

  it('as former holder that spends it again at the broker, is convicted by what its owner shows', () => {
    const { coins, owner, relay, other, third } = peersOf('former holder');
    owner.pay(relay, value);
    const [{ path }] = heldBy(relay);
    relay.pay(other, value);
    other.pay(third, value);
    third.do(() => deskOf(third).deposit());
    const again = handedOver(path, relay.account, other.account.publicKey);
    const elsewhere = handedOver(path, relay.account, owner.account.publicKey);
    expect(relay.ask(coins.broker.at, reassign(again))).toMatchObject({ 0: answerOp.undecided });
    expect(relay.ask(coins.broker.at, reassign(elsewhere))).toMatchObject({ 0: answerOp.contradicted });
    owner.restart();
    coins.settle();
    expect(convicted(coins)).toEqual(guilt(relay, 'holder'));
  });

  it('as owner that assigns it to two, is convicted when both hand it in', () => {
    const { coins, owner, relay, other } = peersOf('double assignment');
    owner.pay(relay, value);
    const { coin } = heldBy(relay)[0].path.assigned;
    const again = assignedCoin.sign(owner.account, { coin, holder: other.account.publicKey, position: 1n });
    expect(payWith(owner, other, [pathOf(again)])).toBe('added');
    for (const peer of [relay, other]) peer.do(() => deskOf(peer).deposit());
    expect(convicted(coins)).toEqual(guilt(owner, 'owner'));
    expect(gains(coins, [relay, other])).toEqual([value, value]);
  });

  it('as owner that assigns one to many, pays all of them, and the broker gains nothing', () => {
    const { coins, owner, relay, other, third } = peersOf('many assignments');
    owner.pay(relay, value);
    const before = coins.broker.balanceOf(owner);
    const { coin } = heldBy(relay)[0].path.assigned;
    const victims = [other, third, coins.peer('fourth'), coins.peer('fifth')];
    for (const { account } of victims) {
      const to = victims.find(each => each.account === account)!;
      const again = assignedCoin.sign(owner.account, { coin, holder: account.publicKey, position: 1n });
      expect(payWith(owner, to, [pathOf(again)])).toBe('added');
    }
    for (const peer of [relay, ...victims]) peer.do(() => deskOf(peer).deposit());
    coins.broker.restart();
    for (const peer of victims) {
      // Whoever hands it in once more gets nothing more.
      const path = handedOver(heldBy(peer)[0].path, peer.account, coins.broker.key.publicKey);
      peer.ask(coins.broker.at, deposit(path));
    }
    expect(gains(coins, [relay, ...victims])).toEqual(Array(5).fill(value));
    expect(before - coins.broker.balanceOf(owner)).toBe(4n * value);
    expect(houseOf(coins)).toBe(0n);
    coins.broker.expectBacked();
  });

  it('as owner without money, owes it to those that it cheated, and pays them once it has some', () => {
    const { coins, relay, other } = peersOf('debt');
    const poor = coins.peer('poor');
    const all = 1n << 29n;
    poor.pay(relay, all);
    const [{ path }] = heldBy(relay);
    const { value: worth } = path.assigned.coin;
    poor.pay(other, coins.broker.balanceOf(poor));
    const again = { coin: path.assigned.coin, holder: other.account.publicKey, position: 1n };
    expect(payWith(poor, other, [pathOf(assignedCoin.sign(poor.account, again))])).toBe('added');
    const left = coins.broker.balanceOf(poor);
    for (const peer of [relay, other]) peer.do(() => deskOf(peer).deposit());
    expect(coins.broker.balanceOf(poor)).toBe(left - worth);
    const before = coins.broker.balanceOf(other);
    coins.broker.chain.issue(scriptOfAddress(coins.broker.addressFor(poor.account))!, 1_000_000n);
    coins.broker.mine();
    expect(coins.broker.balanceOf(poor)).toBe(left - worth + 10n ** 9n);
    expect(coins.broker.balanceOf(other) - before).toBe(worth - left);
    expect(houseOf(coins)).toBe(0n);
    coins.broker.expectBacked();
  });

  it('is not the owner that is away for long: it is asked, and what it shows convicts the holder and pays who was cheated', () => {
    const { coins, owner, relay, other } = peersOf('away');
    owner.pay(relay, value);
    const [{ path }] = heldBy(relay);
    expect(relay.pay(other, value)).toBe(value);
    relay.ask(coins.broker.at, deposit(handedOver(path, relay.account, coins.broker.key.publicKey)));
    const before = coins.broker.balanceOf(owner);
    owner.die();
    other.do(() => deskOf(other).deposit());
    coins.world.runFor(30 * 86_400_000);
    coins.broker.tick();
    expect(coins.broker.proofs).toEqual([]);
    expect(coins.broker.balanceOf(owner)).toBe(before);
    owner.restart();
    coins.settle();
    expect(convicted(coins)).toEqual(guilt(relay, 'holder'));
    expect(gains(coins, [relay, other])).toEqual([0n, value]);
    expect(coins.broker.balanceOf(owner)).toBe(before);
    expect(houseOf(coins)).toBe(0n);
  });

  it.each([
    ['nothing', 'relay first', 2n],
    ['nothing', 'relay last', 2n],
    ['what it made up', 'relay first', 3n],
  ] as const)(
    'as owner that assigns what was not handed over, and shows %s, pays when the coin is over: %s',
    (shows, order, position) => {
      const { coins, owner, relay, other } = peersOf(`unjustified ${shows} ${order}`);
      owner.pay(relay, value);
      const { coin } = heldBy(relay)[0].path.assigned;
      const forged = assignedCoin.sign(owner.account, { coin, holder: other.account.publicKey, position });
      expect(payWith(owner, other, [pathOf(forged)])).toBe('added');
      const peers = order === 'relay first' ? [relay, other] : [other, relay];
      for (const peer of peers) peer.do(() => deskOf(peer).deposit());
      if (shows === 'what it made up') {
        const path = pathOf(forged);
        const report = reportRequest.encode({ op: requestOp.report, first: path, second: path });
        expect(owner.ask(coins.broker.at, report)).toBeInstanceOf(Uint8Array);
      }
      owner.restart();
      coins.settle();
      coins.world.runFor(80 * 86_400_000);
      coins.broker.tick();
      // It may be away: whoever handed it in first is paid.
      expect(gains(coins, peers)).toEqual([value, 0n]);
      // What it never spent comes back meanwhile.
      const before = coins.broker.balanceOf(owner) + deskOf(owner).spendableMsat;
      coins.world.runFor(20 * 86_400_000);
      for (let time = 0; time < 2; time++) {
        coins.broker.tick();
        coins.broker.restart();
      }
      expect(gains(coins, peers)).toEqual([value, value]);
      expect(before - coins.broker.balanceOf(owner)).toBe(value);
      // No two statements of one key say that it was the owner.
      expect(coins.broker.proofs).toEqual([]);
      expect(houseOf(coins)).toBe(0n);
      coins.broker.expectBacked();
    },
  );

  it('as owner that is silent for good, pays who is short by its word, and no holder that is guilty', () => {
    const { coins, owner, relay, other, third } = peersOf('silent');
    const [fourth, fifth] = ['fourth', 'fifth'].map(name => coins.peer(name));
    owner.pay(relay, value);
    const [{ path }] = heldBy(relay);
    const { coin } = path.assigned;
    const madeUp = [
      [fourth, 5n],
      [fifth, 3n],
    ] as const;
    for (const [peer, position] of madeUp) {
      const forged = assignedCoin.sign(owner.account, { coin, holder: peer.account.publicKey, position });
      expect(payWith(owner, peer, [pathOf(forged)])).toBe('added');
    }
    owner.die();
    for (const to of [other, third])
      expect(payWith(relay, to, [handedOver(path, relay.account, to.account.publicKey)])).toBe('added');
    const honest = [other, third, fourth, fifth];
    for (const peer of honest) peer.do(() => deskOf(peer).deposit());
    relay.ask(coins.broker.at, deposit(handedOver(path, relay.account, coins.broker.key.publicKey)));
    expect(gains(coins, honest)).toEqual([value, value, 0n, 0n]);
    // It spent the coin thrice, and its own deposit is paid by nobody.
    expect(gains(coins, [relay])).toEqual([-2n * value]);
    const before = [relay, owner].map(peer => coins.broker.balanceOf(peer));
    coins.world.runFor(100 * 86_400_000);
    coins.broker.tick();
    expect(gains(coins, honest)).toEqual([value, value, value, value]);
    const after = [relay, owner].map(peer => coins.broker.balanceOf(peer));
    expect(after).toEqual([before[0], before[1] - 2n * value]);
    for (const proof of coins.broker.proofs) expect(judge(proof).guilty).toEqual(relay.account.publicKey);
    coins.broker.expectBacked();
  });

  it('is not the owner that shows all it knows, whatever a holder handed in', () => {
    const { coins, owner, relay, other, third } = peersOf('shown');
    owner.pay(relay, value);
    const [{ path }] = heldBy(relay);
    expect(relay.pay(other, value)).toBe(value);
    other.do(() => deskOf(other).deposit());
    owner.die();
    // A layer for another, who hands it in, and a deposit of its own.
    const layered = handedOver(path, relay.account, third.account.publicKey);
    expect(payWith(relay, third, [layered])).toBe('added');
    third.do(() => deskOf(third).deposit());
    relay.ask(coins.broker.at, deposit(handedOver(path, relay.account, coins.broker.key.publicKey)));
    owner.restart();
    coins.settle();
    const before = coins.broker.balanceOf(owner) + deskOf(owner).spendableMsat;
    coins.world.runFor(100 * 86_400_000);
    coins.broker.tick();
    expect(coins.broker.balanceOf(owner)).toBe(before);
    expect(gains(coins, [other, third])).toEqual([value, value]);
    for (const proof of coins.broker.proofs) expect(judge(proof).guilty).toEqual(relay.account.publicKey);
  });

  it('by a coin of its own making, or of more value, or of another, is refused', () => {
    const { owner, relay, other } = peersOf('forged');
    owner.pay(relay, value);
    const { path } = heldBy(relay)[0];
    const { coin } = path.assigned;
    const minted = rawCoin.sign(owner.account, { ...coin, value: 1n << 40n });
    const more = { ...coin, value: coin.value * 2n };
    for (const raw of [minted, more]) {
      const assigned = assignedCoin.sign(owner.account, {
        coin: raw,
        holder: other.account.publicKey,
        position: 1n,
      });
      expect(payWith(owner, other, [pathOf(assigned)])).toBe('badSignature');
    }
    expect(payWith(owner, other, [path])).toBe('badTerms');
    const stolen = handedOver(path, other.account, other.account.publicKey);
    expect(payWith(other, other, [stolen])).toBe('badSignature');
    const good = handedOver(path, relay.account, other.account.publicKey);
    expect(payWith(relay, other, [good, good])).toBe('stale');
    expect(payWith(relay, other, [good])).toBe('added');
    expect(payWith(relay, other, [good])).toBe('stale');
  });

  it('by hand-overs that a holder never signed, neither gets its coin nor convicts it', () => {
    const { coins, owner, relay, other, third } = peersOf('framed');
    owner.pay(relay, value);
    const [{ path }] = heldBy(relay);
    const good = handedOver(path, relay.account, other.account.publicKey);
    const forged = handedOver(path, third.account, third.account.publicKey);
    for (const at of [owner.at, coins.broker.at])
      expect(third.ask(at, reassign(forged))).toBe('badSignature');
    const toBroker = handedOver(path, third.account, coins.broker.key.publicKey);
    expect(third.ask(coins.broker.at, deposit(toBroker))).toBe('badSignature');
    for (const [first, second] of [
      [good, forged],
      [forged, good],
    ]) {
      const report = reportRequest.encode({ op: requestOp.report, first, second });
      expect(third.ask(coins.broker.at, report)).toBe('badSignature');
    }
    // Nor by a place in the coin's life that its owner knows nothing of.
    const later = { coin: path.assigned.coin, holder: third.account.publicKey, position: 5n };
    const beyond = pathOf(assignedCoin.sign(owner.account, later));
    const taken = handedOver(beyond, third.account, other.account.publicKey);
    expect(third.ask(owner.at, reassign(taken))).toBe('busy');
    expect(coins.broker.proofs).toEqual([]);
    expect(gains(coins, [relay])).toEqual([0n]);
    expect(relay.pay(other, value)).toBe(value);
  });

  it('by more than is in its account, is refused', () => {
    const { owner, relay } = peersOf('overspent');
    expect(owner.pay(relay, 10n ** 9n + 1n)).toBe('PAY_NO_FUNDS');
    expect(owner.pay(relay, 10n ** 6n)).toBeTypeOf('bigint');
  });

  it('by handing a coin in twice, gains nothing', () => {
    const { coins, owner, relay } = peersOf('twice in');
    owner.pay(relay, value);
    const request = deposit(handedOver(heldBy(relay)[0].path, relay.account, coins.broker.key.publicKey));
    for (let time = 0; time < 3; time++)
      expect(relay.ask(coins.broker.at, request)).toEqual(new Uint8Array(0));
    expect(coins.broker.balanceOf(relay)).toBe(10n ** 9n + value);
    expect(coins.broker.proofs).toEqual([]);
  });

  it('with noise, gets no more than a word', () => {
    const { coins, owner } = peersOf('noise');
    const stranger = SigningKey.fresh(coins.world.entropy);
    const requests = [
      new Uint8Array(0),
      ...[1, 2, 3, 4, 9].map(op => Uint8Array.of(op, ...coins.world.entropy.bytes(300))),
      Uint8Array.of(requestOp.account, 0, 0),
      Uint8Array.from(stranger.publicKey),
    ];
    for (const at of [owner.at, coins.broker.at])
      for (const request of requests) expect(owner.ask(at, request)).toBeTypeOf('string');
  });
});

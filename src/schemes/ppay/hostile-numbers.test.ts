import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SigningKey } from '../../crypto/ecdsa.ts';
import { makeAccountRequest } from '../../payment/account-request.ts';
import { accountMessage } from '../../payment/coins/coin-messages.ts';
import { CoinWorld, type Peer } from '../coin-peers.fixture.ts';
import { endOf, handedOver, pathOf } from './coin-path.ts';
import { ppay } from './index.ts';
import {
  accountOp,
  assignedCoin,
  boughtReply,
  buyBody,
  type CoinPath,
  coinPath,
  pathRequest,
  paymentMessage,
  paymentOp,
  type RawCoin,
  reportRequest,
  requestOp,
  schemeId,
  targetMessage,
} from './messages.ts';

const u64Max = 2n ** 64n - 1n;
const hostile = [0n, 1n, 2n ** 47n, 2n ** 48n, 2n ** 48n + 1n, 2n ** 63n, u64Max - 5n, u64Max];

/** A coin of that account's which its node knows nothing of. */
function coinOf(coins: CoinWorld, buyer: Peer): RawCoin {
  const { account, process } = buyer;
  const body = buyBody.encode({ op: accountOp.buy, exponents: [0] });
  const envelope = makeAccountRequest(account, process.host.entropy, body);
  const reply = buyer.ask(coins.broker.at, accountMessage.encode({ op: requestOp.account, envelope }));
  return boughtReply.decode(reply as Uint8Array)!.coins[0];
}

/** Assigned to its owner there, and handed on and on; at last to `to`. Nobody can sign beyond what 64 bits hold. */
function pathAt(owner: SigningKey, coin: RawCoin, position: bigint, layers: number, to: Uint8Array) {
  const holder = layers === 0 ? to : owner.publicKey;
  let path: CoinPath = pathOf(assignedCoin.sign(owner, { coin, holder, position }));
  for (let at = 1; at <= layers; at++) {
    const next = at === layers ? to : owner.publicKey;
    path =
      endOf(path) <= u64Max
        ? handedOver(path, owner, next)
        : { ...path, layers: [...path.layers, { next, signature: new Uint8Array(64) }] };
  }
  return path;
}

function payWith(to: Peer, path: CoinPath): string {
  const { nonce } = targetMessage.decode(to.process.turn(() => to.payee.target(1)))!;
  const paid = { scheme: schemeId, op: paymentOp.coins, nonce, coins: [{ path, ownerAt: [] }] };
  const redeemed = to.take(1, paymentMessage.encode(paid));
  return redeemed.kind === 'refused' ? redeemed.fault.code : redeemed.kind;
}

describe('a coin of PPay at a position that its owner made up', () => {
  it('ends no broker that is to reassign it', () => {
    const coins = new CoinWorld(ppay, 'reassigned');
    const cheat = coins.peer('cheat');
    const path = pathAt(cheat.account, coinOf(coins, cheat), u64Max, 1, cheat.account.publicKey);
    const request = pathRequest.encode({ op: requestOp.reassign, path });
    expect(cheat.ask(coins.broker.at, request)).toBe('badSignature');
    expect(cheat.pay(coins.peer('relay'), 1_024n)).toBe(1_024n);
  });

  it('is taken by no relay, which lives on and is paid by others', () => {
    const coins = new CoinWorld(ppay, 'paid with');
    const [cheat, relay, payer] = ['cheat', 'relay', 'payer'].map(name => coins.peer(name));
    const coin = coinOf(coins, cheat);
    coins.trouble(coins.broker.at, 'absent');
    const path = pathAt(cheat.account, coin, u64Max, 1, relay.account.publicKey);
    expect(payWith(relay, path)).toBe('badTerms');
    // What its holders could hand on only so often.
    expect(payWith(relay, pathAt(cheat.account, coin, 2n ** 48n, 0, relay.account.publicKey))).toBe(
      'badTerms',
    );
    relay.process.turn(() => relay.payee.ended(1));
    coins.trouble(coins.broker.at, undefined);
    coins.world.runFor(10_000);
    relay.restart();
    coins.world.runFor(10_000);
    expect(payer.pay(relay, 1_024n)).toBe(1_024n);
  });

  it('that an earlier version took ends no relay either', () => {
    const coins = new CoinWorld(ppay, 'taken before');
    const [payer, relay] = ['payer', 'relay'].map(name => coins.peer(name));
    payer.pay(relay, 1_024n);
    const { store } = relay.process;
    const [key, bytes] = [...store.durable()].find(([name]) => name.startsWith('ppay/held/'))!;
    const { assigned } = coinPath.decode(bytes.subarray(0, 236))!;
    const taken = pathAt(payer.account, assigned.coin, u64Max, 1, relay.account.publicKey);
    const value = new Uint8Array([...coinPath.encode(taken), ...bytes.subarray(236)]);
    relay.do(() => store.commit([{ key, value }], relay.process.host.newAsk()));
    relay.restart();
    coins.world.runFor(10_000);
    expect(payer.pay(relay, 2_048n)).toBe(2_048n);
  });

  it('ends nobody, whatever the number and whoever is sent it', () => {
    const coins = new CoinWorld(ppay, 'any number');
    const [cheat, owner, relay] = ['cheat', 'owner', 'relay'].map(name => coins.peer(name));
    owner.pay(relay, 1n);
    const given = [...owner.process.store.durable()].find(([key]) => key.startsWith('ppay/owned/'))!;
    const known = coinPath.decode(given[1])!.assigned.coin;
    const property = fc.property(
      fc.constantFrom(...hostile),
      fc.nat(9),
      fc.constantFrom('broker', 'deposit', 'report', 'owner', 'payee'),
      (position, layers, to) => {
        const { publicKey } = cheat.account;
        const own = (last: Uint8Array) => pathAt(cheat.account, coinOf(coins, cheat), position, layers, last);
        const path = own(to === 'deposit' ? coins.broker.key.publicKey : publicKey);
        if (to === 'broker') cheat.ask(coins.broker.at, pathRequest.encode({ op: requestOp.reassign, path }));
        else if (to === 'deposit')
          cheat.ask(coins.broker.at, pathRequest.encode({ op: requestOp.deposit, path }));
        else if (to === 'report') {
          const second = pathAt(cheat.account, path.assigned.coin, position, 1, publicKey);
          cheat.ask(coins.broker.at, reportRequest.encode({ op: requestOp.report, first: path, second }));
        } else if (to === 'owner') {
          const asked = pathAt(owner.account, known, position, layers, publicKey);
          cheat.ask(owner.at, pathRequest.encode({ op: requestOp.reassign, path: asked }));
        } else {
          payWith(relay, own(relay.account.publicKey));
          relay.process.turn(() => relay.payee.ended(1));
          coins.world.runFor(10_000);
        }
        coins.settle();
      },
    );
    fc.assert(property, { numRuns: 80 });
    for (const peer of [owner, relay]) peer.restart();
    coins.world.runFor(10_000);
    expect(owner.pay(relay, 1_024n)).toBe(1_024n);
  });
});

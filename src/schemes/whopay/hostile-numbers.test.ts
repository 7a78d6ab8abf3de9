import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SigningKey } from '../../crypto/ecdsa.ts';
import { makeAccountRequest } from '../../payment/account-request.ts';
import { accountMessage } from '../../payment/coins/coin-messages.ts';
import { OneTimeKeys } from '../../payment/coins/one-time-keys.ts';
import { CoinWorld, type Peer } from '../coin-peers.fixture.ts';
import { whopay } from './index.ts';
import {
  accountOp,
  binding,
  boughtReply,
  buyBody,
  type Coin,
  claim,
  coin as coinKind,
  deposit,
  listRequest,
  orderKind,
  paymentMessage,
  paymentOp,
  reportRequest,
  requestOp,
  type Step,
  schemeId,
  stepRequest,
  targetMessage,
  transfer,
} from './messages.ts';

const u64Max = 2n ** 64n - 1n;
const hostile = [0n, 1n, 2n ** 47n, 2n ** 48n, 2n ** 48n + 1n, 2n ** 63n, u64Max];
const nonce = new Uint8Array(16);

/** A coin of that account's which its node knows nothing of, and the coin's key. */
function coinOf(coins: CoinWorld, buyer: Peer) {
  const { account, process } = buyer;
  const key = SigningKey.fresh(process.host.entropy);
  const said = claim.sign(account, { coinKey: key.publicKey, account: account.publicKey });
  const body = buyBody.encode({ op: accountOp.buy, coins: [{ exponent: 0, claim: said }] });
  const envelope = makeAccountRequest(account, process.host.entropy, body);
  const request = accountMessage.encode({ op: requestOp.account, envelope });
  const [coin] = boughtReply.decode(buyer.ask(coins.broker.at, request) as Uint8Array)!.coins;
  return { coin, key };
}

/** The coin that a node has given away, with its key. */
function givenBy({ process }: Peer) {
  const [, bytes] = [...process.store.durable()].find(([name]) => name.startsWith('whopay/owned/'))!;
  return { coin: coinKind.decode(bytes.subarray(0, 121))!, key: new SigningKey(bytes.slice(121, 153)) };
}

/** Bound to that holder under that number, and ordered on by it. */
function stepAt(key: SigningKey, coin: Coin, sequence: bigint, by: SigningKey, isDeposit = false): Step {
  const { expirySeconds } = coin;
  const fields = { coinKey: key.publicKey, holder: by.publicKey, nonce };
  const form = isDeposit ? deposit : transfer;
  return {
    binding: binding.sign(key, { ...fields, sequence, expirySeconds }),
    order: {
      kind: isDeposit ? orderKind.deposit : orderKind.transfer,
      said: form.sign(by, { ...fields, next: by.publicKey }),
    },
  };
}

/** Pays with a coin that is bound to whom it should, under that number. */
function payWith(to: Peer, key: SigningKey, coin: Coin, sequence: bigint): string {
  const { nonce } = targetMessage.decode(to.process.turn(() => to.payee.target(1)))!;
  const holder = new OneTimeKeys(to.account, 'whopay').holderKey(nonce, coin.coinKey)!.publicKey;
  const { coinKey, expirySeconds } = coin;
  const bound = binding.sign(key, { coinKey, holder, sequence, expirySeconds, nonce });
  const paid = { coin, binding: bound, ownerAt: [] };
  const redeemed = to.take(
    1,
    paymentMessage.encode({ scheme: schemeId, op: paymentOp.coins, coins: [paid] }),
  );
  return redeemed.kind === 'refused' ? redeemed.fault.code : redeemed.kind;
}

describe('a coin of WhoPay bound under a number that its owner made up', () => {
  it('ends no broker that is to bind it on', () => {
    const coins = new CoinWorld(whopay, 'transferred');
    const cheat = coins.peer('cheat');
    const { coin, key } = coinOf(coins, cheat);
    const step = stepAt(key, coin, u64Max, cheat.account);
    const request = stepRequest.encode({ op: requestOp.transfer, coin, step });
    expect(cheat.ask(coins.broker.at, request)).toBe('badSignature');
    expect(cheat.pay(coins.peer('relay'), 1_024n)).toBe(1_024n);
  });

  it('is taken by no relay, whose holders could bind it on only so often', () => {
    const coins = new CoinWorld(whopay, 'paid with');
    const [cheat, relay] = ['cheat', 'relay'].map(name => coins.peer(name));
    const { coin, key } = coinOf(coins, cheat);
    for (const sequence of [u64Max, 2n ** 63n, 2n ** 48n])
      expect(payWith(relay, key, coin, sequence)).toBe('badTerms');
    expect(payWith(relay, key, coin, 7n)).toBe('added');
  });

  it('ends nobody, whatever the number and whoever is sent it', () => {
    const coins = new CoinWorld(whopay, 'any number');
    const [cheat, owner, relay] = ['cheat', 'owner', 'relay'].map(name => coins.peer(name));
    owner.pay(relay, 1n);
    const given = givenBy(owner);
    const property = fc.property(
      fc.constantFrom(...hostile),
      fc.constantFrom('transfer', 'deposit', 'report', 'list', 'owner', 'payee'),
      (sequence, to) => {
        const { coin, key } = coinOf(coins, cheat);
        const step = stepAt(key, coin, sequence, cheat.account, to === 'deposit');
        const ask = (at: Peer['at'], bytes: Uint8Array) => cheat.ask(at, bytes);
        if (to === 'transfer')
          ask(coins.broker.at, stepRequest.encode({ op: requestOp.transfer, coin, step }));
        else if (to === 'deposit')
          ask(coins.broker.at, stepRequest.encode({ op: requestOp.deposit, coin, step }));
        else if (to === 'report') {
          const steps = [step, stepAt(key, coin, sequence, relay.account)];
          ask(coins.broker.at, reportRequest.encode({ op: requestOp.report, coin, steps }));
        } else if (to === 'list') {
          const listed = [{ coin, binding: step.binding }];
          ask(coins.broker.at, listRequest.encode({ op: requestOp.list, coins: listed }));
        } else if (to === 'owner') {
          const asked = stepAt(given.key, given.coin, sequence, cheat.account);
          ask(owner.at, stepRequest.encode({ op: requestOp.transfer, coin: given.coin, step: asked }));
        } else {
          payWith(relay, key, coin, sequence);
          relay.process.turn(() => relay.payee.ended(1));
          coins.world.runFor(10_000);
        }
        coins.settle();
      },
    );
    fc.assert(property, { numRuns: 60 });
    for (const peer of [owner, relay]) peer.restart();
    coins.world.runFor(10_000);
    expect(owner.pay(relay, 1_024n)).toBe(1_024n);
  });
});

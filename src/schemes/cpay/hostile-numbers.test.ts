import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { coinTimeMsMax } from '../../base/limits.ts';
import type { CoinWorld, Peer } from '../coin-peers.fixture.ts';
import { deskOf, minted, nowOf, payWith, peersOf, request, targetOf, value } from './cpay-peers.fixture.ts';
import { accountNonce } from './dealings.ts';
import {
  authStatement,
  claimRequest,
  depositRequest,
  type PaidCoin,
  releaseRequest,
  requestOp,
  showRequest,
  wish,
} from './messages.ts';
import { epochOf, isAuthorised } from './ring.ts';

const u64Max = 2n ** 64n - 1n;
const hostile = [0n, 1n, 2n ** 47n, 2n ** 48n, 2n ** 63n, u64Max - 1n, u64Max];

/** All that anybody can be asked about that coin. */
function requestsOn(coins: CoinWorld, held: PaidCoin, by: Peer, other: Peer, timeMs: bigint) {
  const { publicKey: account } = by.account;
  const { guid, payee: payer, timeMs: sinceMs } = held.auth;
  const nonce = accountNonce(account);
  const said = wish.sign(by.account, { guid, payer, payee: coins.broker.key.publicKey, nonce });
  const auth = authStatement.sign(by.account, { ...said, sinceMs, timeMs });
  return [
    request(held, by.account, other, timeMs),
    ...[0, 1, 0xffffffff].map(epoch => releaseRequest.encode({ op: requestOp.release, held, epoch })),
    depositRequest.encode({ op: requestOp.deposit, account, paid: held }),
    claimRequest.encode({ op: requestOp.claim, account, paid: held, wish: said }),
    showRequest.encode({ op: requestOp.show, grant: { held, wish: said, auth, releases: [] } }),
  ];
}

describe('a coin of CPay at a time that somebody made up', () => {
  it('is nobody’s, so that its holder never counts further or asks for an epoch that there cannot be', () => {
    const { coins, peers } = peersOf('minted');
    const rings = { ring: () => undefined };
    const { key } = coins.broker;
    const isTaken = (sinceMs: bigint, timeMs: bigint, worth?: bigint) =>
      isAuthorised(minted(key, peers[0].account.publicKey, sinceMs, timeMs, worth), key.publicKey, rings);
    expect(isTaken(0n, nowOf(coins))).toBe(true);
    expect(isTaken(0n, coinTimeMsMax)).toBe(true);
    expect(epochOf(coinTimeMsMax + 1n)).toBeLessThan(2 ** 32);
    for (const timeMs of [coinTimeMsMax + 1n, 2n ** 48n, 2n ** 63n, u64Max])
      expect(isTaken(0n, timeMs)).toBe(false);
    expect(isTaken(0n, nowOf(coins), u64Max)).toBe(false);
  });

  it('ends nobody, whatever the time and whoever is sent it', () => {
    const { coins, peers } = peersOf('any number');
    const [cheat, assistant, relay] = peers;
    const time = fc.constantFrom(...hostile, nowOf(coins));
    const property = fc.property(
      time,
      time,
      time,
      fc.constantFrom(...hostile),
      (sinceMs, heldMs, timeMs, worth) => {
        const held = minted(coins.broker.key, cheat.account.publicKey, sinceMs, heldMs, worth);
        for (const bytes of requestsOn(coins, held, cheat, relay, timeMs))
          for (const at of [coins.broker.at, assistant.at]) cheat.ask(at, bytes);
        const { payeeKey, nonce } = targetOf(relay);
        const forged = minted(coins.broker.key, payeeKey, sinceMs, heldMs, worth);
        payWith(relay, { ...forged, auth: { ...forged.auth, nonce } });
        relay.do(() => deskOf(relay).deposit());
      },
    );
    fc.assert(property, { numRuns: 60 });
    for (const peer of peers) peer.restart();
    coins.world.runFor(10_000);
    expect(assistant.pay(relay, value)).toBe(value);
  });
});

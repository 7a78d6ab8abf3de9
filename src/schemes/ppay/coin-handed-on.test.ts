import { describe, expect, it } from 'vitest';
import { coinNewsMax } from '../../base/limits.ts';
import { AccountHolder, BrokerLab } from '../../broker/broker-lab.fixture.ts';
import { accountMessage, syncBody } from '../../payment/coins/coin-messages.ts';
import { endOf, handedOver, pathOf } from './coin-path.ts';
import { ppay } from './index.ts';
import {
  accountOp,
  assignedCoin,
  boughtReply,
  buyBody,
  type CoinPath,
  layersMax,
  pathRequest,
  requestOp,
  schemeId,
  syncPathsMax,
  syncReply,
} from './messages.ts';

/** A broker, and the owner of one coin of 1 msat, who hands it to itself. */
function handedOn(seed: string) {
  const lab = new BrokerLab(seed, [ppay]);
  const owner = new AccountHolder(lab, 'owner');
  lab.fund(owner, 1_000n);
  const asAccount = (body: Uint8Array) => {
    const envelope = lab.request(owner, body);
    return lab.ask(owner, schemeId, accountMessage.encode({ op: requestOp.account, envelope })).reply!;
  };
  const [coin] = boughtReply.decode(asAccount(buyBody.encode({ op: accountOp.buy, exponents: [0] })))!.coins;
  const { key } = owner;
  let [position, written] = [1n, 0];
  const { store } = lab.process;
  const commit = store.commit.bind(store);
  store.commit = (writes, ask) => {
    for (const { value } of writes) written += value?.length ?? 0;
    commit(writes, ask);
  };
  const start = () => pathOf(assignedCoin.sign(key, { coin, holder: key.publicKey, position }));
  const ask = (path: CoinPath, op: number) => {
    written = 0;
    return lab.ask(owner, schemeId, pathRequest.encode({ op, path })).fault;
  };
  return {
    lab,
    owner,
    coin,
    written: () => written,
    /** As many hand-overs as one request holds: what is refused, and why. */
    reassign(): string | undefined {
      let path = start();
      for (let layers = 0; layers <= layersMax; layers++) path = handedOver(path, key, key.publicKey);
      const fault = ask(path, requestOp.reassign);
      if (fault === undefined) position = endOf(path);
      return fault;
    },
    deposit: () => ask(handedOver(start(), key, lab.key.publicKey), requestOp.deposit),
    /** So many entries are told. */
    sync(after: bigint): bigint {
      const told = syncReply.decode(asAccount(syncBody.encode({ op: accountOp.sync, after })))!;
      expect(told.paths.length).toBeLessThanOrEqual(syncPathsMax);
      return told.last;
    },
  };
}

describe('a coin of PPay that is handed on and on while its owner is away', () => {
  it('waits for its owner after a while, or is handed in', () => {
    const coin = handedOn('queue');
    for (let time = 0; time < coinNewsMax; time++) expect(coin.reassign()).toBeUndefined();
    expect(coin.reassign()).toBe('busy');
    coin.lab.restart();
    expect(coin.reassign()).toBe('busy');
    expect(coin.sync(coin.sync(coin.sync(0n)))).toBe(BigInt(coinNewsMax));
    expect(coin.reassign()).toBeUndefined();
    expect(coin.deposit()).toBeUndefined();
    expect(coin.lab.balanceMsat(coin.owner)).toBe(1_000_000n);
    coin.lab.expectBacked();
  });

  it('makes its broker write no more than its record of bounded size each time', () => {
    const coin = handedOn('written');
    let [most, last] = [0, 0n];
    for (let time = 0; time < 4 * coinNewsMax; time++) {
      if (time % 50 === 49) last = coin.sync(coin.sync(last));
      expect(coin.reassign()).toBeUndefined();
      most = Math.max(most, coin.written());
    }
    expect(most).toBeGreaterThan(20_000);
    expect(most).toBeLessThan(50_000);
  });
});

import { expect, it } from 'vitest';
import { accountRepliesMax } from '../base/limits.ts';
import { scriptOfAddress } from '../bitcoin/wallet.ts';
import { AccountHolder, BrokerLab } from './broker-lab.fixture.ts';
import { plainBody, tillOperation, tillScheme, withdrawBody, withdrawReply } from './money-messages.ts';

const script = scriptOfAddress('bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080') as Uint8Array;

function withdraw(lab: BrokerLab, holder: AccountHolder, sat: bigint): Uint8Array {
  const body = withdrawBody.encode({ operation: tillOperation.withdraw, sat, script });
  return lab.request(holder, body);
}

it('credits what is paid to an address of an account once it is deep enough, and pays it out', () => {
  const lab = new BrokerLab('till', [], 3);
  const alice = new AccountHolder(lab, 'alice');
  const address = lab.addressOf(alice);
  expect(lab.addressOf(alice)).toBe(address);
  lab.chain.issue(scriptOfAddress(address) as Uint8Array, 50_000n);
  lab.mine(2);
  expect(lab.balanceMsat(alice)).toBe(0n);
  lab.expectBacked();
  lab.mine();
  expect(lab.balanceMsat(alice)).toBe(50_000_000n);
  expect(lab.addressOf(alice)).not.toBe(address);
  lab.expectBacked();
  const { reply } = lab.ask(alice, tillScheme, withdraw(lab, alice, 20_000n));
  const said = withdrawReply.decode(reply ?? new Uint8Array(0));
  expect(said?.feeSat).toBeGreaterThan(100n);
  expect(lab.balanceMsat(alice)).toBe(50_000_000n - (20_000n + (said?.feeSat ?? 0n)) * 1_000n);
  lab.expectBacked();
  lab.mine();
  expect(lab.chain.unspent({ txid: said?.txid as Uint8Array, index: 0 })?.coin.valueSat).toBe(20_000n);
  lab.expectBacked();
});

it('pays out once, however often it is asked, and not what is not there', () => {
  const lab = new BrokerLab('withdrawals', []);
  const alice = new AccountHolder(lab, 'alice');
  const mallory = new AccountHolder(lab, 'mallory');
  lab.fund(alice, 100_000n);
  const request = withdraw(lab, alice, 30_000n);
  const { reply } = lab.ask(alice, tillScheme, request);
  const left = lab.balanceMsat(alice);
  expect(lab.ask(mallory, tillScheme, request).reply).toEqual(reply);
  lab.restart();
  expect(lab.ask(alice, tillScheme, request).reply).toEqual(reply);
  expect(lab.balanceMsat(alice)).toBe(left);
  expect(lab.ask(alice, tillScheme, withdraw(lab, alice, 70_000n)).fault).toBe('overspent');
  expect(lab.ask(mallory, tillScheme, withdraw(lab, mallory, 1_000n)).fault).toBe('overspent');
  expect(lab.ask(alice, tillScheme, withdraw(lab, alice, 1n)).fault).toBe('tooSmall');
  const forged = withdraw(lab, alice, 10_000n);
  forged[forged.length - 1] ^= 1;
  expect(lab.ask(mallory, tillScheme, forged).fault).toBe('badSignature');
  expect(lab.ask(mallory, tillScheme, new Uint8Array(7)).fault).toBe('malformed');
  expect(lab.ask(mallory, 99, request).fault).toBe('unknownScheme');
  expect(lab.balanceMsat(alice)).toBe(left);
  lab.mine();
  lab.expectBacked();
});

it('pays out once, however long after it is asked again', () => {
  const lab = new BrokerLab('late replay', []);
  const alice = new AccountHolder(lab, 'alice');
  const mallory = new AccountHolder(lab, 'mallory');
  lab.fund(alice, 100_000n);
  const request = withdraw(lab, alice, 30_000n);
  const { reply } = lab.ask(alice, tillScheme, request);
  for (let later = 0; later < accountRepliesMax; later++) lab.addressOf(alice);
  const left = lab.balanceMsat(alice);
  expect(lab.ask(mallory, tillScheme, request).reply).toEqual(reply);
  lab.restart();
  expect(lab.ask(mallory, tillScheme, request).reply).toEqual(reply);
  expect(lab.balanceMsat(alice)).toBe(left);
  lab.mine();
  lab.expectBacked();
});

it('sends nothing that it would forget, though a block comes while a withdrawal is written', () => {
  const lab = new BrokerLab('block in between', []);
  const alice = new AccountHolder(lab, 'alice');
  lab.fund(alice, 100_000n);
  const { chain, store } = lab.process;
  const kept = () => store.list('broker/withdrawal/').length;
  const keptWhenSent: number[] = [];
  const [commit, broadcast] = [store.commit.bind(store), chain.broadcast.bind(chain)];
  store.commit = (writes, ask) => {
    commit(writes, ask);
    lab.core.onChain({ kind: 'block', height: 7, hash: new Uint8Array(32) });
  };
  chain.broadcast = (transactions, ask) => {
    keptWhenSent.push(kept());
    broadcast(transactions, ask);
  };
  lab.ask(alice, tillScheme, withdraw(lab, alice, 30_000n));
  lab.run(100);
  expect(new Set(keptWhenSent)).toEqual(new Set([1]));
});

it('takes back what a reorganisation takes, and credits it again', () => {
  const lab = new BrokerLab('reorg', []);
  const alice = new AccountHolder(lab, 'alice');
  lab.mine(3);
  lab.fund(alice, 40_000n);
  expect(lab.balanceMsat(alice)).toBe(40_000_000n);
  lab.chain.reorg(2);
  lab.run(500);
  lab.mine();
  expect(lab.balanceMsat(alice)).toBe(40_000_000n);
  lab.expectBacked();
  lab.restart();
  expect(lab.balanceMsat(alice)).toBe(40_000_000n);
  lab.expectBacked();
});

it('keeps every satoshi wherever it dies', () => {
  for (const place of [0, 1, 2, 3]) {
    const lab = new BrokerLab(`crash ${place}`, []);
    const alice = new AccountHolder(lab, 'alice');
    lab.fund(alice, 60_000n);
    const request = withdraw(lab, alice, 25_000n);
    let passed = 0;
    const node = lab.process.parties.node;
    node.onPowerCut = () => {};
    node.cutPower(
      call => (call.startsWith('store write') || call === 'chain broadcast') && passed++ === place,
    );
    lab.ask(alice, tillScheme, request);
    lab.restart();
    const { reply } = lab.ask(alice, tillScheme, request);
    const said = withdrawReply.decode(reply ?? new Uint8Array(0));
    lab.mine(2);
    expect(lab.chain.unspent({ txid: said?.txid as Uint8Array, index: 0 })?.coin.valueSat).toBe(25_000n);
    expect(lab.balanceMsat(alice)).toBe(60_000_000n - (25_000n + (said?.feeSat ?? 0n)) * 1_000n);
    lab.expectBacked();
  }
});

it('refuses balances to whoever is not the account', () => {
  const lab = new BrokerLab('balances', []);
  const alice = new AccountHolder(lab, 'alice');
  const body = plainBody.encode({ operation: tillOperation.balance });
  const request = lab.request(alice, body);
  request[40] ^= 1;
  expect(lab.ask(alice, tillScheme, request).fault).toBe('badSignature');
});

import { expect, it } from 'vitest';
import { scriptOfAddress } from '../bitcoin/wallet.ts';
import { AccountHolder, BrokerLab } from './broker-lab.fixture.ts';
import { tillOperation, tillScheme, withdrawBody, withdrawReply } from './money-messages.ts';

function labOf(minConfirmations: number) {
  const lab = new BrokerLab('reorganised while down', [], minConfirmations);
  const alice = new AccountHolder(lab, 'alice');
  lab.mine(10);
  return { lab, alice };
}

it.each([
  ['did not count yet', 1, 0n],
  ['counted', 4, 50_000_000n],
])(
  'takes back a deposit that %s, when a reorganisation took it while the broker was down',
  (_, blocks, msat) => {
    const { lab, alice } = labOf(3);
    const id = lab.pay(alice, 50_000n);
    lab.mine(blocks);
    expect(lab.balanceMsat(alice)).toBe(msat);
    lab.restart(() => lab.chain.reorg(blocks, { without: [id] }));
    lab.expectBacked();
    lab.mine(10);
    expect(lab.balanceMsat(alice)).toBe(0n);
    lab.expectBacked();
  },
);

it('knows in which block a deposit is by now, when that changed while the broker was down', () => {
  const { lab, alice } = labOf(1);
  const id = lab.pay(alice, 50_000n);
  const { transactions } = lab.chain.mempool;
  lab.mine();
  lab.restart(() => {
    lab.chain.reorg(1, { without: [id] });
    lab.chain.offer([transactions[0].transaction.bytes]);
    lab.chain.mine();
  });
  expect(lab.balanceMsat(alice)).toBe(50_000_000n);
  lab.expectBacked();
  // Down to above where it was at first.
  lab.chain.reorg(1, { without: [id] });
  lab.run(500);
  expect(lab.balanceMsat(alice)).toBe(0n);
  lab.expectBacked();
});

it('pays nobody out of a deposit that does not count yet', () => {
  const { lab, alice } = labOf(3);
  const mallory = new AccountHolder(lab, 'mallory');
  lab.fund(alice, 100_000n);
  const id = lab.pay(mallory, 50_000n);
  lab.mine();
  const script = scriptOfAddress('bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080') as Uint8Array;
  const body = withdrawBody.encode({ operation: tillOperation.withdraw, sat: 40_000n, script });
  const { reply } = lab.ask(alice, tillScheme, lab.request(alice, body));
  const said = withdrawReply.decode(reply ?? new Uint8Array(0));
  lab.run(100);
  lab.chain.reorg(1, { without: [id] });
  lab.mine();
  expect(lab.chain.unspent({ txid: said?.txid as Uint8Array, index: 0 })?.coin.valueSat).toBe(40_000n);
  lab.expectBacked();
});

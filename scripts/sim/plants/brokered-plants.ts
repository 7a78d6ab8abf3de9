import { noFaults } from '../../../src/sim/faults.ts';
import type { Plant } from './plant.ts';

/** One line made wrong in each payment system with a broker, and in what they share. */
export const brokeredPlants: readonly Plant[] = [
  {
    name: 'payword: a word is worth all words before it',
    file: 'src/schemes/payword/payee.ts',
    find: 'value: unitMsat * BigInt(index - paid.index),',
    replace: 'value: unitMsat * BigInt(index),',
    scheme: 'payword',
    breaks: ['I7', 'honest'],
  },
  {
    name: 'p2p-netpay: a word is worth all words before it',
    file: 'src/schemes/p2p-netpay/vendor-books.ts',
    find: 'const value = unitMsat * BigInt(index - paid.index);',
    replace: 'const value = unitMsat * BigInt(index);',
    scheme: 'p2p-netpay',
    breaks: ['I7', 'honest'],
  },
  {
    name: 'p2p-netpay: a claim is durable before the payment that it claims',
    file: 'src/payment/commit-queue.ts',
    find: 'commit: (writes, ask) => {',
    replace:
      'commit: (writes, ask) => { if (this.#gathering !== undefined) { this.#underWay.set(ask, { ...emptyBatch(), direct: true }); store.commit(writes, ask); return; }',
    scheme: 'p2p-netpay',
    // Circuits end all the time while a slow disk keeps payments waiting, and whoever hands in their claims then dies.
    world: {
      clients: 4,
      kinds: ['newCircuits', 'cutPower'],
      actMs: 100,
      window: 64,
      faults: { ...noFaults, store: { commitMsMax: 300 } },
    },
    breaks: ['I6'],
  },
  {
    name: 'coins that an earlier life earned are not handed in',
    file: 'src/payment/coins/coin-payee.ts',
    find: 'this.#idle = new IdleDeposit(setup.host.clock, setup.pays, () => rules.deposit());',
    replace:
      'this.#idle = new IdleDeposit(setup.host.clock, setup.pays, () => rules.deposit()); const idle = this.#idle; const left = idle.left; idle.left = () => { idle.left = left; };',
    scheme: 'whopay',
    breaks: ['live'],
  },
  {
    name: 'coins are worth double',
    file: 'src/payment/coins/coin-payee.ts',
    find: 'value: coins.reduce((sum, coin) => sum + this.#rules.valueOf(coin), 0n),',
    replace: 'value: coins.reduce((sum, coin) => sum + 2n * this.#rules.valueOf(coin), 0n),',
    scheme: 'cpay',
    breaks: ['I7', 'honest'],
  },
  {
    name: 'broker: deposits paid twice',
    file: 'src/broker/account-book.ts',
    find: 'this.#coins.put(String(scheme), { issuedMsat, depositedMsat: depositedMsat + msat }),',
    replace:
      'this.#coins.put(String(scheme), { issuedMsat, depositedMsat: depositedMsat + msat }), ...this.#give(toHex(account), msat),',
    scheme: 'ppay',
    breaks: ['I1', 'I6'],
  },
];

import * as bitcoin from 'bitcoinjs-lib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toHex } from '../base/bytes.ts';
import type { Answer, ChainEvent, Outpoint } from '../ports.ts';
import { SimChain } from './sim-chain.ts';
import { SimChainPort } from './sim-chain-port.ts';
import { SimNode } from './sim-node.ts';
import { coinbase, parseTransaction } from './transaction-bytes.ts';
import { World } from './world.ts';

const alice = Uint8Array.of(0x51, 1);
const bob = Uint8Array.of(0x51, 2);

interface Spend {
  readonly from: readonly Outpoint[];
  readonly to: readonly (readonly [script: Uint8Array, sat: bigint])[];
  readonly lockTime?: number;
  readonly sequence?: number;
}

function spend({ from, to, lockTime = 0, sequence = 0xffffffff }: Spend): Uint8Array {
  const transaction = new bitcoin.Transaction();
  transaction.version = 2;
  transaction.locktime = lockTime;
  for (const { txid, index } of from) transaction.addInput(txid, index, sequence);
  for (const [script, sat] of to) transaction.addOutput(script, sat);
  transaction.ins.forEach((_, input) => {
    transaction.setWitness(input, [Uint8Array.of(1, 2, 3), new Uint8Array(70)]);
  });
  return transaction.toBuffer();
}

function idOf(bytes: Uint8Array): Uint8Array {
  return bitcoin.Transaction.fromBuffer(bytes).getHash();
}

/** A chain on which Alice owns one output of 100,000 sat. */
function funded() {
  const chain = new SimChain();
  chain.issue(alice, 100_000n);
  chain.mine();
  const coin = { txid: chain.tip.transactions[0].txid, index: 0 };
  return { chain, coin };
}

describe('transaction bytes', () => {
  it('are read as bitcoinjs-lib reads them', () => {
    const script = fc.uint8Array({ maxLength: 300 });
    const output = fc.tuple(script, fc.bigInt(0n, 21_000_000n * 100_000_000n));
    const input = fc.tuple(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.nat(9));
    const lists = [
      fc.array(input, { minLength: 1, maxLength: 4 }),
      fc.array(output, { minLength: 1, maxLength: 4 }),
    ];
    fc.assert(
      fc.property(lists[0], lists[1], fc.nat(), fc.boolean(), (inputs, outputs, lockTime, witness) => {
        const theirs = new bitcoin.Transaction();
        theirs.locktime = lockTime;
        for (const [txid, index] of inputs) theirs.addInput(txid as Uint8Array, index as number, 7);
        for (const [to, sat] of outputs) theirs.addOutput(to as Uint8Array, sat as bigint);
        if (witness) theirs.setWitness(0, [new Uint8Array(64), new Uint8Array(0)]);
        const ours = parseTransaction(theirs.toBuffer());
        expect(ours?.id).toBe(toHex(theirs.getHash()));
        expect(ours?.vsize).toBe(theirs.virtualSize());
        expect(ours?.lockTime).toBe(lockTime);
        expect(ours?.outputs.map(({ valueSat }) => valueSat)).toEqual(outputs.map(([, sat]) => sat));
        expect(ours?.inputs.map(({ sequence }) => sequence)).toEqual(inputs.map(() => 7));
        expect(parseTransaction(theirs.toBuffer().subarray(0, -1))).toBeUndefined();
      }),
    );
  });

  it('of a coinbase follow from its height and outputs', () => {
    expect(coinbase(5, [])).toEqual(coinbase(5, []));
    expect(bitcoin.Transaction.fromBuffer(coinbase(5, [{ script: alice, valueSat: 9n }])).isCoinbase()).toBe(
      true,
    );
  });
});

describe('the simulated chain', () => {
  it('confirms what is valid, and says why it refuses the rest', () => {
    const { chain, coin } = funded();
    const good = spend({ from: [coin], to: [[bob, 99_000n]] });
    const early = spend({ from: [coin], to: [[bob, 99_000n]], lockTime: chain.height + 1, sequence: 0 });
    expect(chain.offer([Uint8Array.of(1)])).toBe('TX decode failed');
    expect(chain.offer([spend({ from: [coin], to: [[bob, 100_001n]] })])).toBe('bad-txns-in-belowout');
    expect(chain.offer([spend({ from: [coin], to: [[bob, 293n]] })])).toBe('dust');
    expect(chain.offer([spend({ from: [coin], to: [[bob, 99_990n]] })])).toBe('min relay fee not met');
    expect(chain.offer([spend({ from: [coin, coin], to: [[bob, 99_000n]] })])).toBe(
      'bad-txns-inputs-duplicate',
    );
    expect(chain.offer([early])).toBe('non-final');
    expect(chain.offer([good])).toBeUndefined();
    expect(chain.offer([good])).toBeUndefined();
    expect(chain.unspent(coin)).toBeUndefined();
    expect(chain.unspent({ txid: idOf(good), index: 0 })?.confirmations).toBe(0);
    chain.mine(2);
    expect(chain.unspent({ txid: idOf(good), index: 0 })?.confirmations).toBe(2);
    expect(chain.offer([spend({ from: [coin], to: [[bob, 90_000n]] })])).toBe(
      'bad-txns-inputs-missingorspent',
    );
    expect([chain.balanceSat(alice), chain.balanceSat(bob), chain.feesSat()]).toEqual([0n, 99_000n, 1_000n]);
    expect(chain.unspentSat() + chain.feesSat()).toBe(chain.issuedSat());
  });

  it('takes a lock time when its height has come', () => {
    const { chain, coin } = funded();
    const refund = spend({
      from: [coin],
      to: [[alice, 99_000n]],
      lockTime: chain.height + 3,
      sequence: 0xfffffffe,
    });
    chain.mine(2);
    expect(chain.offer([refund])).toBe('non-final');
    chain.mine();
    expect(chain.offer([refund])).toBeUndefined();
  });

  it('asks the verifier about each input with the outputs that are spent', () => {
    const asked: string[] = [];
    const chain = new SimChain({
      verifyInput: ({ input, spent }) => {
        asked.push(`${input} of ${spent.map(({ valueSat }) => valueSat).join('+')}`);
        return input === 1 ? 'bad signature' : undefined;
      },
    });
    chain.issue(alice, 10_000n);
    chain.issue(alice, 20_000n);
    chain.mine();
    const coins = [0, 1].map(index => ({ txid: chain.tip.transactions[0].txid, index }));
    expect(chain.offer([spend({ from: coins, to: [[bob, 29_000n]] })])).toMatch(/bad signature/);
    expect(asked).toEqual(['0 of 10000+20000', '1 of 10000+20000']);
  });

  it('replaces for a higher fee alone, and takes packages for their fee together', () => {
    const { chain, coin } = funded();
    const low = spend({ from: [coin], to: [[bob, 99_000n]] });
    const child = spend({ from: [{ txid: idOf(low), index: 0 }], to: [[bob, 98_000n]] });
    expect(chain.offer([low, child])).toBeUndefined();
    const same = spend({ from: [coin], to: [[alice, 98_000n]] });
    expect(chain.offer([same])).toBe('insufficient fee, rejecting replacement');
    const high = spend({ from: [coin], to: [[alice, 97_000n]] });
    expect(chain.offer([high])).toBeUndefined();
    expect(chain.mempool.transactions.map(({ transaction }) => transaction.id)).toEqual([toHex(idOf(high))]);

    const free = spend({ from: [{ txid: idOf(high), index: 0 }], to: [[bob, 97_000n]] });
    const pays = spend({ from: [{ txid: idOf(free), index: 0 }], to: [[bob, 96_000n]] });
    expect(chain.offer([free])).toBe('min relay fee not met');
    expect(chain.offer([free, pays])).toBeUndefined();
  });

  it('leaves cheap packages waiting when blocks cost more, with all that hangs on them', () => {
    const { chain, coin } = funded();
    const cheap = spend({ from: [coin], to: [[bob, 99_700n]] });
    const child = spend({ from: [{ txid: idOf(cheap), index: 0 }], to: [[bob, 99_400n]] });
    expect(chain.offer([cheap, child])).toBeUndefined();
    chain.minedSatPerKvb = 20_000n;
    chain.mine();
    expect(chain.tip.transactions).toHaveLength(1);
    const bump = spend({ from: [{ txid: idOf(child), index: 0 }], to: [[bob, 80_000n]] });
    expect(chain.offer([bump])).toBeUndefined();
    chain.mine();
    expect(chain.tip.transactions.map(({ txid }) => toHex(txid)).slice(1)).toEqual(
      [cheap, child, bump].map(bytes => toHex(idOf(bytes))),
    );
  });

  it('reorganises: transactions come back, but for those that the new branch spends otherwise', () => {
    const { chain, coin } = funded();
    const paid = spend({ from: [coin], to: [[bob, 99_000n]] });
    const onward = spend({ from: [{ txid: idOf(paid), index: 0 }], to: [[bob, 98_000n]] });
    chain.offer([paid]);
    chain.mine();
    chain.offer([onward]);
    chain.mine();
    const before = chain.tip;
    chain.reorg(3);
    expect(chain.height).toBe(before.height + 1);
    expect(chain.blocksFrom(before.height)[0].hash).not.toEqual(before.hash);
    expect(chain.balanceSat(bob)).toBe(98_000n);
    expect(chain.unspentSat() + chain.feesSat()).toBe(chain.issuedSat());

    const rival = spend({ from: [coin], to: [[alice, 99_500n]] });
    chain.reorg(3, { with: [rival], without: [toHex(idOf(paid))] });
    expect([chain.balanceSat(bob), chain.balanceSat(alice)]).toEqual([0n, 99_500n]);
    expect(chain.unspentSat() + chain.feesSat()).toBe(chain.issuedSat());
    expect(chain.mempool.transactions).toEqual([]);
  });
});

describe('the chain port', () => {
  function watching() {
    const world = new World({ seed: 1 });
    const node = new SimNode(world, 'a');
    const { chain, coin } = funded();
    const port = new SimChainPort(node, chain);
    const heard: string[] = [];
    const answers: Answer[] = [];
    port.attach({
      onAnswer: answer => answers.push(answer),
      onChain: (event: ChainEvent) => {
        const sat = event.kind === 'paid' ? ` ${event.valueSat}` : '';
        heard.push(`${event.kind} ${event.height - 101}${sat}`);
      },
    });
    world.runUntilIdle();
    return { world, node, chain, coin, port, heard, answers };
  }

  it('tells the tip, then blocks, payments and spending of what is watched, old ones too', () => {
    const { world, node, chain, coin, port, heard } = watching();
    node.turn(() => port.watch(alice, 101));
    world.runUntilIdle();
    chain.offer([spend({ from: [coin], to: [[alice, 99_000n]] })]);
    chain.mine();
    world.runUntilIdle();
    expect(heard).toEqual(['tip 0', 'block 0', 'paid 0 100000', 'block 1', 'spent 1', 'paid 1 99000']);
    chain.reorg(1);
    world.runUntilIdle();
    expect(heard.slice(6)).toEqual(['reorg 0', 'block 1', 'spent 1', 'paid 1 99000', 'block 2']);
  });

  it('answers with faults while the chain is out of reach, and catches up afterwards', () => {
    const { world, node, chain, coin, port, heard, answers } = watching();
    port.reach(false);
    node.turn(() => {
      port.output(coin, 1);
      port.broadcast([spend({ from: [coin], to: [[bob, 99_000n]] })], 2);
      port.feerate(3);
    });
    chain.mine(2);
    world.runUntilIdle();
    expect(answers.map(answer => 'fault' in answer && answer.fault)).toEqual(
      Array(3).fill('chain unreachable'),
    );
    expect(heard).toEqual(['tip 0', 'block 0']);
    port.reach(true);
    node.turn(() => port.output(coin, 4));
    world.runUntilIdle();
    expect(heard).toEqual(['tip 0', 'block 0', 'block 1', 'block 2']);
    expect(answers[3]).toMatchObject({ ask: 4, output: { valueSat: 100_000n, confirmations: 3 } });
  });
});

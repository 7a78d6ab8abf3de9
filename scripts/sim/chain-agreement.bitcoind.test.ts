import { address as addressCodec, networks, Transaction } from 'bitcoinjs-lib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Bitcoind, startBitcoind } from '../../regtest/bitcoind.ts';
import { type Funds, openFunds } from '../../regtest/funds.ts';
import { fromHex, toHex } from '../../src/base/bytes.ts';
import { keyPairFromSecret } from '../../src/bitcoin/keys.ts';
import { anchorScript } from '../../src/bitcoin/payment-tx.ts';
import { keyOutputScript, signCoinInput } from '../../src/bitcoin/spend-coin.ts';
import type { Outpoint } from '../../src/ports.ts';
import { SeededEntropy } from '../../src/sim/seeded-entropy.ts';
import { SimChain } from '../../src/sim/sim-chain.ts';
import { verifyInput } from './verify-input.ts';

const key = keyPairFromSecret(new Uint8Array(32).fill(5));
const stranger = keyPairFromSecret(new Uint8Array(32).fill(6));
const script = keyOutputScript(key.publicKey);
const coins = 60;
const coinSat = 1_000_000n;
const operations = 500;

/** A transaction without the ids of what it spends, which differ between the two chains. */
interface Draft {
  /** Places in the list of outputs. */
  readonly spends: readonly number[];
  readonly outputs: readonly { readonly script: Uint8Array; readonly valueSat: bigint }[];
  readonly lockTime: number;
  readonly sequence: number;
  readonly signedBy: typeof key;
}

/** One of the two chains. */
interface Side {
  readonly outpoints: Outpoint[];
  /** Undefined: taken. */
  offer(bytes: Uint8Array): Promise<string | undefined>;
  mine(): Promise<void>;
  reorg(depth: number): Promise<void>;
  unspent(outpoint: Outpoint): Promise<boolean>;
}

let bitcoind: Bitcoind;
let funds: Funds;

beforeAll(async () => {
  bitcoind = await startBitcoind();
  funds = await openFunds(bitcoind);
});
afterAll(() => bitcoind?.stop());

async function realSide(): Promise<Side> {
  const outpoints: Outpoint[] = [];
  const address = addressCodec.fromOutputScript(script, networks.regtest);
  for (let coin = 0; coin < coins; coin++) {
    const id = await funds.faucet(address, coinSat);
    const { vout } = await bitcoind.rpc<{ vout: { n: number; scriptPubKey: { hex: string } }[] }>(
      'getrawtransaction',
      id,
      1,
    );
    const index = vout.findIndex(({ scriptPubKey }) => scriptPubKey.hex === toHex(script));
    outpoints.push({ txid: fromHex(id)!.reverse(), index });
    await funds.mine(1);
  }
  return {
    outpoints,
    offer: async bytes => {
      try {
        await bitcoind.rpc('sendrawtransaction', toHex(bytes), 0);
        return undefined;
      } catch (error) {
        return (error as Error).message.replace(/^sendrawtransaction: /, '');
      }
    },
    mine: async () => void (await funds.mine(1)),
    reorg: async depth => {
      const height = await bitcoind.rpc<number>('getblockcount');
      const hash = await bitcoind.rpc<string>('getblockhash', height - depth + 1);
      await bitcoind.rpc('invalidateblock', hash);
      // To another address, or the block would be the one that was just called invalid.
      await funds.mine(depth + 1, await funds.address());
    },
    unspent: async ({ txid, index }) =>
      (await bitcoind.rpc('gettxout', toHex(txid.slice().reverse()), index, true)) !== null,
  };
}

function simulatedSide(startHeight: number): Side {
  const chain = new SimChain({ verifyInput, startHeight });
  for (let coin = 0; coin < coins; coin++) chain.issue(script, coinSat);
  chain.mine();
  const [{ txid }] = chain.tip.transactions;
  // So that no reorganisation reaches the coins.
  chain.mine(10);
  return {
    outpoints: Array.from({ length: coins }, (_, index) => ({ txid, index })),
    offer: async bytes => chain.offer([bytes]),
    mine: async () => chain.mine(),
    reorg: async depth => chain.reorg(depth),
    unspent: async outpoint => chain.unspent(outpoint) !== undefined,
  };
}

function build(draft: Draft, valuesSat: readonly bigint[], { outpoints }: Side): Transaction {
  const transaction = new Transaction();
  transaction.version = 2;
  transaction.locktime = draft.lockTime;
  for (const at of draft.spends)
    transaction.addInput(outpoints[at].txid, outpoints[at].index, draft.sequence);
  for (const output of draft.outputs) transaction.addOutput(output.script, output.valueSat);
  draft.spends.forEach((at, input) => {
    signCoinInput(transaction, input, {
      outpoint: outpoints[at],
      valueSat: valuesSat[at],
      key: draft.signedBy,
    });
  });
  return transaction;
}

/** A random transaction with at most one thing wrong with it. */
function drawDraft(draw: SeededEntropy, valuesSat: readonly bigint[], height: number): Draft {
  const spends = [...new Set(Array.from({ length: draw.between(1, 2) }, () => draw.below(valuesSat.length)))];
  const totalSat = spends.reduce((sum, at) => sum + valuesSat[at], 0n);
  const trouble = draw.chance(0.4)
    ? draw.pick(['free', 'dust', 'locked', 'forged', 'inflated'] as const)
    : 'none';
  const feeSat = trouble === 'free' ? 0n : BigInt(draw.pick([1_000, 4_000, 20_000]));
  const smallSat = trouble === 'dust' ? 293n : BigInt(draw.pick([294, 10_000]));
  const left = totalSat - feeSat - smallSat - 240n;
  const outputs = [
    { script, valueSat: trouble === 'inflated' ? totalSat + 1n : left },
    { script, valueSat: smallSat },
    { script: anchorScript, valueSat: 240n },
  ];
  return {
    spends,
    outputs,
    lockTime: trouble === 'locked' ? height + draw.between(0, 2) : 0,
    sequence: trouble === 'locked' ? 0xfffffffe : 0xffffffff,
    signedBy: trouble === 'forged' ? stranger : key,
  };
}

/** What a fault is about; the words differ between the versions of bitcoind, and nobody goes by them. */
const verdictWords: readonly (readonly [words: RegExp, verdict: string])[] = [
  // A chain port takes what is known for what was wanted.
  [/already/, 'taken'],
  [/inputs-duplicate/, 'spends twice'],
  [/dust/, 'dust'],
  [/missingorspent|missing-inputs/, 'input missing or spent'],
  [/non-final/, 'locked'],
  [/script-verify-flag/, 'wrong signature'],
  [/in-belowout/, 'more out than in'],
  [/insufficient fee/, 'replacement pays too little'],
  [/conflicting-tx/, 'spends what it replaces'],
  [/min relay fee/, 'fee too low'],
];

function verdict(fault: string | undefined): string {
  if (fault === undefined) return 'taken';
  return verdictWords.find(([words]) => words.test(fault))?.[1] ?? fault;
}

describe('the simulated chain and bitcoind', () => {
  it(`judge ${operations} random transactions alike, over blocks and reorganisations`, {
    timeout: 300_000,
  }, async () => {
    const real = await realSide();
    let height = await bitcoind.rpc<number>('getblockcount');
    const simulated = simulatedSide(height - 11);
    const sides = [real, simulated];
    const valuesSat = Array<bigint>(coins).fill(coinSat);
    const draw = new SeededEntropy('chain agreement');
    const verdicts = new Map<string, number>();
    for (let operation = 0; operation < operations; operation++) {
      if (draw.chance(0.1)) {
        for (const side of sides) await side.mine();
        height += 1;
      } else if (draw.chance(0.02)) {
        const depth = draw.between(1, 4);
        for (const side of sides) await side.reorg(depth);
        height += 1;
      }
      const draft = drawDraft(draw, valuesSat, height);
      if (draft.outputs.some(({ valueSat }) => valueSat <= 0n)) continue;
      const made = sides.map(side => build(draft, valuesSat, side));
      const said = await Promise.all(sides.map((side, at) => side.offer(made[at].toBuffer())));
      const [ours, theirs] = said.map(verdict);
      expect([operation, ours, said]).toEqual([operation, theirs, said]);
      verdicts.set(ours, (verdicts.get(ours) ?? 0) + 1);
      if (ours !== 'taken') continue;
      // The last output is an anchor, which is spent by channels alone.
      for (let index = 0; index < 2; index++) {
        valuesSat.push(draft.outputs[index].valueSat);
        for (const [at, side] of sides.entries()) side.outpoints.push({ txid: made[at].getHash(), index });
      }
    }
    for (const at of valuesSat.keys()) {
      const [there, here] = await Promise.all(sides.map(side => side.unspent(side.outpoints[at])));
      expect([at, here]).toEqual([at, there]);
    }
    expect(verdicts.size).toBeGreaterThanOrEqual(6);
  });
});

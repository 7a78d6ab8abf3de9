import { Transaction } from 'bitcoinjs-lib';
import { equalBytes, toHex } from '../../../src/base/bytes.ts';
import { HdKey, harden, type KeyPair } from '../../../src/bitcoin/keys.ts';
import { keyOutputScript, signCoinInput } from '../../../src/bitcoin/spend-coin.ts';
import type { Outpoint } from '../../../src/ports.ts';
import type { SimChain } from '../../../src/sim/sim-chain.ts';
import { outpointKey } from '../../../src/sim/transaction-bytes.ts';

/** A transaction that spends the coins of a contract elsewhere, and how deep the chain must be undone for it. */
export interface Rival {
  readonly transaction: Uint8Array;
  readonly depth: number;
  /** Ids of what must not come back: the contract, and all that came out of it. */
  readonly without: readonly string[];
}

const feeSat = 5_000n;
const addressesMax = 400;

/** Undefined: the contract is in no block, or its coins are not in deeper ones. @param seed of its payer's wallet. */
export function rivalOf(chain: SimChain, contract: Outpoint, seed: Uint8Array): Rival | undefined {
  const id = toHex(contract.txid);
  const block = chain.blocksFrom(0).find(({ transactions }) => transactions.some(each => each.id === id));
  const paid = block?.transactions.find(each => each.id === id);
  if (block === undefined || paid === undefined) return undefined;
  const coins = paid.inputs.map(({ outpoint }) => ({
    outpoint,
    coin: block.spent.get(outpointKey(outpoint)),
  }));
  const rival = new Transaction();
  rival.version = 2;
  let heldSat = 0n;
  for (const { outpoint, coin } of coins) {
    if (coin === undefined || coin.height >= block.height) return undefined;
    rival.addInput(outpoint.txid, outpoint.index);
    heldSat += coin.valueSat;
  }
  rival.addOutput(keyOutputScript(keyAt(seed, 0).publicKey), heldSat - feeSat);
  for (const [index, { outpoint, coin }] of coins.entries()) {
    const key = coin && keyOf(seed, coin.script);
    if (coin === undefined || key === undefined) return undefined;
    signCoinInput(rival, index, { outpoint, valueSat: coin.valueSat, key });
  }
  const depth = chain.height - block.height + 1;
  const gone = new Set([id]);
  for (const { transactions } of chain.blocksFrom(block.height)) {
    for (const each of transactions)
      if (each.inputs.some(({ outpoint }) => gone.has(toHex(outpoint.txid)))) gone.add(each.id);
  }
  return { transaction: rival.toBuffer(), depth, without: [...gone] };
}

function keyAt(seed: Uint8Array, index: number): KeyPair {
  return HdKey.fromSeed(seed).path(harden(84), harden(1), harden(0), 0, index).keyPair();
}

function keyOf(seed: Uint8Array, script: Uint8Array): KeyPair | undefined {
  const branch = HdKey.fromSeed(seed).path(harden(84), harden(1), harden(0), 0);
  for (let index = 0; index < addressesMax; index++) {
    const key = branch.child(index).keyPair();
    if (equalBytes(keyOutputScript(key.publicKey), script)) return key;
  }
  return undefined;
}

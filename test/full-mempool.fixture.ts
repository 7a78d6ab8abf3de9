import { Transaction } from 'bitcoinjs-lib';
import type { Bitcoind } from '../regtest/bitcoind.ts';
import { bitcoinOf, satoshiOf } from '../regtest/bitcoind-rpc.ts';
import type { Funds } from '../regtest/funds.ts';

/** Options of a bitcoind whose mempool is soon full: 5 MB are the least that it takes. */
export const smallMempool = ['-maxmempool=5'];

const outputsEach = 3_000;
const outputSat = 300n;
/** P2WPKH, whose key nobody has: what they hold is given up. */
const script = Uint8Array.of(0, 20, ...new Uint8Array(20).fill(7));
/** Of 31 bytes each, and a little. */
const vsizeEach = BigInt(outputsEach * 31 + 200);

/**
 * Fills the mempool with transactions of that feerate and above, until it throws the cheapest out and asks more of what
 * comes. The feerate that it asks then, in sat per 1000 virtual bytes.
 */
export async function fillMempool(bitcoind: Bitcoind, funds: Funds, satPerVbyte: bigint): Promise<bigint> {
  const wallet = bitcoind.walletRpc('faucet');
  const coinSat = vsizeEach * satPerVbyte * 2n + BigInt(outputsEach) * outputSat;
  const addresses = await Promise.all(Array.from({ length: 70 }, () => funds.address()));
  await wallet('sendmany', '', Object.fromEntries(addresses.map(each => [each, bitcoinOf(coinSat)])));
  await funds.mine(1);
  const unspent = await wallet<{ txid: string; vout: number; amount: number }[]>('listunspent', 1, 1);
  const coins = unspent.filter(({ amount }) => satoshiOf(amount) === coinSat);
  const floor = await minFeerate(bitcoind);
  for (const [at, { txid, vout }] of coins.entries()) {
    const feeSat = vsizeEach * (satPerVbyte + BigInt(at));
    const large = new Transaction();
    large.addInput(Buffer.from(txid, 'hex').reverse(), vout);
    const restSat = coinSat - feeSat - BigInt(outputsEach) * outputSat;
    for (let i = 0; i < outputsEach; i++) large.addOutput(script, i === 0 ? outputSat + restSat : outputSat);
    const { hex } = await wallet<{ hex: string }>('signrawtransactionwithwallet', large.toHex());
    await wallet('sendrawtransaction', hex, 0);
    if ((await minFeerate(bitcoind)) > floor) return minFeerate(bitcoind);
  }
  throw new Error('the mempool is not full');
}

async function minFeerate(bitcoind: Bitcoind): Promise<bigint> {
  const { mempoolminfee } = await bitcoind.rpc<{ mempoolminfee: number }>('getmempoolinfo');
  return satoshiOf(mempoolminfee);
}

import { Transaction } from 'bitcoinjs-lib';
import { bitcoinOf, type RpcCall, satoshiOf } from '../../regtest/bitcoind-rpc.ts';
import { scriptOfAddress } from '../../src/bitcoin/wallet.ts';
import type { CrashChain } from './crash-chain.ts';

/** The least mempool that bitcoind has; what fills it is forgotten at the next start. */
export const spikeOptions = ['-maxmempool=5', '-persistmempool=0'];

/** Fifty times what a settlement pays by itself. */
const spikeSatPerVbyte = 100n;
/** What a settlement with its child then costs at the least, by both of their sizes. */
export const spikeFeeSatMin = spikeSatPerVbyte * 300n;
/** A transaction is standard up to 100,000 virtual bytes. */
const fillerOutputs = 2_500;
const fillerVbytesMax = 31 * fillerOutputs + 200;
const fillerFeeSat = BigInt(fillerVbytesMax) * (spikeSatPerVbyte + 20n);
const outputSat = 1_000n;
/** P2WPKH of a key that nobody has. */
const nobodysScript = Uint8Array.from({ length: 22 }, (_, at) => (at === 1 ? 20 : 0));
const fillersMax = 80;
/** As many as a few blocks take out of a full mempool. */
const coinsMin = 150;
const coinSat = fillerFeeSat + BigInt(fillerOutputs) * outputSat + 100_000n;

interface Unspent {
  readonly txid: string;
  readonly vout: number;
  readonly amount: number;
}

/** Splits what the faucet has into coins for fillers, a block before they are needed. */
export async function prepareFillers({ faucet }: Pick<CrashChain, 'faucet'>): Promise<void> {
  if ((await fillerCoins(faucet)).length >= coinsMin) return;
  const addresses = await Promise.all(
    Array.from({ length: coinsMin }, () => faucet<string>('getnewaddress')),
  );
  await faucet('sendmany', '', Object.fromEntries(addresses.map(address => [address, bitcoinOf(coinSat)])));
}

function fillerCoins(faucet: RpcCall): Promise<readonly Unspent[]> {
  const minimumAmount = bitcoinOf(coinSat);
  return faucet('listunspent', 1, 9_999_999, [], false, { minimumAmount });
}

/** Fills it with transactions that pay well, until it takes none for less than fifty times the usual feerate. */
export async function fillMempool({ rpc, faucet }: Pick<CrashChain, 'rpc' | 'faucet'>): Promise<void> {
  const coins = await fillerCoins(faucet);
  const changeScript = scriptOfAddress(await faucet<string>('getnewaddress', '', 'bech32'));
  if (changeScript === undefined) throw new Error('the faucet has no address');
  for (const coin of coins.slice(0, fillersMax)) {
    const { mempoolminfee } = await rpc<{ mempoolminfee: number }>('getmempoolinfo');
    if (satoshiOf(mempoolminfee) >= spikeSatPerVbyte * 1_000n) return;
    await sendFiller(rpc, faucet, coin, changeScript);
  }
  throw new Error('the mempool cannot be filled');
}

async function sendFiller(
  rpc: RpcCall,
  faucet: RpcCall,
  { txid, vout, amount }: Unspent,
  changeScript: Uint8Array,
): Promise<void> {
  const filler = new Transaction();
  filler.version = 2;
  filler.addInput(Buffer.from(txid, 'hex').reverse(), vout);
  filler.addOutput(changeScript, satoshiOf(amount) - fillerFeeSat - BigInt(fillerOutputs) * outputSat);
  for (let output = 0; output < fillerOutputs; output++) filler.addOutput(nobodysScript, outputSat);
  const raw = filler.toHex();
  const { hex } = await faucet<{ hex: string }>('signrawtransactionwithwallet', raw);
  // The last one does not find room any more, and says by that what the least feerate is.
  await rpc('sendrawtransaction', hex).catch((error: Error) => {
    if (!/mempool full/.test(error.message)) throw error;
  });
}

import type { RpcCall } from '../regtest/bitcoind-rpc.ts';
import type { ChainFact, ContractFacts } from '../src/schemes/bitcoin-channel/index.ts';

interface RawTransaction {
  readonly txid: string;
  readonly hex: string;
  readonly vin: readonly { readonly txid?: string; readonly vout?: number }[];
}

const blocksAtOnce = 16;

/**
 * What bitcoind has of these contracts, named TXID:INDEX: in its blocks from a height on, and in its mempool. Needs no
 * index of transactions.
 */
export async function contractFacts(
  rpc: RpcCall,
  names: Iterable<string>,
  fromHeight: number,
): Promise<ReadonlyMap<string, ContractFacts>> {
  const wanted = new Set(names);
  const holders = new Set([...wanted].map(name => name.split(':')[0]));
  const contracts = new Map<string, ChainFact>();
  const spendings = new Map<string, ChainFact>();
  const take = ({ txid, hex, vin }: RawTransaction, confirmations: number) => {
    const fact = { bytes: Buffer.from(hex, 'hex'), confirmations };
    if (holders.has(txid)) contracts.set(txid, fact);
    for (const input of vin) {
      const spent = `${input.txid}:${input.vout}`;
      if (wanted.has(spent)) spendings.set(spent, fact);
    }
  };
  // The mempool first: what a block takes from it meanwhile is seen there, and counts.
  if (wanted.size > 0) {
    for (const txid of await rpc<string[]>('getrawmempool')) {
      const waiting = await rpc<RawTransaction>('getrawtransaction', txid, 1).catch(() => undefined);
      if (waiting !== undefined) take(waiting, 0);
    }
  }
  const tip = await rpc<number>('getblockcount');
  for (let from = fromHeight; from <= tip; from += blocksAtOnce) {
    const heights = Array.from({ length: Math.min(blocksAtOnce, tip - from + 1) }, (_, at) => from + at);
    await Promise.all(
      heights.map(async height => {
        const hash = await rpc<string>('getblockhash', height);
        const { tx } = await rpc<{ tx: readonly RawTransaction[] }>('getblock', hash, 2);
        for (const each of tx) take(each, tip - height + 1);
      }),
    );
  }
  return new Map(
    [...wanted].map(name => {
      const contract = contracts.get(name.split(':')[0]);
      return [name, { contract, spending: spendings.get(name) }];
    }),
  );
}

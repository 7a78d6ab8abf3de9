import { type RpcCall, RpcFault, satoshiOf } from '../regtest/bitcoind-rpc.ts';

/** An output by the name that explorers give it. */
export interface OutputName {
  readonly txid: string;
  readonly index: number;
}

/** How an output was spent, as bitcoind tells it. */
export interface Settlement {
  readonly txid: string;
  /** 0 while it waits in the mempool. */
  readonly confirmations: number;
  readonly outputs: readonly { readonly script: string; readonly address?: string; readonly sat: bigint }[];
  /** What the spent outputs held above what the new ones hold. */
  readonly feeSat: bigint;
}

interface RawOutput {
  readonly value: number | string;
  readonly scriptPubKey: { readonly hex: string; readonly address?: string };
}

interface RawTransaction {
  readonly txid: string;
  readonly vin: readonly { readonly txid?: string; readonly vout?: number }[];
  readonly vout: readonly RawOutput[];
  readonly confirmations?: number;
}

/** The transaction that spends an output, in a block or waiting for one; undefined while the output is unspent. */
export async function settlementOf(rpc: RpcCall, spent: OutputName): Promise<Settlement | undefined> {
  const found = (await inMempool(rpc, spent)) ?? (await inBlocks(rpc, spent));
  if (found === undefined) return undefined;
  const outputs = found.vout.map(outputOf);
  const spentSat = await Promise.all(found.vin.map(input => heldBy(rpc, input)));
  const sum = (amounts: readonly bigint[]) => amounts.reduce((total, amount) => total + amount, 0n);
  return {
    txid: found.txid,
    confirmations: found.confirmations ?? 0,
    outputs,
    feeSat: sum(spentSat) - sum(outputs.map(({ sat }) => sat)),
  };
}

/** What an output of a known transaction holds, spent or not. */
export async function satoshiAt(rpc: RpcCall, { txid, index }: OutputName): Promise<bigint> {
  return heldBy(rpc, { txid, vout: index });
}

async function heldBy(rpc: RpcCall, { txid, vout = 0 }: RawTransaction['vin'][number]): Promise<bigint> {
  if (txid === undefined) return 0n;
  const { vout: outputs } = await transaction(rpc, txid);
  return outputOf(outputs[vout]).sat;
}

function outputOf({ value, scriptPubKey }: RawOutput): Settlement['outputs'][number] {
  return { script: scriptPubKey.hex, address: scriptPubKey.address, sat: satoshiOf(value) };
}

const notFound = -5;

/**
 * Of the mempool or of a block. While a block comes it may be in neither: bitcoind's index of transactions follows a moment
 * later. It is missing for good where it is missing in an index that holds all blocks, before and after.
 */
async function transaction(rpc: RpcCall, txid: string): Promise<RawTransaction> {
  for (;;) {
    const before = await wholeIndexAt(rpc);
    try {
      return await rpc<RawTransaction>('getrawtransaction', txid, 1);
    } catch (error) {
      if (!(error instanceof RpcFault) || error.code !== notFound) throw error;
      const after = await wholeIndexAt(rpc);
      if (before !== undefined && before === after) throw error;
    }
  }
}

/** The height of the chain, once the index of transactions holds all of it. */
async function wholeIndexAt(rpc: RpcCall): Promise<number | undefined> {
  const tip = await rpc<number>('getblockcount');
  const { txindex } = await rpc<{ txindex?: { best_block_height: number } }>('getindexinfo');
  return txindex === undefined || txindex.best_block_height >= tip ? tip : undefined;
}

async function inMempool(rpc: RpcCall, { txid, index }: OutputName): Promise<RawTransaction | undefined> {
  const [spending] = await rpc<{ spendingtxid?: string }[]>('gettxspendingprevout', [{ txid, vout: index }]);
  return spending?.spendingtxid === undefined ? undefined : transaction(rpc, spending.spendingtxid);
}

/** Looks through the blocks since the one that holds the output itself. */
async function inBlocks(rpc: RpcCall, { txid, index }: OutputName): Promise<RawTransaction | undefined> {
  const { confirmations = 0 } = await transaction(rpc, txid);
  const tip = await rpc<number>('getblockcount');
  for (let height = tip - confirmations + 1; confirmations > 0 && height <= tip; height++) {
    const hash = await rpc<string>('getblockhash', height);
    const { tx } = await rpc<{ tx: RawTransaction[] }>('getblock', hash, 2);
    const spends = tx.find(({ vin }) => vin.some(input => input.txid === txid && input.vout === index));
    if (spends !== undefined) return { ...spends, confirmations: tip - height + 1 };
  }
  return undefined;
}

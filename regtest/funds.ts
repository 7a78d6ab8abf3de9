import type { Bitcoind } from './bitcoind.ts';
import { bitcoinOf, type RpcCall, RpcFault, regtestRpc, satoshiOf } from './bitcoind-rpc.ts';

const faucetWallet = 'faucet';
/** A coinbase output can be spent once 100 blocks are on top of it. */
const maturityBlocks = 100;

/** The bitcoin of a private chain: mined at will, given away freely. */
export interface Funds {
  /** Mines blocks, paid to `address` or to the faucet; their hashes. */
  mine(blocks: number, address?: string): Promise<string[]>;
  /** Pays from the faucet, mining until it has enough; the transaction is in the mempool. Its id. */
  faucet(address: string, satoshi: bigint): Promise<string>;
  /** A fresh address of the faucet's own wallet. */
  address(): Promise<string>;
  /**
   * Mines a block whenever transactions wait, and it is time for one. Returns what ends that; calling it waits for a block in
   * the making.
   */
  autoMine(everyMs?: number, isTime?: () => Promise<boolean>): () => Promise<void>;
}

/** Opens, or makes, the faucet's wallet, and mines the chain's first spendable coins when there are none. */
export async function openFunds(bitcoind: Pick<Bitcoind, 'rpc' | 'walletRpc'>): Promise<Funds> {
  await openWallet(bitcoind.rpc, faucetWallet);
  const wallet = bitcoind.walletRpc(faucetWallet);
  const own = await wallet<string>('getnewaddress');
  const mine = (blocks: number, address = own) =>
    bitcoind.rpc<string[]>('generatetoaddress', blocks, address);
  if ((await bitcoind.rpc<number>('getblockcount')) <= maturityBlocks) await mine(maturityBlocks + 1);
  return {
    mine,
    address: () => wallet<string>('getnewaddress'),
    faucet: async (address, satoshi) => {
      // Each further block ripens one more coinbase; the subsidy halves every 150 blocks, so this is bounded.
      for (let tries = 0; tries < 1_000; tries++) {
        if (satoshiOf(await wallet<number>('getbalance')) > satoshi + 100_000n) break;
        await mine(1);
      }
      return wallet<string>('sendtoaddress', address, bitcoinOf(satoshi));
    },
    autoMine: (everyMs = 200, isTime = async () => true) =>
      mineWhenNeeded(bitcoind.rpc, () => mine(1), everyMs, isTime),
  };
}

/** The same, of a chain that is known by how it is reached. */
export function fundsAt({ rpcUrl, cookieFile }: Pick<Bitcoind, 'rpcUrl' | 'cookieFile'>): Promise<Funds> {
  const rpc = regtestRpc(rpcUrl, cookieFile);
  return openFunds({ rpc, walletRpc: wallet => regtestRpc(rpcUrl, cookieFile, wallet) });
}

async function openWallet(rpc: RpcCall, name: string): Promise<void> {
  if ((await rpc<string[]>('listwallets')).includes(name)) return;
  try {
    await rpc('loadwallet', name);
  } catch (error) {
    // -18: no such wallet yet.
    if (!(error instanceof RpcFault) || error.code !== -18) throw error;
    await rpc('createwallet', name);
  }
}

function mineWhenNeeded(
  rpc: RpcCall,
  mine: () => Promise<unknown>,
  everyMs: number,
  isTime: () => Promise<boolean>,
): () => Promise<void> {
  let over = false;
  let running: Promise<void> = Promise.resolve();
  const look = async (): Promise<void> => {
    try {
      const { size } = await rpc<{ size: number }>('getmempoolinfo');
      if (size > 0 && (await isTime()) && !over) await mine();
    } catch {
      // bitcoind is busy, restarting or gone; whoever owns it says so.
    }
  };
  let looking = false;
  const timer = setInterval(() => {
    if (looking) return;
    looking = true;
    running = look().finally(() => {
      looking = false;
    });
  }, everyMs);
  timer.unref();
  return async () => {
    over = true;
    clearInterval(timer);
    await running;
  };
}

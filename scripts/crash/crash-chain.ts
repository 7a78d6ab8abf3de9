import { type Bitcoind, startBitcoind } from '../../regtest/bitcoind.ts';
import type { BitcoindProgram } from '../../regtest/bitcoind-program.ts';
import type { RpcCall } from '../../regtest/bitcoind-rpc.ts';
import { type Funds, openFunds } from '../../regtest/funds.ts';

const autoMineMs = 50;

/** A bitcoind that can be killed, restarted and reorganised; between that it mines whatever waits. */
export class CrashChain {
  /** Whether whoever lives has treated the block at that height: no other one comes by itself before. */
  hasBeenFollowed: (height: number) => boolean = () => true;
  readonly #program: BitcoindProgram;
  readonly #removeWhenOrphaned: string;
  readonly #dataDir: string;
  #bitcoind: Bitcoind;
  #funds: Funds;
  #stopMining: () => Promise<void>;

  private constructor(bitcoind: Bitcoind, funds: Funds, dir: string) {
    this.#bitcoind = bitcoind;
    this.#program = bitcoind.program;
    this.#dataDir = bitcoind.dataDir;
    this.#removeWhenOrphaned = dir;
    this.#funds = funds;
    this.#stopMining = this.#mineOnDemand();
  }

  /** @param dir removed when this process dies without stopping it. */
  static async start(program: BitcoindProgram, dataDir: string, dir: string): Promise<CrashChain> {
    const bitcoind = await startBitcoind({ program, dataDir, removeWhenOrphaned: dir });
    return new CrashChain(bitcoind, await openFunds(bitcoind), dir);
  }

  get rpc(): RpcCall {
    return this.#bitcoind.rpc;
  }

  /** Of the wallet that has what was mined. */
  get faucet(): RpcCall {
    return this.#bitcoind.walletRpc('faucet');
  }

  get access(): { readonly rpcUrl: string; readonly cookieFile: string } {
    return this.#bitcoind;
  }

  get funds(): Funds {
    return this.#funds;
  }

  height(): Promise<number> {
    return this.rpc<number>('getblockcount');
  }

  mine(blocks: number): Promise<unknown> {
    return this.#funds.mine(blocks);
  }

  /** Blocks that take nothing of what waits. */
  async mineEmpty(blocks: number): Promise<void> {
    const address = await this.#funds.address();
    for (let mined = 0; mined < blocks; mined++) await this.rpc('generateblock', address, []);
  }

  /** A block of these transactions (hex or id), whatever else waits. */
  async mineOnly(transactions: readonly string[]): Promise<void> {
    await this.rpc('generateblock', await this.#funds.address(), transactions);
  }

  /** While it runs, blocks come only when they are asked for. */
  async withoutMining<T>(run: () => Promise<T>): Promise<T> {
    await this.#stopMining();
    try {
      return await run();
    } finally {
      this.#stopMining = this.#mineOnDemand();
    }
  }

  /** kill -9 right after blocks came, so that it starts again with a lower tip and an empty mempool. By how much lower. */
  async killAndRestart(blocks: number, args: readonly string[] = []): Promise<number> {
    await this.#stopMining();
    await this.mine(blocks);
    const before = await this.height();
    const { rpcPort } = this.#bitcoind;
    await this.#bitcoind.kill();
    await this.#startAgain(rpcPort, args);
    return before - (await this.height());
  }

  /** In order, with other options. */
  async restart(args: readonly string[]): Promise<void> {
    await this.#stopMining();
    const { rpcPort } = this.#bitcoind;
    await this.#bitcoind.stop();
    await this.#startAgain(rpcPort, args);
  }

  /** Margins of a private chain are a few blocks, and a machine may be busy: nobody loses by being slow. */
  #mineOnDemand(): () => Promise<void> {
    return this.#funds.autoMine(autoMineMs, async () => this.hasBeenFollowed(await this.height()));
  }

  async #startAgain(rpcPort: number, args: readonly string[]): Promise<void> {
    const [program, dataDir, removeWhenOrphaned] = [this.#program, this.#dataDir, this.#removeWhenOrphaned];
    this.#bitcoind = await startBitcoind({ program, dataDir, rpcPort, removeWhenOrphaned, args });
    this.#funds = await openFunds(this.#bitcoind);
    this.#stopMining = this.#mineOnDemand();
  }

  /** The last `depth` blocks give way to one more, which are empty but for `transactions` (hex) in the first. */
  async reorganise(depth: number, transactions: readonly string[] = []): Promise<void> {
    await this.withoutMining(async () => {
      const fork = (await this.height()) - depth + 1;
      await this.rpc('invalidateblock', await this.rpc('getblockhash', fork));
      await this.mineOnly(transactions);
      await this.mineEmpty(depth);
    });
  }

  async stop(): Promise<void> {
    await this.#stopMining();
    await this.#bitcoind.stop();
  }
}

import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { exitCode, OperatorError } from '../src/base/fault.ts';
import { BitcoindChain } from '../src/node-io/bitcoind-chain.ts';
import { readFileStore } from '../src/node-io/file-store.ts';
import {
  decodeWatchOrders,
  encodeWatchOrders,
  type TowerNews,
  type WatchOrder,
  type WatchRow,
  Watchtower,
  watchOrders,
} from '../src/schemes/bitcoin-channel/index.ts';
import type { GlobalOptions } from './global-options.ts';
import { interruption } from './interruption.ts';
import { type ChainOptions, chainRpc, namedChain } from './named-chain.ts';
import type { ChainAccess } from './network-state.ts';
import { nodeDirectories } from './node-ledgers.ts';
import { type PassphraseOptions, passphraseOf } from './passphrase.ts';
import { readSealed, writeSealed } from './sealed-file.ts';
import { counted, grouped, type Terminal, table } from './terminal.ts';
import { TowerFees } from './tower-fees.ts';

interface ExportOptions extends GlobalOptions, PassphraseOptions {
  readonly dir?: string;
  readonly output: string;
}

/** One complete transaction for each channel that is not over, sealed, for a watchtower. The nodes may be running. */
export async function exportOrders(options: ExportOptions, terminal: Terminal): Promise<undefined> {
  const { dir, dataDir, output } = options;
  const passphrase = passphraseOf(options);
  const directories = dir === undefined ? nodeDirectories(resolve(dataDir)) : [resolve(dir)];
  const orders: WatchOrder[] = [];
  for (const directory of directories) {
    const records = readFileStore(directory);
    orders.push(...watchOrders(records));
    await records.close();
  }
  writeSealed('watch', output, encodeWatchOrders(orders), passphrase);
  const payments = orders.filter(({ how }) => how === 'payment').length;
  const refunds = orders.length - payments;
  terminal.object({ file: resolve(output), payments, refunds });
  terminal.print(`${counted(payments, 'settlement')} and ${counted(refunds, 'refund')} in ${output}`);
  terminal.say(`They hold no key. On another machine: naulon channel watch ${output} --pay pay.yaml`);
  return undefined;
}

interface WatchOptions extends ChainOptions, PassphraseOptions {
  readonly wallet?: string;
  readonly maxFees: number;
}

/** A watchtower, until interrupted. Files that are written anew are read again at the next block. */
export async function watch(options: WatchOptions, terminal: Terminal, files: string[]): Promise<number> {
  const passphrase = passphraseOf(options);
  const found = await namedChain(options);
  if (found === undefined) {
    const what = `no chain runs in ${resolve(options.dataDir)}; name a bitcoind with --pay`;
    throw new OperatorError('REGTEST_DOWN', what, exitCode.missing);
  }
  await chainRpc(found);
  const stopping = interruption();
  const tower = new TowerProcess(found, files, passphrase, terminal, await feesOf(options, found));
  try {
    tower.start();
    await stopping.requested;
    return exitCode.ok;
  } finally {
    await tower.stop();
    stopping.done();
  }
}

async function feesOf({ wallet, maxFees }: WatchOptions, chain: ChainAccess): Promise<TowerFees | undefined> {
  if (wallet === undefined) return undefined;
  const { regtestRpc } = await import('../regtest/bitcoind-rpc.ts');
  const rpc = regtestRpc(chain.rpcUrl, chain.cookieFile, wallet);
  await rpc('getwalletinfo').catch((error: Error) => {
    throw new OperatorError('TOWER_NO_WALLET', `bitcoind has no wallet "${wallet}": ${error.message}`, 3);
  });
  return new TowerFees(await chainRpc(chain), rpc, BigInt(maxFees));
}

/** A tower on its bitcoind, with the files that it is told of. */
class TowerProcess {
  readonly #files: readonly string[];
  readonly #passphrase: string;
  readonly #terminal: Terminal;
  readonly #fees: TowerFees | undefined;
  readonly #chain: BitcoindChain;
  readonly #tower: Watchtower;
  readonly #readAt = new Map<string, string>();
  #raising: Promise<void> = Promise.resolve();
  #asks = 0;
  #shown = false;

  constructor(
    { rpcUrl, cookieFile }: ChainAccess,
    files: readonly string[],
    passphrase: string,
    terminal: Terminal,
    fees: TowerFees | undefined,
  ) {
    this.#files = files;
    this.#passphrase = passphrase;
    this.#terminal = terminal;
    this.#fees = fees;
    const observer = {
      log: (level: string, event: string, fields = {}) => {
        if (level !== 'debug') terminal.say(`${event} ${JSON.stringify(fields)}`);
      },
      count: () => {},
    };
    this.#chain = new BitcoindChain({ url: rpcUrl, cookieFile, observer });
    this.#tower = new Watchtower({
      chain: this.#chain,
      newAsk: () => ++this.#asks,
      tell: news => this.#tell(news),
      raise: (order, contract, blocks) => this.#raise(order, contract, blocks),
    });
  }

  start(): void {
    this.#read();
    this.#chain.attach({
      onAnswer: answer => this.#tower.onAnswer(answer),
      onChain: event => {
        if (event.kind === 'block') this.#readAgain();
        this.#tower.onChain(event);
        if (event.kind === 'block' && !this.#shown) this.#show();
      },
    });
  }

  async stop(): Promise<void> {
    await this.#chain.stop();
    await this.#raising;
  }

  #show(): void {
    this.#shown = true;
    const { rows } = this.#tower;
    this.#terminal.object({ event: 'watching', channels: rows.map(toldRow) });
    if (rows.length > 0) for (const line of towerTable(rows)) this.#terminal.print(line);
    this.#terminal.say(`watching ${counted(rows.length, 'channel')}; Ctrl-C ends that`);
  }

  #read(): void {
    for (const file of this.#files) {
      const { mtimeMs, size, ino } = statSync(file, { throwIfNoEntry: false }) ?? {};
      const now = `${mtimeMs} ${size} ${ino}`;
      if (this.#readAt.get(file) === now) continue;
      const orders = decodeWatchOrders(readSealed('watch', file, this.#passphrase));
      if (orders === undefined)
        throw new OperatorError('SEALED_MALFORMED', `${file}: its orders make no sense`, exitCode.usage);
      this.#readAt.set(file, now);
      this.#tower.take(orders);
    }
  }

  /** A file that is missing or damaged for now takes nothing away from what is watched. */
  #readAgain(): void {
    try {
      this.#read();
    } catch (error) {
      this.#terminal.say((error as Error).message);
    }
  }

  #tell({ event, contract, how, txid, height, fault }: TowerNews): void {
    this.#terminal.object({ event, contract, how, txid, height, fault });
    if (event === 'spent') this.#fees?.release(contract);
    if (event === 'taken' && !this.#shown) return;
    const what = how === 'payment' ? 'settlement' : 'refund';
    const lines: Readonly<Record<TowerNews['event'], string>> = {
      taken: `${what} ${txid} is watched`,
      offered: `${what} ${txid} offered to the chain`,
      refused: `${what} ${txid} refused: ${fault}`,
      spent: `spent by ${txid}`,
      over: `over: ${txid} is final`,
    };
    this.#terminal.print(`${height} ${contract.slice(0, 12)} ${lines[event]}`);
  }

  #raise(order: WatchOrder, contract: string, blocks: number): void {
    const fees = this.#fees;
    if (fees === undefined) return;
    this.#raising = this.#raising.then(async () => {
      const isDue = () => this.#tower.rows.some(row => row.contract === contract && row.state === 'due');
      const raised = await fees.raise(contract, order, blocks, isDue);
      if (raised === undefined) return;
      const said = typeof raised === 'string' ? { fault: raised } : { feeSat: raised };
      this.#terminal.object({ event: 'raised', contract, ...said });
      const what =
        typeof raised === 'string' ? `fee not raised: ${raised}` : `fee raised by ${grouped(raised)} sat`;
      this.#terminal.print(`${contract.slice(0, 12)} ${what}`);
    });
  }
}

function toldRow({
  contract,
  how,
  paidSat,
  capacitySat,
  actHeight,
  refundHeight,
  blocksLeft,
  state,
  txid,
}: WatchRow) {
  return { contract, how, paidSat, capacitySat, actHeight, refundHeight, blocksLeft, state, txid };
}

function towerTable(rows: readonly WatchRow[]): string[] {
  const cells = rows.map(({ contract, how, paidSat, capacitySat, actHeight, blocksLeft, refundHeight }) => [
    contract.slice(0, 12),
    how === 'payment' ? 'settlement' : 'refund',
    grouped(how === 'payment' ? paidSat : capacitySat),
    String(actHeight),
    String(blocksLeft),
    String(refundHeight),
  ]);
  return table(['contract', 'order', 'sat', 'acts at', 'in blocks', 'T'], cells);
}

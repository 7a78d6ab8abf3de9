import { basename, join, resolve } from 'node:path';
import type { Funds } from '../regtest/funds.ts';
import { exitCode, OperatorError } from '../src/base/fault.ts';
import { openDataDirectory } from '../src/node-io/data-directory.ts';
import { FileStore, readFileStore } from '../src/node-io/file-store.ts';
import { SystemEntropy } from '../src/node-io/system-entropy.ts';
import type { StoreWrite } from '../src/ports.ts';
import { hasWallet, newWallet, watchedScripts } from '../src/schemes/bitcoin-channel/index.ts';
import type { GlobalOptions } from './global-options.ts';
import { type MoneyControl, moneyControl, untilSeen, type WalletBalance } from './money-control.ts';
import { chainAt } from './running-chain.ts';
import { counted, grouped, type Terminal, table } from './terminal.ts';
import { controlSocket } from './use-commands.ts';

interface ClientOptions extends GlobalOptions {
  readonly control?: string;
}

interface DirectoryOptions extends GlobalOptions {
  readonly dir?: string;
}

/** Makes a wallet in a client's data directory, before the client first runs. Never touches one that is there. */
export async function create(options: DirectoryOptions, terminal: Terminal): Promise<undefined> {
  const directory = clientDirectory(options);
  if (await walletIsIn(directory)) {
    const what = `${directory} has a wallet already, which is kept; name another directory with --dir`;
    throw new OperatorError('WALLET_EXISTS', what, exitCode.usage);
  }
  const { address, writes } = newWallet(new SystemEntropy());
  await store(openDataDirectory(directory), writes);
  terminal.object({ directory, address });
  terminal.print(`wallet   ${directory}`);
  terminal.print(`address  ${address}`);
  terminal.say(`A client whose torrc says "DataDirectory ${directory}" pays from it.`);
  return undefined;
}

export async function address(options: ClientOptions, terminal: Terminal): Promise<undefined> {
  return withMoney(options, async money => {
    const fresh = await money.address();
    terminal.object({ address: fresh });
    terminal.print(fresh);
  });
}

export async function balance(options: ClientOptions, terminal: Terminal): Promise<undefined> {
  return withMoney(options, async money => {
    const now = await money.balance();
    terminal.object(now);
    printBalance(now, terminal);
  });
}

/** On a private chain: from the faucet, mined, and waited for. Elsewhere: says where to send. */
export async function fund(options: ClientOptions & { sat: number }, terminal: Terminal): Promise<undefined> {
  const sat = BigInt(options.sat);
  return withMoney(options, async money => {
    const to = await money.address();
    const faucet = await faucetAt(resolve(options.dataDir));
    if (faucet === undefined) {
      terminal.object({ address: to, sat, funded: false });
      terminal.print(to);
      terminal.say(`Send ${grouped(sat)} sat there from any wallet; naulon wallet balance shows when.`);
      return;
    }
    const txid = await faucet.faucet(to, sat);
    await faucet.mine(1);
    await untilSeen(money.coins, [txid]);
    const now = await money.balance();
    terminal.object({ address: to, sat, funded: true, txid, balance: now });
    terminal.print(`funded ${grouped(sat)} sat by ${txid}`);
    printBalance(now, terminal);
  });
}

/** That of the chain that runs in the folder, if it is a private one. */
async function faucetAt(dir: string): Promise<Funds | undefined> {
  const chain = chainAt(dir);
  if (chain === undefined) return undefined;
  const [{ regtestRpc }, { fundsAt }] = await Promise.all([
    import('../regtest/bitcoind-rpc.ts'),
    import('../regtest/funds.ts'),
  ]);
  const rpc = regtestRpc(chain.rpcUrl, chain.cookieFile);
  const info = await rpc<{ chain: string }>('getblockchaininfo').catch(() => undefined);
  return info?.chain === 'regtest' ? fundsAt(chain) : undefined;
}

/** What bitcoind must be told to find the same coins: for every script that the node of that directory watches. */
export async function descriptor(
  options: DirectoryOptions & { private?: boolean },
  terminal: Terminal,
): Promise<undefined> {
  const directory = clientDirectory(options);
  const records = readFileStore(directory);
  try {
    const scripts = watchedScripts(records, options.private ?? false);
    if (scripts.length === 0) {
      const what = `${directory} holds no wallet; make one with: naulon wallet new`;
      throw new OperatorError('WALLET_ABSENT', what, exitCode.missing);
    }
    const node = basename(directory);
    // As `bitcoin-cli importdescriptors` takes them.
    const descriptors = scripts.map(({ role, what, descriptor: desc, range }) => {
      return {
        desc,
        timestamp: 0,
        range,
        label: range === undefined ? `${node} ${role} ${what}` : undefined,
      };
    });
    terminal.object({ descriptors });
    for (const { descriptor: line } of scripts) terminal.print(line);
    if (options.private) terminal.say('Whoever has these lines has the money: keep them as you keep cash.');
  } finally {
    await records.close();
  }
  return undefined;
}

/** Runs `act` against the running client. */
async function withMoney(
  options: ClientOptions,
  act: (money: MoneyControl) => Promise<void>,
): Promise<undefined> {
  const money = await moneyControl(controlSocket(options));
  try {
    await act(money);
  } finally {
    money.disconnect();
  }
  return undefined;
}

/** The directory that was named, or that of the network's client. */
function clientDirectory({ dir, dataDir }: DirectoryOptions): string {
  return resolve(dir ?? join(dataDir, 'client'));
}

async function walletIsIn(directory: string): Promise<boolean> {
  try {
    const records = readFileStore(directory);
    const found = hasWallet(records);
    await records.close();
    return found;
  } catch (error) {
    if (error instanceof OperatorError && error.code === 'STORE_ABSENT') return false;
    throw error;
  }
}

async function store(directory: string, writes: readonly StoreWrite[]): Promise<void> {
  let failed: (why: OperatorError) => void = () => {};
  const records = new FileStore({ directory, onBroken: why => failed(why) });
  try {
    await new Promise<void>((stored, broken) => {
      failed = broken;
      records.attach({ onAnswer: () => stored() });
      records.commit(writes, 1);
    });
  } finally {
    await records.close();
  }
}

function printBalance(
  { confirmedSat, unconfirmedSat, lockedSat, coins, height }: WalletBalance,
  terminal: Terminal,
) {
  const rows = [
    ['confirmed', grouped(confirmedSat)],
    ['unconfirmed', grouped(unconfirmedSat)],
    ['in channels', grouped(lockedSat)],
  ];
  for (const line of table(['wallet', 'sat'], rows)) terminal.print(line);
  terminal.print(
    `${counted(coins, 'coin')}, ${height === null ? 'chain not heard of yet' : `height ${height}`}`,
  );
}

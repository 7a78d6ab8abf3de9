import { rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { startBitcoind } from '../regtest/bitcoind.ts';
import { RpcFault, regtestRpc } from '../regtest/bitcoind-rpc.ts';
import { findBitcoind } from '../regtest/find-bitcoind.ts';
import { fundsAt, openFunds } from '../regtest/funds.ts';
import { OperatorError } from '../src/base/fault.ts';
import { identityOf } from '../src/node-io/process-identity.ts';
import type { GlobalOptions } from './global-options.ts';
import { interruption } from './interruption.ts';
import { makeNetworkDir, refuseForeignDir } from './network-state.ts';
import { chainAt, type RegtestState, regtestFile, runningChain } from './running-chain.ts';
import type { Terminal } from './terminal.ts';

/** Says on the terminal which of the six ways to a bitcoind was taken. */
export function tellSteps(terminal: Terminal): (step: { step: number; way: string; text: string }) => void {
  return ({ step, way, text }) => terminal.say(`  bitcoind ${step}/6 ${way}: ${text}`);
}

/** Runs a private chain below the data folder until interrupted; mines whenever transactions wait. */
export async function start(
  options: GlobalOptions & { bitcoind?: string },
  terminal: Terminal,
): Promise<number> {
  const dir = resolve(options.dataDir);
  const file = regtestFile(dir);
  const stopping = interruption();
  refuseForeignDir(dir);
  makeNetworkDir(dir);
  if (chainAt(dir) !== undefined)
    throw new OperatorError('REGTEST_RUNNING', `a chain runs in ${dir} already; stop it first`, 2);
  const program = await findBitcoind({ bitcoind: options.bitcoind, say: tellSteps(terminal) });
  const bitcoind = await startBitcoind({ program, dataDir: join(dir, 'bitcoind') });
  try {
    const funds = await openFunds(bitcoind);
    const owner = identityOf(process.pid) ?? { pid: process.pid, started: '' };
    const { rpcUrl, cookieFile } = bitcoind;
    writeFileSync(file, `${JSON.stringify({ owner, rpcUrl, cookieFile } satisfies RegtestState)}\n`, {
      mode: 0o600,
    });
    const endMining = funds.autoMine();
    terminal.object({ rpcUrl, cookieFile, pid: bitcoind.pid, version: program.version });
    terminal.print(`RPC     ${rpcUrl}`);
    terminal.print(`cookie  ${cookieFile}`);
    terminal.say('Ctrl-C stops it; the chain is kept.');
    const crashed = await Promise.race([bitcoind.ended, stopping.requested.then(() => false)]);
    await endMining();
    if (crashed) throw new OperatorError('BITCOIND_ENDED', 'bitcoind ended by itself; see its debug.log', 3);
    return 0;
  } finally {
    rmSync(file, { force: true });
    await bitcoind.stop();
    stopping.done();
  }
}

export async function mine(
  options: GlobalOptions,
  terminal: Terminal,
  [blocks]: string[],
): Promise<undefined> {
  const chain = runningChain(resolve(options.dataDir));
  const hashes = await (await fundsAt(chain)).mine(Number(blocks));
  const height = await regtestRpc(chain.rpcUrl, chain.cookieFile)<number>('getblockcount');
  terminal.object({ height, hashes });
  terminal.print(`height ${height}`);
  return undefined;
}

export async function faucet(
  options: GlobalOptions & { sat: number },
  terminal: Terminal,
  [address]: string[],
): Promise<undefined> {
  const funds = await fundsAt(runningChain(resolve(options.dataDir)));
  try {
    const txid = await funds.faucet(address, BigInt(options.sat));
    terminal.object({ txid, address, sat: options.sat });
    terminal.print(txid);
  } catch (error) {
    // -5: no address of this chain. -3: an amount out of range.
    if (!(error instanceof RpcFault) || (error.code !== -5 && error.code !== -3)) throw error;
    throw new OperatorError('FAUCET_REFUSED', `bitcoind refuses: ${error.message}`, 2);
  }
  return undefined;
}

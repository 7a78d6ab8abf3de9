import { resolve } from 'node:path';
import type { RpcCall } from '../regtest/bitcoind-rpc.ts';
import { exitCode, OperatorError } from '../src/base/fault.ts';
import { readInput } from '../src/node-io/input-file.ts';
import type { GlobalOptions } from './global-options.ts';
import type { ChainAccess } from './network-state.ts';
import { chainAt } from './running-chain.ts';

export interface ChainOptions extends GlobalOptions {
  /** A pay.yaml that names the bitcoind. */
  readonly pay?: string;
}

/** How to reach the bitcoind that pay.yaml names, or else the one that runs in the data folder; undefined: there is none. */
export async function namedChain({ pay, dataDir }: ChainOptions): Promise<ChainAccess | undefined> {
  return pay === undefined ? chainAt(resolve(dataDir)) : chainIn(pay);
}

/** A client of it that has had an answer. */
export async function chainRpc(chain: ChainAccess): Promise<RpcCall> {
  const { regtestRpc } = await import('../regtest/bitcoind-rpc.ts');
  const rpc = regtestRpc(chain.rpcUrl, chain.cookieFile);
  await rpc('getblockcount').catch((error: Error) => {
    const what = `bitcoind at ${chain.rpcUrl} does not answer: ${error.message}`;
    throw new OperatorError('CHAIN_UNREACHABLE', what, exitCode.missing);
  });
  return rpc;
}

async function chainIn(file: string): Promise<ChainAccess> {
  const { parsePayConfig } = await import('../src/config/pay-config.ts');
  const text = readInput(file);
  const parsed = parsePayConfig(text, file);
  if (!parsed.ok) throw new OperatorError(parsed.fault.code, parsed.fault.detail ?? '', exitCode.usage);
  const { chain } = parsed.value;
  if (chain === undefined)
    throw new OperatorError('CONFIG_MISSING', `${file}: chain is missing`, exitCode.usage);
  return { rpcUrl: chain.rpc, cookieFile: chain.cookie };
}

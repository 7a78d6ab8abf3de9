import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { exitCode, OperatorError } from '../src/base/fault.ts';
import { isRunning, type ProcessIdentity } from '../src/node-io/process-identity.ts';
import { type ChainAccess, readNetworkState } from './network-state.ts';

/** What `regtest start` writes down for other commands. */
export interface RegtestState extends ChainAccess {
  readonly owner: ProcessIdentity;
}

export function regtestFile(dir: string): string {
  return join(dir, 'regtest.json');
}

/** The chain of the network that runs in `dir`, or of a `regtest start`. */
export function chainAt(dir: string): ChainAccess | undefined {
  const network = readNetworkState(dir);
  if (network !== undefined && isRunning(network.supervisor)) return network.chain;
  try {
    const state = JSON.parse(readFileSync(regtestFile(dir), 'utf8')) as RegtestState;
    return isRunning(state.owner) ? state : undefined;
  } catch {
    return undefined;
  }
}

/** The same, or an error that says how to start one. */
export function runningChain(dir: string): ChainAccess {
  const chain = chainAt(dir);
  if (chain !== undefined) return chain;
  const what = `no chain runs in ${dir}; start one with: naulon regtest start, or naulon up -d`;
  throw new OperatorError('REGTEST_DOWN', what, exitCode.missing);
}

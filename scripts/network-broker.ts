import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { stringify } from 'yaml';
import { brokerKeyFile } from '../broker/start-broker.ts';
import type { Funds } from '../regtest/funds.ts';
import { toHex } from '../src/base/bytes.ts';
import { OperatorError } from '../src/base/fault.ts';
import type { SigningKey } from '../src/crypto/ecdsa.ts';
import { accountKeyIn } from '../src/node-io/account-key.ts';
import { SystemEntropy } from '../src/node-io/system-entropy.ts';
import { AccountClient } from './account-client.ts';
import type { ConfiguredNode } from './network-config.ts';
import { splitAddress } from './network-ports.ts';
import type { BrokerAccess, ChainAccess } from './network-state.ts';

/** What a network's broker is configured by, in its data directory. */
export const networkBrokerFile = 'broker.yaml';
/** What the client's account begins with. */
export const accountSat = 1_000_000n;
/** What the broker lends the client at a time. */
const lentSat = 2_000_000;
/** The broker's own, out of which it gives credit. */
const houseSat = 5_000_000n;
const fundedMsMax = 60_000;

/**
 * @param client data directory of the one node that the broker lends to.
 * @param outside a module's path: the one scheme that it stands behind; absent: all of ours.
 */
export function writeBroker(
  dir: string,
  chain: ChainAccess,
  client: string,
  outside: string | undefined,
): ConfiguredNode {
  const file = join(dir, networkBrokerFile);
  const settings = {
    data_directory: '.',
    listen: '127.0.0.1:0',
    chain: { rpc: chain.rpcUrl, cookie: chain.cookieFile },
    ...(outside === undefined ? {} : { schemes: [outside] }),
    credit: { [toHex(accountOf(client).publicKey)]: lentSat },
  };
  writeFileSync(file, stringify(settings), { mode: 0o600 });
  return {
    name: 'broker',
    args: ['broker', '-f', file],
    log: join(dir, 'log'),
    readyLine: /"event":"ready"/,
    readyMsMax: 60_000,
    torrc: file,
    listensOf: ready => ({ party: brokerOf(ready).address }),
  };
}

/** As the broker's ready line tells it. */
export function brokerOf(ready: string): BrokerAccess {
  const { party, key } = JSON.parse(ready) as { party?: string; key?: string };
  if (party !== undefined && key !== undefined) return { address: party, key };
  throw new OperatorError('NODE_START', `the broker does not say where it is: ${ready}`, 4);
}

/** The account of the node whose data lies there. */
export function accountOf(nodeDir: string): SigningKey {
  return accountKeyIn(nodeDir, new SystemEntropy());
}

/** Asks the broker that runs at `address`, and no more once `work` is over. */
export async function withBroker<T>(
  address: string,
  work: (broker: AccountClient) => Promise<T>,
): Promise<T> {
  const [host, port] = splitAddress(address);
  const broker = new AccountClient({ host, port });
  try {
    return await work(broker);
  } finally {
    await broker.close();
  }
}

/**
 * Pays into the client's account, and into the broker's own, on a private chain where coins cost nothing; not when the client
 * has half of what it begins with, or more. Returns what the client's account holds then, in satoshi.
 */
export async function fundAccounts(
  { address }: BrokerAccess,
  dirs: { readonly broker: string; readonly client: string },
  funds: Funds,
): Promise<bigint> {
  const accounts = [accountOf(dirs.client), accountKeyIn(dirs.broker, new SystemEntropy(), brokerKeyFile)];
  const paidSat = [accountSat, houseSat];
  return withBroker(address, async broker => {
    const balances = async () =>
      Promise.all(accounts.map(async account => (await broker.balance(account)).msat));
    const begun = await balances();
    if (begun[0] * 2n >= accountSat * 1_000n) return begun[0] / 1_000n;
    for (const [at, account] of accounts.entries())
      await funds.faucet(await broker.address(account), paidSat[at]);
    await funds.mine(1);
    for (const deadline = performance.now() + fundedMsMax; ; await pause(100)) {
      const now = await balances();
      if (now.every((msat, at) => msat >= begun[at] + paidSat[at] * 1_000n)) return now[0] / 1_000n;
      if (performance.now() > deadline)
        throw new OperatorError(
          'ACCOUNT_BLIND',
          `the broker does not see the ${paidSat.join(' and ')} sat paid to it`,
          4,
        );
    }
  });
}

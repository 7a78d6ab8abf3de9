import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseTarget } from '../client/stream-command.ts';
import { toHex } from '../src/base/bytes.ts';
import { exitCode, OperatorError } from '../src/base/fault.ts';
import type { SigningKey } from '../src/crypto/ecdsa.ts';
import { accountKeyFile } from '../src/node-io/account-key.ts';
import type { AccountClient } from './account-client.ts';
import type { GlobalOptions } from './global-options.ts';
import { accountOf, withBroker } from './network-broker.ts';
import { readNetworkState } from './network-state.ts';
import { grouped, type Terminal } from './terminal.ts';

interface AccountOptions extends GlobalOptions {
  /** Data directory of the node whose account it is. */
  readonly dir?: string;
  /** HOST:PORT of the broker; that of the running network otherwise. */
  readonly broker?: string;
}

/** What the account has. */
export async function balance(options: AccountOptions, terminal: Terminal): Promise<undefined> {
  const { account, msat, waitingSat } = await asking(options, async (broker, key) => ({
    account: toHex(key.publicKey),
    ...(await broker.balance(key)),
  }));
  terminal.object({ account, msat, waitingSat });
  const waiting = waitingSat === 0n ? '' : `, and ${grouped(waitingSat)} sat that wait to be confirmed`;
  terminal.print(`${grouped(msat)} msat${waiting}`);
}

/** Where to pay bitcoins into it. */
export async function address(options: AccountOptions, terminal: Terminal): Promise<undefined> {
  const told = await asking(options, (broker, account) => broker.address(account));
  terminal.object({ address: told });
  terminal.print(told);
}

/** Pays bitcoins out of it. */
export async function withdraw(
  options: AccountOptions,
  terminal: Terminal,
  [to, amount]: string[],
): Promise<undefined> {
  const { txid, feeSat } = await asking(options, (broker, account) =>
    broker.withdraw(account, to, BigInt(amount)),
  );
  const id = toHex(txid.slice().reverse());
  terminal.object({ txid: id, feeSat });
  terminal.print(`${id}, for a fee of ${grouped(feeSat)} sat`);
}

function asking<T>(
  { dir, broker, dataDir }: AccountOptions,
  work: (broker: AccountClient, account: SigningKey) => Promise<T>,
): Promise<T> {
  if (broker !== undefined) parseTarget(broker);
  const at = broker ?? readNetworkState(resolve(dataDir))?.broker?.address;
  if (at === undefined)
    throw new OperatorError(
      'BROKER_UNREACHABLE',
      'no network with a broker runs; name one with --broker HOST:PORT',
      exitCode.missing,
    );
  const account = accountIn(resolve(dir ?? join(dataDir, 'client')));
  return withBroker(at, asked => work(asked, account));
}

/** Of a node that has one: what was paid to a fresh key in the wrong directory, no node would ever use. */
function accountIn(directory: string): SigningKey {
  if (existsSync(join(directory, accountKeyFile))) return accountOf(directory);
  const what = `${directory} holds no account; name the data directory of a node that has run with a broker`;
  throw new OperatorError('ACCOUNT_ABSENT', what, exitCode.usage);
}

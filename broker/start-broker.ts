import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { toHex } from '../src/base/bytes.ts';
import { OperatorError } from '../src/base/fault.ts';
import { BrokerCore } from '../src/broker/broker-core.ts';
import { accountKeyIn } from '../src/node-io/account-key.ts';
import { BitcoindChain } from '../src/node-io/bitcoind-chain.ts';
import { openDataDirectory } from '../src/node-io/data-directory.ts';
import { HttpParties } from '../src/node-io/party-http.ts';
import { chosenBrokered } from '../src/node-io/scheme-module.ts';
import { listening } from '../src/node-io/server-socket.ts';
import { SystemClock } from '../src/node-io/system-clock.ts';
import { SystemEntropy } from '../src/node-io/system-entropy.ts';
import { SealedDoor } from '../src/payment/sealed-asks.ts';
import type { Endpoint, Observer } from '../src/ports.ts';
import { openRecords } from './broker-records.ts';
import type { BrokerConfig } from './config.ts';

/** A broker that serves. */
export interface RunningBroker {
  readonly core: BrokerCore;
  readonly at: Endpoint;
  /** What it issues under, and whose account is its own; 33 bytes. */
  readonly key: Uint8Array;
  stop(): Promise<void>;
}

/** Files of the data directory that hold what it signs with, and what all its addresses follow from. */
export const brokerKeyFile = 'broker.key';
export const walletSeedFile = 'wallet.key';

/** Wires a broker's core to sockets, disk and chain, whatever program it runs in. Throws OperatorError for what a person can mend. */
export async function startBroker(config: BrokerConfig, observer: Observer): Promise<RunningBroker> {
  const schemes = await chosenBrokered(config.schemes);
  const directory = openDataDirectory(config.dataDirectory);
  const clock = new SystemClock();
  const entropy = new SystemEntropy();
  const key = accountKeyIn(directory, entropy, brokerKeyFile);
  const { secret: walletSeed } = accountKeyIn(directory, entropy, walletSeedFile);
  const store = await openRecords(config, toHex(key.publicKey), observer);
  const chain = new BitcoindChain({
    url: config.chain.rpc,
    cookieFile: config.chain.cookie,
    observer,
  });
  const parties = new HttpParties();
  const core: BrokerCore = new BrokerCore(
    {
      key,
      walletSeed,
      minConfirmations: config.minConfirmations,
      lendsMsat: account => config.lendsMsat.get(toHex(account)) ?? 0n,
    },
    { clock, entropy, store, chain, parties, observer },
    schemes,
  );
  store.attach(core);
  parties.attach(core);
  const stop = async (): Promise<void> => {
    await Promise.all([parties.stop(), chain.stop()]);
    clock.stop();
    await store.close();
  };
  try {
    const at = await listening(
      'listen',
      config.listen,
      parties.listen(config.listen, new SealedDoor(key, entropy)),
    );
    chain.attach(core);
    core.start();
    return { core, at, key: key.publicKey, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What the records of a broker follow from, for commands that only read them. Throws OperatorError where it has none. */
export function brokerSecretsIn(directory: string): {
  readonly key: Uint8Array;
  readonly walletSeed: Uint8Array;
} {
  const entropy = new SystemEntropy();
  if (!existsSync(join(directory, walletSeedFile)))
    throw new OperatorError('STORE_ABSENT', `no broker has its keys in ${directory}`, 3);
  const files = openDataDirectory(directory);
  return {
    key: accountKeyIn(files, entropy, brokerKeyFile).publicKey,
    walletSeed: accountKeyIn(files, entropy, walletSeedFile).secret,
  };
}

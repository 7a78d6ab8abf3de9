import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { exitCode, OperatorError } from '../src/base/fault.ts';
import { openDataDirectory, readSecretFile, writeSecretFile } from '../src/node-io/data-directory.ts';
import { FileStore, readFileStore } from '../src/node-io/file-store.ts';
import { requireOutput } from '../src/node-io/output-file.ts';
import {
  type Backup,
  backupLoss,
  channelsIn,
  decodeBackup,
  encodeBackup,
  makeBackup,
  writesOf,
} from '../src/schemes/bitcoin-channel/index.ts';
import type { GlobalOptions } from './global-options.ts';
import { type PassphraseOptions, passphraseOf } from './passphrase.ts';
import { readSealed, writeSealed } from './sealed-file.ts';
import { counted, type Terminal } from './terminal.ts';

interface BackupOptions extends GlobalOptions, PassphraseOptions {
  readonly dir: string;
}

const identityFile = 'keys.json';

/** Seals a node's wallet and channels into a file. The node may be running. */
export async function backup(
  options: BackupOptions & { output: string },
  terminal: Terminal,
): Promise<undefined> {
  const { output } = options;
  requireOutput(output);
  const passphrase = passphraseOf(options);
  const directory = resolve(options.dir);
  const store = readFileStore(directory);
  const made = makeBackup(store, store.runs, readSecretFile(join(directory, identityFile)) ?? '');
  await store.close();
  if (made.records.length === 0) throw noMoney(directory);
  if (existsSync(output)) {
    const loss = backupLoss(readBackup(output, passphrase), made);
    if (loss !== undefined) {
      const what = `${output} is kept: ${loss}; write to another file if that is as it should be`;
      throw new OperatorError('BACKUP_NEWER', what, exitCode.badAnswer);
    }
  }
  writeSealed('backup', output, encodeBackup(made), passphrase);
  const channels = channelsIn(made);
  terminal.object({ file: resolve(output), channels, runs: made.runs });
  terminal.print(`${counted(channels, 'channel')} and the wallet in ${output}`);
  return undefined;
}

/** Puts a backup into a directory that holds no wallet. What happened since then, its peers and the chain tell. */
export async function restore(
  options: BackupOptions,
  terminal: Terminal,
  [file]: string[],
): Promise<undefined> {
  const read = readBackup(file, passphraseOf(options));
  const directory = openDataDirectory(options.dir);
  const identity = join(directory, identityFile);
  const other = readSecretFile(identity);
  if (read.identity !== '' && other !== undefined && other !== read.identity) throw occupied(directory);
  let fail: (why: OperatorError) => void = () => {};
  const store = new FileStore({ directory, onBroken: why => fail(why), ranBefore: read.runs });
  try {
    if (store.list('bitcoin-channel/').length > 0) throw occupied(directory);
    if (read.identity !== '' && other === undefined) writeSecretFile(identity, read.identity);
    await new Promise<void>((stored, broken) => {
      fail = broken;
      store.attach({ onAnswer: () => stored() });
      store.commit(writesOf(read), 1);
    });
  } finally {
    await store.close();
  }
  const channels = channelsIn(read);
  terminal.object({ directory, channels, runs: read.runs });
  terminal.print(`${counted(channels, 'channel')} and the wallet in ${directory}`);
  terminal.say('The node of the backup must never run again beside this one.');
  return undefined;
}

function readBackup(file: string, passphrase: string): Backup {
  const read = decodeBackup(readSealed('backup', file, passphrase));
  if (read !== undefined) return read;
  throw new OperatorError('SEALED_MALFORMED', `${file}: its records make no sense`, exitCode.usage);
}

function noMoney(directory: string): OperatorError {
  const what = `${directory} holds neither wallet nor channels`;
  return new OperatorError('BACKUP_EMPTY', what, exitCode.missing);
}

function occupied(directory: string): OperatorError {
  const what = `${directory} has a wallet or an identity already, which is kept; restore into a fresh directory`;
  return new OperatorError('RESTORE_OCCUPIED', what, exitCode.usage);
}

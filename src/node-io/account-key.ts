import { join } from 'node:path';
import { fromHex, toHex } from '../base/bytes.ts';
import { OperatorError } from '../base/fault.ts';
import { SigningKey } from '../crypto/ecdsa.ts';
import type { Entropy } from '../ports.ts';
import { readSecretFile, writeSecretFile } from './data-directory.ts';

/** What a node's account is held by. */
export const accountKeyFile = 'account.key';

/** The key of a node's account at a broker, from its data directory; a fresh one, durable, where there is none. */
export function accountKeyIn(directory: string, entropy: Entropy, name = accountKeyFile): SigningKey {
  const file = join(directory, name);
  const text = readSecretFile(file);
  if (text === undefined) {
    const key = SigningKey.fresh(entropy);
    writeSecretFile(file, `${toHex(key.secret)}\n`);
    return key;
  }
  const secret = fromHex(text.trim());
  if (secret?.length === 32) return new SigningKey(secret);
  throw new OperatorError('KEYS_MALFORMED', `${file} is damaged; restore it from a backup`, 3);
}

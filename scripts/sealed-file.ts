import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { exitCode, OperatorError } from '../src/base/fault.ts';
import { openSealed, type SealedKind, seal } from '../src/crypto/sealed-box.ts';
import { writeSecretFile } from '../src/node-io/data-directory.ts';
import { cannotRead } from '../src/node-io/input-file.ts';
import { cannotWrite, requireOutput } from '../src/node-io/output-file.ts';
import { SystemEntropy } from '../src/node-io/system-entropy.ts';

/** What a sealed file holds, opened. Throws OperatorError (SEALED_…) for one that cannot be. */
export function readSealed(kind: SealedKind, file: string, passphrase: string): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(readFileSync(file));
  } catch (error) {
    throw cannotRead(file, error, 'SEALED_ABSENT', exitCode.missing);
  }
  const opened = openSealed(kind, bytes, passphrase);
  if (opened.ok) return opened.value;
  throw new OperatorError(opened.fault.code, `${file}: ${opened.fault.detail}`, exitCode.usage);
}

/** Writes it whole or not at all, durably, for its owner alone. */
export function writeSealed(kind: SealedKind, file: string, plain: Uint8Array, passphrase: string): void {
  requireOutput(file);
  const sealed = seal(kind, plain, passphrase, new SystemEntropy());
  try {
    writeSecretFile(resolve(file), sealed);
  } catch (error) {
    throw cannotWrite(file, error);
  }
}

import { concatBytes } from '../base/bytes.ts';
import { sha256d } from './sighash.ts';

const alphabet = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';

/** Base58 with a checksum of four bytes, as keys are written. Source: Bitcoin's base58.cpp. */
export function base58Check(bytes: Uint8Array): string {
  const all = concatBytes(bytes, sha256d(bytes).subarray(0, 4));
  let number = all.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  let text = '';
  for (; number > 0n; number /= 58n) text = alphabet[Number(number % 58n)] + text;
  const zeros = all.findIndex(byte => byte !== 0);
  return '1'.repeat(zeros < 0 ? all.length : zeros) + text;
}

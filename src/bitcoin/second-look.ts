import type { Transaction } from 'bitcoinjs-lib';
import { assert } from '../base/assert.ts';
import { concatBytes, equalBytes } from '../base/bytes.ts';
import { hash160, sha256 } from '../crypto/sha.ts';
import { serializeOutput } from './sighash.ts';

/**
 * What a library makes of keys and amounts is made a second time here, by hand, and compared: one that was tampered with could
 * send our money to somebody else. Payments and refunds of channels need no second look, since what both sign of them is laid out
 * by code of ours (`sighash`): with other outputs their signatures are void.
 */

/** Id, index, an empty script, sequence. */
const inputBytes = 32 + 4 + 1 + 4;

/** What a contract's script is made of. */
interface ContractParts {
  readonly variant: 'spillman' | 'cltv';
  readonly payerKey: Uint8Array;
  readonly payeeKey: Uint8Array;
  readonly refundHeight: number;
}

/** An output as it was meant. */
export interface MeantOutput {
  readonly script: Uint8Array;
  readonly valueSat: bigint;
}

/** Throws unless the transaction, as it would be sent, pays exactly that. */
export function assertPays(transaction: Transaction, meant: readonly MeantOutput[]): void {
  const raw = transaction.toBuffer();
  const outputs = meant.map(({ script, valueSat }) => serializeOutput(script, valueSat));
  const wanted = concatBytes(Uint8Array.of(meant.length), ...outputs);
  assert(equalBytes(outputsOf(raw, wanted.length), wanted), 'a transaction pays what was meant');
}

/** Throws unless the script pays that key: 0, and the key's hash. spec: bip-0141 */
export function assertKeyScript(script: Uint8Array, publicKey: Uint8Array): void {
  assert(equalBytes(script, concatBytes(Uint8Array.of(0, 20), hash160(publicKey))), 'a script pays its key');
}

/** Throws unless the output's script is that of the contract. spec: bip-0141 */
export function assertContractScript(script: Uint8Array, terms: ContractParts): void {
  const wanted = concatBytes(Uint8Array.of(0, 32), sha256(contractByHand(terms)));
  assert(equalBytes(script, wanted), 'a script pays its contract');
}

function contractByHand({ variant, payerKey, payeeKey, refundHeight }: ContractParts): Uint8Array {
  const [payer, payee] = [payerKey, payeeKey].map(key => concatBytes(Uint8Array.of(33), key));
  if (variant === 'spillman') {
    // 2, both keys, 2, CHECKMULTISIG. spec: bip-0067
    const keys = Buffer.compare(payerKey, payeeKey) < 0 ? [payer, payee] : [payee, payer];
    return concatBytes(Uint8Array.of(0x52), ...keys, Uint8Array.of(0x52, 0xae));
  }
  // IF payee CHECKSIGVERIFY ELSE height CHECKLOCKTIMEVERIFY DROP ENDIF payer CHECKSIG. spec: bip-0065
  return concatBytes(
    Uint8Array.of(0x63),
    payee,
    Uint8Array.of(0xad, 0x67),
    pushedNumber(refundHeight),
    Uint8Array.of(0xb1, 0x75, 0x68),
    payer,
    Uint8Array.of(0xac),
  );
}

/** A positive number as scripts push it: the fewest bytes, the lowest first, the highest bit for a sign. */
function pushedNumber(value: number): Uint8Array {
  if (value <= 16) return Uint8Array.of(0x50 + value);
  const bytes: number[] = [];
  for (let left = value; left > 0; left = Math.floor(left / 256)) bytes.push(left % 256);
  if (bytes[bytes.length - 1] >= 0x80) bytes.push(0);
  return Uint8Array.of(bytes.length, ...bytes);
}

/** So many bytes of a raw transaction, from the count of its outputs on; its inputs have no scripts. spec: bip-0144 */
function outputsOf(raw: Uint8Array, length: number): Uint8Array {
  // Without inputs there would be a 0 too, but nothing is sent that spends nothing.
  const countAt = raw[4] === 0 ? 6 : 4;
  const long = raw[countAt] === 0xfd;
  const inputs = long ? raw[countAt + 1] + raw[countAt + 2] * 256 : raw[countAt];
  const at = countAt + (long ? 3 : 1) + inputs * inputBytes;
  return raw.subarray(at, at + length);
}

import { createHash } from 'node:crypto';
import { concatBytes } from '../base/bytes.ts';

/** What an input's signature commits to, of the input itself. */
export interface SignedInput {
  /** 36 bytes as serialized: transaction id and index. */
  readonly outpoint: Uint8Array;
  readonly sequence: number;
  readonly scriptCode: Uint8Array;
  readonly valueSat: bigint;
}

/**
 * The SIGHASH_ALL digest of a transaction that has one input and differs in its outputs alone. All but the outputs is
 * hashed or laid out once, so that a payment costs two short hashes and one signature. spec: bip-0143
 */
export class OneInputSighash {
  readonly #before: Uint8Array;
  readonly #after: Uint8Array;

  constructor(version: number, lockTime: number, input: SignedInput) {
    const sequence = littleEndian(BigInt(input.sequence), 4);
    this.#before = concatBytes(
      littleEndian(BigInt(version), 4),
      sha256d(input.outpoint),
      sha256d(sequence),
      input.outpoint,
      sizedScript(input.scriptCode),
      littleEndian(input.valueSat, 8),
      sequence,
    );
    this.#after = concatBytes(littleEndian(BigInt(lockTime), 4), Uint8Array.of(1, 0, 0, 0));
  }

  /** `outputs` as serialized, one behind the other, without their count. */
  digest(outputs: Uint8Array): Uint8Array {
    const whole = createHash('sha256').update(this.#before).update(sha256d(outputs)).update(this.#after);
    return new Uint8Array(createHash('sha256').update(whole.digest()).digest());
  }
}

export function serializeOutput(script: Uint8Array, valueSat: bigint): Uint8Array {
  return concatBytes(littleEndian(valueSat, 8), sizedScript(script));
}

export function sha256d(bytes: Uint8Array): Uint8Array {
  const once = createHash('sha256').update(bytes).digest();
  return new Uint8Array(createHash('sha256').update(once).digest());
}

/** Scripts here are below 253 bytes, so that their length is one byte. */
function sizedScript(script: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(script.length), script);
}

function littleEndian(value: bigint, width: number): Uint8Array {
  return Uint8Array.from({ length: width }, (_, i) => Number((value >> BigInt(8 * i)) & 255n));
}

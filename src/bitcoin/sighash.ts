import { hash } from 'node:crypto';
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
 * laid out once, in the very bytes that are hashed. spec: bip-0143
 */
export class OneInputSighash {
  /** What is hashed, the hash of the outputs included. */
  readonly #preimage: Buffer;
  readonly #outputsAt: number;

  constructor(version: number, lockTime: number, input: SignedInput) {
    const sequence = littleEndian(BigInt(input.sequence), 4);
    const before = concatBytes(
      littleEndian(BigInt(version), 4),
      sha256d(input.outpoint),
      sha256d(sequence),
      input.outpoint,
      sizedScript(input.scriptCode),
      littleEndian(input.valueSat, 8),
      sequence,
    );
    const after = concatBytes(littleEndian(BigInt(lockTime), 4), Uint8Array.of(1, 0, 0, 0));
    this.#outputsAt = before.length;
    this.#preimage = Buffer.from(concatBytes(before, new Uint8Array(32), after));
  }

  /** `outputs` as serialized, one behind the other, without their count. */
  digest(outputs: Uint8Array): Uint8Array {
    this.#preimage.write(twiceHashed(outputs), this.#outputsAt, 'latin1');
    return bytesOf(twiceHashed(this.#preimage));
  }
}

/** The outputs of transactions that differ in their amounts alone, as serialized: scripts are laid out once. */
export class OutputTemplate {
  readonly #serialized: Buffer;
  readonly #amountsAt: readonly number[];

  /** `fixed` follows those whose amounts change. */
  constructor(scripts: readonly Uint8Array[], fixed: Uint8Array) {
    const outputs = scripts.map(script => serializeOutput(script, 0n));
    this.#serialized = Buffer.from(concatBytes(...outputs, fixed));
    this.#amountsAt = outputs.map((_, at) =>
      outputs.slice(0, at).reduce((sum, { length }) => sum + length, 0),
    );
  }

  /** Valid until the next call. */
  with(...amountsSat: readonly bigint[]): Uint8Array {
    for (let i = 0; i < amountsSat.length; i++)
      this.#serialized.writeBigUInt64LE(amountsSat[i], this.#amountsAt[i]);
    return this.#serialized;
  }
}

export function serializeOutput(script: Uint8Array, valueSat: bigint): Uint8Array {
  return concatBytes(littleEndian(valueSat, 8), sizedScript(script));
}

export function sha256d(bytes: Uint8Array): Uint8Array {
  return bytesOf(twiceHashed(bytes));
}

const onceHashed = Buffer.alloc(32);

/**
 * A character for each byte: Node makes such a string in half the time of a buffer, and writes it to where it is wanted.
 */
function twiceHashed(bytes: Uint8Array): string {
  onceHashed.write(hash('sha256', bytes, 'binary'), 'latin1');
  return hash('sha256', onceHashed, 'binary');
}

function bytesOf(characters: string): Uint8Array {
  const bytes = new Uint8Array(characters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i);
  return bytes;
}

/** Scripts here are below 253 bytes, so that their length is one byte. */
function sizedScript(script: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(script.length), script);
}

function littleEndian(value: bigint, width: number): Uint8Array {
  return Uint8Array.from({ length: width }, (_, i) => Number((value >> BigInt(8 * i)) & 255n));
}

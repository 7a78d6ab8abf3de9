import { createHash } from 'node:crypto';
import { toHex } from '../base/bytes.ts';
import type { Outpoint } from '../ports.ts';

export interface TransactionInput {
  readonly outpoint: Outpoint;
  readonly sequence: number;
}

export interface TransactionOutput {
  readonly script: Uint8Array;
  readonly valueSat: bigint;
}

/** What the simulated chain needs to know of a transaction; scripts and signatures are the injected verifier's business. */
export interface ChainTransaction {
  readonly bytes: Uint8Array;
  /** Internal byte order. */
  readonly txid: Uint8Array;
  /** The txid as a key of maps, internal byte order too. */
  readonly id: string;
  readonly version: number;
  readonly lockTime: number;
  readonly inputs: readonly TransactionInput[];
  readonly outputs: readonly TransactionOutput[];
  /** Virtual bytes, rounded up. */
  readonly vsize: number;
}

export const finalSequence = 0xffffffff;
const inputsMax = 1_000;

export function outpointKey(outpoint: Outpoint): string {
  return `${toHex(outpoint.txid)}:${outpoint.index}`;
}

/** The transaction that `bytes` spell in the network's serialization, with or without witnesses (BIP144). */
export function parseTransaction(bytes: Uint8Array): ChainTransaction | undefined {
  const read = new LittleEndianReader(bytes);
  const version = read.number(4);
  const segwit = bytes[4] === 0 && bytes[5] === 1;
  if (segwit) read.bytes(2);
  const bodyAt = read.at;
  const inputs = list(read, () => {
    const outpoint = { txid: read.bytes(32).slice(), index: read.number(4) };
    read.bytes(read.varint());
    return { outpoint, sequence: read.number(4) };
  });
  const outputs = list(read, () => {
    const valueSat = BigInt(read.number(4)) + (BigInt(read.number(4)) << 32n);
    return { valueSat, script: read.bytes(read.varint()).slice() };
  });
  const bodyEnd = read.at;
  if (segwit) for (const _ of inputs) list(read, () => read.bytes(read.varint()));
  const lockTime = read.number(4);
  if (read.short || read.at !== bytes.length || inputs.length === 0 || outputs.length === 0) return undefined;

  const stripped = Buffer.concat([bytes.subarray(0, 4), bytes.subarray(bodyAt, bodyEnd), bytes.subarray(-4)]);
  const txid = new Uint8Array(sha256(sha256(stripped)));
  const vsize = Math.ceil((stripped.length * 3 + bytes.length) / 4);
  return { bytes: bytes.slice(), txid, id: toHex(txid), version, lockTime, inputs, outputs, vsize };
}

/** A coinbase that issues `outputs`; equal height and outputs give the equal transaction, on any branch. */
export function coinbase(height: number, outputs: readonly TransactionOutput[]): Uint8Array {
  const issued = outputs.length > 0 ? outputs : [{ script: Uint8Array.of(0x6a), valueSat: 0n }];
  const write: number[] = [2, 0, 0, 0, 1, ...new Array(32).fill(0), 255, 255, 255, 255];
  write.push(5, 4, ...littleEndian(BigInt(height), 4), 255, 255, 255, 255);
  write.push(...varint(issued.length));
  for (const { script, valueSat } of issued) {
    write.push(...littleEndian(valueSat, 8), ...varint(script.length), ...script);
  }
  return Uint8Array.from([...write, 0, 0, 0, 0]);
}

export function sha256(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

function list<T>(read: LittleEndianReader, item: () => T): T[] {
  const count = read.varint();
  const items: T[] = [];
  for (let i = 0; i < count && i < inputsMax && !read.short; i++) items.push(item());
  return items;
}

function littleEndian(value: bigint, width: number): number[] {
  return Array.from({ length: width }, (_, i) => Number((value >> BigInt(8 * i)) & 255n));
}

function varint(value: number): number[] {
  return value < 253 ? [value] : [253, ...littleEndian(BigInt(value), 2)];
}

/** Reads past the end yield zeros and set `short`. */
class LittleEndianReader {
  short = false;
  at = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  bytes(length: number): Uint8Array {
    if (this.at + length > this.#bytes.length) {
      this.short = true;
      return new Uint8Array(0);
    }
    this.at += length;
    return this.#bytes.subarray(this.at - length, this.at);
  }

  number(width: number): number {
    return this.bytes(width).reduceRight((value, byte) => value * 256 + byte, 0);
  }

  varint(): number {
    const first = this.number(1);
    if (first < 253) return first;
    return this.number(first === 253 ? 2 : first === 254 ? 4 : 8);
  }
}

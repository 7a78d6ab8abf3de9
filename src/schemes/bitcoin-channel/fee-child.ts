import { Transaction } from 'bitcoinjs-lib';
import { assert } from '../../base/assert.ts';
import { toHex } from '../../base/bytes.ts';
import { sizedBytes, struct, u8, u16, u64 } from '../../base/struct.ts';
import type { StoreWrite } from '../../ports.ts';
import { type Records, type Role, rolePrefix } from './channel-record.ts';

/** A transaction of ours that raises the fee of others, which wait for a block. */
export interface FeeChild {
  readonly transaction: Transaction;
  readonly feeSat: bigint;
  /** In the store; it is sent nowhere before. */
  kept: boolean;
  /** The chain took it not when it was offered last. */
  refused?: boolean;
}

const childVersion = 1;
const childStruct = struct({ version: u8, feeSat: u64, transaction: sizedBytes(u16) });

/**
 * Children under way are kept, by the channel that they were made for, or the first of several: a process that starts again
 * has to know what is spent of the reserve, and of which coins.
 * @param child undefined: it is needed no more.
 */
export function childWrite(
  role: Role,
  channel: { readonly id: Uint8Array },
  child: FeeChild | undefined,
): StoreWrite {
  const key = `${childPrefix(role)}${toHex(channel.id)}`;
  if (child === undefined) return { key, value: undefined };
  const { feeSat, transaction } = child;
  const value = childStruct.encode({ version: childVersion, feeSat, transaction: transaction.toBuffer() });
  return { key, value };
}

/** By channel, in hex. */
export function readChildren(records: Records, role: Role): ReadonlyMap<string, FeeChild> {
  const prefix = childPrefix(role);
  return new Map(records.list(prefix).map(([key, value]) => [key.slice(prefix.length), decodeChild(value)]));
}

function decodeChild(bytes: Uint8Array): FeeChild {
  const fields = childStruct.decode(bytes);
  assert(fields !== undefined && fields.version === childVersion, 'the record of a child can be read');
  return { transaction: Transaction.fromBuffer(fields.transaction), feeSat: fields.feeSat, kept: true };
}

function childPrefix(role: Role): string {
  return `${rolePrefix(role)}child/`;
}

import { toHex } from '../../base/bytes.ts';
import { fixedBytes, type Holds, sizedBytes, struct, u8, u16, u32, u64 } from '../../base/struct.ts';
import type { ChannelTerms } from '../../bitcoin/contract-tx.ts';
import type { StorePort, StoreWrite } from '../../ports.ts';
import { variantByte, variantOf } from './messages.ts';

/** Which end of its channels a node is; also a part of its records' keys. */
export type Role = 'payer' | 'payee';
export const roles: readonly Role[] = ['payer', 'payee'];

/** A store to look into. */
export type Records = Pick<StorePort, 'get' | 'list'>;

const recordVersion = 1;

const recordStruct = struct({
  version: u8,
  variant: u8,
  txid: fixedBytes(32),
  index: u32,
  capacitySat: u64,
  refundHeight: u32,
  feeSat: u32,
  payerKey: fixedBytes(33),
  payeeKey: fixedBytes(33),
  refundScript: sizedBytes(u8),
  payoutScript: sizedBytes(u8),
  /** The own key's name below the seed. */
  keyName: fixedBytes(16),
  /** The payee's Ed25519 identity, at the payer. */
  peer: sizedBytes(u8),
  minConfirmations: u8,
  /** The chain is looked through from here for the contract. */
  openedHeight: u32,
  /** 1 stored, 2 accepted, 4 close asked. */
  flags: u8,
  refundSignature: sizedBytes(u8),
  /** The contract transaction, at the payer. */
  contract: sizedBytes(u16),
  /** 0 none, 1 payment, 2 refund. */
  endingHow: u8,
  endingTxid: fixedBytes(32),
  endingHeight: u32,
  endingPayeeSat: u64,
  endingPayerSat: u64,
});
type RecordFields = Holds<typeof recordStruct>;

/** How the contract was spent in a block. */
export interface Ending {
  readonly how: 'payment' | 'refund';
  readonly txid: Uint8Array;
  readonly height: number;
  readonly payeeSat: bigint;
  readonly payerSat: bigint;
}

/** What is kept of a channel but its latest payment. */
export interface ChannelRecord {
  readonly terms: ChannelTerms;
  readonly keyName: Uint8Array;
  readonly peer: Uint8Array;
  readonly minConfirmations: number;
  readonly openedHeight: number;
  readonly stored: boolean;
  readonly accepted: boolean;
  readonly closeAsked: boolean;
  readonly refundSignature: Uint8Array;
  readonly contract: Uint8Array;
  readonly ending: Ending | undefined;
}

/** The latest payment, with the payer's signature: at the payee what it holds, at the payer what it has signed at most. */
export interface BestPayment {
  readonly paidSat: bigint;
  /** 64 bytes, or none for a channel that has not paid. */
  readonly signature: Uint8Array;
  readonly payments: number;
}

export const noPayment: BestPayment = { paidSat: 0n, signature: new Uint8Array(0), payments: 0 };

const bestStruct = struct({ paidSat: u64, payments: u32, signature: sizedBytes(u8, 64) });

export function rolePrefix(role: Role): string {
  return `bitcoin-channel/${role}/`;
}

export function channelWrite(role: Role, id: Uint8Array, record: ChannelRecord): StoreWrite {
  return { key: channelKey(role, id), value: encodeRecord(record) };
}

/** Small, since it is written at every payment; it overwrites the one before. */
export function bestWrite(key: string, best: BestPayment): StoreWrite {
  return { key, value: bestStruct.encode(best) };
}

export function removalWrites(role: Role, id: Uint8Array): StoreWrite[] {
  return [
    { key: channelKey(role, id), value: undefined },
    { key: bestKey(role, id), value: undefined },
  ];
}

/** A channel as the store has it. What cannot be read is a damaged disk, or our own bug. */
export interface KeptChannel {
  readonly key: string;
  /** Undefined: cannot be read, or is missing where a payment on it is kept. */
  readonly record: ChannelRecord | undefined;
  readonly best: BestPayment | undefined;
}

/** All channels in the store, in a fixed order. */
export function readChannels(records: Records, role: Role): readonly KeptChannel[] {
  const [channels, payments] = ['channel', 'best'].map(kind => `${rolePrefix(role)}${kind}/`);
  const kept = new Map<string, KeptChannel>();
  for (const [key, value] of records.list(channels)) {
    kept.set(key.slice(channels.length), { key, record: decodeRecord(value), best: noPayment });
  }
  for (const [key, value] of records.list(payments)) {
    const id = key.slice(payments.length);
    const best = bestStruct.decode(value);
    kept.set(id, { key, record: undefined, ...kept.get(id), best });
  }
  return [...kept.values()];
}

/** Undefined for one that the store does not hold. */
export function readChannel(
  records: Pick<Records, 'get'>,
  role: Role,
  id: Uint8Array,
): KeptChannel | undefined {
  const key = channelKey(role, id);
  const [record, best] = [records.get(key), records.get(bestKey(role, id))];
  if (record === undefined) return undefined;
  return {
    key,
    record: decodeRecord(record),
    best: best === undefined ? noPayment : bestStruct.decode(best),
  };
}

function channelKey(role: Role, id: Uint8Array): string {
  return `${rolePrefix(role)}channel/${toHex(id)}`;
}

/** Of the record of a channel's latest payment. */
export function bestKey(role: Role, id: Uint8Array): string {
  return `${rolePrefix(role)}best/${toHex(id)}`;
}

function encodeRecord(record: ChannelRecord): Uint8Array {
  const { terms, ending } = record;
  return recordStruct.encode({
    ...terms,
    version: recordVersion,
    variant: variantByte(terms.variant),
    txid: terms.outpoint.txid,
    index: terms.outpoint.index,
    feeSat: Number(terms.feeSat),
    keyName: record.keyName,
    peer: record.peer,
    minConfirmations: record.minConfirmations,
    openedHeight: record.openedHeight,
    flags: (record.stored ? 1 : 0) | (record.accepted ? 2 : 0) | (record.closeAsked ? 4 : 0),
    refundSignature: record.refundSignature,
    contract: record.contract,
    endingHow: ending === undefined ? 0 : ending.how === 'payment' ? 1 : 2,
    endingTxid: ending?.txid ?? new Uint8Array(32),
    endingHeight: ending?.height ?? 0,
    endingPayeeSat: ending?.payeeSat ?? 0n,
    endingPayerSat: ending?.payerSat ?? 0n,
  });
}

function decodeRecord(bytes: Uint8Array): ChannelRecord | undefined {
  const fields = recordStruct.decode(bytes);
  const variant = fields && variantOf(fields.variant);
  if (fields === undefined || variant === undefined || fields.version !== recordVersion) return undefined;
  return {
    terms: {
      variant,
      outpoint: { txid: fields.txid, index: fields.index },
      capacitySat: fields.capacitySat,
      refundHeight: fields.refundHeight,
      feeSat: BigInt(fields.feeSat),
      payerKey: fields.payerKey,
      payeeKey: fields.payeeKey,
      refundScript: fields.refundScript,
      payoutScript: fields.payoutScript,
    },
    keyName: fields.keyName,
    peer: fields.peer,
    minConfirmations: fields.minConfirmations,
    openedHeight: fields.openedHeight,
    stored: (fields.flags & 1) !== 0,
    accepted: (fields.flags & 2) !== 0,
    closeAsked: (fields.flags & 4) !== 0,
    refundSignature: fields.refundSignature,
    contract: fields.contract,
    ending: endingOf(fields),
  };
}

function endingOf(fields: RecordFields): Ending | undefined {
  if (fields.endingHow === 0) return undefined;
  return {
    how: fields.endingHow === 1 ? 'payment' : 'refund',
    txid: fields.endingTxid,
    height: fields.endingHeight,
    payeeSat: fields.endingPayeeSat,
    payerSat: fields.endingPayerSat,
  };
}

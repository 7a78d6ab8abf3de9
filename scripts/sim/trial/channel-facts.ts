import { equalBytes, toHex } from '../../../src/base/bytes.ts';
import type { ChannelTerms } from '../../../src/bitcoin/contract-tx.ts';
import { outpointKey } from '../../../src/bitcoin/outpoint.ts';
import { PaymentTemplate } from '../../../src/bitcoin/payment-tx.ts';
import { RefundTemplate } from '../../../src/bitcoin/refund-tx.ts';
import type { StoreWrite } from '../../../src/ports.ts';
import {
  type ChannelRecord,
  type Role,
  readChannels,
  rolePrefix,
} from '../../../src/schemes/bitcoin-channel/channel-record.ts';

/** One channel, as an onlooker who sees both disks, both seams and the chain knows it. */
export interface ChannelFacts {
  readonly id: string;
  readonly terms: ChannelTerms;
  readonly payments: PaymentTemplate;
  readonly refund: RefundTemplate;
  /** Index of the client, once its record is durable. */
  payer: number | undefined;
  payee: number | undefined;
  /** The payer's latest durable record. */
  record: ChannelRecord | undefined;
  /** The most that the payer has handed out a signature for. */
  signedSat: bigint;
  /** The most that the payer has had durable. */
  payerDurableSat: bigint;
  payeeDurableSat: bigint;
  /** Value that the payee's scheme said its payments were worth. */
  redeemedMsat: bigint;
  creditedMsat: bigint;
  /** A block of the best chain has held its contract. */
  confirmed: boolean;
  /** Its payee, or its payer, was put back to an older state, and lost what came later. */
  readonly putBack: Set<Role>;
}

/** All channels of a world, known from what became durable at either end. */
export class ChannelRegister {
  readonly #byId = new Map<string, ChannelFacts>();
  readonly #byOutpoint = new Map<string, ChannelFacts>();

  get all(): Iterable<ChannelFacts> {
    return this.#byId.values();
  }

  get(id: string): ChannelFacts | undefined {
    return this.#byId.get(id);
  }

  at(outpoint: { readonly txid: Uint8Array; readonly index: number }): ChannelFacts | undefined {
    return this.#byOutpoint.get(outpointKey(outpoint));
  }

  /** Takes note of records that are durable now; returns the channels whose best payment rose. */
  stored(role: Role, index: number, writes: readonly StoreWrite[]): readonly ChannelFacts[] {
    const raised: ChannelFacts[] = [];
    for (const { key, value } of writes) {
      if (value === undefined || !key.startsWith(rolePrefix(role))) continue;
      const [kind, id] = key.slice(rolePrefix(role).length).split('/');
      if (kind === 'channel') this.#onRecord(role, index, id, { key, value });
      const facts = kind === 'best' ? this.#byId.get(id) : undefined;
      if (facts !== undefined && this.#onBest(facts, role, paidSatOf(value))) raised.push(facts);
    }
    return raised;
  }

  #onBest(facts: ChannelFacts, role: Role, paidSat: bigint): boolean {
    const before = role === 'payer' ? facts.payerDurableSat : facts.payeeDurableSat;
    if (paidSat <= before) return false;
    if (role === 'payer') facts.payerDurableSat = paidSat;
    else facts.payeeDurableSat = paidSat;
    return true;
  }

  #onRecord(role: Role, index: number, id: string, write: { key: string; value: Uint8Array }): void {
    const list = (prefix: string) =>
      write.key.startsWith(prefix) ? [[write.key, write.value] as const] : [];
    const [kept] = readChannels({ get: () => undefined, list }, role);
    if (kept?.record === undefined) return;
    const facts = this.#byId.get(id) ?? this.#add(id, kept.record.terms);
    if (role === 'payee') {
      facts.payee = index;
      return;
    }
    facts.payer = index;
    facts.record = kept.record;
  }

  #add(id: string, terms: ChannelTerms): ChannelFacts {
    const facts: ChannelFacts = {
      id,
      terms,
      payments: new PaymentTemplate(terms),
      refund: new RefundTemplate(terms),
      payer: undefined,
      payee: undefined,
      record: undefined,
      signedSat: 0n,
      payerDurableSat: 0n,
      payeeDurableSat: 0n,
      redeemedMsat: 0n,
      creditedMsat: 0n,
      confirmed: false,
      putBack: new Set(),
    };
    this.#byId.set(id, facts);
    this.#byOutpoint.set(outpointKey(terms.outpoint), facts);
    return facts;
  }
}

/** The record of a best payment begins with its amount. */
function paidSatOf(value: Uint8Array): bigint {
  return new DataView(value.buffer, value.byteOffset).getBigUint64(0);
}

/** How a transaction that spends a contract does so; undefined: by none that the channel allows. */
export function endingOf(
  facts: ChannelFacts,
  txid: Uint8Array,
  payeeSat: bigint,
): 'payment' | 'refund' | undefined {
  if (equalBytes(txid, facts.refund.txid())) return 'refund';
  const { payments } = facts;
  return payments.allows(payeeSat) && equalBytes(txid, payments.txid(payeeSat)) ? 'payment' : undefined;
}

export const nameOf = ({ id, payer, payee }: ChannelFacts): string =>
  `channel ${id.slice(0, 8)} of client${payer ?? '?'} at relay${payee ?? '?'}`;

export const channelIn = (bytes: Uint8Array): string => toHex(bytes.subarray(2, 10));

import { toHex } from '../base/bytes.ts';
import { accountRepliesMax } from '../base/limits.ts';
import { fixedBytes, restBytes, struct, u32 } from '../base/struct.ts';
import { accountRequest } from '../payment/account-request.ts';
import type { AccountKey } from '../payment/broker-side.ts';
import { RecordBook } from '../payment/record-book.ts';
import { refused, type Served, type Value } from '../payment/scheme.ts';
import type { StorePort, StoreWrite } from '../ports.ts';

const replyRecord = struct({ order: u32, id: fixedBytes(16), reply: restBytes });

/**
 * Requests of account holders, each served once: whoever crashes between request and reply sends the same again and gets
 * the same reply, and is not debited twice. Of each account so many of the latest replies are kept; that a request took money of
 * its account is kept for ever, since whoever saw it go by may send it again when later replies have pushed its own out. Nothing is
 * kept of a request that is refused, or that changes nothing in the name of a key without an account: sent again, it does no more
 * than before, and anybody can make such keys.
 */
export class ServedOnce {
  readonly #replies: RecordBook<{
    readonly order: number;
    readonly id: Uint8Array;
    readonly reply: Uint8Array;
  }>;
  /** By account: the request's id, and the slot that its reply is in; the oldest first. */
  readonly #slots = new Map<string, Map<string, string>>();
  readonly #store: Pick<StorePort, 'get'>;
  readonly #balanceMsat: (key: AccountKey) => Value | undefined;
  #order = 0;

  /** @param balanceMsat undefined: the key has no account. */
  constructor(store: Pick<StorePort, 'get' | 'list'>, balanceMsat: (key: AccountKey) => Value | undefined) {
    this.#store = store;
    this.#balanceMsat = balanceMsat;
    this.#replies = new RecordBook(store, 'broker/reply/', replyRecord);
    const inOrder = [...this.#replies.entries()].sort(([, a], [, b]) => a.order - b.order);
    for (const [slot, { id, order }] of inOrder) {
      this.#slotsOf(slot.split('/')[0]).set(toHex(id), slot);
      this.#order = order + 1;
    }
  }

  serve(request: Uint8Array, serve: (account: AccountKey, body: Uint8Array) => Served): Served {
    const said = accountRequest.decode(request);
    if (said === undefined) return { kind: 'refused', fault: { code: 'malformed' } };
    if (!accountRequest.isBy(said.account, said)) return { kind: 'refused', fault: { code: 'badSignature' } };
    const known = this.#slots.get(toHex(said.account))?.get(toHex(said.id));
    const kept = known === undefined ? undefined : this.#replies.get(known);
    if (kept !== undefined) return { kind: 'reply', reply: kept.reply, persist: [] };
    const spent = `broker/spent/${toHex(said.account)}/${toHex(said.id)}`;
    if (this.#store.get(spent) !== undefined) return refused('stale');
    const before = this.#balanceMsat(said.account);
    const served = serve(said.account, said.body);
    if (served.kind !== 'reply') return served;
    const { reply, persist } = served;
    const after = this.#balanceMsat(said.account);
    if (persist.length === 0 && after === undefined) return served;
    const hasPaid = before !== undefined && after !== undefined && after < before;
    const forEver = hasPaid ? [{ key: spent, value: new Uint8Array(0) }] : [];
    return {
      kind: 'reply',
      reply,
      persist: [...persist, this.#keep(said.account, said.id, reply), ...forEver],
    };
  }

  #keep(account: AccountKey, id: Uint8Array, reply: Uint8Array): StoreWrite {
    const name = toHex(account);
    const slots = this.#slotsOf(name);
    let slot = `${name}/${slots.size}`;
    if (slots.size >= accountRepliesMax) {
      const [[oldest, free]] = slots;
      slots.delete(oldest);
      slot = free;
    }
    slots.set(toHex(id), slot);
    this.#order += 1;
    return this.#replies.put(slot, { order: this.#order, id, reply });
  }

  #slotsOf(account: string): Map<string, string> {
    const slots = this.#slots.get(account) ?? new Map<string, string>();
    this.#slots.set(account, slots);
    return slots;
  }
}

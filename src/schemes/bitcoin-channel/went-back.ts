import { Transaction } from 'bitcoinjs-lib';
import { fromUtf8, utf8 } from '../../base/bytes.ts';
import { walletAddressGap } from '../../base/limits.ts';
import { struct, u32 } from '../../base/struct.ts';
import type { Wallet } from '../../bitcoin/wallet.ts';
import type { SchemeHost } from '../../payment/scheme.ts';
import type { ChainEvent, Outpoint, StoreWrite } from '../../ports.ts';
import { type Records, type Role, rolePrefix, roles } from './channel-record.ts';
import { readSeed } from './role-keys.ts';

/**
 * What the own keys alone can have done, and the records know nothing of: a payment that settled a channel, a contract
 * that was paid for, an address that was handed out.
 */
export type Forgotten = 'payment' | 'contract' | 'address';

export interface WentBackOptions {
  readonly role: Role;
  readonly host: Pick<SchemeHost, 'store' | 'observer'>;
  readonly wallet: Wallet;
  /** So deep a reorganisation is thought of. */
  readonly finalBlocks: number;
  readonly commit: (writes: readonly StoreWrite[]) => void;
  /** True for the output of a contract that is in the records. */
  readonly hasContract: (outpoint: Outpoint) => boolean;
}

const heightStruct = struct({ height: u32 });

/** So long bitcoind keeps a transaction that no block takes: mempoolexpiry, 336 hours. */
const mempoolBlocks = 2_016;

/**
 * Whether records are older than what their node has done since. An old copy of a whole data directory looks like the newest
 * until the chain or a payee shows more than it knows. From then on nothing new may be promised; what is there is settled
 * or refunded as ever. Whoever restores a backup knows that it is old, and is believed for all that was so far: for contracts
 * that no block had taken yet, and for coins that come to addresses that were shown since.
 */
export class WentBack {
  readonly #options: WentBackOptions;
  #forgotten: string | undefined;
  /** The owner restored these records, and no block was told since. */
  #justRestored = false;
  /** What is in blocks up to there may be unknown; infinite until the first block is told. */
  #excusedHeight: number;

  constructor(options: WentBackOptions) {
    this.#options = options;
    const { host, role } = options;
    const found = host.store.get(foundKey(role));
    this.#forgotten = found && fromUtf8(found);
    const restored = host.store.get(restoredKey(role));
    this.#justRestored = restored?.length === 0;
    // A wallet that is made anew, or from a seed of its owner's, has no records to be old.
    const isNew = readSeed(host.store, role) === undefined;
    const known = restored && heightStruct.decode(restored)?.height;
    this.#excusedHeight =
      isNew || this.#justRestored ? Number.POSITIVE_INFINITY : (known ?? Number.NEGATIVE_INFINITY);
    if (this.#forgotten !== undefined) this.#complain(this.#forgotten);
  }

  /** What was found out, for its owner; undefined: nothing. */
  get fault(): string | undefined {
    return this.#forgotten === undefined
      ? undefined
      : `the records are an old copy, without a ${this.#forgotten} of ours`;
  }

  /** Before wallet and channels hear of it. */
  onChain(event: ChainEvent): void {
    const { role, wallet } = this.#options;
    if (event.kind === 'paid' && wallet.neverShown(event.script)) this.found('address', event.height);
    // A payee pays for no contracts.
    if (event.kind === 'spent' && role === 'payer' && wallet.has(event.outpoint)) {
      if (this.#paysUnknownContract(event.transaction)) this.found('contract', event.height);
    }
    if (event.kind === 'block') this.#onBlock(event.height);
  }

  /** @param height of the block that shows it, or of the chain when the channel was opened that shows it. */
  found(what: Forgotten, height: number): void {
    const laterBlocks = what === 'contract' ? mempoolBlocks : 0;
    if (this.#forgotten !== undefined || height <= this.#excusedHeight + laterBlocks) return;
    const { commit, role } = this.#options;
    this.#forgotten = what;
    commit([{ key: foundKey(role), value: utf8(what) }]);
    this.#complain(what);
  }

  #onBlock(height: number): void {
    const { commit, finalBlocks, role, wallet } = this.#options;
    if (this.#justRestored) wallet.skipAddresses(walletAddressGap);
    const writes = [...wallet.unkeptWrites()];
    // What blocks before the first one hold has been told.
    if (this.#excusedHeight === Number.POSITIVE_INFINITY) this.#excusedHeight = height + finalBlocks;
    if (this.#justRestored)
      writes.push({ key: restoredKey(role), value: heightStruct.encode({ height: this.#excusedHeight }) });
    this.#justRestored = false;
    if (writes.length > 0) commit(writes);
  }

  #paysUnknownContract(bytes: Uint8Array): boolean {
    const transaction = Transaction.fromBuffer(bytes);
    const txid = transaction.getHash();
    return transaction.outs.some(
      ({ script }, index) => isScriptHash(script) && !this.#options.hasContract({ txid, index }),
    );
  }

  #complain(what: string): void {
    this.#options.host.observer.log('error', 'store_went_back', { without: what });
    this.#options.host.observer.count('naulon_store_went_back_total');
  }
}

/** Writes that tell a node whose owner restored these records that they are old. */
export function restoredWrites(records: Pick<Records, 'get'>): readonly StoreWrite[] {
  return roles
    .filter(role => readSeed(records, role) !== undefined)
    .flatMap(role => [
      { key: foundKey(role), value: undefined },
      { key: restoredKey(role), value: new Uint8Array(0) },
    ]);
}

/** P2WSH: witness version 0 and 32 bytes. */
function isScriptHash(script: Uint8Array): boolean {
  return script.length === 34 && script[0] === 0 && script[1] === 32;
}

function foundKey(role: Role): string {
  return `${rolePrefix(role)}went-back`;
}

function restoredKey(role: Role): string {
  return `${rolePrefix(role)}restored`;
}

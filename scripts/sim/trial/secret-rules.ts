import { toHex } from '../../../src/base/bytes.ts';
import type { StoreWrite } from '../../../src/ports.ts';
import type { ChainListener } from '../../../src/sim/sim-chain.ts';
import type { LoggedLine } from '../../../src/sim/sim-node.ts';
import type { ChainTransaction } from '../../../src/sim/transaction-bytes.ts';
import type { RuleBook } from './rule-book.ts';

/** Rule I11: what the wallets' seeds are is seen in no payment, target, transaction or log line. */
export class SecretRules implements ChainListener {
  readonly #book: RuleBook;
  readonly #secrets = new Map<string, Buffer>();

  constructor(book: RuleBook) {
    this.#book = book;
  }

  /** Seeds are known from the disks that keep them. */
  stored(writes: readonly StoreWrite[]): void {
    for (const { key, value } of writes) {
      if (key.endsWith('/seed') && value !== undefined) this.#secrets.set(toHex(value), Buffer.from(value));
    }
  }

  shown(where: string, bytes: Uint8Array): void {
    const seen = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    for (const secret of this.#secrets.values()) {
      this.#book.hold(!seen.includes(secret), 'I11', () => `${where} shows the seed of a wallet`);
    }
  }

  /** Whatever is offered to the chain, for all to see. */
  entered({ bytes }: ChainTransaction): void {
    this.shown('the chain', bytes);
  }

  connected(): void {}

  disconnected(): void {}

  logged({ node, event, fields }: LoggedLine): void {
    for (const value of Object.values(fields)) {
      if (typeof value !== 'string' || value.length < 32) continue;
      for (const hex of this.#secrets.keys()) {
        this.#book.hold(!value.includes(hex), 'I11', () => `${node} logs the seed of a wallet with ${event}`);
      }
    }
  }
}

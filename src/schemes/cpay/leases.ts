import { fromHex, toHex } from '../../base/bytes.ts';
import { struct, u64 } from '../../base/struct.ts';
import { RecordBook } from '../../payment/record-book.ts';
import type { StorePort, StoreWrite } from '../../ports.ts';
import { offerEveryMs } from './messages.ts';

/** An assistant that has not offered itself for so long is there no more, and another takes its place. */
export const leaseMs = 4 * offerEveryMs;

const leaseRecord = struct({ lastMs: u64 });

/** When each assistant was last heard of. */
export class Leases {
  readonly #leases: RecordBook<{ readonly lastMs: bigint }>;

  constructor(store: Pick<StorePort, 'list'>) {
    this.#leases = new RecordBook(store, 'cpay/lease/', leaseRecord);
  }

  renew(assistant: Uint8Array, nowMs: number): StoreWrite {
    return this.#leases.put(toHex(assistant), { lastMs: BigInt(nowMs) });
  }

  /** Ends those that have run out: told is whose. */
  end(nowMs: number): readonly { readonly assistant: Uint8Array; readonly write: StoreWrite }[] {
    const over = [...this.#leases.entries()].filter(([, { lastMs }]) => Number(lastMs) + leaseMs <= nowMs);
    return over.flatMap(([name]) => {
      const assistant = fromHex(name);
      return assistant === undefined ? [] : [{ assistant, write: this.#leases.drop(name) }];
    });
  }
}

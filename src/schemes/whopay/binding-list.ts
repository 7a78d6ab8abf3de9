import { equalBytes } from '../../base/bytes.ts';
import { RecordBook } from '../../payment/record-book.ts';
import type { StorePort, StoreWrite } from '../../ports.ts';
import { type Binding, binding } from './messages.ts';
import { nameOf } from './steps.ts';

/** What became of a binding that somebody wants on the list. */
export type Listed =
  | { readonly kind: 'listed'; readonly write: readonly StoreWrite[] }
  /** There is another under this number, or one under a later number. */
  | { readonly kind: 'passed'; readonly known: Binding };

/**
 * Who holds each coin, for everybody to see: the key that is bound to it last, and no name. Whoever is paid has the binding put
 * there before it takes it, so that an owner can bind no coin to two without being seen at once.
 */
export class BindingList {
  readonly #last: RecordBook<Binding>;

  constructor(store: Pick<StorePort, 'list'>) {
    this.#last = new RecordBook(store, 'whopay/listed/', binding);
  }

  /** Who holds that coin, as far as it is listed. */
  last(made: Pick<Binding, 'coinKey'>): Binding | undefined {
    return this.#last.get(nameOf(made));
  }

  /** Nobody takes that coin any more. */
  forget(made: Pick<Binding, 'coinKey'>): readonly StoreWrite[] {
    return this.last(made) === undefined ? [] : [this.#last.drop(nameOf(made))];
  }

  /** @param bound one that is signed by the coin's key or by the broker. */
  put(bound: Binding): Listed {
    const name = nameOf(bound);
    const known = this.#last.get(name);
    if (known === undefined || bound.sequence > known.sequence)
      return { kind: 'listed', write: [this.#last.put(name, bound)] };
    const isSame = bound.sequence === known.sequence && equalBytes(bound.holder, known.holder);
    return isSame ? { kind: 'listed', write: [] } : { kind: 'passed', known };
  }
}

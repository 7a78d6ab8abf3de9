import { equalBytes, toHex, utf8 } from '../../base/bytes.ts';
import { coinMsatMax, coinStepsMax } from '../../base/limits.ts';
import { sha256 } from '../../crypto/sha.ts';
import {
  type Binding,
  binding,
  type Coin,
  coin,
  deposit,
  type Order,
  orderKind,
  type Step,
  transfer,
} from './messages.ts';

/** A coin's key in hex names it in records. */
export function nameOf(made: Pick<Coin, 'coinKey'>): string {
  return toHex(made.coinKey);
}

/** What is kept of a coin is kept once for each of its bindings. */
export function placeOf(bound: Binding): string {
  return `${toHex(bound.coinKey)}-${bound.sequence.toString(16).padStart(16, '0')}`;
}

/** How an account is named in a coin that it bought: in each otherwise, so that nobody else sees which of them have one owner. */
export function ownerIdOf(account: Uint8Array, coinKey: Uint8Array): Uint8Array {
  return sha256(utf8('naulon whopay owner of\0'), account, coinKey).subarray(0, 12).slice();
}

/** Sold by the broker. */
export function isCoin(made: Coin, broker: Uint8Array): boolean {
  return made.value <= coinMsatMax && coin.isBy(broker, made);
}

/**
 * Who holds a coin is said by its own key, or by the broker. The number is within bounds, since whoever binds it next counts further.
 * @param made one that was found good before.
 */
export function isBound(made: Coin, bound: Binding, broker: Uint8Array): boolean {
  return (
    equalBytes(made.coinKey, bound.coinKey) &&
    bound.sequence > 0n &&
    bound.sequence <= coinStepsMax &&
    (binding.isBy(made.coinKey, bound) || binding.isBy(broker, bound))
  );
}

/**
 * A binding that is good, and an order of its holder.
 * @param made one that was found good before.
 * @param known a binding that was: of one that is the same the signature is not verified again.
 */
export function isGenuine(
  made: Coin,
  { binding: bound, order: given }: Step,
  broker: Uint8Array,
  known?: Binding,
): boolean {
  return (
    equalBytes(made.coinKey, bound.coinKey) &&
    equalBytes(given.said.coinKey, bound.coinKey) &&
    equalBytes(given.said.holder, bound.holder) &&
    isOrdered(given) &&
    ((known !== undefined && equalBytes(binding.encode(known), binding.encode(bound))) ||
      isBound(made, bound, broker))
  );
}

/** Signed by the key that it says held the coin. */
export function isOrdered({ kind, said }: Order): boolean {
  if (kind === orderKind.transfer) return transfer.isBy(said.holder, said);
  return kind === orderKind.deposit && deposit.isBy(said.holder, said);
}

/** Both give the coin to the same. */
export function isSameOrder(a: Order, b: Order): boolean {
  return (
    a.kind === b.kind && equalBytes(a.said.holder, b.said.holder) && equalBytes(a.said.next, b.said.next)
  );
}

/** The next binding, to whom the order names, for the payment that it was given for. */
export function follows({ binding, order: { said } }: Step, bound: Binding): boolean {
  return (
    bound.sequence === binding.sequence + 1n &&
    equalBytes(bound.holder, said.next) &&
    equalBytes(bound.nonce, said.nonce)
  );
}

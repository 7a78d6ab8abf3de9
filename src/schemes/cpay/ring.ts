import { equalBytes, toHex } from '../../base/bytes.ts';
import { coinMsatMax, coinTimeMsMax } from '../../base/limits.ts';
import { sha256 } from '../../crypto/sha.ts';
import type { Endpoint } from '../../ports.ts';
import {
  type Assistant,
  type AssistantList,
  type Auth,
  type AuthStatement,
  authStatement,
  type Coin,
  coin,
  epochMs,
  type PaidCoin,
} from './messages.ts';

/** The broker, which assists while nobody else does. */
export interface BrokerAddress {
  readonly endpoint: Endpoint;
  readonly key: Uint8Array;
}

/** Where a key lies on the ring. */
export function placeOnRing(key: Uint8Array): Uint8Array {
  return sha256(key);
}

/** Where among assistants in ring order the one is that follows that place, or else there would be. */
export function indexOfPlace(assistants: readonly Assistant[], place: Uint8Array): number {
  let [from, to] = [0, assistants.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (Buffer.compare(placeOnRing(assistants[middle].key), place) < 0) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** The assistants of one list: whoever follows a key's place on the ring assists its holder. */
export class Ring {
  /** The first epoch that goes by it. */
  readonly since: number;
  readonly #assistants: readonly Assistant[];
  readonly #broker: BrokerAddress;

  constructor({ since, assistants }: AssistantList, broker: BrokerAddress) {
    this.since = since;
    this.#assistants = assistants;
    this.#broker = broker;
  }

  hasAssistantAt({ host, port }: Endpoint): boolean {
    return this.#assistants.some(({ at }) => at.port === port && at.host === host);
  }

  /** Those that authorise payments of this key: so many, or all there are. Nobody assists itself; where nobody else is, the broker does. */
  assistantsOf(key: Uint8Array, count: number): readonly Assistant[] {
    const all = this.#assistants;
    const at = indexOfPlace(all, placeOnRing(key));
    const isThere = at < all.length && equalBytes(all[at].key, key);
    const others = isThere ? all.length - 1 : all.length;
    if (others === 0) return [{ key: this.#broker.key, at: this.#broker.endpoint }];
    const from = isThere ? at + 1 : at;
    return Array.from({ length: Math.min(count, others) }, (_, step) => all[(from + step) % all.length]);
  }
}

/** More than half of them must have signed. */
export function quorumOf(assistants: readonly Assistant[]): number {
  return Math.floor(assistants.length / 2) + 1;
}

export function epochOf(timeMs: bigint | number): number {
  return Number(BigInt(timeMs) / BigInt(epochMs));
}

/** What is known of the ring in each epoch. */
export interface Rings {
  /** Undefined: not known here, or not yet. */
  ring(epoch: number): Ring | undefined;
  /** Gets those that are missing, of the broker; then goes on, be it without them. */
  fetch(epochs: readonly number[], done: () => void): void;
}

/** The first authorisation of a coin is the broker's: by it the buyer holds the coin. */
export function isOrigin(given: Pick<Auth, 'payer'>, broker: Uint8Array): boolean {
  return equalBytes(given.payer, broker);
}

/** Epochs whose rings must be known to judge an authorisation. */
export function epochsFor(given: Auth, broker: Uint8Array): readonly number[] {
  return isOrigin(given, broker) ? [] : [epochOf(given.timeMs)];
}

/** Whoever signed the authorisation, of those that may; none for a signature that is wrong or given twice. */
export function signersOf(
  { signatures, ...said }: Auth,
  made: Coin,
  broker: Uint8Array,
  rings: Rings,
): readonly Uint8Array[] {
  const may = isOrigin(said, broker)
    ? [broker]
    : (rings.ring(epochOf(said.timeMs))?.assistantsOf(said.payer, made.assistants) ?? []).map(
        ({ key }) => key,
      );
  const places = new Set(signatures.map(({ place }) => place));
  if (places.size < signatures.length) return [];
  const signers = signatures.map(({ place, signature }) => {
    const key = may[place];
    return key !== undefined && authStatement.isBy(key, { ...said, signature }) ? key : undefined;
  });
  return signers.every(key => key !== undefined) ? signers : [];
}

/** The coin is the broker's, and enough of the payer's assistants, or at first the broker, gave it to its holder. */
export function isAuthorised(
  { coin: made, auth: given }: PaidCoin,
  broker: Uint8Array,
  rings: Rings,
): boolean {
  if (!equalBytes(made.guid, given.guid) || given.timeMs <= given.sinceMs || !coin.isBy(broker, made))
    return false;
  // Whoever pays it on names a later time, and asks for that time's epoch.
  if (given.timeMs > coinTimeMsMax || made.value > coinMsatMax) return false;
  const ring = rings.ring(epochOf(given.timeMs));
  const quorum = isOrigin(given, broker)
    ? 1
    : ring === undefined
      ? undefined
      : quorumOf(ring.assistantsOf(given.payer, made.assistants));
  return quorum !== undefined && signersOf(given, made, broker, rings).length >= quorum;
}

/** A name for a holding: it is authorised away once. */
export function holdingOf({
  guid,
  payer,
  sinceMs,
}: Pick<AuthStatement, 'guid' | 'payer' | 'sinceMs'>): string {
  return `${toHex(guid)}-${toHex(payer)}-${sinceMs.toString(16).padStart(16, '0')}`;
}

/** Both give one holding to the same payee, for the same payment. */
export function isSamePayment(
  a: Pick<AuthStatement, 'payee' | 'nonce'>,
  b: Pick<AuthStatement, 'payee' | 'nonce'>,
): boolean {
  return equalBytes(a.payee, b.payee) && equalBytes(a.nonce, b.nonce);
}

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
  brokersPlace,
  buyersOwn,
  buyersPlace,
  type Coin,
  coin,
  epochMs,
  type PaidCoin,
  placeBytes,
} from './messages.ts';

/** The broker, which assists while nobody else does. */
export interface BrokerAddress {
  readonly endpoint: Endpoint;
  readonly key: Uint8Array;
}

/** Where a coin lies on the ring. Its guid is the broker's draw too, so nobody who picks a key picks who stands beside whom. */
export function placeOnRing(guid: Uint8Array): Uint8Array {
  return sha256(guid).subarray(0, placeBytes);
}

/** Where among assistants in ring order the one is that follows that place, or else there would be. */
export function indexOfPlace(assistants: readonly Assistant[], place: Uint8Array): number {
  let [from, to] = [0, assistants.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (Buffer.compare(assistants[middle].place, place) < 0) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** Of a list, whoever may assist that coin, in ring order: a holder that stands there too does not assist itself. */
export function cutTo(
  all: readonly Assistant[],
  made: Pick<Coin, 'guid' | 'assistants'>,
): readonly Assistant[] {
  const from = indexOfPlace(all, placeOnRing(made.guid));
  const count = Math.min(all.length, countOf(made) + 1);
  const cut = Array.from({ length: count }, (_, step) => all[(from + step) % all.length]);
  return cut.sort((a, b) => Buffer.compare(a.place, b.place));
}

function countOf({ assistants }: Pick<Coin, 'assistants'>): number {
  return assistants === buyersOwn ? 1 : assistants;
}

/** The assistants of one list: whoever follows a coin's place on the ring assists all that hold it. */
export class Ring {
  /** The first epoch that goes by it. */
  readonly since: number;
  readonly #assistants: readonly Assistant[];
  readonly #broker: BrokerAddress;
  /** In hex. */
  readonly #keys: ReadonlySet<string>;
  /** Where they are asked. */
  readonly #endpoints: ReadonlySet<string>;

  constructor({ since, assistants }: AssistantList, broker: BrokerAddress) {
    this.since = since;
    this.#assistants = assistants;
    this.#broker = broker;
    this.#keys = new Set(assistants.map(({ key }) => toHex(key)));
    this.#endpoints = new Set(assistants.map(({ at }) => endpointName(at)));
  }

  has(key: Uint8Array): boolean {
    return this.#keys.has(toHex(key));
  }

  hasAssistantAt(at: Endpoint): boolean {
    return this.#endpoints.has(endpointName(at));
  }

  /** Those that authorise payments of this coin: as many as it says, or all there are. Nobody assists itself; where nobody else is, the broker does. */
  assistantsOf(made: Pick<Coin, 'guid' | 'assistants'>, holder: Uint8Array): readonly Assistant[] {
    const all = this.#assistants;
    const from = indexOfPlace(all, placeOnRing(made.guid));
    const count = countOf(made);
    const found: Assistant[] = [];
    for (let step = 0; step < all.length && found.length < count; step++) {
      const each = all[(from + step) % all.length];
      if (!equalBytes(each.key, holder)) found.push(each);
    }
    const { endpoint, key } = this.#broker;
    return found.length > 0 ? found : [{ key, at: endpoint, place: new Uint8Array(placeBytes) }];
  }
}

function endpointName({ host, port }: Endpoint): string {
  return `${host} ${port}`;
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
  /** By which rings those epochs went, as far as they say who assisted that coin. Undefined: that cannot be had. */
  history(
    made: Pick<Coin, 'guid' | 'assistants'>,
    from: number,
    to: number,
    done: (rings: readonly Ring[] | undefined) => void,
  ): void;
}

/** Of them, those that are at hand. */
export type RingsAtHand = Pick<Rings, 'ring'>;

/** The first authorisation of a coin is the broker's: by it the buyer holds the coin. */
export function isOrigin(given: Pick<Auth, 'payer'>, broker: Uint8Array): boolean {
  return equalBytes(given.payer, broker);
}

/** A buyer's first payment that it signed itself, beside what it holds the coin by. */
export function isBuyersOwn({ signatures }: Auth): boolean {
  const places = [buyersPlace, brokersPlace];
  return signatures.length === 2 && signatures.every(({ place }, at) => place === places[at]);
}

/** Neither is any assistant's. */
function isUnassisted(given: Auth, broker: Uint8Array): boolean {
  return isOrigin(given, broker) || isBuyersOwn(given);
}

/** What the broker said when it sold the coin. */
export function originOf(
  { guid, payer, sinceMs }: Pick<AuthStatement, 'guid' | 'payer' | 'sinceMs'>,
  broker: Uint8Array,
): Omit<AuthStatement, 'signature'> {
  return { guid, payer: broker, payee: payer, sinceMs: 0n, timeMs: sinceMs, nonce: new Uint8Array(16) };
}

/** Epochs whose rings must be known to judge an authorisation. */
export function epochsFor(given: Auth, broker: Uint8Array): readonly number[] {
  return isUnassisted(given, broker) ? [] : [epochOf(given.timeMs)];
}

/** What was found good before: of what is the same to the last bit no signature is verified again. */
export interface FoundGood {
  readonly coin?: Coin;
  readonly auth?: { readonly by: Uint8Array; readonly said: AuthStatement };
}

/** Whoever signed the authorisation, of those that may; none for a signature that is wrong or given twice. */
export function signersOf(
  given: Auth,
  made: Coin,
  broker: Uint8Array,
  rings: RingsAtHand,
  known?: FoundGood['auth'],
): readonly Uint8Array[] {
  const { signatures, ...said } = given;
  if (isBuyersOwn(given)) {
    const [{ signature: buyers }, { signature: brokers }] = signatures;
    const isGood =
      made.assistants === buyersOwn &&
      authStatement.isBy(broker, { ...originOf(said, broker), signature: brokers }) &&
      authStatement.isBy(said.payer, { ...said, signature: buyers });
    return isGood ? [said.payer] : [];
  }
  const may = isOrigin(said, broker)
    ? [broker]
    : (rings.ring(epochOf(said.timeMs))?.assistantsOf(made, said.payer) ?? []).map(({ key }) => key);
  const keys = signatures.map(({ place }) => may[place]);
  // However often one of them signs, it is one.
  const distinct = new Set(keys.map(key => (key === undefined ? '' : toHex(key))));
  if (distinct.has('') || distinct.size < keys.length) return [];
  const isKnown = (by: Uint8Array, one: AuthStatement) =>
    known !== undefined &&
    equalBytes(known.by, by) &&
    equalBytes(authStatement.encode(known.said), authStatement.encode(one));
  const areGood = signatures.every(({ signature }, at) => {
    const one = { ...said, signature };
    return isKnown(keys[at], one) || authStatement.isBy(keys[at], one);
  });
  return areGood ? keys : [];
}

/** The coin is the broker's, and enough of the payer's assistants, or at first the broker, gave it to its holder. */
export function isAuthorised(
  { coin: made, auth: given }: PaidCoin,
  broker: Uint8Array,
  rings: RingsAtHand,
  known: FoundGood = {},
): boolean {
  if (!equalBytes(made.guid, given.guid) || given.timeMs <= given.sinceMs) return false;
  const isKnown = known.coin !== undefined && equalBytes(coin.encode(known.coin), coin.encode(made));
  if (!isKnown && !coin.isBy(broker, made)) return false;
  // Whoever pays it on names a later time, and asks for that time's epoch.
  if (given.timeMs > coinTimeMsMax || made.value > coinMsatMax) return false;
  const ring = rings.ring(epochOf(given.timeMs));
  const quorum = isUnassisted(given, broker)
    ? 1
    : ring === undefined
      ? undefined
      : quorumOf(ring.assistantsOf(made, given.payer));
  return quorum !== undefined && signersOf(given, made, broker, rings, known.auth).length >= quorum;
}

/**
 * Enough of those that are said to have authorised it still assist. Whoever was convicted, or has left with its bond, could write any
 * earlier time into what it signs.
 */
export function isCurrent(
  { coin: made, auth: given }: PaidCoin,
  broker: Uint8Array,
  rings: RingsAtHand,
  present: Ring,
): boolean {
  const ring = rings.ring(epochOf(given.timeMs));
  if (isUnassisted(given, broker)) return true;
  if (ring === undefined) return false;
  if (ring.since >= present.since) return true;
  const might = ring.assistantsOf(made, given.payer);
  const said = new Set(given.signatures.map(({ place }) => might[place]?.key));
  const left = [...said].filter(key => key !== undefined && (present.has(key) || equalBytes(key, broker)));
  return left.length >= quorumOf(might);
}

/** Both say one and the same of a holding: of any other two that are by one key one is a cheat. */
export function isSameWord(
  a: Pick<AuthStatement, 'payee' | 'nonce' | 'timeMs'>,
  b: Pick<AuthStatement, 'payee' | 'nonce' | 'timeMs'>,
): boolean {
  return isSamePayment(a, b) && a.timeMs === b.timeMs;
}

/** A name for a holding: it is authorised away once. */
export function holdingOf({
  guid,
  payer,
  sinceMs,
}: Pick<AuthStatement, 'guid' | 'payer' | 'sinceMs'>): string {
  return `${toHex(guid)}-${toHex(payer)}-${sinceMs.toString(16).padStart(16, '0')}`;
}

/** A name for the holding that begins with it. */
export function ownHoldingOf({
  guid,
  payee,
  timeMs,
}: Pick<AuthStatement, 'guid' | 'payee' | 'timeMs'>): string {
  return holdingOf({ guid, payer: payee, sinceMs: timeMs });
}

/** Both give one holding to the same payee, for the same payment. */
export function isSamePayment(
  a: Pick<AuthStatement, 'payee' | 'nonce'>,
  b: Pick<AuthStatement, 'payee' | 'nonce'>,
): boolean {
  return equalBytes(a.payee, b.payee) && equalBytes(a.nonce, b.nonce);
}

import { equalBytes, toHex } from '../../base/bytes.ts';
import { coinReleasesMax, coinTimeMsMax } from '../../base/limits.ts';
import type { SigningKey } from '../../crypto/ecdsa.ts';
import { RecordBook } from '../../payment/record-book.ts';
import { refused, type Served } from '../../payment/scheme.ts';
import type { Clock, PartyAddress, StorePort, StoreWrite } from '../../ports.ts';
import { gatherReleases } from './leaving.ts';
import {
  type Assistant,
  type AuthStatement,
  authoriseRequest,
  authStatement,
  buyersOwn,
  clockSkewMs,
  coin,
  type Grant,
  grant,
  type PaidCoin,
  type Release,
  release,
  releaseRequest,
  type Wish,
  wish,
} from './messages.ts';
import {
  type BrokerAddress,
  epochOf,
  epochsFor,
  type FoundGood,
  holdingOf,
  isAuthorised,
  isOrigin,
  isSamePayment,
  type Ring,
  type Rings,
} from './ring.ts';

export interface AssistantHost {
  readonly store: Pick<StorePort, 'list'>;
  readonly clock: Clock;
  readonly key: SigningKey;
  readonly broker: BrokerAddress;
  readonly rings: Rings;
  /** Asks another assistant; absent for one that asks nobody. */
  readonly ask?: (
    to: PartyAddress,
    request: Uint8Array,
    done: (reply: Uint8Array | undefined) => void,
  ) => void;
}

interface Wanted {
  readonly held: PaidCoin;
  readonly wish: Wish;
  readonly timeMs: bigint;
  /** Of those that assisted this holder before. */
  readonly releases: Grant['releases'];
  readonly done: (served: Served) => void;
}

/**
 * Authorises payments of those whom it assists: each holding of a coin once. What it signs is on its disk first, with the
 * holder's wish and what made it the holder, so that it can always show on what it did.
 */
export class AssistantDesk {
  readonly #host: AssistantHost;
  readonly #grants: RecordBook<Grant>;
  readonly #released: RecordBook<Release>;
  /** The latest that it authorised of each coin. */
  readonly #latest = new Map<string, AuthStatement>();
  /** How many of each coin's holdings. */
  readonly #releasesOf = new Map<string, number>();

  constructor(host: AssistantHost) {
    this.#host = host;
    this.#grants = new RecordBook(host.store, 'cpay/grant/', grant);
    this.#released = new RecordBook(host.store, 'cpay/released/', release);
    for (const [, { auth }] of this.#grants.entries()) this.#note(auth);
    for (const [, { guid }] of this.#released.entries())
      this.#releasesOf.set(toHex(guid), (this.#releasesOf.get(toHex(guid)) ?? 0) + 1);
  }

  /** What it authorised of that holding. */
  granted(holding: string): Grant | undefined {
    return this.#grants.get(holding);
  }

  /** `done` is called once, at once or later. */
  authorise(request: Uint8Array, done: (served: Served) => void): void {
    const message = authoriseRequest.decode(request);
    if (message === undefined) {
      done(refused('malformed'));
      return;
    }
    const { held, wish: said, timeMs, releases } = message;
    const { broker, clock, rings } = this.#host;
    const { guid, payee, timeMs: sinceMs } = held.auth;
    const fits = equalBytes(said.guid, guid) && equalBytes(said.payer, payee);
    const latestMs = clock.wallMs() + clockSkewMs;
    if (!fits || timeMs <= sinceMs || sinceMs > latestMs) done(refused('badTerms'));
    else if (timeMs > latestMs || timeMs < clock.wallMs() - clockSkewMs) done(refused('expired'));
    else if (held.coin.expirySeconds * 1_000 <= clock.wallMs()) done(refused('expired'));
    else if (!wish.isBy(said.payer, said)) done(refused('badSignature'));
    else {
      const wanted = { held, wish: said, timeMs, releases, done };
      rings.fetch([...epochsFor(held.auth, broker.key), epochOf(timeMs)], () => this.#judge(wanted));
    }
  }

  /** Leaves a holding to its new assistant: from here on it is never authorised here. What was authorised before is shown. */
  release(request: Uint8Array, done: (served: Served) => void): void {
    const message = releaseRequest.decode(request);
    if (message === undefined) {
      done(refused('malformed'));
      return;
    }
    const { held, epoch } = message;
    const { broker, clock, rings } = this.#host;
    const now = epochOf(clock.wallMs());
    if (held.auth.timeMs > coinTimeMsMax || epoch < epochOf(held.auth.timeMs)) done(refused('badTerms'));
    // By our clock the change has not come yet.
    else if (epoch >= now) done(refused('busy'));
    else if (!coin.isBy(broker.key, held.coin)) done(refused('badSignature'));
    else
      rings.fetch([...epochsFor(held.auth, broker.key), epoch, now], () =>
        done(this.#release(held, epoch, now)),
      );
  }

  /** Only what it has assisted and does no more, so that nobody fills its disk, or bars it from a holding that is to come. */
  #release(held: PaidCoin, epoch: number, now: number): Served {
    const { broker, key, rings } = this.#host;
    const { guid, payee: payer, timeMs: sinceMs } = held.auth;
    const said = { guid, payer, sinceMs };
    const holding = holdingOf(said);
    const granted = this.#grants.get(holding);
    const released = this.#released.get(holding);
    const [earlier, ring] = [rings.ring(epoch), rings.ring(now)];
    const assists = (each: Ring) => includes(each.assistantsOf(held.coin, payer), key.publicKey);
    if (ring === undefined || earlier === undefined || assists(ring)) return refused('busy');
    if (!assists(earlier)) return refused('badTerms');
    if (!isAuthorised(held, broker.key, rings, { coin: held.coin })) return refused('badSignature');
    if (granted !== undefined) return replyOf(granted.auth, []);
    if (released !== undefined) return { kind: 'reply', reply: release.encode(released), persist: [] };
    const coinReleases = this.#releasesOf.get(toHex(guid)) ?? 0;
    if (coinReleases >= coinReleasesMax) return refused('busy');
    this.#releasesOf.set(toHex(guid), coinReleases + 1);
    const signed = release.sign(key, said);
    return { kind: 'reply', reply: release.encode(signed), persist: [this.#released.put(holding, signed)] };
  }

  #judge(wanted: Wanted): void {
    const { held, wish: said, timeMs, done } = wanted;
    const { broker, key, rings } = this.#host;
    const holding = holdingOf({ guid: said.guid, payer: said.payer, sinceMs: held.auth.timeMs });
    const known = this.#grants.get(holding);
    if (known !== undefined) {
      done(isSamePayment(known.auth, said) ? replyOf(known.auth, []) : refused('stale'));
      return;
    }
    const ring = rings.ring(epochOf(timeMs));
    if (ring === undefined) done(refused('partyUnavailable'));
    else if (!includes(ring.assistantsOf(held.coin, said.payer), key.publicKey)) done(refused('badTerms'));
    // Its buyer's word is for that.
    else if (held.coin.assistants === buyersOwn && isOrigin(held.auth, broker.key)) done(refused('badTerms'));
    else if (this.#released.get(holding) !== undefined) done(refused('frozen'));
    else if (!isAuthorised(held, broker.key, rings, this.#foundGood(held))) done(refused('badSignature'));
    // Whoever was given what another was given too must come to the broker with it.
    else if (!this.#follows(held) && !equalBytes(said.payee, broker.key)) done(refused('stale'));
    else this.#takeOver(wanted, ring);
  }

  /** By what this assistant gave the coin to its holder, if it did. */
  #foundGood({ coin: { guid } }: PaidCoin): FoundGood {
    const latest = this.#latest.get(toHex(guid));
    const granted = latest === undefined ? undefined : this.#grants.get(holdingOf(latest));
    if (granted === undefined) return {};
    return { coin: granted.held.coin, auth: { by: this.#host.key.publicKey, said: granted.auth } };
  }

  /** False for a holding that cannot be true beside what was authorised here, whoever says so: the coin had gone another way by then. */
  #follows({ auth: given }: PaidCoin): boolean {
    const latest = this.#latest.get(toHex(given.guid));
    if (latest === undefined || given.sinceMs >= latest.timeMs) return true;
    return holdingOf(given) === holdingOf(latest) && isSamePayment(given, latest);
  }

  #note(granted: AuthStatement): void {
    const coin = toHex(granted.guid);
    const known = this.#latest.get(coin);
    if (known === undefined || known.timeMs < granted.timeMs) this.#latest.set(coin, granted);
  }

  /** Whoever assisted this holder before must have left the holding to us. */
  #takeOver(wanted: Wanted, ring: Ring): void {
    const { held, done, wish: said } = wanted;
    gatherReleases(this.#host, held, ring, wanted.releases, ({ granted, releases }) => {
      if (granted !== undefined) done(isSamePayment(granted, said) ? replyOf(granted, []) : refused('stale'));
      else if (releases === undefined) done(refused('partyUnavailable'));
      else this.#grant({ ...wanted, releases });
    });
  }

  #grant({ held, wish: said, timeMs, releases, done }: Wanted): void {
    const { guid, payer, payee, nonce } = said;
    const sinceMs = held.auth.timeMs;
    const holding = holdingOf({ guid, payer, sinceMs });
    const known = this.#grants.get(holding);
    if (known !== undefined) {
      // A wish came while we asked for the release.
      done(isSamePayment(known.auth, said) ? replyOf(known.auth, []) : refused('stale'));
      return;
    }
    const auth = authStatement.sign(this.#host.key, { guid, payer, payee, sinceMs, timeMs, nonce });
    const write = this.#grants.put(holding, { held, wish: said, auth, releases });
    this.#note(auth);
    done(replyOf(auth, [write]));
  }
}

function replyOf(auth: AuthStatement, persist: readonly StoreWrite[]): Served {
  return { kind: 'reply', reply: authStatement.encode(auth), persist };
}

function includes(assistants: readonly Assistant[], key: Uint8Array): boolean {
  return assistants.some(each => equalBytes(each.key, key));
}

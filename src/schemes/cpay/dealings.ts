import { equalBytes } from '../../base/bytes.ts';
import { countedList, fixedBytes, struct, u8 } from '../../base/struct.ts';
import { SigningKey } from '../../crypto/ecdsa.ts';
import { sha256 } from '../../crypto/sha.ts';
import { CoinErrands } from '../../payment/coins/coin-errands.ts';
import type { Purchase } from '../../payment/coins/coin-payer.ts';
import type { CoinSetup } from '../../payment/coins/coin-setup.ts';
import type { Answer, PartyAddress, StoreWrite } from '../../ports.ts';
import { gatherReleases } from './leaving.ts';
import {
  type Assistant,
  type Auth,
  type AuthStatement,
  accountOp,
  authoriseRequest,
  authStatement,
  boughtReply,
  buyBody,
  buyersOwn,
  claimRequest,
  clockSkewMs,
  depositRequest,
  epochMs,
  type Grant,
  groupSize,
  type PaidCoin,
  requestOp,
  showRequest,
  words,
} from './messages.ts';
import { NodeRings } from './node-rings.ts';
import type { CPayPurse, WishedCoin } from './purse.ts';
import { epochOf, holdingOf, isAuthorised, isSamePayment, quorumOf, type Ring, type Rings } from './ring.ts';

/** How often a node looks for coins that expire. */
const claimEveryMs = 6 * 3_600_000;

/** So far a clock may be ahead of the broker's. */
const epochsBackMax = 2;

/** The secrets of the keys that the bought coins are held under. */
const orderMemo = struct({ secrets: countedList(u8, fixedBytes(32)) });

/** By which nonce an authorisation to the broker says whose account the coin is for. */
export function accountNonce(account: Uint8Array): Uint8Array {
  return sha256(account).subarray(0, 16).slice();
}

/** What one side of a node has to do with assistants and the broker. */
export class CPayDealings {
  readonly rings: Rings;
  readonly #setup: CoinSetup;
  readonly #purse: CPayPurse;
  readonly #errands: CoinErrands;
  /** As of which time some of a group have authorised a payment, by holding. */
  readonly #begun = new Map<string, bigint>();

  constructor(setup: CoinSetup, purse: CPayPurse, side: 'payer' | 'payee' | 'assistant') {
    const { broker } = setup;
    this.#setup = setup;
    this.#purse = purse;
    this.#errands = new CoinErrands({
      setup,
      words,
      side,
      bought: (reply, memo) => {
        const coins = boughtReply.decode(reply)?.coins ?? [];
        const secrets = orderMemo.decode(memo)?.secrets ?? [];
        if (coins.length === 0 || coins.length !== secrets.length) return undefined;
        const good = coins.every((paid, at) => this.#isOurs(paid, secrets[at]));
        return good ? coins.map((paid, at) => purse.bought({ paid, secret: secrets[at] })) : undefined;
      },
    });
    this.rings = new NodeRings(purse.rings, (request, done) =>
      this.#errands.ask(broker.endpoint, request, done),
    );
  }

  onAnswer(answer: Answer): boolean {
    return this.#errands.onAnswer(answer);
  }

  /** What `run` does here leaves together. */
  together(run: () => void): void {
    this.#errands.together(run);
  }

  store(writes: readonly StoreWrite[], done: () => void): void {
    this.#errands.store(writes, done);
  }

  ask(to: PartyAddress, request: Uint8Array, done: (reply: Uint8Array | undefined) => void): void {
    this.#errands.ask(to, request, done);
  }

  buy(exponents: readonly number[], done: (purchase: Purchase) => void): void {
    const { host, account, variant } = this.#setup;
    const keys = exponents.map(() => (variant === 'anonymous' ? SigningKey.fresh(host.entropy) : account));
    const coins = keys.map(({ publicKey }, at) => ({ exponent: exponents[at], holder: publicKey }));
    const assistants = variant === 'group' ? groupSize : variant === 'paper' ? buyersOwn : 1;
    const memo = orderMemo.encode({ secrets: keys.map(({ secret }) => secret) });
    this.#errands.buy(buyBody.encode({ op: accountOp.buy, assistants, coins }), memo, done);
  }

  /** Has the holder's assistants authorise a payment, or does so by itself where it may; undefined: too few of them did. */
  authorise(wished: WishedCoin, done: (paid: PaidCoin | undefined) => void): void {
    if (!this.#purse.isOwnWord(wished)) {
      this.#authoriseIn(wished, 0, done);
      return;
    }
    const { auth, write } = this.#purse.ownWord(wished);
    this.store([write], () => done({ coin: wished.paid.coin, auth }));
  }

  /** @param back so many epochs ago. */
  #authoriseIn(wished: WishedCoin, back: number, done: (paid: PaidCoin | undefined) => void): void {
    const { paid, wish } = wished;
    const timeMs = this.#timeFor(wished, back);
    this.rings.fetch([epochOf(timeMs)], () => {
      const ring = this.rings.ring(epochOf(timeMs));
      if (ring === undefined && back < epochsBackMax) {
        // By the broker's clock that epoch may not have begun.
        this.#authoriseIn(wished, back + 1, done);
        return;
      }
      const group = ring?.assistantsOf(paid.coin, wish.payer) ?? [];
      const given = new Map<string, Auth>();
      let [left, over] = [group.length, false];
      const settle = (authorised: PaidCoin | undefined): void => {
        if (over || (authorised === undefined && left > 0)) return;
        over = true;
        this.#noteTime(wished, authorised === undefined ? [...given.values()] : []);
        done(authorised);
      };
      for (const assistant of group) {
        this.#askOne(assistant, wished, timeMs, reply => {
          const said = reply === undefined ? undefined : this.#read(wished, reply);
          this.rings.fetch(said === undefined ? [] : [epochOf(said.timeMs)], () => {
            left -= 1;
            if (!over)
              settle(said === undefined ? undefined : this.#gather(wished, said, assistant.key, given));
          });
        });
      }
      settle(undefined);
    });
  }

  /** That of an earlier attempt, as long as it can be named: whoever signed for it signs for no other. */
  #timeFor({ paid: { auth: given }, wish: { guid, payer } }: WishedCoin, back: number): bigint {
    const now = BigInt(this.#setup.host.clock.wallMs() - back * epochMs);
    const begun = this.#begun.get(holdingOf({ guid, payer, sinceMs: given.timeMs }));
    if (begun !== undefined && back === 0 && now - begun < clockSkewMs / 2) return begun;
    return now > given.timeMs ? now : given.timeMs + 1n;
  }

  /** @param some what too few signed, by time. */
  #noteTime({ paid, wish: { guid, payer } }: WishedCoin, some: readonly Auth[]): void {
    const [most] = [...some].sort((a, b) => b.signatures.length - a.signatures.length);
    const holding = holdingOf({ guid, payer, sinceMs: paid.auth.timeMs });
    if (most === undefined) this.#begun.delete(holding);
    else this.#begun.set(holding, most.timeMs);
  }

  /** The broker, which assists where nobody else does, asks nobody: it is brought what those say that assisted before. */
  #askOne(
    { at, key }: Assistant,
    { paid, wish }: WishedCoin,
    timeMs: bigint,
    done: (reply: Uint8Array | undefined) => void,
  ): void {
    const ask = (releases: Grant['releases']) => {
      const request = { op: requestOp.authorise, held: paid, wish, timeMs, releases };
      this.ask({ ...at, key }, authoriseRequest.encode(request), done);
    };
    const ring = this.rings.ring(epochOf(timeMs));
    if (ring === undefined || !equalBytes(key, this.#setup.broker.key)) {
      ask([]);
      return;
    }
    const asking = { rings: this.rings, ask: this.ask.bind(this) };
    gatherReleases(asking, paid, ring, [], ({ granted, releases = [] }) => {
      if (granted === undefined) ask(releases);
      else done(authStatement.encode(granted));
    });
  }

  /** The newest ring: by the broker's clock, which may be behind ours. Undefined: it cannot be had. */
  presentRing(done: (ring: Ring | undefined) => void, back = 0): void {
    const epoch = epochOf(this.#setup.host.clock.wallMs()) - back;
    this.rings.fetch([epoch], () => {
      const ring = this.rings.ring(epoch);
      if (ring !== undefined || back === epochsBackMax) done(ring);
      else this.presentRing(done, back + 1);
    });
  }

  /** Hands in a coin that is authorised to the broker; `handedIn` says so on disk. */
  deposit(paid: PaidCoin, handedIn: StoreWrite): void {
    const account = this.#setup.account.publicKey;
    this.#errands.tell(depositRequest.encode({ op: requestOp.deposit, account, paid }), [handedIn]);
  }

  /** Claims of the broker what is left here of coins that expire: their assistants may answer no more. */
  claimExpiring(): void {
    const account = this.#setup.account.publicKey;
    this.together(() => {
      for (const held of this.#purse.expiring()) {
        const { said, write } = this.#purse.claim(held, accountNonce(account));
        const request = { op: requestOp.claim, account, paid: held.paid, wish: said };
        this.#errands.tell(claimRequest.encode(request), [write]);
      }
    });
    this.#setup.host.clock.after(claimEveryMs, () => this.claimExpiring());
  }

  /** Shows the broker how we got a coin that we handed in, as others did too. */
  showHandedIn({ paid, wish }: WishedCoin): void {
    const account = this.#setup.account.publicKey;
    this.#errands.tell(claimRequest.encode({ op: requestOp.claim, account, paid, wish }));
  }

  /** Shows the broker on what a payment was authorised. */
  show(given: Grant): void {
    this.#errands.tell(showRequest.encode({ op: requestOp.show, grant: given }));
  }

  /** What an assistant says, if it is about that wish: one that was granted before says when. */
  #read({ paid, wish }: WishedCoin, reply: Uint8Array): AuthStatement | undefined {
    const said = authStatement.decode(reply);
    const latestMs = this.#setup.host.clock.wallMs() + clockSkewMs;
    return said !== undefined && said.timeMs <= latestMs && isFor(said, wish, paid) ? said : undefined;
  }

  /** Puts one more signature to those for the same time; the whole once they are enough. */
  #gather(
    { paid }: WishedCoin,
    { signature, ...said }: AuthStatement,
    asked: Uint8Array,
    given: Map<string, Auth>,
  ): PaidCoin | undefined {
    const group = this.rings.ring(epochOf(said.timeMs))?.assistantsOf(paid.coin, said.payer) ?? [];
    const isBy = ({ key }: Assistant) => authStatement.isBy(key, { ...said, signature });
    const own = group.findIndex(({ key }) => equalBytes(key, asked));
    // Who is asked may show what its predecessor authorised.
    const place =
      own >= 0 && isBy(group[own]) ? own : group.findIndex((each, at) => at !== own && isBy(each));
    if (place < 0) return undefined;
    const key = String(said.timeMs);
    const before = given.get(key)?.signatures ?? [];
    const others = before.filter(each => each.place !== place);
    const auth = { ...said, signatures: [...others, { place, signature }] };
    given.set(key, auth);
    return auth.signatures.length >= quorumOf(group) ? { coin: paid.coin, auth } : undefined;
  }

  #isOurs(paid: PaidCoin, secret: Uint8Array): boolean {
    const { broker } = this.#setup;
    return (
      equalBytes(paid.auth.payee, new SigningKey(secret).publicKey) &&
      equalBytes(paid.auth.payer, broker.key) &&
      isAuthorised(paid, broker.key, this.rings)
    );
  }
}

function isFor(said: Omit<AuthStatement, 'signature'>, wish: WishedCoin['wish'], paid: PaidCoin): boolean {
  return (
    equalBytes(said.guid, wish.guid) &&
    equalBytes(said.payer, wish.payer) &&
    isSamePayment(said, wish) &&
    said.sinceMs === paid.auth.timeMs &&
    said.timeMs > said.sinceMs
  );
}

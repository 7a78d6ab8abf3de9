import { equalBytes, toHex } from '../../base/bytes.ts';
import type { Holds } from '../../base/struct.ts';
import type { SigningKey } from '../../crypto/ecdsa.ts';
import type { CoinRules } from '../../payment/coins/coin-payee.ts';
import type { CoinSetup } from '../../payment/coins/coin-setup.ts';
import { lasts } from '../../payment/coins/coin-times.ts';
import { OneTimeKeys } from '../../payment/coins/one-time-keys.ts';
import type { PayeeSigner, PaymentStatusName, Value } from '../../payment/scheme.ts';
import type { Answer, StoreWrite } from '../../ports.ts';
import { accountNonce, CPayDealings } from './dealings.ts';
import {
  authAgeMsMax,
  clockSkewMs,
  type PaidCoin,
  paymentMessage,
  paymentOp,
  schemeId,
  target,
} from './messages.ts';
import type { CPayPurse, HeldCoin, WishedCoin } from './purse.ts';
import { epochsFor, isAuthorised, isBuyersOwn, isCurrent } from './ring.ts';

type Payment = Holds<typeof paymentMessage>;

/** Coins that no assistant would authorise to the broker are offered again after so long, each time after twice as long. */
const [pauseMsMin, pauseMsMax] = [5_000, 3_600_000];

/** Takes coins that are authorised to a key of its own: its account's, or in Anonymous CPay one that is used once. */
export class CPayRules implements CoinRules<Payment, HeldCoin> {
  readonly #setup: CoinSetup;
  readonly #signer: PayeeSigner;
  readonly #purse: CPayPurse;
  readonly #dealings: CPayDealings;
  readonly #keys: OneTimeKeys;
  #pauseMs = pauseMsMin;
  #waits = false;

  constructor(setup: CoinSetup, purse: CPayPurse, signer: PayeeSigner) {
    this.#setup = setup;
    this.#signer = signer;
    this.#purse = purse;
    this.#dealings = new CPayDealings(setup, purse, 'payee');
    this.#keys = new OneTimeKeys(setup.account, 'cpay');
    setup.host.clock.after(0, () => {
      this.#handInLeft();
      this.#dealings.claimExpiring();
    });
  }

  newTarget(): Uint8Array {
    const { account, broker, host } = this.#setup;
    const nonce = this.#keys.freshNonce(host.entropy);
    return target.sign(this.#signer, {
      brokerKey: broker.key,
      payeeKey: this.#isAnonymous ? this.#keys.targetKey(nonce).publicKey : account.publicKey,
      anonymous: this.#isAnonymous ? 1 : 0,
      nonce,
    });
  }

  read(payment: Uint8Array): Payment | undefined {
    const message = paymentMessage.decode(payment);
    return message?.scheme === schemeId && message.op === paymentOp.coins ? message : undefined;
  }

  judge({ coins }: Payment): readonly HeldCoin[] | PaymentStatusName {
    if (new Set(coins.map(({ coin }) => toHex(coin.guid))).size < coins.length) return 'stale';
    const { clock } = this.#setup.host;
    const held: HeldCoin[] = [];
    for (const paid of coins) {
      const { coin, auth } = paid;
      if (auth.timeMs > clock.wallMs() + clockSkewMs) return 'badTerms';
      // Whoever takes a buyer's word may be one of many that have it.
      if (isBuyersOwn(auth) && this.#setup.variant !== 'paper') return 'badTerms';
      if (auth.timeMs + authAgeMsMax < clock.wallMs()) return 'stale';
      if (!this.#keys.isOurs(auth.nonce)) return 'targetOld';
      const key = this.#keyFor(paid);
      if (key === undefined || !equalBytes(auth.payee, key.publicKey)) return 'badTerms';
      if (!lasts(coin.expirySeconds, clock)) return 'expired';
      if (this.#purse.wasHere(auth)) return 'stale';
      held.push({ paid, secret: key.secret });
    }
    return held;
  }

  /** Who assisted the payers when they were authorised, and whether they still do. */
  inquire(coins: readonly HeldCoin[], done: (fault: PaymentStatusName | undefined) => void): void {
    const { rings } = this.#dealings;
    const { key } = this.#setup.broker;
    const epochs = coins.flatMap(({ paid }) => epochsFor(paid.auth, key));
    rings.fetch(epochs, () =>
      this.#dealings.presentRing(present => {
        const areKnown = epochs.every(epoch => rings.ring(epoch) !== undefined);
        if (present === undefined || !areKnown) done('partyUnavailable');
        else done(coins.every(({ paid }) => isCurrent(paid, key, rings, present)) ? undefined : 'stale');
      }),
    );
  }

  isGenuine({ paid }: HeldCoin): boolean {
    return isAuthorised(paid, this.#setup.broker.key, this.#dealings.rings);
  }

  received(coins: readonly HeldCoin[]): readonly StoreWrite[] {
    return coins.map(held => this.#purse.received(held));
  }

  valueOf({ paid }: HeldCoin): Value {
    return paid.coin.value;
  }

  onAnswer(answer: Answer): boolean {
    return this.#dealings.onAnswer(answer);
  }

  /** A payment to the broker, authorised like any other. */
  deposit(expiringBy = Number.POSITIVE_INFINITY): void {
    const { account, broker } = this.#setup;
    const nonce = accountNonce(account.publicKey);
    this.#dealings.together(() => {
      this.#handInLeft();
      for (const held of this.#purse.earned()) {
        if (held.paid.coin.expirySeconds > expiringBy) continue;
        const { wished, write } = this.#purse.wishAway(held, broker.key, nonce, new Uint8Array(32));
        this.#dealings.store([write], () => this.#handIn(wished));
      }
    });
  }

  #handInLeft(): void {
    this.#dealings.together(() => {
      for (const wished of this.#purse.unfinished()) if (this.#purse.isDeposit(wished)) this.#handIn(wished);
    });
  }

  #handIn(wished: WishedCoin): void {
    this.#dealings.authorise(wished, paid => {
      if (paid === undefined) this.#handInLater();
      else {
        this.#pauseMs = pauseMsMin;
        this.#dealings.deposit(paid, this.#purse.gone(wished));
      }
    });
  }

  /** Its assistants may be back then, or others in their place. */
  #handInLater(): void {
    if (this.#waits) return;
    this.#waits = true;
    this.#setup.host.clock.after(this.#pauseMs, () => {
      this.#waits = false;
      this.#pauseMs = Math.min(2 * this.#pauseMs, pauseMsMax);
      this.#handInLeft();
    });
  }

  #keyFor({ coin, auth }: PaidCoin): SigningKey | undefined {
    return this.#isAnonymous ? this.#keys.holderKey(auth.nonce, coin.guid) : this.#setup.account;
  }

  get #isAnonymous(): boolean {
    return this.#setup.variant === 'anonymous';
  }
}

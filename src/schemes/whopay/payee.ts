import { equalBytes } from '../../base/bytes.ts';
import { coinStepsTakenMax } from '../../base/limits.ts';
import type { Holds } from '../../base/struct.ts';
import type { CoinRules } from '../../payment/coins/coin-payee.ts';
import type { CoinSetup } from '../../payment/coins/coin-setup.ts';
import { lasts, secondsOf } from '../../payment/coins/coin-times.ts';
import { OneTimeKeys } from '../../payment/coins/one-time-keys.ts';
import type { PayeeSigner, PaymentStatusName, Value } from '../../payment/scheme.ts';
import type { Answer, StoreWrite } from '../../ports.ts';
import { WhoPayDealings } from './dealings.ts';
import { type PaidCoin, paymentMessage, paymentOp, schemeId, target } from './messages.ts';
import { bindingLasts, bindingSeconds, type HandedCoin, type HeldCoin, type WhoPayPurse } from './purse.ts';
import { isBound, isCoin, nameOf } from './steps.ts';

type Payment = Holds<typeof paymentMessage>;

/** Takes coins that are bound to keys of its own, a fresh one for each. */
export class WhoPayRules implements CoinRules<Payment, HeldCoin> {
  readonly #setup: CoinSetup;
  readonly #signer: PayeeSigner;
  readonly #purse: WhoPayPurse;
  readonly #dealings: WhoPayDealings;
  readonly #keys: OneTimeKeys;
  /** Ordered for ourselves, and carried out by nobody yet. */
  readonly #renewals = new Set<HandedCoin>();
  readonly #genuine = new WeakSet<PaidCoin>();

  constructor(setup: CoinSetup, purse: WhoPayPurse, signer: PayeeSigner) {
    this.#setup = setup;
    this.#signer = signer;
    this.#purse = purse;
    this.#dealings = new WhoPayDealings(setup, purse, 'payee');
    this.#keys = new OneTimeKeys(setup.account, 'whopay');
    for (const handed of purse.ordered()) if (this.#isToUs(handed)) this.#renewals.add(handed);
    this.renew();
  }

  newTarget(): Uint8Array {
    const nonce = this.#keys.freshNonce(this.#setup.host.entropy);
    const payeeKey = this.#keys.targetKey(nonce).publicKey;
    return target.sign(this.#signer, { brokerKey: this.#setup.broker.key, payeeKey, nonce });
  }

  read(payment: Uint8Array): Payment | undefined {
    const message = paymentMessage.decode(payment);
    return message?.scheme === schemeId && message.op === paymentOp.coins ? message : undefined;
  }

  judge({ coins }: Payment): readonly HeldCoin[] | PaymentStatusName {
    if (new Set(coins.map(({ coin }) => nameOf(coin))).size < coins.length) return 'stale';
    const { clock } = this.#setup.host;
    const held: HeldCoin[] = [];
    for (const paid of coins) {
      const { coin, binding } = paid;
      if (!this.#keys.isOurs(binding.nonce)) return 'targetOld';
      if (!lasts(coin.expirySeconds, clock) || !bindingLasts(binding, clock)) return 'expired';
      if (binding.sequence > coinStepsTakenMax) return 'badTerms';
      if (this.#purse.wasHere(binding)) return 'stale';
      const key = this.#keys.holderKey(binding.nonce, coin.coinKey);
      if (key === undefined) return 'malformed';
      if (!equalBytes(key.publicKey, binding.holder)) return 'badTerms';
      held.push({ paid, secret: key.secret });
    }
    return held;
  }

  /** Looks at the public list, where the node is to. What is forged is not asked about. */
  inquire(coins: readonly HeldCoin[], done: (fault: PaymentStatusName | undefined) => void): void {
    if (this.#setup.variant !== 'listed') done(undefined);
    else if (!coins.every(coin => this.isGenuine(coin))) done('badSignature');
    else {
      const paid = coins.map(held => held.paid);
      this.#dealings.list(paid, listed =>
        done(listed === true ? undefined : listed === false ? 'stale' : 'partyUnavailable'),
      );
    }
  }

  /** Asked before the list is, and once that has answered. */
  isGenuine({ paid }: HeldCoin): boolean {
    if (this.#genuine.has(paid)) return true;
    const { coin, binding } = paid;
    const { key } = this.#setup.broker;
    if (!isCoin(coin, key) || !isBound(coin, binding, key)) return false;
    this.#genuine.add(paid);
    return true;
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

  deposit(expiringBy = Number.POSITIVE_INFINITY): void {
    const { account, host } = this.#setup;
    this.#dealings.together(() => {
      for (const held of this.#purse.holdings()) {
        if (held.paid.coin.expirySeconds > expiringBy) continue;
        const nonce = host.entropy.bytes(16);
        const { handed, write } = this.#purse.give(held, 'deposit', account.publicKey, nonce);
        this.#dealings.deposit(handed, write);
      }
      // Bought while the node paid too: nobody else would.
      if (!this.#setup.pays()) this.#dealings.giveBack(expiringBy);
    });
  }

  /** Has coins bound anew, to keys of our own, before their bindings expire: to their owners a transfer like any other. */
  renew(): void {
    const soon = secondsOf(this.#setup.host.clock) + bindingSeconds / 3;
    this.#dealings.together(() => {
      for (const handed of [...this.#renewals]) this.#carry(handed);
      for (const held of this.#purse.holdings()) {
        const { binding, coin } = held.paid;
        if (binding.expirySeconds > soon || binding.expirySeconds >= coin.expirySeconds) continue;
        this.#renewOne(held);
      }
    });
  }

  #renewOne(held: HeldCoin): void {
    const nonce = this.#keys.freshNonce(this.#setup.host.entropy);
    const key = this.#keys.holderKey(nonce, held.paid.coin.coinKey);
    if (key === undefined) return;
    const { handed, write } = this.#purse.give(held, 'transfer', key.publicKey, nonce);
    this.#dealings.store([write], () => this.#carry(handed));
  }

  #carry(handed: HandedCoin): void {
    const { paid, order } = handed;
    this.#renewals.delete(handed);
    this.#dealings.carry(handed, carried => {
      // Signed once, the order is tried again tomorrow.
      if (carried === undefined) this.#renewals.add(handed);
      else if (carried === 'contradicted') this.#dealings.claimRefund(handed);
      const key = this.#keys.holderKey(order.said.nonce, paid.coin.coinKey);
      if (carried === undefined || carried === 'contradicted' || key === undefined) return;
      const held = { paid: { ...paid, binding: carried }, secret: key.secret };
      this.#dealings.store([this.#purse.received(held)], () => {});
    });
  }

  #isToUs({ paid, order: { said } }: HandedCoin): boolean {
    if (!this.#keys.isOurs(said.nonce)) return false;
    const key = this.#keys.holderKey(said.nonce, paid.coin.coinKey);
    return key !== undefined && equalBytes(key.publicKey, said.next);
  }
}

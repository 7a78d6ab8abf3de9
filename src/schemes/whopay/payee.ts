import { equalBytes } from '../../base/bytes.ts';
import { coinsPerPaymentMax } from '../../payment/denominations.ts';
import { IdleDeposit } from '../../payment/idle-deposit.ts';
import { OneTimeKeys } from '../../payment/one-time-keys.ts';
import type {
  Outcome,
  Payee,
  PayeeSigner,
  PaymentStatusName,
  Redeemed,
  SessionId,
} from '../../payment/scheme.ts';
import type { Answer, ChainEvent } from '../../ports.ts';
import { WhoPayDealings } from './dealings.ts';
import {
  type PaidCoin,
  paymentMessage,
  paymentOp,
  schemeId,
  targetBody,
  targetHead,
  targetMessage,
} from './messages.ts';
import { bindingSeconds, expiryMarginSeconds, type HeldCoin, type WhoPayPurse } from './purse.ts';
import type { WhoPaySetup } from './setup.ts';
import { isBound, nameOf, targetDigest } from './steps.ts';

/** Takes coins that are bound to keys of its own, a fresh one for each. */
export class WhoPayPayee implements Payee {
  readonly #setup: WhoPaySetup;
  readonly #signer: PayeeSigner;
  readonly #idle: IdleDeposit;
  readonly #purse: WhoPayPurse;
  readonly #dealings: WhoPayDealings;
  readonly #keys: OneTimeKeys;
  readonly #targets = new Map<SessionId, Uint8Array>();

  constructor(setup: WhoPaySetup, signer: PayeeSigner, purse: WhoPayPurse) {
    this.#setup = setup;
    this.#signer = signer;
    this.#purse = purse;
    this.#idle = new IdleDeposit(setup.host.clock, () => this.deposit());
    this.#dealings = new WhoPayDealings(setup, purse, 'payee');
    this.#keys = new OneTimeKeys(setup.account, 'whopay');
    this.renew();
  }

  target(session: SessionId): Uint8Array {
    const known = this.#targets.get(session);
    if (known !== undefined) return known;
    const bytes = this.#freshTarget();
    this.#targets.set(session, bytes);
    return bytes;
  }

  redeem(session: SessionId, payment: Uint8Array): Redeemed {
    const message = paymentMessage.decode(payment);
    if (message?.scheme !== schemeId || message.op !== paymentOp.coins) return refused('malformed');
    const { coins } = message;
    if (coins.length === 0 || coins.length > 2 * coinsPerPaymentMax) return refused('malformed');
    const held = this.#judge(coins);
    if (typeof held === 'string') return refused(held);
    const reply = this.#freshTarget();
    this.#targets.set(session, reply);
    this.#idle.paid(session);
    return {
      kind: 'added',
      value: coins.reduce((sum, { coin }) => sum + coin.value, 0n),
      persist: held.map(each => this.#purse.received(each)),
      reply,
    };
  }

  onAnswer(answer: Answer): Outcome<Redeemed> | undefined {
    this.#dealings.onAnswer(answer);
    return undefined;
  }

  onChain(_event: ChainEvent): void {}

  ended(session: SessionId): void {
    this.#targets.delete(session);
    this.#idle.ended(session);
    this.renew();
  }

  /** Hands all coins in that are held. */
  deposit(): void {
    const { account, host } = this.#setup;
    for (const held of this.#purse.holdings()) {
      const { handed, write } = this.#purse.give(held, 'deposit', account.publicKey, host.entropy.bytes(16));
      this.#dealings.deposit(handed, write);
    }
  }

  /** Has coins bound anew, to keys of our own, before their bindings expire: to their owners a transfer like any other. */
  renew(within = bindingSeconds / 3): void {
    const soon = this.#nowSeconds() + within;
    for (const held of this.#purse.holdings()) {
      const { binding, coin } = held.paid;
      if (binding.expirySeconds > soon || binding.expirySeconds >= coin.expirySeconds) continue;
      this.#renewOne(held);
    }
  }

  #renewOne(held: HeldCoin): void {
    const nonce = this.#keys.freshNonce(this.#setup.host.entropy);
    const key = this.#keys.holderKey(nonce, held.paid.coin.coinKey);
    if (key === undefined) return;
    const { handed, write } = this.#purse.give(held, 'transfer', key.publicKey, nonce);
    this.#dealings.store(write, () =>
      this.#dealings.carry(handed, carried => {
        if (carried.kind !== 'bound') return;
        const paid = { ...held.paid, binding: carried.binding };
        this.#dealings.store(this.#purse.received({ paid, secret: key.secret }), () => {});
      }),
    );
  }

  /** All coins or none; what costs no signature check comes first. */
  #judge(coins: readonly PaidCoin[]): readonly HeldCoin[] | PaymentStatusName {
    if (new Set(coins.map(({ coin }) => nameOf(coin))).size < coins.length) return 'stale';
    const soonest = this.#nowSeconds() + expiryMarginSeconds;
    const held: HeldCoin[] = [];
    for (const paid of coins) {
      const { coin, binding } = paid;
      if (!this.#keys.isOurs(binding.nonce)) return 'targetOld';
      if (coin.expirySeconds <= soonest || binding.expirySeconds <= soonest) return 'expired';
      if (this.#purse.wasHere(binding)) return 'stale';
      const key = this.#keys.holderKey(binding.nonce, coin.coinKey);
      if (key === undefined) return 'malformed';
      if (!equalBytes(key.publicKey, binding.holder)) return 'badTerms';
      held.push({ paid, secret: key.secret });
    }
    const { key } = this.#setup.broker;
    return coins.every(({ coin, binding }) => isBound(coin, binding, key)) ? held : 'badSignature';
  }

  #freshTarget(): Uint8Array {
    const { broker } = this.#setup;
    const nonce = this.#keys.freshNonce(this.#setup.host.entropy);
    const relayId = this.#signer.ed25519;
    const payeeKey = this.#keys.targetKey(nonce).publicKey;
    const body = { ...targetHead, relayId, brokerKey: broker.key, payeeKey, nonce };
    const signature = this.#signer.sign(targetDigest(targetBody.encode(body)));
    return targetMessage.encode({ ...body, signature });
  }

  #nowSeconds(): number {
    return Math.floor(this.#setup.host.clock.wallMs() / 1_000);
  }
}

function refused(code: PaymentStatusName): Redeemed {
  return { kind: 'refused', fault: { code } };
}

import { concatBytes, equalBytes, utf8 } from '../../base/bytes.ts';
import { SigningKey } from '../../crypto/ecdsa.ts';
import { hmacSha256 } from '../../crypto/sha.ts';
import { coinsPerPaymentMax } from '../../payment/denominations.ts';
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
import { holderSecretOf, isBound, nameOf, targetDigest } from './steps.ts';

/**
 * Takes coins that are bound to keys of its own, a fresh one for each. The keys follow from the nonce of a target and one
 * secret, so that nothing need be kept of a target, and a coin made out before a restart is still good after it.
 */
export class WhoPayPayee implements Payee {
  readonly #setup: WhoPaySetup;
  readonly #signer: PayeeSigner;
  readonly #purse: WhoPayPurse;
  readonly #dealings: WhoPayDealings;
  readonly #secret: Uint8Array;
  readonly #targets = new Map<SessionId, Uint8Array>();

  constructor(setup: WhoPaySetup, signer: PayeeSigner, purse: WhoPayPurse) {
    this.#setup = setup;
    this.#signer = signer;
    this.#purse = purse;
    this.#dealings = new WhoPayDealings(setup, purse, 'payee');
    this.#secret = hmacSha256(setup.account.secret, utf8('naulon whopay payee'));
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
    const nonce = this.#freshNonce();
    const key = this.#holderKey(nonce, held.paid.coin.coinKey);
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
      if (!equalBytes(binding.nonce, this.#nonceOf(binding.nonce.subarray(0, 8)))) return 'targetOld';
      if (coin.expirySeconds <= soonest || binding.expirySeconds <= soonest) return 'expired';
      if (this.#purse.wasHere(binding)) return 'stale';
      const key = this.#holderKey(binding.nonce, coin.coinKey);
      if (key === undefined) return 'malformed';
      if (!equalBytes(key.publicKey, binding.holder)) return 'badTerms';
      held.push({ paid, secret: key.secret });
    }
    const { key } = this.#setup.broker;
    return coins.every(({ coin, binding }) => isBound(coin, binding, key)) ? held : 'badSignature';
  }

  #freshTarget(): Uint8Array {
    const { broker } = this.#setup;
    const nonce = this.#freshNonce();
    const relayId = this.#signer.ed25519;
    const payeeKey = this.#baseKey(nonce).publicKey;
    const body = { ...targetHead, relayId, brokerKey: broker.key, payeeKey, nonce };
    const signature = this.#signer.sign(targetDigest(targetBody.encode(body)));
    return targetMessage.encode({ ...body, signature });
  }

  /** Eight random bytes, and eight by which we know that they are ours. */
  #freshNonce(): Uint8Array {
    return this.#nonceOf(this.#setup.host.entropy.bytes(8));
  }

  #nonceOf(random: Uint8Array): Uint8Array {
    return concatBytes(random, hmacSha256(this.#secret, random).subarray(0, 8));
  }

  #holderKey(nonce: Uint8Array, coinKey: Uint8Array): SigningKey | undefined {
    return holderSecretOf(this.#baseKey(nonce), nonce, coinKey);
  }

  #baseKey(nonce: Uint8Array): SigningKey {
    return new SigningKey(hmacSha256(this.#secret, concatBytes(utf8('holder'), nonce)));
  }

  #nowSeconds(): number {
    return Math.floor(this.#setup.host.clock.wallMs() / 1_000);
  }
}

function refused(code: PaymentStatusName): Redeemed {
  return { kind: 'refused', fault: { code } };
}

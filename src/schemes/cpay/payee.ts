import { equalBytes } from '../../base/bytes.ts';
import type { SigningKey } from '../../crypto/ecdsa.ts';
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
import type { Answer, AskId, ChainEvent } from '../../ports.ts';
import { accountNonce, CPayDealings } from './dealings.ts';
import {
  clockSkewMs,
  type PaidCoin,
  paymentMessage,
  paymentOp,
  schemeId,
  targetBody,
  targetHead,
  targetMessage,
} from './messages.ts';
import { type CPayPurse, expiryMarginSeconds, type WishedCoin } from './purse.ts';
import { epochsFor, isAuthorised, targetDigest } from './ring.ts';
import type { CPaySetup } from './setup.ts';

/** Takes coins that are authorised to a key of its own: its account's, or in Anonymous CPay one that is used once. */
export class CPayPayee implements Payee {
  readonly #setup: CPaySetup;
  readonly #signer: PayeeSigner;
  readonly #idle: IdleDeposit;
  readonly #purse: CPayPurse;
  readonly #dealings: CPayDealings;
  readonly #keys: OneTimeKeys;
  readonly #targets = new Map<SessionId, Uint8Array>();
  #outcome: Outcome<Redeemed> | undefined;

  constructor(setup: CPaySetup, signer: PayeeSigner, purse: CPayPurse) {
    this.#setup = setup;
    this.#signer = signer;
    this.#purse = purse;
    this.#idle = new IdleDeposit(setup.host.clock, () => this.deposit());
    this.#dealings = new CPayDealings(setup, purse, 'payee');
    this.#keys = new OneTimeKeys(setup.account, 'cpay');
    setup.host.clock.after(0, () => this.#handInLeft());
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
    const fault = this.#faultOf(coins);
    if (fault !== undefined) return refused(fault);
    const epochs = coins.flatMap(({ auth }) => epochsFor(auth, this.#setup.broker.key));
    let ask: AskId | undefined;
    let redeemed: Redeemed | undefined;
    this.#dealings.rings.fetch(epochs, () => {
      redeemed = this.#verified(session, coins);
      if (ask !== undefined) this.#outcome = { session, result: redeemed };
    });
    if (redeemed !== undefined) return redeemed;
    ask = this.#setup.host.newAsk();
    return { kind: 'pending', ask };
  }

  onAnswer(answer: Answer): Outcome<Redeemed> | undefined {
    this.#outcome = undefined;
    return this.#dealings.onAnswer(answer) ? this.#outcome : undefined;
  }

  onChain(_event: ChainEvent): void {}

  ended(session: SessionId): void {
    this.#targets.delete(session);
    this.#idle.ended(session);
  }

  /** Hands all coins in that were earned: a payment to the broker, authorised like any other. */
  deposit(): void {
    const { account, broker } = this.#setup;
    const nonce = accountNonce(account.publicKey);
    for (const held of this.#purse.earned()) {
      const { wished, write } = this.#purse.wishAway(held, broker.key, nonce, new Uint8Array(32));
      this.#dealings.store(write, () => this.#handIn(wished));
    }
    this.#handInLeft();
  }

  #handInLeft(): void {
    for (const wished of this.#purse.unfinished()) if (this.#purse.isDeposit(wished)) this.#handIn(wished);
  }

  #handIn(wished: WishedCoin): void {
    this.#dealings.authorise(wished, paid => {
      if (paid !== undefined) this.#dealings.deposit(paid, this.#purse.gone(wished));
    });
  }

  /** What costs no signature check. */
  #faultOf(coins: readonly PaidCoin[]): PaymentStatusName | undefined {
    if (new Set(coins.map(({ coin }) => String(coin.guid))).size < coins.length) return 'stale';
    const now = this.#setup.host.clock.wallMs();
    const soonest = now / 1_000 + expiryMarginSeconds;
    for (const { coin, auth } of coins) {
      if (auth.timeMs > now + clockSkewMs) return 'badTerms';
      if (!this.#keys.isOurs(auth.nonce)) return 'targetOld';
      if (!equalBytes(auth.payee, this.#keyFor({ coin, auth })?.publicKey ?? auth.nonce)) return 'badTerms';
      if (coin.expirySeconds <= soonest) return 'expired';
      if (this.#purse.wasHere(auth)) return 'stale';
    }
    return undefined;
  }

  #verified(session: SessionId, coins: readonly PaidCoin[]): Redeemed {
    const { broker } = this.#setup;
    const { rings } = this.#dealings;
    const epochs = coins.flatMap(({ auth }) => epochsFor(auth, broker.key));
    if (epochs.some(epoch => rings.ring(epoch) === undefined)) return refused('partyUnavailable');
    const fault = this.#faultOf(coins);
    if (fault !== undefined) return refused(fault);
    const held = coins.map(paid => ({ paid, secret: this.#keyFor(paid)?.secret }));
    if (!coins.every(paid => isAuthorised(paid, broker.key, rings))) return refused('badSignature');
    const reply = this.#freshTarget();
    this.#targets.set(session, reply);
    this.#idle.paid(session);
    return {
      kind: 'added',
      value: coins.reduce((sum, { coin }) => sum + coin.value, 0n),
      persist: held.flatMap(({ paid, secret }) =>
        secret === undefined ? [] : [this.#purse.received({ paid, secret })],
      ),
      reply,
    };
  }

  #keyFor({ coin, auth }: PaidCoin): SigningKey | undefined {
    return this.#setup.anonymous ? this.#keys.holderKey(auth.nonce, coin.guid) : this.#setup.account;
  }

  #freshTarget(): Uint8Array {
    const { account, anonymous, broker, host } = this.#setup;
    const nonce = this.#keys.freshNonce(host.entropy);
    const body = {
      ...targetHead,
      relayId: this.#signer.ed25519,
      brokerKey: broker.key,
      payeeKey: anonymous ? this.#keys.targetKey(nonce).publicKey : account.publicKey,
      anonymous: anonymous ? 1 : 0,
      nonce,
    };
    const signature = this.#signer.sign(targetDigest(targetBody.encode(body)));
    return targetMessage.encode({ ...body, signature });
  }
}

function refused(code: PaymentStatusName): Redeemed {
  return { kind: 'refused', fault: { code } };
}

import { equalBytes, toHex } from '../../base/bytes.ts';
import { ed25519Verify } from '../../crypto/ed25519.ts';
import type { CoinTrade, Purchase, ReadyCoin } from '../../payment/coin-payer.ts';
import { oneTimePublicKey } from '../../payment/one-time-keys.ts';
import type { PayeeIdentity } from '../../payment/scheme.ts';
import type { Answer } from '../../ports.ts';
import { CPayDealings } from './dealings.ts';
import {
  type PaidCoin,
  paymentMessage,
  paymentOp,
  schemeId,
  type Target,
  targetBody,
  targetHead,
  targetMessage,
} from './messages.ts';
import type { CPayCoin, CPayPurse, WishedCoin } from './purse.ts';
import { targetDigest } from './ring.ts';
import type { CPaySetup } from './setup.ts';

interface MadeOut extends ReadyCoin {
  readonly paid: PaidCoin;
}

/** Every coin, bought or earned, is authorised to the payee by the assistants of whom holds it. */
export class CPayTrade implements CoinTrade<Target, CPayCoin, MadeOut> {
  readonly #setup: CPaySetup;
  readonly #purse: CPayPurse;
  readonly #dealings: CPayDealings;
  /** By payee: wishes that too few assistants answered, or none before a restart. They may have been granted, so they are for nobody else. */
  readonly #stranded = new Map<string, WishedCoin[]>();

  constructor(setup: CPaySetup, purse: CPayPurse) {
    this.#setup = setup;
    this.#purse = purse;
    this.#dealings = new CPayDealings(setup, purse, 'payer');
    for (const wished of purse.unfinished())
      if (!purse.isDeposit(wished)) this.#strand(toHex(wished.relayId), wished);
  }

  readTarget(payee: PayeeIdentity, bytes: Uint8Array): Target | undefined {
    const target = targetMessage.decode(bytes);
    if (target === undefined) return undefined;
    const { scheme, op, version } = targetHead;
    const known = target.scheme === scheme && target.op === op && target.version === version;
    const ours =
      equalBytes(target.relayId, payee.ed25519) && equalBytes(target.brokerKey, this.#setup.broker.key);
    if (!known || !ours) return undefined;
    const signed = ed25519Verify(target.relayId, targetDigest(targetBody.encode(target)), target.signature);
    return signed ? target : undefined;
  }

  payeeOf(target: Target): string {
    return toHex(target.relayId);
  }

  coins(target: Target): readonly CPayCoin[] {
    const stranded = (this.#stranded.get(this.payeeOf(target)) ?? []).map(
      wished => ({ kind: 'stranded', value: wished.paid.coin.value, wished }) as const,
    );
    const held = this.#purse
      .spendable()
      .map(each => ({ kind: 'held', value: each.paid.coin.value, held: each }) as const);
    return [...stranded, ...held];
  }

  makeOut(coin: CPayCoin, target: Target, done: (ready: MadeOut | undefined) => void): void {
    if (coin.kind === 'stranded') {
      const payee = this.payeeOf(target);
      const rest = (this.#stranded.get(payee) ?? []).filter(each => each !== coin.wished);
      this.#stranded.set(payee, rest);
      this.#authorise(coin.wished, target, done);
      return;
    }
    const { payeeKey, anonymous, nonce } = target;
    const { guid } = coin.held.paid.coin;
    const payee = anonymous === 1 ? oneTimePublicKey(payeeKey, nonce, guid) : payeeKey;
    if (payee === undefined) {
      done(undefined);
      return;
    }
    const { wished, write } = this.#purse.wishAway(coin.held, payee, nonce, target.relayId);
    this.#dealings.store(write, () => this.#authorise(wished, target, done));
  }

  buy(exponents: readonly number[], done: (purchase: Purchase) => void): void {
    this.#dealings.buy(exponents, done);
  }

  payment(_target: Target, coins: readonly MadeOut[]): Uint8Array {
    return paymentMessage.encode({
      scheme: schemeId,
      op: paymentOp.coins,
      coins: coins.map(({ paid }) => paid),
    });
  }

  onAnswer(answer: Answer): boolean {
    return this.#dealings.onAnswer(answer);
  }

  #authorise(wished: WishedCoin, target: Target, done: (ready: MadeOut | undefined) => void): void {
    this.#dealings.authorise(wished, paid => {
      if (paid === undefined) {
        this.#strand(this.payeeOf(target), wished);
        done(undefined);
      } else done({ value: paid.coin.value, paid, persist: () => [this.#purse.gone(wished)] });
    });
  }

  #strand(payee: string, wished: WishedCoin): void {
    this.#stranded.set(payee, [...(this.#stranded.get(payee) ?? []), wished]);
  }
}

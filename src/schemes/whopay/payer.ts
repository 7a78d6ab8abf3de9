import { equalBytes, toHex } from '../../base/bytes.ts';
import { ed25519Verify } from '../../crypto/ed25519.ts';
import type { CoinTrade, Purchase, ReadyCoin } from '../../payment/coin-payer.ts';
import { oneTimePublicKey } from '../../payment/one-time-keys.ts';
import type { PayeeIdentity } from '../../payment/scheme.ts';
import type { Answer } from '../../ports.ts';
import { WhoPayDealings } from './dealings.ts';
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
import type { HandedCoin, WhoPayCoin, WhoPayPurse } from './purse.ts';
import type { WhoPaySetup } from './setup.ts';
import { targetDigest } from './steps.ts';

interface MadeOut extends ReadyCoin {
  readonly paid: PaidCoin;
}

/** Own coins are issued to the payee; held ones are transferred by their owner, or for it by the broker. */
export class WhoPayTrade implements CoinTrade<Target, WhoPayCoin, MadeOut> {
  readonly #setup: WhoPaySetup;
  readonly #purse: WhoPayPurse;
  readonly #dealings: WhoPayDealings;
  /** By payee: orders that found nobody to carry them out. Signed once, they can be for nobody else. */
  readonly #stranded = new Map<string, HandedCoin[]>();

  constructor(setup: WhoPaySetup, purse: WhoPayPurse) {
    this.#setup = setup;
    this.#purse = purse;
    this.#dealings = new WhoPayDealings(setup, purse, 'payer');
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

  coins(target: Target): readonly WhoPayCoin[] {
    const stranded = (this.#stranded.get(this.payeeOf(target)) ?? []).map(
      handed => ({ kind: 'stranded', value: handed.paid.coin.value, handed }) as const,
    );
    return [...stranded, ...this.#purse.spendable()];
  }

  makeOut(coin: WhoPayCoin, target: Target, done: (ready: MadeOut | undefined) => void): void {
    if (coin.kind === 'stranded') {
      this.#unstrand(target, coin.handed);
      this.#carry(coin.handed, target, done);
      return;
    }
    const { coinKey } = coin.kind === 'own' ? coin.bought.coin : coin.held.paid.coin;
    const holder = oneTimePublicKey(target.payeeKey, target.nonce, coinKey);
    if (holder === undefined) {
      done(undefined);
    } else if (coin.kind === 'own') {
      const { paid, write } = this.#purse.issue(coin.bought, holder, target.nonce);
      done({ value: coin.value, paid, persist: () => [write] });
    } else {
      const { handed, write } = this.#purse.give(coin.held, 'transfer', holder, target.nonce);
      this.#dealings.store(write, () => this.#carry(handed, target, done));
    }
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

  #carry(handed: HandedCoin, target: Target, done: (ready: MadeOut | undefined) => void): void {
    const { paid } = handed;
    this.#dealings.carry(handed, carried => {
      if (carried.kind === 'bound')
        done({ value: paid.coin.value, paid: { ...paid, binding: carried.binding }, persist: () => [] });
      else {
        if (carried.kind === 'unanswered') this.#strand(target, handed);
        done(undefined);
      }
    });
  }

  #strand(target: Target, handed: HandedCoin): void {
    const payee = this.payeeOf(target);
    this.#stranded.set(payee, [...(this.#stranded.get(payee) ?? []), handed]);
  }

  #unstrand(target: Target, handed: HandedCoin): void {
    const payee = this.payeeOf(target);
    this.#stranded.set(
      payee,
      (this.#stranded.get(payee) ?? []).filter(each => each !== handed),
    );
  }
}

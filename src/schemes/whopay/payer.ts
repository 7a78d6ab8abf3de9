import { toHex } from '../../base/bytes.ts';
import type { CoinTrade, Purchase, ReadyCoin } from '../../payment/coins/coin-payer.ts';
import type { CoinSetup } from '../../payment/coins/coin-setup.ts';
import { oneTimePublicKey } from '../../payment/coins/one-time-keys.ts';
import { Stranded } from '../../payment/coins/stranded.ts';
import type { PayeeIdentity, Value } from '../../payment/scheme.ts';
import type { Answer } from '../../ports.ts';
import { WhoPayDealings } from './dealings.ts';
import {
  type PaidCoin,
  paymentMessage,
  paymentOp,
  schemeId,
  type Target,
  target as targetKind,
} from './messages.ts';
import type { HandedCoin, WhoPayCoin, WhoPayPurse } from './purse.ts';

interface MadeOut extends ReadyCoin {
  readonly paid: PaidCoin;
}

/** Own coins are issued to the payee; held ones are transferred by their owner, or for it by the broker. */
export class WhoPayTrade implements CoinTrade<Target, WhoPayCoin, MadeOut> {
  readonly #setup: CoinSetup;
  readonly #purse: WhoPayPurse;
  readonly #dealings: WhoPayDealings;
  /** Orders that found nobody to carry them out, or were not sent before a restart. Signed once, they can be for nobody else. */
  readonly #stranded: Stranded<HandedCoin>;

  constructor(setup: CoinSetup, purse: WhoPayPurse) {
    this.#setup = setup;
    this.#stranded = new Stranded(setup.host.clock);
    this.#purse = purse;
    this.#dealings = new WhoPayDealings(setup, purse, 'payer');
    for (const { relayId, handed } of purse.promised()) this.#stranded.put(toHex(relayId), handed);
  }

  readTarget(payee: PayeeIdentity, bytes: Uint8Array): Target | undefined {
    return targetKind.read(payee, this.#setup.broker.key, bytes);
  }

  payeeOf(target: Target): string {
    return toHex(target.relayId);
  }

  *coins(target: Target, value: Value): Iterable<WhoPayCoin> {
    for (const handed of this.#stranded.of(this.payeeOf(target)))
      if (handed.paid.coin.value === value) yield { kind: 'stranded', value, handed };
    yield* this.#purse.worth(value);
  }

  makeOut(coin: WhoPayCoin, target: Target, done: (ready: MadeOut | undefined) => void): void {
    if (coin.kind === 'stranded') {
      this.#stranded.take(this.payeeOf(target), coin.handed);
      this.#carry(coin.handed, target, done);
      return;
    }
    const { coinKey } = coin.kind === 'own' ? coin.bought.coin : coin.held.paid.coin;
    const holder = oneTimePublicKey(target.payeeKey, target.nonce, coinKey);
    if (holder === undefined) {
      done(undefined);
    } else if (coin.kind === 'own') {
      const { paid, write } = this.#purse.issue(coin.bought, holder, target.nonce);
      const { expirySeconds } = coin.bought.coin;
      const undo = () => this.#purse.unissue(coin.bought);
      done({ value: coin.value, expirySeconds, paid, persist: () => [write], undo });
    } else {
      const { handed, write } = this.#purse.give(coin.held, 'transfer', holder, target.nonce);
      const writes = [write, this.#purse.promise(handed, target.relayId)];
      this.#dealings.store(writes, () => this.#carry(handed, target, done));
    }
  }

  together(run: () => void): void {
    this.#dealings.together(run);
  }

  buy(exponents: readonly number[], done: (purchase: Purchase) => void): void {
    this.#dealings.buy(exponents, done);
  }

  payment(_target: Target, coins: readonly MadeOut[]): Uint8Array {
    const paid = coins.map(each => each.paid);
    return paymentMessage.encode({ scheme: schemeId, op: paymentOp.coins, coins: paid });
  }

  giveBack(expiringBy: number): void {
    this.#dealings.giveBack(expiringBy);
  }

  onAnswer(answer: Answer): boolean {
    return this.#dealings.onAnswer(answer);
  }

  #carry(handed: HandedCoin, target: Target, done: (ready: MadeOut | undefined) => void): void {
    const { paid } = handed;
    this.#dealings.carry(handed, carried => {
      if (carried === undefined) this.#stranded.put(this.payeeOf(target), handed);
      if (carried === 'contradicted') this.#dealings.claimRefund(handed, [this.#purse.sent(handed)]);
      if (carried === undefined || carried === 'contradicted') done(undefined);
      else {
        const { value, expirySeconds } = paid.coin;
        done({
          value,
          expirySeconds,
          paid: { ...paid, binding: carried },
          persist: () => [this.#purse.sent(handed)],
        });
      }
    });
  }
}

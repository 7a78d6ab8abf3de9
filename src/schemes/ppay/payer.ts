import { toHex } from '../../base/bytes.ts';
import type { CoinTrade, Purchase, ReadyCoin } from '../../payment/coins/coin-payer.ts';
import type { CoinSetup } from '../../payment/coins/coin-setup.ts';
import type { PayeeIdentity } from '../../payment/scheme.ts';
import type { Answer } from '../../ports.ts';
import { pathOf } from './coin-path.ts';
import { PPayDealings } from './dealings.ts';
import {
  layersMax,
  type PaidCoin,
  paymentMessage,
  paymentOp,
  schemeId,
  type Target,
  target as targetKind,
} from './messages.ts';
import type { PPayCoin, PPayPurse } from './purse.ts';

interface MadeOut extends ReadyCoin {
  readonly paid: PaidCoin;
}

/** Own coins are assigned; held ones are reassigned by their owner or for it by the broker, or else get a layer. */
export class PPayTrade implements CoinTrade<Target, PPayCoin, MadeOut> {
  readonly #setup: CoinSetup;
  readonly #purse: PPayPurse;
  readonly #dealings: PPayDealings;

  constructor(setup: CoinSetup, purse: PPayPurse) {
    this.#setup = setup;
    this.#purse = purse;
    this.#dealings = new PPayDealings(setup, purse, 'payer');
  }

  readTarget(payee: PayeeIdentity, bytes: Uint8Array): Target | undefined {
    return targetKind.read(payee, this.#setup.broker.key, bytes);
  }

  payeeOf(target: Target): string {
    return toHex(target.payeeKey);
  }

  coins(): readonly PPayCoin[] {
    return this.#purse.spendable();
  }

  makeOut(coin: PPayCoin, target: Target, done: (ready: MadeOut | undefined) => void): void {
    if (coin.kind === 'own') {
      const { expirySeconds } = coin.coin;
      const { paid, write } = this.#purse.assign(coin.coin, target.payeeKey);
      const undo = () => this.#purse.unassign(coin.coin);
      done({ value: coin.value, expirySeconds, paid, persist: () => [write], undo });
      return;
    }
    const { expirySeconds } = coin.paid.path.assigned.coin;
    const { paid, write } = this.#purse.hand(coin.paid, target.payeeKey);
    const ready = (path: PaidCoin['path']) =>
      done({ value: coin.value, expirySeconds, paid: { ...paid, path }, persist: () => [] });
    this.#dealings.store(write, () => {
      const layered = paid.path.layers.length <= layersMax;
      // As layers, nobody is asked.
      if (this.#setup.variant === 'layered' && layered) ready(paid.path);
      else
        this.#dealings.reassign(paid, outcome => {
          if (outcome === undefined && layered) ready(paid.path);
          else if (outcome === undefined || outcome === 'contradicted') done(undefined);
          else ready(pathOf(outcome));
        });
    });
  }

  buy(exponents: readonly number[], done: (purchase: Purchase) => void): void {
    this.#dealings.buy(exponents, done);
  }

  payment({ nonce }: Target, coins: readonly MadeOut[]): Uint8Array {
    const paid = coins.map(each => each.paid);
    return paymentMessage.encode({ scheme: schemeId, op: paymentOp.coins, nonce, coins: paid });
  }

  giveBack(expiringBy: number): void {
    this.#dealings.giveBack(expiringBy);
  }

  onAnswer(answer: Answer): boolean {
    return this.#dealings.onAnswer(answer);
  }
}

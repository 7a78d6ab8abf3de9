import { equalBytes } from '../../base/bytes.ts';
import { coinStepsTakenMax } from '../../base/limits.ts';
import type { Holds } from '../../base/struct.ts';
import type { CoinRules } from '../../payment/coins/coin-payee.ts';
import type { CoinSetup } from '../../payment/coins/coin-setup.ts';
import { lasts } from '../../payment/coins/coin-times.ts';
import type { PayeeSigner, PaymentStatusName, Value } from '../../payment/scheme.ts';
import type { Answer, StoreWrite } from '../../ports.ts';
import { endOf, holderOf, isGenuine, serialOf } from './coin-path.ts';
import { PPayDealings } from './dealings.ts';
import {
  layersMax,
  type PaidCoin,
  paymentMessage,
  paymentOp,
  schemeId,
  target,
  targetMessage,
} from './messages.ts';
import { type PPayPurse, worthOf } from './purse.ts';

type Payment = Holds<typeof paymentMessage>;

/** Takes coins that are assigned to the node's own key, or handed to it on top of an assignment. */
export class PPayRules implements CoinRules<Payment, PaidCoin> {
  readonly #setup: CoinSetup;
  readonly #signer: PayeeSigner;
  readonly #purse: PPayPurse;
  readonly #dealings: PPayDealings;

  constructor(setup: CoinSetup, purse: PPayPurse, signer: PayeeSigner) {
    this.#setup = setup;
    this.#signer = signer;
    this.#purse = purse;
    this.#dealings = new PPayDealings(setup, purse, 'payee');
    this.#peel(purse.holdings().map(({ paid }) => paid));
  }

  newTarget(): Uint8Array {
    const { host, account, broker } = this.#setup;
    const nonce = host.entropy.bytes(16);
    return target.sign(this.#signer, { payeeKey: account.publicKey, brokerKey: broker.key, nonce });
  }

  read(payment: Uint8Array): Payment | undefined {
    const message = paymentMessage.decode(payment);
    return message?.scheme === schemeId && message.op === paymentOp.coins ? message : undefined;
  }

  judge({ nonce, coins }: Payment, offered: Uint8Array | undefined): readonly PaidCoin[] | PaymentStatusName {
    const told = offered === undefined ? undefined : targetMessage.decode(offered);
    if (told === undefined || !equalBytes(nonce, told.nonce)) return 'targetOld';
    const serials = new Set(coins.map(({ path }) => serialOf(path)));
    if (serials.size < coins.length) return 'stale';
    const { account, host } = this.#setup;
    for (const { path } of coins) {
      if (!equalBytes(holderOf(path), account.publicKey)) return 'badTerms';
      if (path.layers.length > layersMax || endOf(path) > coinStepsTakenMax) return 'badTerms';
      if (!lasts(path.assigned.coin.expirySeconds, host.clock)) return 'expired';
      if (this.#purse.wasHere(path)) return 'stale';
    }
    return coins;
  }

  isGenuine({ path }: PaidCoin): boolean {
    return isGenuine(path, this.#setup.broker.key);
  }

  received(coins: readonly PaidCoin[]): readonly StoreWrite[] {
    this.#peel(coins);
    return coins.map(paid => this.#purse.received(paid));
  }

  valueOf(paid: PaidCoin): Value {
    return worthOf(paid);
  }

  onAnswer(answer: Answer): boolean {
    return this.#dealings.onAnswer(answer);
  }

  deposit(expiringBy = Number.POSITIVE_INFINITY): void {
    this.#dealings.together(() => {
      for (const { paid } of this.#purse.holdings()) {
        if (paid.path.assigned.coin.expirySeconds > expiringBy) continue;
        const handed = this.#purse.hand(paid, this.#setup.broker.key);
        this.#dealings.deposit(handed.paid.path, handed.write);
      }
      // Bought while the node paid too: nobody else would.
      if (!this.#setup.pays()) this.#dealings.giveBack(expiringBy);
    });
  }

  /** Has layers turned into an assignment, so that a double spend below them shows early. */
  #peel(coins: readonly PaidCoin[]): void {
    this.#dealings.together(() => {
      for (const paid of coins)
        if (paid.path.layers.length > 0)
          this.#dealings.reassign(paid, outcome => {
            if (outcome !== undefined && outcome !== 'contradicted')
              this.#dealings.store([this.#purse.peeled(outcome)], () => {});
          });
    });
  }
}

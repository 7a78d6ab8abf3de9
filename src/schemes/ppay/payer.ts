import { equalBytes, toHex } from '../../base/bytes.ts';
import { ed25519Verify } from '../../crypto/ed25519.ts';
import type { CoinTrade, Purchase, ReadyCoin } from '../../payment/coin-payer.ts';
import type { PayeeIdentity } from '../../payment/scheme.ts';
import type { Answer } from '../../ports.ts';
import { pathOf, targetDigest } from './coin-path.ts';
import { Dealings } from './dealings.ts';
import {
  layersMax,
  type PaidCoin,
  paymentMessage,
  paymentOp,
  schemeId,
  type Target,
  targetBody,
  targetHead,
  targetMessage,
} from './messages.ts';
import type { PPayCoin, PPayPurse } from './purse.ts';
import type { PPaySetup } from './setup.ts';

interface MadeOut extends ReadyCoin {
  readonly paid: PaidCoin;
}

/** Own coins are assigned; held ones are reassigned by their owner or for it by the broker, or else get a layer. */
export class PPayTrade implements CoinTrade<Target, PPayCoin, MadeOut> {
  readonly #setup: PPaySetup;
  readonly #purse: PPayPurse;
  readonly #dealings: Dealings;

  constructor(setup: PPaySetup, purse: PPayPurse) {
    this.#setup = setup;
    this.#purse = purse;
    this.#dealings = new Dealings(setup, purse, 'payer');
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
    return toHex(target.payeeKey);
  }

  coins(): readonly PPayCoin[] {
    return this.#purse.spendable();
  }

  makeOut(coin: PPayCoin, target: Target, done: (ready: MadeOut | undefined) => void): void {
    if (coin.kind === 'own') {
      const { paid, write } = this.#purse.assign(coin.coin, target.payeeKey);
      done({ value: coin.value, paid, persist: () => [write] });
      return;
    }
    const { paid, write } = this.#purse.hand(coin.paid, target.payeeKey);
    const ready = (path: PaidCoin['path']) =>
      done({ value: coin.value, paid: { ...paid, path }, persist: () => [] });
    this.#dealings.store(write, () => {
      const layered = paid.path.layers.length <= layersMax;
      if (this.#setup.layered && layered) ready(paid.path);
      else
        this.#dealings.reassign(paid, outcome => {
          if (outcome.kind === 'assigned') ready(pathOf(outcome.assigned));
          else if (outcome.kind === 'unanswered' && layered) ready(paid.path);
          else done(undefined);
        });
    });
  }

  buy(exponents: readonly number[], done: (purchase: Purchase) => void): void {
    this.#dealings.buy(exponents, done);
  }

  payment(target: Target, coins: readonly MadeOut[]): Uint8Array {
    return paymentMessage.encode({
      scheme: schemeId,
      op: paymentOp.coins,
      nonce: target.nonce,
      coins: coins.map(({ paid }) => paid),
    });
  }

  onAnswer(answer: Answer): boolean {
    return this.#dealings.onAnswer(answer);
  }
}

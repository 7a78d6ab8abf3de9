import { equalBytes } from '../../base/bytes.ts';
import { countedList, fixedBytes, struct, u8 } from '../../base/struct.ts';
import { SigningKey } from '../../crypto/ecdsa.ts';
import { CoinErrands } from '../../payment/coins/coin-errands.ts';
import type { Purchase } from '../../payment/coins/coin-payer.ts';
import type { CoinSetup } from '../../payment/coins/coin-setup.ts';
import type { Answer, StoreWrite } from '../../ports.ts';
import { fraudIn } from './fraud.ts';
import {
  accountOp,
  answerOp,
  type Binding,
  boughtReply,
  boundAnswer,
  buyBody,
  type Coin,
  claim,
  coin,
  contradictedAnswer,
  listReply,
  listRequest,
  type PaidCoin,
  refundRequest,
  reportRequest,
  requestOp,
  type Step,
  stepRequest,
  words,
} from './messages.ts';
import type { HandedCoin, WhoPayPurse } from './purse.ts';
import { follows, isBound, isGenuine, ownerIdOf } from './steps.ts';

/** The secrets of the coins that an order was for. */
const orderMemo = struct({ secrets: countedList(u8, fixedBytes(32)) });

/** What becomes of an order; `contradicted`: the coin was spent twice before us, which is reported. */
type Carried = Binding | 'contradicted';

/** What one side of a node has to do with owners and the broker. */
export class WhoPayDealings {
  readonly #setup: CoinSetup;
  readonly #purse: WhoPayPurse;
  readonly #errands: CoinErrands;

  constructor(setup: CoinSetup, purse: WhoPayPurse, side: 'payer' | 'payee' | 'owner') {
    const { account, broker } = setup;
    this.#setup = setup;
    this.#purse = purse;
    this.#errands = new CoinErrands({
      setup,
      words,
      side,
      bought(reply, memo) {
        const coins = boughtReply.decode(reply)?.coins ?? [];
        const secrets = orderMemo.decode(memo)?.secrets ?? [];
        const good = coins.every(
          (made, at) =>
            secrets[at] !== undefined &&
            equalBytes(made.coinKey, new SigningKey(secrets[at]).publicKey) &&
            equalBytes(made.ownerId, ownerIdOf(account.publicKey, made.coinKey)) &&
            coin.isBy(broker.key, made),
        );
        if (!good || coins.length === 0 || coins.length !== secrets.length) return undefined;
        return coins.map((made, at) => purse.buy(made, secrets[at]));
      },
    });
  }

  onAnswer(answer: Answer): boolean {
    return this.#errands.onAnswer(answer);
  }

  /** What `run` does here leaves together. */
  together(run: () => void): void {
    this.#errands.together(run);
  }

  store(writes: readonly StoreWrite[], done: () => void): void {
    this.#errands.store(writes, done);
  }

  /** Has the owner, or for it the broker, carry an order out; undefined: neither does. */
  carry({ paid, order }: HandedCoin, done: (carried: Carried | undefined) => void): void {
    const step = { binding: paid.binding, order };
    const request = stepRequest.encode({ op: requestOp.transfer, coin: paid.coin, step });
    const [owner] = paid.ownerAt;
    this.#errands.askManager(
      owner,
      request,
      (reply, isBrokers) => this.#judge(paid.coin, step, reply, isBrokers),
      done,
    );
  }

  /** Puts bindings on the public list; true: they are there, and nothing speaks against them. Undefined: the list does not answer. */
  list(coins: readonly PaidCoin[], done: (listed: boolean | undefined) => void): void {
    const { endpoint, key } = this.#setup.broker;
    const request = listRequest.encode({ op: requestOp.list, coins });
    this.#errands.ask(endpoint, request, reply => {
      const known = reply === undefined ? undefined : listReply.decode(reply)?.known;
      const isSaid = known?.every(bound => coins.some(({ coin: made }) => isBound(made, bound, key)));
      done(isSaid === true ? known?.length === 0 : undefined);
    });
  }

  /** Makes keys, and has the broker sell them as coins worth 2^exponent each. */
  buy(exponents: readonly number[], done: (purchase: Purchase) => void): void {
    const { host, account } = this.#setup;
    const keys = exponents.map(() => SigningKey.fresh(host.entropy));
    const coins = keys.map(({ publicKey }, at) => ({
      exponent: exponents[at],
      claim: claim.sign(account, { coinKey: publicKey, account: account.publicKey }),
    }));
    const memo = orderMemo.encode({ secrets: keys.map(({ secret }) => secret) });
    this.#errands.buy(buyBody.encode({ op: accountOp.buy, coins }), memo, done);
  }

  /** Hands a coin in; `given` says so on disk, and is written with the errand. */
  deposit({ paid, order }: HandedCoin, given: StoreWrite): void {
    const step = { binding: paid.binding, order };
    this.#errands.tell(stepRequest.encode({ op: requestOp.deposit, coin: paid.coin, step }), [given]);
  }

  /** Hands in own coins that nobody was paid with, and that expire by that time. */
  giveBack(expiringBy: number): void {
    this.together(() => {
      for (const bought of this.#purse.unspent()) {
        if (bought.coin.expirySeconds > expiringBy) continue;
        const { handed, write } = this.#purse.giveBack(bought);
        this.deposit(handed, write);
      }
    });
  }

  /** Tells the broker that we are short of a coin that was spent twice before us, by an order that nobody carries out. */
  claimRefund(handed: HandedCoin, also: readonly StoreWrite[] = []): void {
    const refund = this.#purse.refundOf(handed);
    if (refund === undefined) this.store(also, () => {});
    else this.#errands.tell(refundRequest.encode({ op: requestOp.refund, refund }), also);
  }

  /** Shows the broker what holders of a coin have ordered. */
  report(made: Coin, steps: readonly Step[]): void {
    this.#errands.tell(reportRequest.encode({ op: requestOp.report, coin: made, steps }));
  }

  #judge(made: Coin, step: Step, reply: Uint8Array, isBrokers: boolean): Carried | undefined {
    const { key } = this.#setup.broker;
    const bound = reply[0] === answerOp.bound ? boundAnswer.decode(reply)?.binding : undefined;
    if (bound !== undefined && follows(step, bound) && isBound(made, bound, key)) return bound;
    // An owner that says so would have it believed without a signature.
    if (isBrokers && reply[0] === answerOp.undecided) return 'contradicted';
    const other = reply[0] === answerOp.contradicted ? contradictedAnswer.decode(reply)?.step : undefined;
    const none = new Uint8Array(0);
    if (other === undefined || !isGenuine(made, other, key) || fraudIn(step, other, none) === undefined)
      return undefined;
    this.report(made, [step, other]);
    return 'contradicted';
  }
}

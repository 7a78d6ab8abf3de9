import { equalBytes } from '../../base/bytes.ts';
import { CoinErrands } from '../../payment/coins/coin-errands.ts';
import type { Purchase } from '../../payment/coins/coin-payer.ts';
import type { CoinSetup } from '../../payment/coins/coin-setup.ts';
import type { Answer, StoreWrite } from '../../ports.ts';
import { endOf, holderOf, isGenuine, isGenuineAssignment, isSameCoin } from './coin-path.ts';
import { fraudIn } from './fraud.ts';
import {
  type AssignedCoin,
  accountOp,
  answerOp,
  assignedAnswer,
  boughtReply,
  buyBody,
  type CoinPath,
  contradictedAnswer,
  type PaidCoin,
  pathRequest,
  rawCoin,
  reportRequest,
  requestOp,
  words,
} from './messages.ts';
import type { PPayPurse } from './purse.ts';

/** What becomes of a request for reassignment; `contradicted`: somebody before us has spent the coin twice, which is reported. */
type Reassignment = AssignedCoin | 'contradicted';

/** What one side of a node has to do with owners and the broker. */
export class PPayDealings {
  readonly #setup: CoinSetup;
  readonly #purse: PPayPurse;
  readonly #errands: CoinErrands;

  constructor(setup: CoinSetup, purse: PPayPurse, side: 'payer' | 'payee' | 'owner') {
    const { account, broker } = setup;
    this.#setup = setup;
    this.#purse = purse;
    this.#errands = new CoinErrands({
      setup,
      words,
      side,
      bought(reply) {
        const coins = boughtReply.decode(reply)?.coins;
        const good = coins?.every(
          coin => equalBytes(coin.owner, account.publicKey) && rawCoin.isBy(broker.key, coin),
        );
        return good === true ? coins?.map(coin => purse.bought(coin)) : undefined;
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

  /** Makes records durable. */
  store(writes: readonly StoreWrite[], done: () => void): void {
    this.#errands.store(writes, done);
  }

  /** Has the owner, or for it the broker, turn the path's hand-overs into an assignment; undefined: neither does. */
  reassign({ path, ownerAt: [owner] }: PaidCoin, done: (outcome: Reassignment | undefined) => void): void {
    const request = pathRequest.encode({ op: requestOp.reassign, path });
    this.#errands.askManager(owner, request, (reply, isBrokers) => this.#judge(path, reply, isBrokers), done);
  }

  buy(exponents: readonly number[], done: (purchase: Purchase) => void): void {
    this.#errands.buy(buyBody.encode({ op: accountOp.buy, exponents }), new Uint8Array(0), done);
  }

  /** Hands a coin in; `handed` says so on disk, and is written with the errand. */
  deposit(path: CoinPath, handed: StoreWrite): void {
    this.#errands.tell(pathRequest.encode({ op: requestOp.deposit, path }), [handed]);
  }

  /** Hands in own coins that nobody was paid with, and that expire by that time. */
  giveBack(expiringBy: number): void {
    this.together(() => {
      for (const coin of this.#purse.unspent()) {
        if (coin.expirySeconds > expiringBy) continue;
        const { path, write } = this.#purse.giveBack(coin);
        this.deposit(path, write);
      }
    });
  }

  /** Tells the broker of two paths of a coin that cannot both be honest. */
  report(first: CoinPath, second: CoinPath): void {
    this.#errands.tell(reportRequest.encode({ op: requestOp.report, first, second }));
  }

  #judge(path: CoinPath, reply: Uint8Array, isBrokers: boolean): Reassignment | undefined {
    const { key } = this.#setup.broker;
    const assigned = reply[0] === answerOp.assigned ? assignedAnswer.decode(reply)?.assigned : undefined;
    if (
      assigned !== undefined &&
      isFor(path, assigned) &&
      isGenuineAssignment(assigned, key, path.assigned.coin)
    )
      return assigned;
    // An owner that says so would have it believed without a signature.
    if (isBrokers && reply[0] === answerOp.undecided) return 'contradicted';
    const other = reply[0] === answerOp.contradicted ? contradictedAnswer.decode(reply)?.path : undefined;
    if (other === undefined || !isGenuine(other, key) || fraudIn(path, other, key) === undefined)
      return undefined;
    this.report(path, other);
    return 'contradicted';
  }
}

function isFor(path: CoinPath, assigned: AssignedCoin): boolean {
  return (
    assigned.position === endOf(path) &&
    equalBytes(assigned.holder, holderOf(path)) &&
    isSameCoin(assigned.coin, path.assigned.coin)
  );
}

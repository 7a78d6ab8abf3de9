import { equalBytes } from '../../base/bytes.ts';
import { makeAccountRequest } from '../../payment/account-request.ts';
import { CoinErrands } from '../../payment/coin-errands.ts';
import type { Purchase } from '../../payment/coin-payer.ts';
import type { Answer, Endpoint, StoreWrite } from '../../ports.ts';
import { endOf, holderOf, isGenuine, isGenuineAssignment } from './coin-path.ts';
import { fraudIn } from './fraud.ts';
import {
  type AssignedCoin,
  accountMessage,
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
  schemeId,
} from './messages.ts';
import type { PPayPurse } from './purse.ts';
import type { PPaySetup } from './setup.ts';

/** What became of a request for reassignment. */
type Reassignment =
  | { readonly kind: 'assigned'; readonly assigned: AssignedCoin }
  /** Somebody before us has spent the coin twice; that is reported. */
  | { readonly kind: 'contradicted' }
  /** Neither the owner nor the broker answers, or as it should. */
  | { readonly kind: 'unanswered' };

/** What one side of a node has to do with owners and the broker. */
export class Dealings {
  readonly #setup: PPaySetup;
  readonly #errands: CoinErrands;

  constructor(setup: PPaySetup, purse: PPayPurse, side: 'payer' | 'payee' | 'owner') {
    const { host, account, broker } = setup;
    this.#setup = setup;
    this.#errands = new CoinErrands({
      host,
      scheme: schemeId,
      broker: broker.endpoint,
      prefix: `ppay/errand/${side}/`,
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

  /** Makes `write` durable. */
  store(write: StoreWrite, done: () => void): void {
    this.#errands.store(write, done);
  }

  /** Asks the owner, and if it does not answer as it should the broker, to turn the path's hand-overs into an assignment. */
  reassign({ path, ownerAt: [owner] }: PaidCoin, done: (outcome: Reassignment) => void): void {
    const { broker } = this.#setup;
    if (owner === undefined) this.#askFor(path, broker.endpoint, done);
    else
      this.#askFor(path, owner, atOwner => {
        if (atOwner.kind !== 'unanswered') done(atOwner);
        else this.#askFor(path, broker.endpoint, done);
      });
  }

  buy(exponents: readonly number[], done: (purchase: Purchase) => void): void {
    const { host, account } = this.#setup;
    const body = buyBody.encode({ op: accountOp.buy, exponents });
    const envelope = makeAccountRequest(account, host.entropy, body);
    this.#errands.buy(accountMessage.encode({ op: requestOp.account, envelope }), new Uint8Array(0), done);
  }

  /** Hands a coin in; `handed` says so on disk, and is written with the errand. */
  deposit(path: CoinPath, handed: StoreWrite): void {
    this.#errands.tell(pathRequest.encode({ op: requestOp.deposit, path }), [handed]);
  }

  /** Tells the broker of two paths of a coin that cannot both be honest. */
  report(first: CoinPath, second: CoinPath): void {
    this.#errands.tell(reportRequest.encode({ op: requestOp.report, first, second }));
  }

  #askFor(path: CoinPath, to: Endpoint, done: (outcome: Reassignment) => void): void {
    this.#errands.ask(to, pathRequest.encode({ op: requestOp.reassign, path }), reply =>
      done(reply === undefined ? { kind: 'unanswered' } : this.#judge(path, reply)),
    );
  }

  #judge(path: CoinPath, reply: Uint8Array): Reassignment {
    const { key } = this.#setup.broker;
    const assigned = reply[0] === answerOp.assigned ? assignedAnswer.decode(reply)?.assigned : undefined;
    if (assigned !== undefined && isFor(path, assigned) && isGenuineAssignment(assigned, key))
      return { kind: 'assigned', assigned };
    if (reply[0] === answerOp.undecided) return { kind: 'contradicted' };
    const other = reply[0] === answerOp.contradicted ? contradictedAnswer.decode(reply)?.path : undefined;
    if (other === undefined || !isGenuine(other, key) || fraudIn(path, other, key) === undefined)
      return { kind: 'unanswered' };
    this.report(path, other);
    return { kind: 'contradicted' };
  }
}

function isFor(path: CoinPath, assigned: AssignedCoin): boolean {
  return (
    assigned.position === endOf(path) &&
    equalBytes(assigned.holder, holderOf(path)) &&
    equalBytes(rawCoin.encode(assigned.coin), rawCoin.encode(path.assigned.coin))
  );
}

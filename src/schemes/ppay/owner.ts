import { toHex } from '../../base/bytes.ts';
import { struct, u64 } from '../../base/struct.ts';
import { makeAccountRequest } from '../../payment/account-request.ts';
import { type ErrandEnd, type ErrandNews, Errands } from '../../payment/errands.ts';
import { RecordBook } from '../../payment/record-book.ts';
import type { Party, PaymentStatusName, Served } from '../../payment/scheme.ts';
import type { Answer, StoreWrite } from '../../ports.ts';
import {
  agree,
  endOf,
  extended,
  holderOf,
  isGenuine,
  placeOf,
  serialOf,
  startOf,
  tailOf,
} from './coin-path.ts';
import { Dealings } from './dealings.ts';
import {
  accountMessage,
  accountOp,
  answerOp,
  assignedAnswer,
  assignedCoin,
  type CoinPath,
  coinPath,
  contradictedAnswer,
  historyMax,
  pathRequest,
  requestOp,
  schemeId,
  syncBody,
  syncReply,
} from './messages.ts';
import type { PPayPurse } from './purse.ts';
import type { PPaySetup } from './setup.ts';

/** How often an owner at rest asks whether it must say what became of a coin. */
const askEveryMs = 6 * 3_600_000;

const syncRecord = struct({ last: u64 });

/**
 * Answers for the coins that this node bought and gave away. It keeps what became of each from the first holder on, so
 * that it can always show by whose hand-over it assigned a coin to somebody else.
 *
 * After a time away it first hears from the broker what the broker assigned in its place; until then it assigns nothing.
 */
export class PPayOwner implements Party {
  readonly #setup: PPaySetup;
  readonly #purse: PPayPurse;
  readonly #dealings: Dealings;
  readonly #errands: Errands;
  readonly #cursor: RecordBook<{ readonly last: bigint }>;
  /** What the broker told of. Apart from the purse's records, which requests change. */
  readonly #told: RecordBook<CoinPath>;
  #synced = false;

  constructor(setup: PPaySetup, purse: PPayPurse) {
    this.#setup = setup;
    this.#purse = purse;
    this.#dealings = new Dealings(setup, purse, 'owner');
    this.#cursor = new RecordBook(setup.host.store, 'ppay/sync/', syncRecord);
    this.#told = new RecordBook(setup.host.store, 'ppay/told/', coinPath);
    for (const [, path] of this.#told.entries()) this.#learn(path);
    this.#errands = new Errands(setup.host, 'ppay/errand/sync/', (_errand, news) => this.#onSync(news));
    if (this.#errands.size === 0) this.#sync();
    this.#askLater();
  }

  serve(request: Uint8Array): Served {
    const message = request[0] === requestOp.reassign ? pathRequest.decode(request) : undefined;
    if (message === undefined || message.path.layers.length === 0) return refused('malformed');
    if (!this.#synced) return refused('busy');
    const { path } = message;
    const history = this.#purse.owned(serialOf(path));
    if (history === undefined) return refused('unknownChannel');
    if (history.layers.length + path.layers.length > historyMax) return refused('frozen');
    if (!isGenuine(path, this.#setup.broker.key)) return refused('badSignature');
    if (!agree(history, path)) return this.#contradict(history, path);
    if (startOf(path) > endOf(history)) {
      // The broker has assigned it since we last asked.
      this.#sync();
      return refused('busy');
    }
    const write = this.#purse.ownedAs(extended(history, path));
    const assigned = assignedCoin.sign(this.#setup.account, {
      coin: history.assigned.coin,
      holder: holderOf(path),
      position: endOf(path),
    });
    const reply = assignedAnswer.encode({ op: answerOp.assigned, assigned });
    return { kind: 'reply', reply, persist: [write] };
  }

  onAnswer(answer: Answer): undefined {
    if (!this.#errands.onAnswer(answer)) this.#dealings.onAnswer(answer);
  }

  /** Somebody has handed the coin to two: shows to whom first. */
  #contradict(history: CoinPath, path: CoinPath): Served {
    const start = startOf(path) <= endOf(history) ? startOf(path) : startOf(history);
    const known = tailOf(history, start, this.#setup.account);
    this.#dealings.report(known, path);
    const reply = contradictedAnswer.encode({ op: answerOp.contradicted, path: known });
    return { kind: 'reply', reply, persist: [] };
  }

  #askLater(): void {
    this.#setup.host.clock.after(askEveryMs, () => {
      this.#ask();
      this.#askLater();
    });
  }

  /** Nothing is answered before the broker has told what it did. */
  #sync(): void {
    this.#synced = false;
    this.#ask();
  }

  #ask(): void {
    if (this.#errands.size > 0) return;
    const { host, account, broker } = this.#setup;
    const body = syncBody.encode({ op: accountOp.sync, after: this.#cursor.get('cursor')?.last ?? 0n });
    const envelope = makeAccountRequest(account, host.entropy, body);
    const request = accountMessage.encode({ op: requestOp.account, envelope });
    this.#errands.send({ to: broker.endpoint, scheme: schemeId, request, memo: new Uint8Array(0) });
  }

  #onSync(news: ErrandNews): ErrandEnd {
    const reply = 'fault' in news ? undefined : syncReply.decode(news.reply);
    if (reply === undefined) return 'again';
    const writes: StoreWrite[] = [];
    for (const path of reply.paths) {
      if (!isGenuine(path, this.#setup.broker.key, historyMax)) continue;
      this.#learn(path);
      writes.push(this.#told.put(placeOf(path), path));
    }
    for (const serial of reply.wanted) {
      const history = this.#purse.owned(toHex(serial));
      if (history !== undefined) this.#dealings.report(history, history);
    }
    writes.push(this.#cursor.put('cursor', { last: reply.last }));
    if (reply.paths.length === 0) this.#synced = true;
    else this.#setup.host.clock.after(0, () => this.#ask());
    return writes;
  }

  #learn(path: CoinPath): void {
    const history = this.#purse.owned(serialOf(path));
    if (history === undefined || startOf(path) > endOf(history)) return;
    if (agree(history, path)) this.#purse.ownedAs(extended(history, path));
    else this.#dealings.report(history, path);
  }
}

function refused(code: PaymentStatusName): Served {
  return { kind: 'refused', fault: { code } };
}

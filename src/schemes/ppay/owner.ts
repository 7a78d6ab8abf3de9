import { toHex } from '../../base/bytes.ts';
import type { CoinSetup } from '../../payment/coins/coin-setup.ts';
import { OwnerSync } from '../../payment/coins/owner-sync.ts';
import { type Party, refused, type Served } from '../../payment/scheme.ts';
import type { Answer } from '../../ports.ts';
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
import { PPayDealings } from './dealings.ts';
import {
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
  syncReply,
  words,
} from './messages.ts';
import type { PPayPurse } from './purse.ts';

/**
 * Answers for the coins that this node bought and gave away. It keeps what became of each from the first holder on, so
 * that it can always show by whose hand-over it assigned a coin to somebody else.
 */
export class PPayOwner implements Party {
  readonly #setup: CoinSetup;
  readonly #purse: PPayPurse;
  readonly #dealings: PPayDealings;
  readonly #sync: OwnerSync<CoinPath>;

  constructor(setup: CoinSetup, purse: PPayPurse) {
    this.#setup = setup;
    this.#purse = purse;
    this.#dealings = new PPayDealings(setup, purse, 'owner');
    this.#sync = new OwnerSync(setup, words, {
      op: accountOp.sync,
      kind: coinPath,
      read(reply) {
        const told = syncReply.decode(reply);
        return told === undefined ? undefined : { ...told, news: told.paths };
      },
      placeOf,
      learn: path => this.#learn(path),
      show: serial => this.#show(toHex(serial)),
    });
  }

  serve(request: Uint8Array): Served {
    const message = request[0] === requestOp.reassign ? pathRequest.decode(request) : undefined;
    if (message === undefined || message.path.layers.length === 0) return refused('malformed');
    if (!this.#sync.synced) return refused('busy');
    const { path } = message;
    const history = this.#purse.owned(serialOf(path));
    if (history === undefined) return refused('unknownChannel');
    if (history.layers.length + path.layers.length > historyMax) return refused('frozen');
    if (!isGenuine(path, this.#setup.broker.key, history.assigned.coin)) return refused('badSignature');
    if (!agree(history, path)) return this.#contradict(history, path);
    if (startOf(path) > endOf(history)) {
      // The broker has assigned it since we last asked.
      this.#sync.again();
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
    if (!this.#sync.onAnswer(answer)) this.#dealings.onAnswer(answer);
  }

  /** Somebody has handed the coin to two: shows to whom first. */
  #contradict(history: CoinPath, path: CoinPath): Served {
    const start = startOf(path) <= endOf(history) ? startOf(path) : startOf(history);
    const known = tailOf(history, start, this.#setup.account);
    this.#dealings.report(known, path);
    const reply = contradictedAnswer.encode({ op: answerOp.contradicted, path: known });
    return { kind: 'reply', reply, persist: [] };
  }

  #show(serial: string): void {
    const history = this.#purse.owned(serial);
    if (history !== undefined) this.#dealings.report(history, history);
  }

  #learn(path: CoinPath): void {
    const history = this.#purse.owned(serialOf(path));
    if (history === undefined) return;
    if (!isGenuine(path, this.#setup.broker.key, history.assigned.coin, historyMax)) return;
    if (startOf(path) > endOf(history)) return;
    if (!agree(history, path)) {
      this.#dealings.report(history, path);
      return;
    }
    // Of a longer history the broker would look at nothing: what goes on from there is for the broker alone.
    const longer = extended(history, path);
    if (longer.layers.length <= historyMax) this.#purse.ownedAs(longer);
  }
}

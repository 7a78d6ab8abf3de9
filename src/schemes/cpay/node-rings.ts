import { equalBytes } from '../../base/bytes.ts';
import { sha256 } from '../../crypto/sha.ts';
import type { Endpoint } from '../../ports.ts';
import {
  assistantList,
  type Coin,
  type Epoch,
  epoch,
  epochRequest,
  history,
  historyRequest,
  listRequest,
  requestOp,
} from './messages.ts';
import { type BrokerAddress, Ring, type Rings } from './ring.ts';

/** Epochs and lists kept: the last ones, and some that were asked for besides. */
const keptMax = 64;

type Ask = (request: Uint8Array, done: (reply: Uint8Array | undefined) => void) => void;

/** What a node has heard of the rings, whichever side of it asked. */
export class KnownRings {
  readonly broker: BrokerAddress;
  readonly #byEpoch = new Map<number, Ring>();
  readonly #lists = new Map<number, Ring>();

  constructor(broker: BrokerAddress) {
    this.broker = broker;
  }

  ring(number: number): Ring | undefined {
    return this.#byEpoch.get(number);
  }

  /** The list that began with that epoch. */
  list(since: number): Ring | undefined {
    return this.#lists.get(since);
  }

  /** True for an assistant of a list that is known. */
  hasAssistantAt(at: Endpoint): boolean {
    return [...this.#lists.values()].some(ring => ring.hasAssistantAt(at));
  }

  keep({ number, since }: Epoch, ring: Ring): void {
    keepLast(this.#lists, since, ring);
    keepLast(this.#byEpoch, number, ring);
  }
}

/**
 * The rings as one side of a node asks for them: each epoch when it is first needed, and the list when that is another. Whoever
 * needs the same meanwhile asks for it too: an answer can end the wait of one session, and no more.
 */
export class NodeRings implements Rings {
  readonly #known: KnownRings;
  readonly #ask: Ask;

  /** @param ask a question to the broker. */
  constructor(known: KnownRings, ask: Ask) {
    this.#known = known;
    this.#ask = ask;
  }

  ring(number: number): Ring | undefined {
    return this.#known.ring(number);
  }

  fetch(epochs: readonly number[], done: () => void): void {
    const missing = [...new Set(epochs)].filter(number => this.ring(number) === undefined);
    let left = missing.length;
    if (left === 0) done();
    for (const number of missing)
      this.#fetchOne(number, () => {
        left -= 1;
        if (left === 0) done();
      });
  }

  history(
    { guid, assistants }: Pick<Coin, 'guid' | 'assistants'>,
    from: number,
    to: number,
    done: (rings: readonly Ring[] | undefined) => void,
  ): void {
    const { broker } = this.#known;
    this.#ask(historyRequest.encode({ op: requestOp.history, guid, assistants, from, to }), reply => {
      const told = reply === undefined ? undefined : history.decode(reply);
      const isAnswer =
        told !== undefined &&
        equalBytes(told.guid, guid) &&
        told.assistants === assistants &&
        told.from === from &&
        told.to === to &&
        history.isBy(broker.key, told);
      done(isAnswer ? told.lists.map(list => new Ring(list, broker)) : undefined);
    });
  }

  #fetchOne(number: number, done: () => void): void {
    this.#ask(epochRequest.encode({ op: requestOp.epoch, number }), reply => {
      const told = reply === undefined ? undefined : epoch.decode(reply);
      if (told?.number !== number || !epoch.isBy(this.#known.broker.key, told)) done();
      else this.#fetchList(told, done);
    });
  }

  #fetchList(told: Epoch, done: () => void): void {
    const { since, digest } = told;
    const known = this.#known.list(since);
    if (known !== undefined) {
      this.#known.keep(told, known);
      done();
      return;
    }
    this.#ask(listRequest.encode({ op: requestOp.list, since }), reply => {
      const genuine = reply !== undefined && equalBytes(sha256(reply), digest);
      const list = genuine ? assistantList.decode(reply) : undefined;
      if (list?.since === since) this.#known.keep(told, new Ring(list, this.#known.broker));
      done();
    });
  }
}

function keepLast(rings: Map<number, Ring>, number: number, ring: Ring): void {
  rings.delete(number);
  rings.set(number, ring);
  const [oldest] = rings.keys();
  if (rings.size > keptMax) rings.delete(oldest);
}

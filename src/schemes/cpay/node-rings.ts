import { epochList, epochRequest, requestOp } from './messages.ts';
import { type BrokerAddress, Ring, type Rings } from './ring.ts';

/** Rings kept: those of the last epochs, and some that were asked for besides. */
const ringsMax = 64;

type Ask = (request: Uint8Array, done: (reply: Uint8Array | undefined) => void) => void;

/** The rings as a node hears of them, each once, when it is first needed. */
export class NodeRings implements Rings {
  readonly #broker: BrokerAddress;
  readonly #ask: Ask;
  readonly #rings = new Map<number, Ring>();
  readonly #waiting = new Map<number, (() => void)[]>();

  /** @param ask a question to the broker. */
  constructor(broker: BrokerAddress, ask: Ask) {
    this.#broker = broker;
    this.#ask = ask;
  }

  ring(epoch: number): Ring | undefined {
    return this.#rings.get(epoch);
  }

  fetch(epochs: readonly number[], done: () => void): void {
    const missing = [...new Set(epochs)].filter(epoch => !this.#rings.has(epoch));
    let left = missing.length;
    if (left === 0) done();
    for (const epoch of missing)
      this.#fetchOne(epoch, () => {
        left -= 1;
        if (left === 0) done();
      });
  }

  #fetchOne(number: number, done: () => void): void {
    const waiting = this.#waiting.get(number);
    if (waiting !== undefined) {
      waiting.push(done);
      return;
    }
    this.#waiting.set(number, [done]);
    this.#ask(epochRequest.encode({ op: requestOp.epoch, number }), reply => {
      const list = reply === undefined ? undefined : epochList.decode(reply);
      if (list?.number === number && epochList.isBy(this.#broker.key, list))
        this.#keep(number, new Ring(list, this.#broker));
      const told = this.#waiting.get(number) ?? [];
      this.#waiting.delete(number);
      for (const each of told) each();
    });
  }

  #keep(number: number, ring: Ring): void {
    this.#rings.set(number, ring);
    const [oldest] = this.#rings.keys();
    if (this.#rings.size > ringsMax) this.#rings.delete(oldest);
  }
}

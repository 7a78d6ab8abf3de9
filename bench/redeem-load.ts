import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setImmediate as turn } from 'node:timers/promises';
import { assert } from '../src/base/assert.ts';
import { concatBytes } from '../src/base/bytes.ts';
import { paymentStatus } from '../src/payment/scheme.ts';
import type { LinkId } from '../src/ports.ts';
import { circuitIdOf, linkCellBytes, linkHeadBytes, type PaidCircuit } from './paid-circuit.ts';
import type { PaidRelay } from './paid-relay.ts';

/** What a busy relay finds in a link that it reads. */
const cellsPerReadMax = 16;

interface Payer {
  readonly circuit: PaidCircuit;
  /** REDEEM cells, in one array each, so that they are no work for the collector of garbage. */
  readonly cells: Uint8Array;
  sent: number;
  /** RECEIPT cells, to be read when the relay is done. */
  readonly replies: Uint8Array;
  received: number;
}

interface PayersOfLink {
  readonly link: LinkId;
  /** By circuit id. */
  readonly payers: Map<number, Payer>;
  readonly ready: Payer[];
}

/** Payments of many circuits, made before the relay sees the first: a circuit sends one when the last is receipted. */
export class RedeemLoad {
  readonly #relay: PaidRelay;
  readonly #paymentsEach: number;
  readonly #payers: readonly Payer[];
  readonly #links: readonly PayersOfLink[];
  /** REDEEMs without a RECEIPT. */
  #left: number;
  #onReady: (() => void) | undefined;

  constructor(relay: PaidRelay, circuits: readonly PaidCircuit[], paymentsEach: number) {
    this.#relay = relay;
    this.#paymentsEach = paymentsEach;
    this.#left = circuits.length * paymentsEach;
    this.#payers = circuits.map(circuit => {
      const cells = relay.sign(circuit, paymentsEach).flatMap(payment => circuit.redeem(payment));
      const replies = new Uint8Array(paymentsEach * linkCellBytes);
      return { circuit, cells: concatBytes(...cells), sent: 0, replies, received: 0 };
    });
    const links = new Map<LinkId, PayersOfLink>();
    for (const payer of this.#payers) {
      const { link, id } = payer.circuit;
      const on: PayersOfLink = links.get(link) ?? { link, payers: new Map(), ready: [] };
      links.set(link, on);
      on.payers.set(id, payer);
      on.ready.push(payer);
    }
    this.#links = [...links.values()];
    relay.onWritten = (link, cells) => this.#onWritten(links.get(link), cells);
  }

  /** Until all are receipted. In each turn of the event loop the relay reads one of its links. */
  async run(): Promise<void> {
    for (let at = 0; this.#left > 0; at = (at + 1) % this.#links.length) {
      const on = this.#links[at];
      if (on.ready.length > 0) {
        this.#bring(on);
        await turn();
      } else if (this.#links.every(({ ready }) => ready.length === 0)) {
        await new Promise<void>(ready => {
          this.#onReady = ready;
        });
      }
    }
  }

  #bring({ link, ready }: PayersOfLink): void {
    const senders = ready.splice(0, cellsPerReadMax);
    const read = new Uint8Array(senders.length * linkCellBytes);
    for (const [at, payer] of senders.entries()) {
      const from = payer.sent++ * linkCellBytes;
      read.set(payer.cells.subarray(from, from + linkCellBytes), at * linkCellBytes);
    }
    this.#relay.bring(link, read);
  }

  /** Every payment was receipted, and credited. */
  check(): void {
    for (const { circuit, replies, received } of this.#payers) {
      for (let reply = 0; reply < received; reply++) {
        const receipt = circuit.open(replies, reply * linkCellBytes + linkHeadBytes);
        assert(receipt?.status === paymentStatus.ok, 'a payment is credited');
      }
      assert(received === this.#paymentsEach, 'a receipt for each payment');
    }
  }

  #onWritten(on: PayersOfLink | undefined, cells: Uint8Array): void {
    assert(on !== undefined, 'links that carry paying circuits alone');
    for (let at = 0; at < cells.length; at += linkCellBytes) {
      const payer = on.payers.get(circuitIdOf(cells, at));
      assert(payer !== undefined, 'a circuit that pays');
      payer.replies.set(cells.subarray(at, at + linkCellBytes), payer.received++ * linkCellBytes);
      this.#left -= 1;
      if (payer.sent < this.#paymentsEach) on.ready.push(payer);
    }
    this.#onReady?.();
  }
}

/** All of it, measured: REDEEMs a second and a CPU second, and the event loop's delays in milliseconds. */
export async function redeemAll(relay: PaidRelay, circuits: readonly PaidCircuit[], paymentsEach: number) {
  const load = new RedeemLoad(relay, circuits, paymentsEach);
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const started = performance.now();
  const cpuBefore = process.cpuUsage();
  await load.run();
  const { user, system } = process.cpuUsage(cpuBefore);
  const seconds = (performance.now() - started) / 1_000;
  delay.disable();
  load.check();
  const redeems = circuits.length * paymentsEach;
  return {
    redeems: redeems / seconds,
    'redeems a core': (redeems * 1e6) / (user + system),
    'event loop p99': delay.percentile(99) / 1e6,
  };
}

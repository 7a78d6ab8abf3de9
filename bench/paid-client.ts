import { assert } from '../src/base/assert.ts';
import { cellCommand } from '../src/cell/commands.ts';
import { cellPayloadBytes } from '../src/cell/link-codec.ts';
import { decodeCreatedFast, encodeCreateFast } from '../src/cell/link-messages.ts';
import type { Receipt } from '../src/cell/payment-messages.ts';
import { type CircuitKeys, createFastKeys } from '../src/crypto/circuit-keys.ts';
import { LinkMux, type LinkUser } from '../src/link/link-mux.ts';
import type { SessionId } from '../src/payment/scheme.ts';
import type { Endpoint, LinkId } from '../src/ports.ts';
import type { SimHost } from '../src/sim/sim-host.ts';
import { VirtualClock } from '../src/sim/virtual-clock.ts';
import { linkHeadBytes, PaidCircuit } from './paid-circuit.ts';

/** Circuits lie spread over so many. */
const linksMost = 8;
const key = (link: LinkId, id: number): number => link * 65_536 + id;

/** The client's links and circuits, on the simulated network. */
export class PaidClient implements LinkUser {
  readonly host: SimHost;
  readonly #mux: LinkMux;
  readonly #relay: Endpoint;
  readonly #ready = new Map<LinkId, () => void>();
  readonly #created = new Map<number, (payload: Uint8Array) => void>();
  readonly #receipts = new Map<number, (receipt: Receipt) => void>();
  readonly #circuits = new Map<number, PaidCircuit>();
  readonly #links: LinkId[] = [];
  /** Circuits are made one after the other, so that client and relay number them alike. */
  #last: Promise<unknown> = Promise.resolve();

  /** @param relay where its links are. */
  constructor(host: SimHost, relay: Endpoint) {
    this.host = host;
    this.#relay = relay;
    this.#mux = new LinkMux({
      port: host.links,
      clock: new VirtualClock(host.node),
      entropy: host.node.entropy,
      observer: { log() {}, count() {} },
      identity: undefined,
      protocols: [3],
      ownAddresses: [],
      user: this,
    });
    host.links.attach(this.#mux);
  }

  newCircuit(session: SessionId): Promise<PaidCircuit> {
    const made = this.#last.then(async () => {
      this.#links[session % linksMost] ??= await this.#openLink();
      const link = this.#links[session % linksMost];
      const id = this.#mux.allocateCircuit(link);
      assert(id !== undefined, 'a link has room for these circuits');
      const circuit = new PaidCircuit(session, link, id, await this.#create(link, id));
      this.#circuits.set(key(link, id), circuit);
      return circuit;
    });
    this.#last = made;
    return made;
  }

  /** The receipt for a payment. */
  redeem(circuit: PaidCircuit, payment: Uint8Array): Promise<Receipt> {
    const { link, id } = circuit;
    const receipt = new Promise<Receipt>(got => void this.#receipts.set(key(link, id), got));
    this.host.node.turn(() => {
      for (const cell of circuit.redeem(payment))
        this.#mux.send(link, id, cellCommand.relay, cell, linkHeadBytes);
    });
    return receipt;
  }

  /** Both ends number their links from 1 on, in the order in which they are opened. */
  #openLink(): Promise<LinkId> {
    const link = this.host.node.turn(() => this.#mux.open(this.#relay, {}));
    return new Promise(ready => void this.#ready.set(link, () => ready(link)));
  }

  async #create(link: LinkId, id: number): Promise<CircuitKeys> {
    const x = this.host.node.entropy.bytes(20);
    const created = new Promise<Uint8Array>(got => void this.#created.set(key(link, id), got));
    this.host.node.turn(() => this.#mux.send(link, id, cellCommand.createFast, encodeCreateFast(x), 0));
    const { y } = decodeCreatedFast(await created, 0);
    return createFastKeys(x, y).keys;
  }

  onLinkReady(link: LinkId): void {
    this.#ready.get(link)?.();
  }

  onLinkLost(): void {
    throw new Error('the relay closed a link');
  }

  onCircuitWritable(): void {}

  onCell(link: LinkId, id: number, command: number, bytes: Uint8Array, at: number): void {
    assert(command === cellCommand.createdFast, 'a relay that takes all circuits');
    this.#created.get(key(link, id))?.(bytes.slice(at, at + cellPayloadBytes));
  }

  onRun(link: LinkId, id: number, bytes: Uint8Array, at: number, stride: number, count: number): void {
    for (; count > 0; count--, at += stride) {
      const receipt = this.#circuits.get(key(link, id))?.open(bytes, at);
      if (receipt !== undefined) this.#receipts.get(key(link, id))?.(receipt);
    }
  }
}

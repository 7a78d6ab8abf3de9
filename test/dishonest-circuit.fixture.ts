import { cellCommand, relayCommand } from '../src/cell/commands.ts';
import { cellPayloadBytes } from '../src/cell/link-codec.ts';
import { decodeCreated2, decodeDestroy } from '../src/cell/link-messages.ts';
import { bodyOf, relayCommandOf, streamIdOf, writeRelayCell } from '../src/cell/relay-cell.ts';
import { decodeExtended2, encodeBegin } from '../src/cell/relay-messages.ts';
import {
  type Exchange,
  type HopTarget,
  startCreate2,
  startCreateFast,
  startExtend2,
} from '../src/circuit/extend.ts';
import { TestLayers } from '../src/onion/one-cell.fixture.ts';
import type { Entropy, LinkId } from '../src/ports.ts';
import type { News } from './news.fixture.ts';

/** A cell that came back, and the hop that it came from. */
export interface SeenCell {
  readonly hop: number;
  readonly command: number;
  readonly streamId: number;
  readonly body: Uint8Array;
}

/** Where a circuit's cells go, and what it needs besides. */
export interface CircuitOutput {
  readonly entropy: Entropy;
  readonly news: News;
  /** Sends one cell with a payload of 509 bytes, whatever it holds. */
  send(command: number, payload: Uint8Array): void;
}

/**
 * A circuit whose client keeps no rule: it has the keys of its hops and says whatever the test wants it to. It counts the
 * cells of each hop as the hop does, and stops for no balance.
 */
export class DishonestCircuit {
  readonly link: LinkId;
  /** RELAY and RELAY_EARLY cells that each hop was sent, or that it sent, or passed on. */
  readonly cells: number[] = [];
  /** Cells that came and that nobody has asked for yet, oldest first. */
  readonly seen: SeenCell[] = [];
  /** The reason of DESTROY, once it came. */
  destroyed: number | undefined;
  readonly #output: CircuitOutput;
  readonly #layers = new TestLayers();
  #created: Uint8Array | undefined;

  constructor(link: LinkId, output: CircuitOutput) {
    this.link = link;
    this.#output = output;
  }

  /** Makes the first hop; by CREATE_FAST when nothing is known of it. */
  async create(target?: HopTarget): Promise<void> {
    const { entropy, news } = this.#output;
    const exchange = target === undefined ? startCreateFast(entropy) : startCreate2(entropy, target);
    this.sendCell(target === undefined ? cellCommand.createFast : cellCommand.create2, exchange.message);
    this.#agree(exchange, await news.until(() => this.#orDestroyed(this.#created), 'CREATED'));
  }

  async extend(target: HopTarget): Promise<void> {
    const exchange = startExtend2(this.#output.entropy, target);
    this.sendEarly(this.cells.length - 1, relayCommand.extend2, exchange.message);
    const { body } = await this.next(relayCommand.extended2);
    this.#agree(exchange, decodeExtended2(body));
  }

  /** One relay cell for `hop`, sealed as it must be. */
  send(hop: number, command: number, body: Uint8Array, streamId = 0): void {
    this.#seal(cellCommand.relay, hop, command, body, streamId);
  }

  /** The same in RELAY_EARLY. */
  sendEarly(hop: number, command: number, body: Uint8Array, streamId = 0): void {
    this.#seal(cellCommand.relayEarly, hop, command, body, streamId);
  }

  /** A relay cell of 509 bytes as the test wrote it; the digest and the layers are right. */
  sendSealed(hop: number, cell: Uint8Array, command: number = cellCommand.relay): void {
    this.#layers.seal(cell, 0, 509, 1, hop);
    this.#count(hop);
    this.sendCell(command, cell);
  }

  /** Any cell of this circuit, as it is. */
  sendCell(command: number, payload: Uint8Array): void {
    this.#output.send(command, payload);
  }

  /** BEGIN at the last hop; its answer: CONNECTED or END. */
  async begin(streamId: number, host: string, port: number): Promise<SeenCell> {
    const last = this.cells.length - 1;
    this.send(last, relayCommand.begin, encodeBegin({ host, port, flags: 0 }), streamId);
    return this.next(relayCommand.connected, relayCommand.end);
  }

  /** The next cell with one of these commands. */
  next(...commands: readonly number[]): Promise<SeenCell> {
    return this.#output.news.until(
      () => {
        const at = this.seen.findIndex(cell => commands.includes(cell.command));
        return at < 0 ? this.#orDestroyed(undefined) : this.seen.splice(at, 1)[0];
      },
      `relay command ${commands.join(' or ')}`,
    );
  }

  /** True once the first hop has answered. */
  get created(): boolean {
    return this.#created !== undefined;
  }

  /** The reason of DESTROY. */
  ended(): Promise<number> {
    return this.#output.news.until(() => this.destroyed, 'DESTROY');
  }

  /** What the link brought. */
  onCell(command: number, payload: Uint8Array): void {
    if (command === cellCommand.destroy) this.destroyed = decodeDestroy(payload, 0);
    else if (command === cellCommand.created2) this.#created = decodeCreated2(payload, 0);
    else if (command === cellCommand.createdFast) this.#created = payload.slice(0, 40);
    else if (command === cellCommand.relay) this.#onRelay(payload);
    else throw new Error(`a relay sends command ${command} to its client`);
  }

  #onRelay(payload: Uint8Array): void {
    const hop = this.#layers.openCell(payload, 0);
    const body = hop === undefined ? undefined : bodyOf(payload, 0);
    if (hop === undefined || body === undefined) throw new Error('a cell that no hop made came back');
    this.#count(hop);
    const command = relayCommandOf(payload, 0);
    this.seen.push({ hop, command, streamId: streamIdOf(payload, 0), body: body.slice() });
  }

  #seal(cell: number, hop: number, command: number, body: Uint8Array, streamId: number): void {
    const payload = new Uint8Array(cellPayloadBytes);
    writeRelayCell(payload, 0, command, streamId, body, this.#output.entropy);
    this.sendSealed(hop, payload, cell);
  }

  #count(hop: number): void {
    for (let i = 0; i <= hop; i++) this.cells[i] += 1;
  }

  #agree(exchange: Exchange, reply: Uint8Array | undefined): void {
    const agreed = reply === undefined ? undefined : exchange.finish(reply);
    if (!agreed?.ok) throw new Error('a hop does not prove who it is');
    this.#layers.push(agreed.value.keys);
    this.cells.push(0);
  }

  #orDestroyed<T>(value: T | undefined): T | undefined {
    if (value === undefined && this.destroyed !== undefined)
      throw new Error(`DESTROY ${this.destroyed} came instead`);
    return value;
  }
}

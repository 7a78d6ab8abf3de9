import { toHex } from '../../src/base/bytes.ts';
import { cellCommand, destroyReason, relayCommand } from '../../src/cell/commands.ts';
import { cellPayloadBytes } from '../../src/cell/link-codec.ts';
import {
  decodeCreate2,
  decodeCreateFast,
  encodeCreated2,
  encodeCreatedFast,
  encodeDestroy,
} from '../../src/cell/link-messages.ts';
import { bodyOf, relayCommandOf, streamIdOf, writeRelayCell } from '../../src/cell/relay-cell.ts';
import { decodeExtend2, encodeExtended2, encodeSendme } from '../../src/cell/relay-messages.ts';
import { answerHandshake, type ReceivedCell } from '../../src/circuit/relay-path.fixture.ts';
import { createFastKeys } from '../../src/crypto/circuit-keys.ts';
import { takeCell } from '../../src/onion/one-cell.fixture.ts';
import { RelayLayer } from '../../src/onion/relay-layer.ts';
import type { FalseRelay } from './false-relay.fixture.ts';
import type { RawCell, RawLink } from './raw-link.fixture.ts';

interface FalseHop {
  readonly relay: FalseRelay;
  readonly layer: RelayLayer;
  /** DATA cells that a SENDME answers. */
  readonly sendmeCells: number;
  dataSeen: number;
}

/** Who decides what the hops of a false circuit say. */
export interface FalseCircuitUser {
  /** The relay with that RSA identity. */
  find(rsaIdHex: string): FalseRelay;
  /** A cell for a hop that is not about building the circuit. */
  onCell(circuit: FalseCircuit, hop: number, cell: ReceivedCell): void;
  /**
   * A hop was asked for, and made if there is a reply: says something else than CREATED2 or EXTENDED2 with it. False: that
   * is said as it should be.
   */
  onMade(circuit: FalseCircuit, reply: Uint8Array | undefined): boolean;
}

/**
 * A client's circuit, all of whose hops are here behind the link to the first: they answer its building and acknowledge
 * its DATA, and otherwise say whatever a test wants.
 */
export class FalseCircuit {
  /** The client has destroyed it. */
  destroyed = false;
  /** DATA is answered by the SENDMEs that are due. */
  acknowledges = true;
  readonly link: RawLink;
  readonly id: number;
  readonly hops: FalseHop[] = [];
  readonly #user: FalseCircuitUser;

  constructor(link: RawLink, id: number, user: FalseCircuitUser) {
    this.link = link;
    this.id = id;
    this.#user = user;
  }

  get last(): number {
    return this.hops.length - 1;
  }

  /** The digest of the last cell that the last hop took, as SENDME gives it. */
  get digest(): Uint8Array {
    return this.hops[this.last].layer.lastForwardDigest();
  }

  /** A cell of this circuit from the client, whose link goes to `first`. */
  onCell({ command, payload }: RawCell, first: FalseRelay): void {
    if (command === cellCommand.destroy) {
      this.destroyed = true;
      this.link.news.tell();
    } else if (command === cellCommand.createFast) {
      const y = this.link.entropy.bytes(20);
      const { keys, verify } = createFastKeys(decodeCreateFast(payload, 0), y);
      this.#push(first, new RelayLayer(keys));
      this.sendCell(cellCommand.createdFast, encodeCreatedFast(y, verify));
    } else if (command === cellCommand.create2) {
      this.#make(first, decodeCreate2(payload, 0), reply =>
        this.sendCell(cellCommand.created2, encodeCreated2(reply)),
      );
    } else if (!this.destroyed) this.#onRelay(payload.slice());
  }

  /** A relay cell of that hop's, as it should be. */
  say(hop: number, command: number, body: Uint8Array, streamId = 0): void {
    const cell = new Uint8Array(cellPayloadBytes);
    writeRelayCell(cell, 0, command, streamId, body, this.link.entropy);
    this.saySealed(hop, cell);
  }

  /** A relay cell of 509 bytes as the test wrote it; digest and layers are right. */
  saySealed(hop: number, cell: Uint8Array, command: number = cellCommand.relay): void {
    this.hops[hop].layer.originate(cell, 0, cellPayloadBytes, 1);
    for (let at = hop - 1; at >= 0; at--) this.hops[at].layer.toClient(cell, 0, cellPayloadBytes, 1);
    this.sendCell(command, cell);
  }

  /** Any cell of this circuit, as it is. */
  sendCell(command: number, payload: Uint8Array): void {
    void this.link.write(this.link.fixed(command, payload, this.id));
  }

  #push(relay: FalseRelay, layer: RelayLayer, sendmeCells = 100): void {
    this.hops.push({ relay, layer, sendmeCells, dataSeen: 0 });
  }

  #make(relay: FalseRelay, asked: ReturnType<typeof decodeCreate2>, say: (reply: Uint8Array) => void): void {
    if (asked === undefined) throw new Error('a client sends an unreadable handshake');
    const { keys } = relay.holder;
    const served = answerHandshake(this.link.entropy, { keys: keys.ntor, target: relay.target }, asked);
    if (served !== undefined) this.#push(relay, served.layer, served.sendmeCells);
    if (this.#user.onMade(this, served?.reply)) return;
    if (served !== undefined) say(served.reply);
    else this.sendCell(cellCommand.destroy, encodeDestroy(destroyReason.protocol));
  }

  #onRelay(payload: Uint8Array): void {
    const hop = this.hops.findIndex(({ layer }) => takeCell(layer, payload, 0));
    const body = bodyOf(payload, 0)?.slice();
    if (hop < 0 || body === undefined) throw new Error('a client sends a cell for no hop');
    const cell = { command: relayCommandOf(payload, 0), streamId: streamIdOf(payload, 0), body };
    if (cell.command === relayCommand.extend2) this.#onExtend(hop, body);
    else {
      if (cell.command === relayCommand.data && this.acknowledges) this.#acknowledge(hop, cell.streamId);
      this.#user.onCell(this, hop, cell);
    }
    this.link.news.tell();
  }

  #onExtend(hop: number, body: Uint8Array): void {
    const message = decodeExtend2(body);
    if (message === undefined) throw new Error('a client sends an unreadable EXTEND2');
    this.#make(this.#user.find(toHex(message.target.rsaId)), message, reply =>
      this.say(hop, relayCommand.extended2, encodeExtended2(reply)),
    );
  }

  #acknowledge(at: number, streamId: number): void {
    const hop = this.hops[at];
    hop.dataSeen += 1;
    if (hop.dataSeen % hop.sendmeCells === 0)
      this.say(at, relayCommand.sendme, encodeSendme(hop.layer.lastForwardDigest()));
    if (hop.sendmeCells === 100 && hop.dataSeen % 50 === 0)
      this.say(at, relayCommand.sendme, new Uint8Array(0), streamId);
  }
}

import { assert } from '../../../src/base/assert.ts';
import { freeCells } from '../../../src/base/limits.ts';
import { cellCommand, relayCommand } from '../../../src/cell/commands.ts';
import { cellPayloadBytes } from '../../../src/cell/link-codec.ts';
import {
  decodeCreate2,
  decodeCreateFast,
  encodeCreated2,
  encodeCreatedFast,
} from '../../../src/cell/link-messages.ts';
import { FragmentAssembler, type Receipt } from '../../../src/cell/payment-messages.ts';
import { bodyOf, relayCommandOf } from '../../../src/cell/relay-cell.ts';
import { decodeExtend2, encodeExtended2 } from '../../../src/cell/relay-messages.ts';
import { type CircuitKeys, createFastKeys } from '../../../src/crypto/circuit-keys.ts';
import { cellMemory } from '../../../src/crypto/kernels/cell-memory.ts';
import { RelayLayer } from '../../../src/onion/relay-layer.ts';
import { cellsFor } from '../../../src/payment/price.ts';
import type { Entropy } from '../../../src/ports.ts';
import { type FarRelay, farPriceMsat } from './far-relay.ts';
import { paperMoney } from './paper-money.ts';

/** A cell that is due: of the link where `hop` is undefined, otherwise of that hop. */
export interface DueCell {
  readonly hop: number | undefined;
  readonly command: number;
  readonly body: Uint8Array;
}

interface FarHop {
  readonly layer: RelayLayer;
  readonly redeems: FragmentAssembler;
  /** Cells that it has passed on or taken, as its balance counts them. */
  cells: number;
  creditedMsat: bigint;
}

interface Redeem {
  readonly hop: number;
  readonly messageId: number;
  readonly msat: bigint;
}

/** The relays of one circuit of a client, all of them: they count and answer by the rules, when they are asked to. */
export class FarPath {
  /** The client has ended the circuit. */
  over = false;
  readonly #relays: readonly FarRelay[];
  readonly #entropy: Entropy;
  readonly #hops: FarHop[] = [];
  /** Makes the answer to the handshake that waits for one. */
  #handshake: (() => DueCell | undefined) | undefined;
  readonly #redeems: Redeem[] = [];

  constructor(relays: readonly FarRelay[], entropy: Entropy) {
    this.#relays = relays;
    this.#entropy = entropy;
  }

  /** Hops that the client was given keys for. */
  get hops(): number {
    return this.#hops.length;
  }

  /** Payments without a RECEIPT. */
  get redeemsDue(): number {
    return this.#redeems.length;
  }

  /** Takes a cell of the client. */
  hear(command: number, payload: Uint8Array): void {
    if (command === cellCommand.destroy) this.over = true;
    else if (command === cellCommand.relay || command === cellCommand.relayEarly)
      this.#hearRelayCell(payload);
    else if (command === cellCommand.create2) this.#askFirst(decodeCreate2(payload, 0));
    else if (command === cellCommand.createFast) this.#askFast(decodeCreateFast(payload, 0));
  }

  /** What was asked about a hop, answered by the rules; undefined: nothing was asked. */
  answerHandshake(): DueCell | undefined {
    const answer = this.#handshake;
    this.#handshake = undefined;
    return answer?.();
  }

  /** The RECEIPT for the oldest payment, by the rules. */
  answerRedeem(): { readonly hop: number; readonly receipt: Receipt } | undefined {
    const redeem = this.#redeems.shift();
    if (redeem === undefined) return undefined;
    const hop = this.#hops[redeem.hop];
    hop.creditedMsat += redeem.msat;
    const owed = freeCells + Number(cellsFor(hop.creditedMsat, farPriceMsat)) - hop.cells;
    const receipt = {
      status: 0,
      messageId: redeem.messageId,
      price: farPriceMsat,
      // Whoever sends more than it was paid for owes nothing.
      balance: BigInt(Math.max(0, owed)),
      creditedMsat: hop.creditedMsat,
      target: Uint8Array.of(paperMoney.id),
    };
    return { hop: redeem.hop, receipt };
  }

  /** Makes a plain cell in the cell memory one of `hop`, as it reaches the client. */
  seal(hop: number, at: number): void {
    for (let each = hop; each >= 0; each--) {
      const { layer } = this.#hops[each];
      this.#hops[each].cells += 1;
      if (each === hop) layer.originate(cellMemory, at, cellPayloadBytes, 1);
      else layer.toClient(cellMemory, at, cellPayloadBytes, 1);
    }
  }

  /** Proves that a hop has got the last cell that was for it. */
  digestAt(hop: number): Uint8Array {
    return this.#hops[hop].layer.lastForwardDigest();
  }

  #add(keys: CircuitKeys): void {
    this.#hops.push({
      layer: new RelayLayer(keys),
      redeems: new FragmentAssembler(),
      cells: 0,
      creditedMsat: 0n,
    });
  }

  #askFast(x: Uint8Array): void {
    this.#handshake = () => {
      const y = this.#entropy.bytes(20);
      const { keys, verify } = createFastKeys(x, y);
      this.#add(keys);
      return { hop: undefined, command: cellCommand.createdFast, body: encodeCreatedFast(y, verify) };
    };
  }

  #askFirst(asked: ReturnType<typeof decodeCreate2>): void {
    assert(asked !== undefined, 'a client sends CREATE2 by the rules');
    this.#handshake = () => {
      const answered = this.#relays[0].answer(asked.handshakeType, asked.handshake);
      if (answered === undefined) return undefined;
      this.#add(answered.keys);
      return { hop: undefined, command: cellCommand.created2, body: encodeCreated2(answered.reply) };
    };
  }

  /** However it was treated, a client never says what nobody can read. */
  #hearRelayCell(payload: Uint8Array): void {
    const recipient = this.#hops.findIndex(hop => {
      hop.cells += 1;
      return takesCell(hop.layer, payload);
    });
    assert(recipient >= 0, 'a cell of the client is for one of its hops');
    const body = bodyOf(payload, 0);
    assert(body !== undefined, 'a cell of the client has a body');
    this.#hearMessage(recipient, relayCommandOf(payload, 0), body);
  }

  #hearMessage(hop: number, command: number, body: Uint8Array): void {
    if (command === relayCommand.extend2) this.#askNext(hop, decodeExtend2(body));
    else if (command === relayCommand.redeem) {
      const added = this.#hops[hop].redeems.add(body);
      assert(added.ok, 'a client cuts payments by the rules');
      if (added.value === undefined) return;
      const { bytes, messageId } = added.value;
      const msat = bytes.length < 5 ? 0n : BigInt(new DataView(bytes.buffer, bytes.byteOffset).getUint32(1));
      this.#redeems.push({ hop, messageId, msat });
    }
  }

  #askNext(hop: number, asked: ReturnType<typeof decodeExtend2>): void {
    assert(asked !== undefined && hop === this.#hops.length - 1, 'a client extends at its last hop');
    this.#handshake = () => {
      const answered = this.#relays[hop + 1].answer(asked.handshakeType, asked.handshake);
      if (answered === undefined) return undefined;
      this.#add(answered.keys);
      return { hop, command: relayCommand.extended2, body: encodeExtended2(answered.reply) };
    };
  }
}

/** Takes the layer off a cell. True: it is for that hop. */
function takesCell(layer: RelayLayer, cell: Uint8Array): boolean {
  let own = false;
  layer.fromClient(cell, 0, cellPayloadBytes, 1, {
    own() {
      own = true;
      return true;
    },
    foreign: () => true,
    ownCellsMost: 1,
  });
  return own;
}

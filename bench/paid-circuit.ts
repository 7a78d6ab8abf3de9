import { assert } from '../src/base/assert.ts';
import { cellCommand, relayCommand } from '../src/cell/commands.ts';
import { cellPayloadBytes } from '../src/cell/link-codec.ts';
import { decodeReceipt, FragmentAssembler, fragment, type Receipt } from '../src/cell/payment-messages.ts';
import { bodyOf, relayCommandOf, writeRelayCell } from '../src/cell/relay-cell.ts';
import type { CircuitKeys } from '../src/crypto/circuit-keys.ts';
import { SystemEntropy } from '../src/node-io/system-entropy.ts';
import { ClientLayers } from '../src/onion/client-layers.ts';
import type { SessionId } from '../src/payment/scheme.ts';
import type { LinkId } from '../src/ports.ts';

/** In link protocol 3: id (2) | command (1) | payload. */
export const linkHeadBytes = 3;
export const linkCellBytes = linkHeadBytes + cellPayloadBytes;
const entropy = new SystemEntropy();

/** A client's end of a circuit of one hop, which carries payments alone. */
export class PaidCircuit {
  readonly session: SessionId;
  readonly link: LinkId;
  readonly id: number;
  /** What the relay said last of how to pay. */
  target: Uint8Array = new Uint8Array(0);
  readonly #layers: ClientLayers;
  readonly #receipts = new FragmentAssembler();
  #messages = 0;
  #receipt: Receipt | undefined;

  constructor(session: SessionId, link: LinkId, id: number, keys: CircuitKeys) {
    this.session = session;
    this.link = link;
    this.id = id;
    this.#layers = new ClientLayers({
      opened: (_hop, bytes, at) => this.#onCell(bytes, at),
      unrecognised: () => {
        throw new Error('the relay sends what its client cannot read');
      },
      cellsToMark: () => 1,
    });
    this.#layers.push(keys);
  }

  /** REDEEM cells as they lie on the link, to be sent in the order in which they were made. */
  redeem(payment: Uint8Array): Uint8Array[] {
    this.#messages = (this.#messages + 1) % 65_536;
    return fragment(this.#messages, payment).map(body => {
      const cell = new Uint8Array(linkCellBytes);
      cell.set([this.id >>> 8, this.id & 0xff, cellCommand.relay]);
      writeRelayCell(cell, linkHeadBytes, relayCommand.redeem, 0, body, entropy);
      this.#layers.seal(cell, linkHeadBytes, cell.length, 1, 0);
      return cell;
    });
  }

  /** The payload of a cell from the relay, which is changed; the receipt that it completes. */
  open(payload: Uint8Array, at: number): Receipt | undefined {
    this.#receipt = undefined;
    this.#layers.open(payload, at, cellPayloadBytes, 1);
    return this.#receipt;
  }

  #onCell(bytes: Uint8Array, at: number): boolean {
    const body = bodyOf(bytes, at);
    assert(relayCommandOf(bytes, at) === relayCommand.receipt && body !== undefined, 'a RECEIPT cell');
    const whole = this.#receipts.add(body);
    assert(whole.ok, 'fragments of a receipt');
    if (whole.value === undefined) return true;
    const receipt = decodeReceipt(whole.value.bytes);
    assert(receipt !== undefined, 'a receipt');
    if (receipt.target.length > 0) this.target = receipt.target;
    this.#receipt = receipt;
    return true;
  }
}

/** The circuit that a cell on a link of protocol 3 belongs to. */
export function circuitIdOf(cells: Uint8Array, at: number): number {
  return (cells[at] << 8) | cells[at + 1];
}

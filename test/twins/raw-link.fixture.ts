import { connect, type TLSSocket } from 'node:tls';
import { assert } from '../../src/base/assert.ts';
import { cellCommand, isVariableCommand } from '../../src/cell/commands.ts';
import {
  cellPayloadBytes,
  encodeFixed,
  encodeVariable,
  fixedCellBytes,
  LinkCodec,
} from '../../src/cell/link-codec.ts';
import { startCreateFast } from '../../src/circuit/extend.ts';
import type { LinkProtocol } from '../../src/link/link-faults.ts';
import { SystemEntropy } from '../../src/node-io/system-entropy.ts';
import type { Endpoint } from '../../src/ports.ts';
import { DishonestCircuit, type SeenCell } from '../dishonest-circuit.fixture.ts';
import { News } from '../news.fixture.ts';

/** A cell as it lay on the link. */
export interface RawCell {
  readonly circuit: number;
  readonly command: number;
  readonly payload: Uint8Array;
  /** With its header. */
  readonly bytes: Uint8Array;
}

/** Stands for a relay cell that no hop of the circuit has made. */
export const unread: SeenCell = { hop: -1, command: -1, streamId: 0, body: new Uint8Array(0) };

const aboutCircuits: ReadonlySet<number> = new Set([
  cellCommand.relay,
  cellCommand.destroy,
  cellCommand.createdFast,
  cellCommand.created2,
]);

/**
 * One TLS connection to a node, over which a test says any bytes whatever: no rule of the link protocol is kept here. What
 * comes back is cut into cells.
 */
export class RawLink {
  /** Everything that came, oldest first. */
  readonly cells: RawCell[] = [];
  readonly news = new News();
  readonly entropy = new SystemEntropy();
  readonly protocol: LinkProtocol;
  readonly socket: TLSSocket;
  closed = false;
  /** Is told of every cell, in order. */
  onCell: ((cell: RawCell) => void) | undefined;
  readonly #codec = new LinkCodec();
  readonly #circuits = new Map<number, DishonestCircuit>();

  readonly #initiator: boolean;

  /** @param protocol how cells are framed once the other end has said VERSIONS. */
  constructor(socket: TLSSocket, protocol: LinkProtocol, initiator = true) {
    this.#initiator = initiator;
    this.socket = socket.setNoDelay();
    this.protocol = protocol;
    socket.on('data', bytes => this.#onBytes(bytes));
    socket.on('error', () => {});
    socket.on('close', () => {
      this.closed = true;
      this.news.tell();
    });
  }

  static async to(at: Endpoint, protocol: LinkProtocol): Promise<RawLink> {
    const socket = connect({ ...at, rejectUnauthorized: false });
    const link = new RawLink(socket, protocol);
    await new Promise((up, failed) => socket.once('secureConnect', up).once('error', failed));
    return link;
  }

  /** Resolves once the bytes are with the kernel, or the link is closed. */
  write(bytes: Uint8Array): Promise<void> {
    return new Promise(written => {
      if (this.closed || !this.socket.writable) written();
      else this.socket.write(bytes, () => written());
    });
  }

  /** The first cell so far, or to come, with that command; undefined when the link closes without it. */
  cell(command: number): Promise<RawCell | undefined> {
    return this.news
      .until(
        () => this.cells.find(cell => cell.command === command) ?? (this.closed ? 'closed' : undefined),
        `command ${command}`,
      )
      .then(found => (found === 'closed' ? undefined : found));
  }

  /** A circuit with that id; nothing is sent. */
  circuit(id = this.freshId()): DishonestCircuit {
    const { entropy, news } = this;
    const send = (command: number, payload: Uint8Array) => void this.write(this.fixed(command, payload, id));
    const circuit = new DishonestCircuit(0, { entropy, news, send });
    this.#circuits.set(id, circuit);
    return circuit;
  }

  /** An id of this side's: versions 4 and 5 want the top bit set by the initiator alone. */
  freshId(): number {
    const top = this.protocol === 3 ? 0x8000 : 0x8000_0000;
    return (this.#initiator ? top : 0) + 1 + this.#circuits.size;
  }

  /** The bytes of a fixed cell, its payload padded with zeros. */
  fixed(command: number, payload: Uint8Array = new Uint8Array(0), circuit = 0): Uint8Array {
    const padded = new Uint8Array(cellPayloadBytes);
    padded.set(payload);
    const cell = new Uint8Array(fixedCellBytes(this.#idBytes));
    encodeFixed(cell, 0, this.#idBytes, circuit, command, padded, 0);
    return cell;
  }

  variable(command: number, payload: Uint8Array, circuit = 0): Uint8Array {
    assert(isVariableCommand(command), 'a command of variable length');
    return encodeVariable(this.#idBytes, circuit, command, payload);
  }

  /** Whether the other end makes a circuit now: it has dealt with all that was sent before, and goes on. */
  async goesOn(): Promise<boolean> {
    const id = this.freshId();
    this.circuit(id);
    await this.write(this.fixed(cellCommand.createFast, startCreateFast(this.entropy).message, id));
    return this.news.until(() => {
      if (this.cells.some(cell => cell.circuit === id && cell.command === cellCommand.createdFast))
        return true;
      return this.closed ? false : undefined;
    }, 'an answer to CREATE_FAST, or the end of the link');
  }

  destroy(): void {
    this.socket.destroy();
  }

  get #idBytes(): 2 | 4 {
    return this.protocol === 3 ? 2 : 4;
  }

  #onBytes(bytes: Uint8Array): void {
    const fixed = (circuit: number, command: number, from: Uint8Array, at: number): void => {
      const payload = from.slice(at, at + cellPayloadBytes);
      const whole = from.slice(at - this.#idBytes - 1, at + cellPayloadBytes);
      this.#onCell({ circuit, command, payload, bytes: whole });
    };
    const fault = this.#codec.push(bytes, {
      onFixed: fixed,
      onRun: (circuit, from, at, stride, count) => {
        for (; count > 0; count--, at += stride) fixed(circuit, cellCommand.relay, from, at);
      },
      onVariable: (circuit, command, payload, cell) =>
        this.#onCell({ circuit, command, payload: payload.slice(), bytes: cell.slice() }),
    });
    assert(fault === undefined, 'the other end sends cells');
    this.news.tell();
  }

  #onCell(cell: RawCell): void {
    if (cell.command === cellCommand.versions) this.#codec.useProtocol(this.protocol);
    this.cells.push(cell);
    this.onCell?.(cell);
    const circuit = this.#circuits.get(cell.circuit);
    if (circuit === undefined || !aboutCircuits.has(cell.command)) return;
    try {
      circuit.onCell(cell.command, cell.payload);
    } catch {
      circuit.seen.push(unread);
    }
  }
}

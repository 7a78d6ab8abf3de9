import { connect as connectTcp } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { cellCommand } from '../../src/cell/commands.ts';
import { cellPayloadBytes, encodeVersionsCell, LinkCodec } from '../../src/cell/link-codec.ts';
import {
  decodeCreatedFast,
  encodeCreateFast,
  encodeNetinfo,
  encodeVersions,
} from '../../src/cell/link-messages.ts';
import { createFastKeys } from '../../src/crypto/circuit-keys.ts';
import { ClientLayers, type LayersUser } from '../../src/onion/client-layers.ts';
import type { Endpoint } from '../../src/ports.ts';
import { LinkTalk } from './targets/link-talk.ts';

const netinfo = encodeNetinfo({ time: 0, other: '127.0.0.1', own: [] });
const x = new Uint8Array(20).fill(5);
/** Bytes that wait for the relay to take them, before more are written. */
const writtenBytesMax = 1_000_000;

/** A TLS connection to a relay over which anything is said; the answers to CREATE_FAST and relay cells are heard. */
export class LiveLink {
  readonly talk: LinkTalk;
  closed = false;
  /** Takes RELAY cells of all circuits. */
  onRun: ((bytes: Uint8Array, at: number, stride: number, count: number) => void) | undefined;
  readonly #socket: TLSSocket;
  readonly #codec = new LinkCodec();
  readonly #protocol: 3 | 4 | 5;
  #created: Uint8Array | undefined;
  #circuits = 0;
  /** Of the circuit that the relay destroyed last. */
  #refused: number | undefined;
  #news: (() => void) | undefined;

  private constructor(socket: TLSSocket, protocol: 3 | 4 | 5) {
    this.#socket = socket;
    this.#protocol = protocol;
    this.talk = new LinkTalk(bytes => {
      if (!this.closed) socket.write(bytes.slice());
    });
    socket.on('data', bytes => this.#onBytes(bytes));
    socket.on('error', () => {});
    socket.on('close', () => {
      this.closed = true;
      this.#news?.();
    });
  }

  /** @param from an address of this machine. Undefined: the relay did not take the connection. */
  static async to(at: Endpoint, from: string, protocol: 3 | 4 | 5): Promise<LiveLink | undefined> {
    const raw = connectTcp({ ...at, localAddress: from, noDelay: true });
    const socket = connect({ socket: raw, rejectUnauthorized: false });
    const link = new LiveLink(socket, protocol);
    await new Promise<void>(done => void socket.once('secureConnect', done).once('close', done));
    return link.closed ? undefined : link;
  }

  /** By the rules, up to an open link. */
  shakeHands(): void {
    const { talk } = this;
    talk.say(encodeVersionsCell(encodeVersions([this.#protocol])));
    talk.idBytes = this.#protocol === 3 ? 2 : 4;
    talk.say(talk.fixed(0, cellCommand.netinfo, netinfo));
  }

  /** A new circuit of one hop; undefined when the relay refuses it, or closes the link. All that was said before has been taken then. */
  async create(
    user: LayersUser,
  ): Promise<{ readonly id: number; readonly layers: ClientLayers } | undefined> {
    this.#circuits += 1;
    const id = this.#protocol === 3 ? this.#circuits : 0x8000_0000 + this.#circuits;
    this.#created = undefined;
    this.#refused = undefined;
    this.talk.say(this.talk.fixed(id, cellCommand.createFast, encodeCreateFast(x)));
    this.talk.flush();
    await this.until(() => this.#created !== undefined || this.#refused === id);
    if (this.#created === undefined) return undefined;
    const { y } = decodeCreatedFast(this.#created, 0);
    const layers = new ClientLayers(user);
    layers.push(createFastKeys(x, y).keys);
    return { id, layers };
  }

  /** Waits until the condition holds, or the link is closed. */
  async until(done: () => boolean): Promise<void> {
    while (!this.closed && !done())
      await new Promise<void>(news => {
        this.#news = news;
      });
  }

  /** Waits while the relay takes what was said. */
  async drain(): Promise<void> {
    this.talk.flush();
    if (this.closed || this.#socket.writableLength < writtenBytesMax) return;
    await new Promise<void>(done => void this.#socket.once('drain', done).once('close', done));
  }

  hangUp(): void {
    this.#socket.destroy();
  }

  #onBytes(bytes: Uint8Array): void {
    this.#codec.push(bytes, {
      onFixed: (circuit, command, from, at) => {
        if (command === cellCommand.createdFast) this.#created = from.slice(at, at + cellPayloadBytes);
        else if (command === cellCommand.destroy) this.#refused = circuit;
      },
      onRun: (_circuit, from, at, stride, count) => this.onRun?.(from, at, stride, count),
      onVariable: (_circuit, command) => {
        if (command === cellCommand.versions) this.#codec.useProtocol(this.#protocol);
      },
    });
    this.#news?.();
  }
}

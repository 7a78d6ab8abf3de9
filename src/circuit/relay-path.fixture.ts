import { toHex } from '../base/bytes.ts';
import { ok } from '../base/fault.ts';
import { encodeCircuitResponse } from '../cell/circuit-extensions.ts';
import { cellCommand, handshakeType, relayCommand } from '../cell/commands.ts';
import { cellPayloadBytes } from '../cell/link-codec.ts';
import {
  decodeCreate2,
  decodeCreateFast,
  encodeCreated2,
  encodeCreatedFast,
  encodeDestroy,
} from '../cell/link-messages.ts';
import { bodyOf, relayCommandOf, streamIdOf, writeRelayCell } from '../cell/relay-cell.ts';
import { decodeExtend2, encodeExtended2, encodeSendme } from '../cell/relay-messages.ts';
import { createFastKeys } from '../crypto/circuit-keys.ts';
import { ntorServer } from '../crypto/ntor.ts';
import { ntorV3Server } from '../crypto/ntor-v3.ts';
import { generateX25519, type X25519KeyPair } from '../crypto/x25519.ts';
import { takeCell } from '../onion/one-cell.fixture.ts';
import { RelayLayer } from '../onion/relay-layer.ts';
import type { Clock, Entropy } from '../ports.ts';
import type { CircuitCarrier } from './circuit-user.ts';
import type { ClientCircuit } from './client-circuit.ts';
import type { HopTarget } from './extend.ts';

/** Relays in memory, as one client circuit meets them. For tests. */

export function seededEntropy(seed: number): Entropy {
  let state = seed >>> 0 || 1;
  return {
    bytes(length) {
      const bytes = new Uint8Array(length);
      for (let i = 0; i < length; i++) {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
        bytes[i] = state >>> 24;
      }
      return bytes;
    },
  };
}

export class ManualClock implements Clock {
  nowMs = 1_000;
  monotonicMs(): number {
    return this.nowMs;
  }
  wallMs(): number {
    return 1_700_000_000_000 + this.nowMs;
  }
  after(): () => void {
    return () => {};
  }
}

export interface ReceivedCell {
  readonly command: number;
  readonly streamId: number;
  readonly body: Uint8Array;
}

export class TestRelay {
  readonly target: HopTarget;
  readonly keys: X25519KeyPair;
  layer: RelayLayer | undefined;
  /** DATA cells that a circuit SENDME answers under congestion control, once a client has asked for it. */
  sendmeCells: number | undefined;
  /** RELAY and RELAY_EARLY cells taken in or sent on, as the relay's balance counts them. */
  cells = 0;
  dataSeen = 0;
  readonly received: ReceivedCell[] = [];

  constructor(index: number, entropy: Entropy) {
    this.keys = generateX25519(entropy);
    this.target = {
      nickname: `relay${index}`,
      rsaId: entropy.bytes(20),
      ed25519: entropy.bytes(32),
      ntorKey: this.keys.publicKey,
      address: { host: `10.0.0.${index + 1}`, port: 9001 },
    };
  }

  of(command: number): ReceivedCell[] {
    return this.received.filter(cell => cell.command === command);
  }
}

interface AskedHandshake {
  readonly handshakeType: number;
  readonly handshake: Uint8Array;
}

/** The relay's part of ntor and ntor-v3; grants whatever is asked for. Undefined: of another relay. */
export function answerHandshake(
  entropy: Entropy,
  { keys, target }: Pick<TestRelay, 'keys' | 'target'>,
  asked: AskedHandshake,
):
  | { readonly reply: Uint8Array; readonly layer: RelayLayer; readonly sendmeCells: number | undefined }
  | undefined {
  const sendmeCells = asked.handshakeType === handshakeType.ntorV3 ? 31 : undefined;
  const { ed25519: identity, rsaId } = target;
  const served =
    sendmeCells === undefined
      ? ntorServer(entropy, rsaId, [keys], asked.handshake)
      : ntorV3Server(entropy, { identity, onionKeys: [keys] }, asked.handshake, () =>
          ok(encodeCircuitResponse({ sendmeCells })),
        );
  if (!served.ok) return undefined;
  return { reply: served.value.reply, layer: new RelayLayer(served.value.keys), sendmeCells };
}

interface WireCell {
  readonly command: number;
  readonly payload: Uint8Array;
}

/** Cells from the client wait in `wire` until `run`; a RELAY handler per test answers what is not set-up. */
export class RelayPath implements CircuitCarrier {
  readonly relays: TestRelay[];
  readonly wire: WireCell[] = [];
  readonly entropy: Entropy;
  client: ClientCircuit | undefined;
  /** Cells at most on the wire; the link refuses beyond. */
  capacity = 2_500;
  released: number | 'no' | undefined = 'no';
  /** SENDMEs for DATA that reached its relay go back at once. */
  acknowledges = true;
  onMessage: ((relay: number, cell: ReceivedCell) => void) | undefined;

  constructor(count: number, seed: number) {
    this.entropy = seededEntropy(seed);
    this.relays = Array.from({ length: count }, (_, index) => new TestRelay(index, this.entropy));
  }

  get targets(): HopTarget[] {
    return this.relays.map(relay => relay.target);
  }

  send(command: number, bytes: Uint8Array, at: number): boolean {
    if (this.wire.length >= this.capacity) return false;
    this.wire.push({ command, payload: bytes.slice(at, at + cellPayloadBytes) });
    return true;
  }

  sendRun(bytes: Uint8Array, at: number, stride: number, count: number): boolean {
    for (; count > 0; count--, at += stride) if (!this.send(cellCommand.relay, bytes, at)) return false;
    return true;
  }

  queued(): number {
    return this.wire.length;
  }

  release(reason: number | undefined): void {
    this.released = reason;
  }

  /** Lets the relays work until nothing is on the wire, or for so many cells. */
  run(cellsMax = 100_000): void {
    for (let done = 0; done < cellsMax; done++) {
      const cell = this.wire.shift();
      if (cell === undefined) return;
      this.#take(cell);
    }
  }

  /** A relay's own cell to the client. */
  originate(relay: number, command: number, streamId: number, body: Uint8Array): void {
    const cell = new Uint8Array(cellPayloadBytes);
    writeRelayCell(cell, 0, command, streamId, body, this.entropy);
    this.relays[relay].layer!.originate(cell, 0, 509, 1);
    this.relays[relay].cells += 1;
    for (let i = relay - 1; i >= 0; i--) {
      this.relays[i].layer!.toClient(cell, 0, 509, 1);
      this.relays[i].cells += 1;
    }
    this.client!.onRun(cell, 0, 509, 1);
  }

  destroy(reason: number): void {
    this.client!.onCell(cellCommand.destroy, encodeDestroy(reason), 0);
  }

  #take({ command, payload }: WireCell): void {
    if (command === cellCommand.createFast) {
      const y = this.entropy.bytes(20);
      const { keys, verify } = createFastKeys(decodeCreateFast(payload, 0), y);
      this.relays[0].layer = new RelayLayer(keys);
      this.client!.onCell(cellCommand.createdFast, encodeCreatedFast(y, verify), 0);
    } else if (command === cellCommand.create2) {
      const reply = this.#create(0, decodeCreate2(payload, 0)!);
      this.client!.onCell(cellCommand.created2, encodeCreated2(reply), 0);
    } else {
      this.#relay(command, payload);
    }
  }

  #create(index: number, asked: AskedHandshake): Uint8Array {
    const relay = this.relays[index];
    const answered = answerHandshake(this.entropy, relay, asked);
    if (answered === undefined) throw new Error('a handshake for another relay');
    const { reply, layer, sendmeCells } = answered;
    relay.sendmeCells = sendmeCells;
    relay.layer = layer;
    return reply;
  }

  #relay(command: number, payload: Uint8Array): void {
    for (const [index, relay] of this.relays.entries()) {
      if (relay.layer === undefined) throw new Error(`a cell reached relay ${index} without a circuit`);
      relay.cells += 1;
      if (!takeCell(relay.layer, payload, 0)) continue;
      const cell = {
        command: relayCommandOf(payload, 0),
        streamId: streamIdOf(payload, 0),
        body: bodyOf(payload, 0)!.slice(),
      };
      this.#message(index, command, cell);
      return;
    }
    throw new Error('no relay recognised a cell');
  }

  #message(index: number, linkCommand: number, cell: ReceivedCell): void {
    const relay = this.relays[index];
    relay.received.push(cell);
    if (cell.command === relayCommand.extend2) {
      if (linkCommand !== cellCommand.relayEarly) throw new Error('EXTEND2 outside RELAY_EARLY');
      const extend = decodeExtend2(cell.body)!;
      const next = this.relays[index + 1];
      if (toHex(extend.target.rsaId) !== toHex(next.target.rsaId))
        throw new Error('extended to a wrong relay');
      const reply = this.#create(index + 1, extend);
      this.originate(index, relayCommand.extended2, 0, encodeExtended2(reply));
      return;
    }
    if (cell.command === relayCommand.data) {
      relay.dataSeen += 1;
      if (this.acknowledges && relay.dataSeen % (relay.sendmeCells ?? 100) === 0) {
        this.originate(index, relayCommand.sendme, 0, encodeSendme(relay.layer!.lastForwardDigest()));
      }
      if (this.acknowledges && relay.sendmeCells === undefined && relay.dataSeen % 50 === 0) {
        this.originate(index, relayCommand.sendme, cell.streamId, new Uint8Array(0));
      }
    }
    this.onMessage?.(index, cell);
  }
}

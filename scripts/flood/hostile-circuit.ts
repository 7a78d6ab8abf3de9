import { cellCommand, relayCommand } from '../../src/cell/commands.ts';
import { cellPayloadBytes } from '../../src/cell/link-codec.ts';
import { decodeCreatedFast, encodeCreateFast } from '../../src/cell/link-messages.ts';
import { FragmentAssembler, fragment } from '../../src/cell/payment-messages.ts';
import { bodyOf, relayCommandOf, streamIdOf, writeRelayCell } from '../../src/cell/relay-cell.ts';
import { encodeBegin } from '../../src/cell/relay-messages.ts';
import { createFastKeys } from '../../src/crypto/circuit-keys.ts';
import { ClientLayers } from '../../src/onion/client-layers.ts';
import type { LinkId } from '../../src/ports.ts';
import type { Assailant } from './assailant.ts';

/** What one circuit of somebody hostile hears. */
export interface HostileUser {
  /** The relay has made the circuit. */
  created?(circuit: HostileCircuit): void;
  /** A relay cell of the relay. */
  cell?(circuit: HostileCircuit, command: number, body: Uint8Array, streamId: number): void;
  /** A whole payment message of the relay. */
  receipt?(circuit: HostileCircuit, bytes: Uint8Array): void;
  destroyed?(circuit: HostileCircuit): void;
}

/** A circuit of one hop, by CREATE_FAST, whose client sends whatever it likes. */
export class HostileCircuit {
  readonly link: LinkId;
  readonly id: number;
  /** Of its client's own, counted as it likes. */
  step = 0;
  readonly #assailant: Assailant;
  readonly #user: HostileUser;
  readonly #x: Uint8Array;
  readonly #layers: ClientLayers;
  #assembler: FragmentAssembler | undefined;

  constructor(assailant: Assailant, link: LinkId, id: number, user: HostileUser) {
    this.link = link;
    this.id = id;
    this.#assailant = assailant;
    this.#user = user;
    this.#x = assailant.entropy.bytes(20);
    this.#layers = new ClientLayers({
      opened: (_hop, bytes, at) => this.#onRelay(bytes, at),
      unrecognised: () => false,
      cellsToMark: () => 1,
    });
    assailant.mux.send(link, id, cellCommand.createFast, encodeCreateFast(this.#x), 0);
  }

  send(command: number, body: Uint8Array, streamId = 0): void {
    const payload = new Uint8Array(cellPayloadBytes);
    writeRelayCell(payload, 0, command, streamId, body, this.#assailant.entropy);
    this.#layers.seal(payload, 0, cellPayloadBytes, 1, 0);
    this.#assailant.mux.send(this.link, this.id, cellCommand.relay, payload, 0);
  }

  redeem(payment: Uint8Array): void {
    this.step += 1;
    for (const body of fragment(this.step, payment)) this.send(relayCommand.redeem, body);
  }

  begin(streamId: number, host: string, port: number): void {
    this.send(relayCommand.begin, encodeBegin({ host, port, flags: 0 }), streamId);
  }

  onCell(command: number, bytes: Uint8Array, at: number): void {
    if (command === cellCommand.createdFast) {
      this.#layers.push(createFastKeys(this.#x, decodeCreatedFast(bytes, at).y).keys);
      this.#user.created?.(this);
    } else if (command === cellCommand.destroy) this.#user.destroyed?.(this);
    else this.#layers.open(bytes.slice(at, at + cellPayloadBytes), 0, cellPayloadBytes, 1);
  }

  #onRelay(bytes: Uint8Array, at: number): boolean {
    const body = bodyOf(bytes, at);
    const command = relayCommandOf(bytes, at);
    if (body === undefined) return false;
    if (command === relayCommand.receipt && this.#user.receipt !== undefined) {
      this.#assembler ??= new FragmentAssembler();
      const whole = this.#assembler.add(body);
      if (whole.ok && whole.value !== undefined) this.#user.receipt(this, whole.value.bytes);
    }
    this.#user.cell?.(this, command, body, streamIdOf(bytes, at));
    return true;
  }
}

/** The circuits of one address, found by what came for them. */
export class HostileCircuits {
  readonly #byLink = new Map<LinkId, Map<number, HostileCircuit>>();

  readonly onCell = (link: LinkId, id: number, command: number, bytes: Uint8Array, at: number): void => {
    this.#byLink.get(link)?.get(id)?.onCell(command, bytes, at);
  };

  /** A new circuit; undefined: the link is full, or gone. */
  make(assailant: Assailant, link: LinkId, user: HostileUser): HostileCircuit | undefined {
    const id = assailant.mux.allocateCircuit(link);
    if (id === undefined) return undefined;
    const circuit = new HostileCircuit(assailant, link, id, user);
    const onLink = this.#byLink.get(link) ?? new Map<number, HostileCircuit>();
    this.#byLink.set(link, onLink.set(id, circuit));
    return circuit;
  }

  /** The relay has ended it, or is told that it is over. */
  forget(assailant: Assailant, { link, id }: HostileCircuit, reason?: number): void {
    this.#byLink.get(link)?.delete(id);
    assailant.mux.releaseCircuit(link, id, reason);
  }
}

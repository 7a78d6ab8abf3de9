import { utf8 } from '../../../src/base/bytes.ts';
import { cellCommand, relayCommand } from '../../../src/cell/commands.ts';
import { cellPayloadBytes, encodeVersionsCell } from '../../../src/cell/link-codec.ts';
import {
  decodeCreatedFast,
  encodeCreateFast,
  encodeNetinfo,
  encodeVersions,
} from '../../../src/cell/link-messages.ts';
import { fragment } from '../../../src/cell/payment-messages.ts';
import { encodeBegin } from '../../../src/cell/relay-messages.ts';
import type { RelayCircuit } from '../../../src/circuit/relay-circuit.ts';
import { createFastKeys } from '../../../src/crypto/circuit-keys.ts';
import { ClientLayers } from '../../../src/onion/client-layers.ts';
import type { LinkId, StreamId } from '../../../src/ports.ts';
import type { Tell } from '../fuzz-target.ts';
import type { ActionReader } from './action-bytes.ts';
import { HostileCells, sealedBy } from './hostile-cells.ts';
import { LinkTalk } from './link-talk.ts';
import type { LoosePorts } from './loose-ports.ts';
import type { Neighbour } from './neighbour.ts';
import { paperPayment } from './paper-money.ts';

/** How far a visitor goes by the rules before it does what its input says. */
export const relayStates = [
  'connected',
  'versions',
  'certs',
  'open',
  'circuit',
  'paid',
  'stream',
  'streams',
  'half closed',
  'extending',
  'extended',
  'truncated',
] as const;
export type RelayState = (typeof relayStates)[number];

const noBytes = new Uint8Array(0);
const x = new Uint8Array(20).fill(3);
const actionsMax = 96;
/** While a link is new it ends at the first thing that is wrong. */
const handshakeActionsMax = 12;
/** Circuits of a visit: who breaks one goes on with another. */
const circuitsMax = 8;
/** Byte by byte each cell is five hundred events. */
const slowActionsMax = 6;
const payMsat = 4_000_000;
const netinfo = encodeNetinfo({ time: 0, other: '127.0.0.1', own: [] });
const begin = encodeBegin({ host: '93.184.216.34', port: 80, flags: 0 });
const request = utf8('GET /tor/nothing HTTP/1.0\r\n\r\n');
export const streamIds = { exit: 1, second: 2, directory: 3 } as const;

/** What visitors meet: one relay for all of them. */
export interface VisitedRelay {
  readonly ports: LoosePorts;
  readonly neighbour: Neighbour;
  /** Body of EXTEND2 to the neighbour. */
  readonly extendBody: Uint8Array;
  /** Body of CERTS that shows the neighbour. */
  readonly certs: Uint8Array;
  /** The circuit that was made last. */
  circuit(): RelayCircuit | undefined;
}

/** A link of a visitor to the relay, whose rules have been kept up to here. */
export class VisitorLink {
  readonly id: LinkId;
  readonly talk: LinkTalk;
  readonly protocol: 3 | 4 | 5;
  readonly #relay: VisitedRelay;
  #circuits = 0;

  constructor(relay: VisitedRelay, from: string, protocol: 3 | 4 | 5) {
    const { ports } = relay;
    this.#relay = relay;
    this.protocol = protocol;
    this.id = ports.accept({ host: from, port: 4_000 });
    this.talk = new LinkTalk(bytes => {
      if (ports.isOpen(this.id)) ports.core.linkHandler.onBytes(this.id, bytes);
    });
  }

  /** Open, with nothing on it that others would fall over. */
  get usable(): boolean {
    return this.#relay.ports.isOpen(this.id) && !this.talk.ragged && this.#circuits < 30_000;
  }

  shakeHands(state: RelayState): void {
    if (state === 'connected') return;
    const { talk } = this;
    talk.say(encodeVersionsCell(encodeVersions([this.protocol])));
    talk.flush();
    talk.idBytes = this.protocol === 3 ? 2 : 4;
    const { certs } = this.#relay;
    if (state === 'certs') talk.say(talk.any(0, cellCommand.certs, certs.length, certs));
    else if (state !== 'versions') talk.say(talk.fixed(0, cellCommand.netinfo, netinfo));
  }

  /** An id that no circuit of this link has had. */
  newCircuit(): number {
    this.#circuits += 1;
    return this.protocol === 3 ? this.#circuits : 0x8000_0000 + this.#circuits;
  }

  hangUp(): void {
    this.#relay.ports.hangUp(this.id);
    this.#relay.ports.settle();
  }
}

/** What one input does on a link: by the rules up to a state, from there on as it says. */
export class RelayVisit {
  readonly #relay: VisitedRelay;
  readonly #input: ActionReader;
  readonly #tell: Tell;
  readonly #link: VisitorLink;
  readonly #talk: LinkTalk;
  readonly #cells: HostileCells;
  readonly #state: RelayState;
  #circuit: RelayCircuit | undefined;
  #circuits = 0;
  #nextMadeCircuit = false;

  constructor(relay: VisitedRelay, link: VisitorLink, state: RelayState, input: ActionReader, tell: Tell) {
    this.#relay = relay;
    this.#link = link;
    this.#talk = link.talk;
    this.#state = state;
    this.#input = input;
    this.#cells = new HostileCells(link.talk, input);
    this.#tell = tell;
  }

  run(): void {
    const { ports } = this.#relay;
    this.#talk.cut(this.#input.u8(), this.#input.u16());
    this.#arrive();
    for (let left = this.#actions(); left > 0 && ports.isOpen(this.#link.id); left--) {
      ports.news = '';
      this.#act();
      this.#tell(`${this.#state}: ${ports.news}`);
      if (this.#circuit?.alive !== false) continue;
      if (this.#circuits === circuitsMax) break;
      this.#arrive();
    }
    this.#leave();
  }

  #actions(): number {
    if (this.#talk.isSlow) return slowActionsMax;
    return this.#reached('open') ? actionsMax : handshakeActionsMax;
  }

  #reached(state: RelayState): boolean {
    return relayStates.indexOf(this.#state) >= relayStates.indexOf(state);
  }

  /** A new circuit, up to what the state wants of it. */
  #arrive(): void {
    const { ports } = this.#relay;
    if (!this.#reached('circuit') || !ports.isOpen(this.#link.id)) return;
    this.#create();
    if (this.#cells.seal === undefined) return;
    if (this.#reached('paid') && this.#state !== 'extending') this.#pay();
    if (this.#state === 'stream' || this.#state === 'streams' || this.#state === 'half closed')
      this.#openStreams();
    if (this.#state === 'extending' || this.#state === 'extended' || this.#state === 'truncated') {
      this.#cells.sealed(relayCommand.extend2, 0, this.#relay.extendBody, { early: true });
      if (this.#state !== 'extending') this.#settle();
      if (this.#state === 'truncated') this.#cells.sealed(relayCommand.truncate, 0, noBytes);
    }
  }

  #create(): void {
    const { ports } = this.#relay;
    this.#circuits += 1;
    this.#cells.circuit = this.#link.newCircuit();
    this.#cells.seal = undefined;
    this.#talk.flush();
    ports.heard.length = 0;
    ports.listensTo = this.#link.id;
    this.#say(this.#talk.fixed(this.#cells.circuit, cellCommand.createFast, encodeCreateFast(x)));
    this.#talk.flush();
    ports.listensTo = undefined;
    const answer = ports.heard.at(-1);
    const at = this.#talk.idBytes + 1;
    this.#circuit = this.#relay.circuit();
    if (answer?.[at - 1] !== cellCommand.createdFast) return;
    const { y } = decodeCreatedFast(answer, at);
    const layers = new ClientLayers(nobody);
    layers.push(createFastKeys(x, y).keys);
    this.#cells.seal = sealedBy(layers);
  }

  #pay(): void {
    for (const body of fragment(1, paperPayment(payMsat))) this.#cells.sealed(relayCommand.redeem, 0, body);
    this.#settle();
  }

  #openStreams(): void {
    this.#cells.sealed(relayCommand.begin, streamIds.exit, begin);
    if (this.#state === 'stream') return;
    this.#cells.sealed(relayCommand.begin, streamIds.second, begin);
    this.#cells.sealed(relayCommand.beginDir, streamIds.directory, noBytes);
    this.#settle();
    for (const [stream, to] of this.#relay.ports.connections) this.#relay.ports.core.onConnected(stream, to);
    this.#cells.sealed(relayCommand.data, streamIds.directory, request);
    if (this.#state === 'half closed') this.#cells.sealed(relayCommand.end, streamIds.exit, Uint8Array.of(6));
  }

  /** The link is left without circuits. */
  #leave(): void {
    const { ports } = this.#relay;
    if (this.#circuit?.alive) this.#say(this.#talk.fixed(this.#cells.circuit, cellCommand.destroy, noBytes));
    if (this.#nextMadeCircuit)
      this.#relay.neighbour.say(nextTalk.fixed(nextCircuit, cellCommand.destroy, noBytes).slice());
    this.#talk.flush();
    if (!ports.writable) {
      ports.writable = true;
      ports.core.linkHandler.onWritable(this.#link.id);
    }
    ports.settle();
    if (this.#circuit?.alive) this.#link.hangUp();
  }

  // What an input may do

  #act(): void {
    const what = this.#input.u8();
    if (what < 136) this.#cells.sayRelayCell();
    else if (what < 176) this.#cells.sayCell();
    else if (what < 192) this.#sayFromNext();
    else if (what < 208) this.#happenOutside();
    else if (what < 212) this.#pass();
    else if (what < 224)
      this.#cells.sealed(relayCommand.redeem, 0, fragment(this.#input.u8(), paperPayment(payMsat))[0]);
    else if (what < 226) this.#cells.sayNoise();
    else if (what < 240) this.#cells.sayData();
    else if (what < 244) this.#relay.ports.writable = this.#input.u8() % 2 === 1;
    else this.#relay.ports.core.linkHandler.onWritable(this.#link.id);
  }

  /** The next relay says something about the circuit that goes on to it. */
  #sayFromNext(): void {
    const command = this.#input.u8();
    const other = this.#input.u8() % 8 === 7;
    const payload = this.#input.bytes(cellPayloadBytes);
    const { neighbour } = this.#relay;
    if (other) this.#nextMadeCircuit = true;
    neighbour.say(
      nextTalk.any(other ? nextCircuit : neighbour.circuit, command, payload.length, payload).slice(),
    );
    this.#settle();
  }

  /** A destination answers, sends, ends. */
  #happenOutside(): void {
    const { core, connections } = this.#relay.ports;
    const what = this.#input.u8() % 6;
    const which = this.#input.u8();
    const length = this.#input.u16();
    this.#settle();
    const ids: readonly StreamId[] = [...connections.keys()];
    const stream = ids[which % Math.max(1, ids.length)];
    const to = connections.get(stream);
    if (stream === undefined || to === undefined) return;
    if (what === 0) core.onConnected(stream, to);
    else if (what === 1) core.onStreamBytes(stream, new Uint8Array(length));
    else if (what === 2) core.onStreamEnd(stream);
    else if (what === 3) core.onStreamWritable(stream);
    else {
      connections.delete(stream);
      core.onStreamClosed(stream, what === 4 ? 'reset' : 'refused');
    }
  }

  #pass(): void {
    this.#settle();
    this.#relay.ports.clock.pass([1, 10, 100, 1_000, 16_000][this.#input.u8() % 5]);
    this.#settle();
  }

  #say(bytes: Uint8Array): void {
    this.#talk.say(bytes);
  }

  #settle(): void {
    this.#talk.flush();
    this.#relay.ports.settle();
  }
}

/** A circuit of the neighbour's own. */
const nextCircuit = 77;
/** Frames what the neighbour says. */
const nextTalk = new LinkTalk(() => {});
nextTalk.idBytes = 4;
/** Visitors do not read what comes back. */
const nobody = { opened: () => true, unrecognised: (): false => false, cellsToMark: () => 1 };

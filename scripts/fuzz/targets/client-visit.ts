import type { ClientCore } from '../../../client/client-core.ts';
import type { ManagedCircuit } from '../../../client/managed-circuit.ts';
import type { RequestedStream, RequestUser } from '../../../client/requested-stream.ts';
import { relayCommand } from '../../../src/cell/commands.ts';
import { cellPayloadBytes } from '../../../src/cell/link-codec.ts';
import { encodeReceipt, fragment, type Receipt } from '../../../src/cell/payment-messages.ts';
import { encodeSendme } from '../../../src/cell/relay-messages.ts';
import type { Tell } from '../fuzz-target.ts';
import type { ActionReader } from './action-bytes.ts';
import { type DueCell, FarPath } from './far-path.ts';
import type { FarRelay } from './far-relay.ts';
import { HostileCells } from './hostile-cells.ts';
import type { HostileGuard } from './hostile-guard.ts';
import type { LoosePorts } from './loose-ports.ts';

/** How far relays keep the rules before they do what an input says. */
export const clientStates = [
  'none',
  'versions',
  'certs',
  'creating',
  'extending',
  'open',
  'asking',
  'paying',
  'opening',
  'stream',
  'streams',
  'half closed',
  'closing',
] as const;
export type ClientState = (typeof clientStates)[number];

const noBytes = new Uint8Array(0);
const actionsMax = 96;
/** Byte by byte each cell is five hundred events. */
const slowActionsMax = 6;
const streamsMax = 8;
const answersMax = 64;

/** What the relays of visits attack: one client for all of them. */
export interface VisitedClient {
  readonly ports: LoosePorts;
  readonly core: ClientCore;
  readonly guards: readonly HostileGuard[];
  /** Behind the guard; the guards themselves, in their order, are `firsts`. */
  readonly later: readonly FarRelay[];
  readonly firsts: readonly FarRelay[];
}

/** What one input is a visit to. */
export interface VisitPlan {
  readonly state: ClientState;
  readonly guard: HostileGuard;
  readonly first: FarRelay;
  readonly hops: number;
  readonly priced: boolean;
  readonly congested: boolean;
  /** Its first hop is one whose onion key is not known. */
  readonly fast: boolean;
}

/** A program that is in no hurry. */
class LooseUser implements RequestUser {
  full = false;
  bytes = 0;
  onOpened(): void {}
  onData(bytes: Uint8Array): boolean {
    this.bytes += bytes.length;
    return !this.full;
  }
  onWritable(): void {}
  onResolved(): void {}
  onClosed(): void {}
}

/** One circuit of the client: by the rules up to a state, from there on as the input says. */
export class ClientVisit {
  readonly user = new LooseUser();
  readonly #client: VisitedClient;
  readonly #plan: VisitPlan;
  readonly #input: ActionReader;
  readonly #tell: Tell;
  readonly #path: FarPath;
  readonly #streams: RequestedStream[] = [];
  #cells: HostileCells | undefined;
  #circuit: ManagedCircuit | undefined;

  constructor(client: VisitedClient, plan: VisitPlan, input: ActionReader, tell: Tell) {
    this.#client = client;
    this.#plan = plan;
    this.#input = input;
    this.#tell = tell;
    this.#path = new FarPath([plan.first, ...client.later], client.ports.entropy);
  }

  run(): void {
    const { ports } = this.#client;
    const { guard, state } = this.#plan;
    const [cutWay, cutAt] = [this.#input.u8(), this.#input.u16()];
    guard.hear = (circuit, command, payload) => {
      this.#cells ??= new HostileCells(guard.talk, this.#input);
      if (this.#cells.circuit === 0) this.#cells.circuit = circuit;
      if (this.#cells.circuit === circuit) this.#path.hear(command, payload);
    };
    this.#arrive();
    guard.talk.cut(cutWay, cutAt);
    const actions = guard.talk.isSlow ? slowActionsMax : actionsMax;
    for (let left = actions; left > 0 && guard.isOpen && this.#circuit?.state !== 'ended'; left--) {
      ports.news = '';
      this.#act();
      this.#tell(`${state}: ${this.#outcome}`);
    }
    this.#leave();
  }

  get #outcome(): string {
    const fault = this.#circuit?.fault;
    const text = fault === undefined ? this.#client.ports.news : `${fault.code} ${fault.detail ?? ''}`;
    return text.replace(/[0-9]+/g, '#');
  }

  // By the rules

  #arrive(): void {
    const { core, later } = this.#client;
    const { congested, fast, first, guard, hops, priced, state } = this.#plan;
    guard.manners = state === 'none' || state === 'versions' || state === 'certs' ? state : 'all';
    const relays = [first, ...later].slice(0, hops);
    const path = relays.map(relay => relay.asHop({ congested, priced }));
    if (fast) path.splice(0, hops, { ...path[0], relay: undefined });
    const opened = core.pool.open({ purpose: 'fixed', path, terms: { window: 1_000 } });
    if (!opened.ok) throw new Error(opened.fault.code);
    this.#circuit = opened.value;
    this.#settle();
    this.#cells ??= new HostileCells(guard.talk, this.#input);
    if (guard.manners !== 'all' || state === 'creating') return;
    const built = state === 'extending' ? Math.min(1, path.length - 1) : path.length;
    while (this.#path.hops < built && this.#answerHandshake());
    if (state === 'open' || state === 'extending' || fast) return;
    this.#circuit.startPayments();
    this.#settle();
    if (state === 'asking') return;
    // The first answers say what the hops want, and bring the first payments.
    for (let due = this.#path.redeemsDue; due > 0; due--) this.#answerRedeem();
    if (state === 'paying') return;
    if (state === 'closing') this.#circuit.close();
    else this.#openStreams();
  }

  #openStreams(): void {
    const { state } = this.#plan;
    for (let left = answersMax; left > 0 && this.#answerRedeem(); left--);
    const count = state === 'streams' ? 3 : 1;
    for (let each = 0; each < count; each++) this.#open(each);
    this.#settle();
    if (state === 'opening') return;
    for (let each = 1; each <= count; each++) this.#say(this.#lastHop, relayCommand.connected, each, noBytes);
    for (const stream of this.#streams) stream.write(new Uint8Array(600));
    this.#settle();
    if (state === 'half closed') for (const stream of this.#streams) stream.close();
    this.#settle();
  }

  get #lastHop(): number {
    return this.#path.hops - 1;
  }

  #open(what: number): void {
    if (this.#streams.length >= streamsMax || this.#circuit === undefined) return;
    const goal =
      what % 4 === 1
        ? ({ kind: 'resolve', name: 'example.com' } as const)
        : ({ kind: 'connect', host: 'example.com', port: 80 } as const);
    const stream = this.#client.core.openStream({ goal, isolation: '', circuit: this.#circuit }, this.user);
    this.#streams.push(stream);
    stream.start();
  }

  /** False: nothing was asked, or it was not answered. */
  #answerHandshake(): boolean {
    const answer = this.#path.answerHandshake();
    if (answer === undefined) return false;
    this.#sayDue(answer);
    return true;
  }

  /** False: no payment waits for an answer. */
  #answerRedeem(change: (receipt: Receipt) => Receipt = receipt => receipt): boolean {
    const answer = this.#path.answerRedeem();
    if (answer === undefined) return false;
    const receipt = change(answer.receipt);
    for (const body of fragment(receipt.messageId, encodeReceipt(receipt)))
      this.#say(answer.hop, relayCommand.receipt, 0, body);
    return true;
  }

  #sayDue({ hop, command, body }: DueCell): void {
    const { guard } = this.#plan;
    if (hop === undefined) {
      guard.talk.say(
        guard.talk.fixed(this.#cells?.circuit ?? 0, command, body.subarray(0, cellPayloadBytes)),
      );
      this.#settle();
    } else this.#say(hop, command, 0, body);
  }

  #say(hop: number, command: number, streamId: number, body: Uint8Array): void {
    this.#speakAs(hop)?.sealed(command, streamId, body);
    this.#settle();
  }

  /** Cells from now on are those of this hop, where there is one; otherwise nobody can read them. */
  #speakAs(hop: number): HostileCells | undefined {
    const cells = this.#cells;
    if (cells === undefined) return undefined;
    cells.seal = hop < 0 || hop >= this.#path.hops ? undefined : at => this.#path.seal(hop, at);
    return cells;
  }

  // What an input may do

  #act(): void {
    const what = this.#input.u8();
    const { ports } = this.#client;
    if (what < 128) this.#speakAs(this.#hopNamed(what))?.sayRelayCell();
    else if (what < 152) this.#cells?.sayCell();
    else if (what < 176) this.#answerSomehow();
    else if (what < 204) this.#actAsUser();
    else if (what < 212) this.#speakAs(this.#hopNamed(what))?.sayData();
    else if (what < 216) this.#cells?.sayNoise();
    else if (what < 224) ports.clock.pass([1, 10, 100, 1_000, 16_000][this.#input.u8() % 5]);
    else if (what < 228) ports.writable = this.#input.u8() % 2 === 1;
    else if (what < 240) this.#acknowledge(this.#hopNamed(what));
    else if (what < 244) this.#plan.guard.hangUp();
    else this.#answerHandshake();
    this.#settle();
  }

  #hopNamed(what: number): number {
    return what % Math.max(1, this.#path.hops);
  }

  /** What is due is said with something wrong about it, or nothing. */
  #answerSomehow(): void {
    const how = this.#input.u8();
    const value = BigInt(this.#input.u16());
    const other = this.#input.bytes(64);
    if (how % 2 === 0) {
      const answer = this.#path.answerHandshake();
      if (answer === undefined) return;
      const body = answer.body.slice();
      if (how >= 64) body[Number(value) % body.length] ^= 1 << (how % 8);
      this.#sayDue({ ...answer, body });
    } else
      this.#answerRedeem(receipt => {
        if (how < 32) return receipt;
        if (how < 64) return { ...receipt, status: Number(value) % 256 };
        if (how < 96) return { ...receipt, balance: receipt.balance + value };
        if (how < 128) return { ...receipt, creditedMsat: value };
        if (how < 160) return { ...receipt, target: other };
        if (how < 192) return { ...receipt, price: value };
        if (how < 224) return { ...receipt, messageId: Number(value) };
        return { ...receipt, balance: receipt.balance < value ? 0n : receipt.balance - value };
      });
  }

  /** A SENDME that proves what the hop has got last. */
  #acknowledge(hop: number): void {
    if (hop < this.#path.hops) this.#say(hop, relayCommand.sendme, 0, encodeSendme(this.#path.digestAt(hop)));
  }

  #actAsUser(): void {
    const what = this.#input.u8() % 8;
    const which = this.#input.u8();
    const length = this.#input.u16() % 16_384;
    const stream = this.#streams[which % Math.max(1, this.#streams.length)];
    if (what === 0) this.#open(which);
    else if (what === 1) this.#circuit?.startPayments();
    else if (what === 2) stream?.endSource();
    else if (what === 3) stream?.close();
    else if (what === 4) this.user.full = true;
    else if (what === 5) {
      this.user.full = false;
      for (const each of this.#streams) each.drained();
    } else if (what === 6 && which % 8 === 0) this.#circuit?.close();
    else stream?.write(new Uint8Array(length));
  }

  /** The client is left without circuits. */
  #leave(): void {
    const { ports } = this.#client;
    const { guard } = this.#plan;
    this.#settle();
    this.#circuit?.abandon();
    ports.writable = true;
    this.#settle();
    if (guard.talk.ragged || guard.manners !== 'all') guard.hangUp();
  }

  #settle(): void {
    this.#plan.guard.talk.flush();
    this.#client.ports.settle();
  }
}

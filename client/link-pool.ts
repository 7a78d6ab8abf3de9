import { toHex } from '../src/base/bytes.ts';
import { type Fault, fail, ok, type Result } from '../src/base/fault.ts';
import type { CircuitCarrier } from '../src/circuit/circuit-user.ts';
import type { LinkMux } from '../src/link/link-mux.ts';
import type { Endpoint, LinkId } from '../src/ports.ts';

/** What the pool needs of the links. */
export type Links = Pick<
  LinkMux,
  'open' | 'send' | 'sendRun' | 'queued' | 'allocateCircuit' | 'releaseCircuit'
>;

/** The relay at the other end of a link. */
export interface LinkGoal {
  readonly address: Endpoint;
  readonly rsaId: Uint8Array;
  /** Unknown for an authority, which torrc names by its RSA identity alone. */
  readonly ed25519: Uint8Array | undefined;
}

/** What a circuit does with the cells of its place on a link. */
export interface CellSink {
  onCell(command: number, bytes: Uint8Array, at: number): void;
  onRun(bytes: Uint8Array, at: number, stride: number, count: number): void;
  onWritable(): void;
  onLinkLost(): void;
}

/** A circuit id on a link: the carrier of one circuit. */
export interface LinkPlace extends CircuitCarrier {
  readonly link: LinkId;
}

/** A link of the pool, as others may see it. */
export interface HeldLink {
  readonly id: LinkId;
  /** RSA identity of the relay: 20 bytes. */
  readonly rsaId: Uint8Array;
  readonly ready: boolean;
  /** Circuits on it, or waiting for it. */
  readonly circuits: number;
}

export type LinkStep = 'launched' | 'connected' | 'ended';

export type PlaceWaiter = (place: Result<LinkPlace>) => void;

class OpenLink implements HeldLink {
  readonly key: string;
  readonly rsaId: Uint8Array;
  readonly id: LinkId;
  ready = false;
  waiting: { sink: CellSink; answer: PlaceWaiter }[] = [];
  readonly places = new Map<number, CellSink>();

  constructor(key: string, rsaId: Uint8Array, id: LinkId) {
    this.key = key;
    this.rsaId = rsaId;
    this.id = id;
  }

  get circuits(): number {
    return this.places.size + this.waiting.length;
  }
}

/** One link to each first hop, shared by all circuits through it, as long as it answers. */
export class LinkPool {
  readonly #links: Links;
  readonly #tell: (link: HeldLink, step: LinkStep, fault?: Fault) => void;
  #byRelay = new Map<string, OpenLink>();
  #byId = new Map<LinkId, OpenLink>();

  constructor(links: Links, tell: (link: HeldLink, step: LinkStep, fault?: Fault) => void) {
    this.#links = links;
    this.#tell = tell;
  }

  get links(): Iterable<HeldLink> {
    return this.#byId.values();
  }

  /** A place for a circuit on the link to a relay, opened if need be. The answer may come at once or later. */
  place(goal: LinkGoal, sink: CellSink, answer: PlaceWaiter): void {
    const key = toHex(goal.rsaId);
    let link = this.#byRelay.get(key);
    if (link === undefined) {
      const { rsaId, ed25519 } = goal;
      const id = this.#links.open(goal.address, ed25519 === undefined ? { rsaId } : { rsaId, ed25519 });
      link = new OpenLink(key, rsaId, id);
      this.#byRelay.set(key, link);
      this.#byId.set(id, link);
      this.#tell(link, 'launched');
    }
    if (link.ready) answer(this.#take(link, sink));
    else link.waiting.push({ sink, answer });
  }

  /** It lets nothing pass, as it seems: circuits to come go over another one to the same relay. */
  giveUp(id: LinkId): void {
    const link = this.#byId.get(id);
    if (link !== undefined && this.#byRelay.get(link.key) === link) this.#byRelay.delete(link.key);
  }

  onLinkReady(id: LinkId): void {
    const link = this.#byId.get(id);
    if (link === undefined) return;
    link.ready = true;
    this.#tell(link, 'connected');
    const { waiting } = link;
    link.waiting = [];
    for (const { sink, answer } of waiting) answer(link.ready ? this.#take(link, sink) : fail('LINK_CLOSED'));
  }

  onLinkLost(id: LinkId, fault: Fault): void {
    const link = this.#byId.get(id);
    if (link === undefined) return;
    this.#tell(link, 'ended', fault);
    link.ready = false;
    this.#byId.delete(id);
    if (this.#byRelay.get(link.key) === link) this.#byRelay.delete(link.key);
    const { waiting } = link;
    link.waiting = [];
    for (const { answer } of waiting) answer({ ok: false, fault });
    const sinks = [...link.places.values()];
    link.places.clear();
    for (const sink of sinks) sink.onLinkLost();
  }

  onCell(id: LinkId, circuit: number, command: number, bytes: Uint8Array, at: number): void {
    this.#byId.get(id)?.places.get(circuit)?.onCell(command, bytes, at);
  }

  onRun(id: LinkId, circuit: number, bytes: Uint8Array, at: number, stride: number, count: number): void {
    this.#byId.get(id)?.places.get(circuit)?.onRun(bytes, at, stride, count);
  }

  onCircuitWritable(id: LinkId, circuit: number): void {
    this.#byId.get(id)?.places.get(circuit)?.onWritable();
  }

  #take(link: OpenLink, sink: CellSink): Result<LinkPlace> {
    const circuit = this.#links.allocateCircuit(link.id);
    if (circuit === undefined) return fail('LINK_FULL');
    const { id } = link;
    link.places.set(circuit, sink);
    const links = this.#links;
    return ok({
      link: id,
      send: (command, bytes, at) => links.send(id, circuit, command, bytes, at),
      sendRun: (bytes, at, stride, count) => links.sendRun(id, circuit, bytes, at, stride, count),
      queued: () => links.queued(id, circuit),
      release: reason => {
        if (!link.places.delete(circuit)) return;
        links.releaseCircuit(id, circuit, reason);
      },
    });
  }
}

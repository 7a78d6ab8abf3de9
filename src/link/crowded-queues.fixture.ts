import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import { cellCommand } from '../cell/commands.ts';
import type { LinkId } from '../ports.ts';
import { makeLinkIdentity, makeTlsCertificate } from './link-certificates.ts';
import { LinkMux } from './link-mux.ts';
import {
  entropy,
  keysOf,
  ManualClock,
  MemoryPort,
  observer,
  RecordingUser,
  wallMs,
} from './two-nodes.fixture.ts';

const payload = new Uint8Array(509);
const keys = keysOf(1);
const tls = makeTlsCertificate(keys, wallMs);
const none = new Uint8Array(0);
const exporter = (label: string, context: Uint8Array) =>
  new Uint8Array(createHash('sha256').update(label).update(context).update(tls).digest());
/** As a socket: beyond so much it is full. */
const portBytesHigh = 262_144;
/** Five writes of 127 cells, after the last of which it is. */
const cellsOfFullPort = 5 * 127;

/** Links whose peers read all, nothing, or what the test says. */
class CrowdPort extends MemoryPort {
  readonly stalled = new Set<LinkId>();
  /** How often it was asked what is pending. */
  looks = 0;
  readonly #pending = new Map<LinkId, number>();
  readonly #outs = new Map<LinkId, Uint8Array[]>();

  override write(link: LinkId, bytes: Uint8Array): boolean {
    if (!this.stalled.has(link)) {
      this.#outs.set(link, [...this.taken(link), bytes.slice()]);
      return true;
    }
    const pending = this.pendingBytes(link) + bytes.length;
    this.#pending.set(link, pending);
    return pending <= portBytesHigh;
  }

  override pendingBytes(link: LinkId): number {
    this.looks += 1;
    return this.#pending.get(link) ?? 0;
  }

  /** The peer of a link that stands still reads so much, and no more. */
  reads(link: LinkId, bytes: number): void {
    this.#pending.set(link, Math.max(0, this.pendingBytes(link) - bytes));
  }

  taken(link: LinkId): Uint8Array[] {
    const out = this.#outs.get(link) ?? [];
    this.#outs.delete(link);
    return out;
  }
}

/** The relay under test, with its peers: links are numbered from 1, each with circuits of ids 1, 2, ... */
export class Crowd {
  readonly port = new CrowdPort({ peerCertificate: none, ownCertificate: tls, exporter });
  readonly clock = new ManualClock();
  readonly user = new RecordingUser();
  readonly mux: LinkMux;

  /** @param cellsMax that may wait */
  constructor(peers: readonly ('client' | 'relay')[], cellsMax: number) {
    const common = { clock: this.clock, entropy, observer, ownAddresses: ['127.0.0.1'] };
    const identity = makeLinkIdentity(keys, () => wallMs);
    this.mux = new LinkMux({
      ...common,
      port: this.port,
      identity,
      protocols: [4],
      user: this.user,
      queueCellsMax: cellsMax,
    });
    for (const [index, kind] of peers.entries()) this.#connect(index + 1, kind);
    expect(this.user.ready).toHaveLength(peers.length);
  }

  #connect(link: LinkId, kind: 'client' | 'relay'): void {
    const port = new MemoryPort({ peerCertificate: tls, ownCertificate: none, exporter });
    const mux = new LinkMux({
      port,
      clock: this.clock,
      entropy,
      observer,
      identity: kind === 'client' ? undefined : makeLinkIdentity(keysOf(0), () => wallMs),
      protocols: [4],
      ownAddresses: ['127.0.0.1'],
      user: new RecordingUser(),
    });
    mux.open({ host: '127.0.0.1', port: 9001 }, {});
    mux.onOpen(1);
    this.mux.onAccepted(link, { host: '10.0.0.1', port: link });
    for (let moved = true; moved; ) {
      moved = false;
      for (const bytes of port.out.splice(0)) {
        moved = true;
        this.mux.onBytes(link, bytes.slice());
      }
      for (const bytes of this.port.taken(link)) {
        moved = true;
        mux.onBytes(1, bytes.slice());
      }
    }
    // A link without any is idle.
    this.mux.acceptsCircuit(link, idOf(1));
  }

  /** The relay has so many cells for a circuit, which is made if need be; what else comes in the same turn. */
  gives(link: LinkId, circuit: number, cells: number, meanwhile?: () => void): void {
    this.mux.acceptsCircuit(link, idOf(circuit));
    for (let cell = 0; cell < cells; cell++)
      this.mux.send(link, idOf(circuit), cellCommand.relay, payload, 0);
    meanwhile?.();
    this.clock.advance(0);
  }

  /** The peer reads nothing from now on, and the relay has so many cells for it. */
  stalls(link: LinkId, cells: number): void {
    this.port.stalled.add(link);
    this.gives(link, 1, cells);
  }

  /** The link of a peer that reads all is full just now, and circuits 1 to so many wait with a cell or some. */
  isBusy(link: LinkId, circuits = 1): void {
    this.stalls(link, cellsOfFullPort);
    for (let circuit = 1; circuit <= circuits; circuit++) this.gives(link, circuit, 1);
  }

  /** Circuits that were ended for want of room. */
  get ended(): number[] {
    return this.user.cells
      .filter(({ command }) => command === cellCommand.destroy)
      .map(({ circuit }) => circuit - idOf(0));
  }

  /** Links that were. */
  get lost(): LinkId[] {
    return this.user.lostLinks;
  }
}

const idOf = (circuit: number): number => 0x8000_0000 + circuit;

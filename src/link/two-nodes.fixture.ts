import { createHash, randomBytes } from 'node:crypto';
import { cellCommand } from '../cell/commands.ts';
import { generateNodeRsaKeys, makeNodeKeys, type NodeKeys, type NodeRsaKeys } from '../crypto/node-keys.ts';
import type {
  Clock,
  CloseReason,
  Endpoint,
  Entropy,
  LinkFacts,
  LinkId,
  LinkPort,
  Observer,
} from '../ports.ts';
import { makeLinkIdentity, makeTlsCertificate } from './link-certificates.ts';
import type { LinkFault, LinkPeer, LinkProtocol } from './link-faults.ts';
import { LinkMux, type LinkUser } from './link-mux.ts';
import type { ExpectedPeer } from './link-state.ts';

export const entropy: Entropy = { bytes: length => new Uint8Array(randomBytes(length)) };
export const observer: Observer = { log() {}, count() {} };
export const wallMs = 1_790_000_000_000;

/** RSA keys are slow to make; tests share two sets. */
const rsaSets: NodeRsaKeys[] = [generateNodeRsaKeys(), generateNodeRsaKeys()];
export const keysOf = (which: 0 | 1): NodeKeys => makeNodeKeys(entropy, rsaSets[which]);

/** Timers run when the test says so. */
export class ManualClock implements Clock {
  #now = 0;
  #timers: { at: number; run: () => void }[] = [];

  monotonicMs(): number {
    return this.#now;
  }

  wallMs(): number {
    return wallMs + this.#now;
  }

  after(ms: number, run: () => void) {
    const timer = { at: this.#now + ms, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter(other => other !== timer);
    };
  }

  /** Runs what is due by then; true when something ran. */
  advance(ms: number): boolean {
    this.#now += ms;
    const due = this.#timers.filter(timer => timer.at <= this.#now);
    this.#timers = this.#timers.filter(timer => timer.at > this.#now);
    for (const timer of due) timer.run();
    return due.length > 0;
  }
}

export interface SeenCell {
  readonly circuit: number;
  readonly command: number;
  readonly payload: Uint8Array;
}

/** Remembers what its mux tells it. */
export class RecordingUser implements LinkUser {
  readonly ready: { link: LinkId; peer: LinkPeer; protocol: LinkProtocol }[] = [];
  readonly lost: LinkFault[] = [];
  readonly lostLinks: LinkId[] = [];
  readonly cells: SeenCell[] = [];
  readonly drained: number[] = [];

  onLinkReady(link: LinkId, peer: LinkPeer, protocol: LinkProtocol): void {
    this.ready.push({ link, peer, protocol });
  }

  onLinkLost(link: LinkId, fault: LinkFault): void {
    this.lost.push(fault);
    this.lostLinks.push(link);
  }

  onCell(_link: LinkId, circuit: number, command: number, bytes: Uint8Array, at: number): void {
    this.cells.push({ circuit, command, payload: bytes.slice(at, at + 509) });
  }

  onRun(link: LinkId, circuit: number, bytes: Uint8Array, at: number, stride: number, count: number): void {
    for (; count > 0; count--, at += stride) this.onCell(link, circuit, cellCommand.relay, bytes, at);
  }

  onCircuitWritable(_link: LinkId, circuit: number): void {
    this.drained.push(circuit);
  }
}

/** One end of a connection that lives in memory; the test moves the bytes. */
export class MemoryPort implements LinkPort {
  readonly out: Uint8Array[] = [];
  closed: CloseReason | undefined;
  full = false;
  readonly #facts: LinkFacts;

  constructor(facts: LinkFacts) {
    this.#facts = facts;
  }

  open(_to: Endpoint): LinkId {
    return 1;
  }

  write(_link: LinkId, bytes: Uint8Array): boolean {
    if (this.closed === undefined) this.out.push(bytes.slice());
    return !this.full;
  }

  pendingBytes(_link: LinkId): number {
    return 0;
  }

  pause(): void {}
  resume(): void {}

  close(_link: LinkId, why: CloseReason): void {
    this.closed = why;
  }

  facts(): LinkFacts {
    return this.#facts;
  }
}

export interface NodeEnd {
  readonly mux: LinkMux;
  readonly user: RecordingUser;
  readonly port: MemoryPort;
  readonly clock: ManualClock;
}

export interface Pair {
  readonly initiator: NodeEnd;
  readonly responder: NodeEnd;
  /** Moves bytes until both are silent. `change` may tamper with what is on its way. */
  settle(change?: (from: 'initiator' | 'responder', bytes: Uint8Array) => Uint8Array[]): void;
}

export interface PairOptions {
  readonly protocols?: readonly LinkProtocol[];
  readonly responderProtocols?: readonly LinkProtocol[];
  /** A client shows no certificates. */
  readonly client?: boolean;
  readonly expect?: ExpectedPeer;
  readonly keys?: readonly [NodeKeys, NodeKeys];
  /** TLS shows another certificate than the one the responder vouches for. */
  readonly intercepted?: boolean;
  /** The connections end with the first byte, and what came is told after. */
  readonly ended?: boolean;
}

/** Two muxes with TLS up between them and no byte sent. */
export function pairOf(options: PairOptions = {}): Pair {
  const [initiatorKeys, responderKeys] = options.keys ?? [keysOf(0), keysOf(1)];
  const tls = makeTlsCertificate(responderKeys, wallMs);
  const shown = options.intercepted === true ? makeTlsCertificate(initiatorKeys, wallMs) : tls;
  const exporter = (label: string, context: Uint8Array) =>
    options.ended === true
      ? undefined
      : new Uint8Array(createHash('sha256').update(label).update(context).update(shown).digest());
  const end = (keys: NodeKeys | undefined, protocols: readonly LinkProtocol[], facts: LinkFacts): NodeEnd => {
    const user = new RecordingUser();
    const port = new MemoryPort(facts);
    const clock = new ManualClock();
    const identity = keys && makeLinkIdentity(keys, () => wallMs);
    const mux = new LinkMux({
      port,
      clock,
      entropy,
      observer,
      identity,
      protocols,
      ownAddresses: ['127.0.0.1'],
      user,
    });
    return { mux, user, port, clock };
  };
  const protocols = options.protocols ?? [3, 4, 5];
  const none = new Uint8Array(0);
  const initiator = end(options.client === true ? undefined : initiatorKeys, protocols, {
    peerCertificate: shown,
    ownCertificate: none,
    exporter,
  });
  const responder = end(responderKeys, options.responderProtocols ?? protocols, {
    peerCertificate: none,
    ownCertificate: tls,
    exporter,
  });
  initiator.mux.open({ host: '127.0.0.1', port: 9001 }, options.expect ?? {});
  initiator.mux.onOpen(1);
  responder.mux.onAccepted(1, { host: '127.0.0.1', port: 40_000 });
  const settle: Pair['settle'] = change => {
    for (let moved = true; moved; ) {
      moved = initiator.clock.advance(0) || responder.clock.advance(0);
      for (const [name, from, to] of [
        ['initiator', initiator, responder],
        ['responder', responder, initiator],
      ] as const) {
        for (const bytes of from.port.out.splice(0)) {
          moved = true;
          for (const piece of change?.(name, bytes) ?? [bytes])
            if (to.port.closed === undefined) to.mux.onBytes(1, piece.slice());
        }
      }
    }
  };
  return { initiator, responder, settle };
}

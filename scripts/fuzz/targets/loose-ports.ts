import { createHash } from 'node:crypto';
import { assert } from '../../../src/base/assert.ts';
import type {
  AnswerHandler,
  AskId,
  ChainPort,
  Endpoint,
  Entropy,
  LinkFacts,
  LinkHandler,
  LinkId,
  LinkPort,
  Observer,
  PartyPort,
  StorePort,
  StreamHandler,
  StreamId,
  StreamPort,
} from '../../../src/ports.ts';
import type { Dice } from '../dice.ts';
import { LooseClock } from './loose-clock.ts';

/** A core, as its ports know it. */
export interface LooseCore extends StreamHandler, AnswerHandler {
  readonly linkHandler: LinkHandler;
}

/** Somebody whom the core may open links to. */
export interface LooseNeighbour {
  readonly endpoint: Endpoint;
  /** DER. */
  readonly certificate: Uint8Array;
  /** TLS is up: talks with the core over `send`, until the link is closed. Answers with what hears the core. */
  accept(send: (bytes: Uint8Array) => void, link: LinkId): (bytes: Uint8Array) => void;
}

interface DialledLink {
  readonly neighbour: LooseNeighbour;
  readonly hear: (bytes: Uint8Array) => void;
}

const noBytes = new Uint8Array(0);
const wallStartMs = 1_800_000_000_000;

/**
 * All ports of one core with nothing behind them: a target plays whoever would be there. What the core asks for is answered
 * by `settle`, never inside the call.
 */
export class LoosePorts {
  readonly clock = new LooseClock(wallStartMs);
  readonly entropy: Entropy;
  readonly links: LinkPort;
  readonly streams: StreamPort;
  readonly store: StorePort;
  readonly chain: ChainPort;
  readonly parties: PartyPort;
  readonly observer: Observer;
  /** The certificate that the core shows. */
  certificate: Uint8Array = noBytes;
  /** What the core said last to its observer. */
  news = '';
  /** What it wrote to the link that is listened to. */
  readonly heard: Uint8Array[] = [];
  listensTo: LinkId | undefined;
  /** Whether links and streams take more bytes. */
  writable = true;
  /** Streams that the core has opened and not closed. */
  readonly connections = new Map<StreamId, Endpoint>();
  /** Bytes written to streams. */
  streamBytes = 0;
  readonly #neighbours: () => readonly LooseNeighbour[];
  readonly #open = new Set<LinkId>();
  readonly #dialled = new Map<LinkId, DialledLink>();
  #core: LooseCore | undefined;
  #later: (() => void)[] = [];
  #lastId = 0;

  constructor(dice: Dice, neighbours: () => readonly LooseNeighbour[]) {
    this.#neighbours = neighbours;
    this.entropy = { bytes: length => dice.bytes(length) };
    this.links = this.#linkPort();
    this.streams = this.#streamPort();
    this.store = {
      get: () => undefined,
      list: () => [],
      commit: (_writes, ask) => this.#answer(() => this.core.onAnswer({ kind: 'stored', ask })),
    };
    const down = (kind: 'broadcast' | 'output' | 'feerate', ask: AskId): void =>
      this.#answer(() => this.core.onAnswer({ kind, ask, fault: 'the chain is not there' }));
    this.chain = {
      broadcast: (_transactions, ask) => down('broadcast', ask),
      output: (_outpoint, ask) => down('output', ask),
      feerate: ask => down('feerate', ask),
      watch() {},
      unwatch() {},
    };
    this.parties = {
      ask: (_to, _scheme, _request, ask) =>
        this.#answer(() => this.core.onAnswer({ kind: 'party', ask, fault: 'unreachable' })),
      answer() {},
    };
    this.observer = {
      log: (_level, event, fields) => {
        this.news = typeof fields?.code === 'string' ? fields.code : event;
      },
      count: counter => {
        this.news = counter;
      },
    };
  }

  get core(): LooseCore {
    assert(this.#core !== undefined, 'ports have a core');
    return this.#core;
  }

  attach(core: LooseCore): void {
    this.#core = core;
  }

  /** Somebody connects to the core. */
  accept(from: Endpoint): LinkId {
    const link = this.#newId();
    this.#open.add(link);
    this.core.linkHandler.onAccepted(link, from);
    return link;
  }

  isOpen(link: LinkId): boolean {
    return this.#open.has(link);
  }

  /** The peer sends something. */
  say(link: LinkId, bytes: Uint8Array): void {
    if (this.#open.has(link)) this.core.linkHandler.onBytes(link, bytes);
  }

  /** The peer hangs up. */
  hangUp(link: LinkId): void {
    this.#dialled.delete(link);
    if (this.#open.delete(link)) this.core.linkHandler.onClosed(link, 'done');
  }

  /** Answers all that the core has asked for, and runs what is due. */
  settle(): void {
    this.clock.pass(0);
    while (this.#later.length > 0) {
      const due = this.#later;
      this.#later = [];
      for (const answer of due) answer();
      this.clock.pass(0);
    }
  }

  #answer(run: () => void): void {
    this.#later.push(run);
  }

  #newId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }

  #linkPort(): LinkPort {
    return {
      open: to => {
        const link = this.#newId();
        this.#open.add(link);
        this.#answer(() => this.#dial(link, to));
        return link;
      },
      write: (link, bytes) => {
        if (link === this.listensTo) this.heard.push(bytes.slice());
        const dialled = this.#dialled.get(link);
        if (dialled !== undefined) {
          const copy = bytes.slice();
          this.#answer(() => dialled.hear(copy));
        }
        return this.writable;
      },
      pendingBytes: () => 0,
      pause() {},
      resume() {},
      close: link => {
        this.#open.delete(link);
        this.#dialled.delete(link);
      },
      facts: link => this.#facts(link),
    };
  }

  #dial(link: LinkId, to: Endpoint): void {
    if (!this.#open.has(link)) return;
    const neighbour = this.#neighbours().find(
      ({ endpoint }) => endpoint.host === to.host && endpoint.port === to.port,
    );
    if (neighbour === undefined) {
      this.#open.delete(link);
      this.core.linkHandler.onClosed(link, 'refused');
      return;
    }
    const send = (bytes: Uint8Array): void => this.#answer(() => this.say(link, bytes));
    this.#dialled.set(link, { neighbour, hear: neighbour.accept(send, link) });
    this.core.linkHandler.onOpen(link);
  }

  #facts(link: LinkId): LinkFacts {
    const dialled = this.#dialled.get(link);
    const certificate = dialled?.neighbour.certificate ?? this.certificate;
    return {
      peerCertificate: dialled === undefined ? noBytes : certificate,
      ownCertificate: dialled === undefined ? certificate : noBytes,
      exporter: exporterOf(certificate),
    };
  }

  #streamPort(): StreamPort {
    return {
      resolve: name => {
        const ask = this.#newId();
        const addresses = [{ kind: 'ipv4' as const, value: '93.184.216.34', ttlSeconds: 60 }];
        this.#answer(() => this.core.onResolved(ask, name.length % 4 === 0 ? [] : addresses));
        return ask;
      },
      connect: to => {
        const stream = this.#newId();
        this.connections.set(stream, to);
        return stream;
      },
      write: (_stream, bytes) => {
        this.streamBytes += bytes.length;
        return this.writable;
      },
      pause() {},
      resume() {},
      // The far end, which reads to the end, closes too.
      end: stream =>
        this.#answer(() => {
          if (this.connections.delete(stream)) this.core.onStreamClosed(stream, 'done');
        }),
      close: stream => {
        this.connections.delete(stream);
      },
    };
  }
}

/** The same at both ends of a link. */
export function exporterOf(certificate: Uint8Array): LinkFacts['exporter'] {
  return (label, context) =>
    new Uint8Array(createHash('sha256').update(label).update(context).update(certificate).digest());
}

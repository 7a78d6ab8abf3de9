import { cellCommand } from '../../src/cell/commands.ts';
import type { LinkFault, LinkPeer } from '../../src/link/link-faults.ts';
import { LinkMux, type LinkUser } from '../../src/link/link-mux.ts';
import { SystemClock } from '../../src/node-io/system-clock.ts';
import { SystemEntropy } from '../../src/node-io/system-entropy.ts';
import { TlsLinks } from '../../src/node-io/tls-links.ts';
import type { Endpoint, LinkId } from '../../src/ports.ts';

/** What came back on a circuit; the payload is bytes[at .. at + 509), valid during the call. */
export type OnCell = (link: LinkId, circuit: number, command: number, bytes: Uint8Array, at: number) => void;

/** Cells that wait here, because the relay takes no more. */
const waitingCellsMax = 2_000;

/** Somebody hostile at one address: links to a relay, and cells that keep no rule but those of the link. */
export class Assailant implements LinkUser {
  readonly entropy = new SystemEntropy();
  readonly port: TlsLinks;
  readonly mux: LinkMux;
  readonly #clock = new SystemClock();
  readonly #opening = new Map<LinkId, { ready(link: LinkId): void; lost(fault: LinkFault): void }>();
  readonly #onCell: OnCell;
  readonly #full = new Set<LinkId>();
  readonly #whenLost = new Map<LinkId, () => void>();
  /** Links that ended, for whatever reason. */
  lost = 0;

  /** @param from its address, one of this machine. */
  constructor(from: string, onCell: OnCell = () => {}) {
    this.port = new TlsLinks(undefined, from);
    this.#onCell = onCell;
    this.mux = new LinkMux({
      port: this.port,
      clock: this.#clock,
      entropy: this.entropy,
      observer: { log() {}, count() {} },
      identity: undefined,
      protocols: [3],
      ownAddresses: [],
      user: this,
    });
    this.port.attach({
      onAccepted: (link, at) => this.mux.onAccepted(link, at),
      onOpen: link => this.mux.onOpen(link),
      onBytes: (link, bytes) => this.mux.onBytes(link, bytes),
      onWritable: link => {
        this.#full.delete(link);
        this.mux.onWritable(link);
      },
      onClosed: (link, why) => this.mux.onClosed(link, why),
    });
  }

  /** Bytes as they are, below cells. False: the relay takes no more for now, and these were not sent. */
  write(link: LinkId, bytes: Uint8Array): boolean {
    if (this.#full.has(link)) return false;
    if (!this.port.write(link, bytes)) this.#full.add(link);
    return true;
  }

  /** A link that is ready; undefined: the relay does not want it. */
  open(relay: Endpoint): Promise<LinkId | undefined> {
    return new Promise(done => {
      const link = this.mux.open(relay, {});
      this.#opening.set(link, { ready: done, lost: () => done(undefined) });
    });
  }

  async openAll(relay: Endpoint, count: number): Promise<LinkId[]> {
    const opened = await Promise.all(Array.from({ length: count }, () => this.open(relay)));
    return opened.filter(link => link !== undefined);
  }

  /** `run` when the link ends; at once if it has. */
  whenLost(link: LinkId, run: () => void): void {
    if (this.mux.has(link)) this.#whenLost.set(link, run);
    else run();
  }

  /** True while the relay takes what is sent. */
  get flows(): boolean {
    return this.mux.queuedCells < waitingCellsMax;
  }

  async stop(): Promise<void> {
    await this.port.stop();
    this.#clock.stop();
  }

  onLinkReady(link: LinkId, _peer: LinkPeer): void {
    this.#opening.get(link)?.ready(link);
    this.#opening.delete(link);
  }

  onLinkLost(link: LinkId, fault: LinkFault): void {
    this.lost += 1;
    this.#opening.get(link)?.lost(fault);
    this.#opening.delete(link);
    this.#whenLost.get(link)?.();
    this.#whenLost.delete(link);
  }

  onCell(link: LinkId, circuit: number, command: number, bytes: Uint8Array, at: number): void {
    this.#onCell(link, circuit, command, bytes, at);
  }

  onRun(link: LinkId, circuit: number, bytes: Uint8Array, at: number, stride: number, count: number): void {
    for (; count > 0; count--, at += stride) this.#onCell(link, circuit, cellCommand.relay, bytes, at);
  }

  onCircuitWritable(): void {}
}

/** Addresses of loopback that no honest node has, and no other attack of this process: a relay remembers whom it has refused. */
export function hostileAddresses(count: number): string[] {
  return Array.from({ length: count }, (_, at) => `127.${block}.${Math.floor(at / 250)}.${(at % 250) + 1}`);
}

const block = 66 + (process.pid % 150);

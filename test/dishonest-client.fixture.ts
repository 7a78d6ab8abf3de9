import { cellCommand } from '../src/cell/commands.ts';
import { parseServerDescriptor, splitDescriptors } from '../src/directory/descriptor.ts';
import type { ServerDescriptor } from '../src/directory/server-descriptor.ts';
import type { LinkFault } from '../src/link/link-faults.ts';
import { LinkMux, type LinkUser } from '../src/link/link-mux.ts';
import type { ExpectedPeer } from '../src/link/link-state.ts';
import { SystemClock } from '../src/node-io/system-clock.ts';
import { SystemEntropy } from '../src/node-io/system-entropy.ts';
import { TlsLinks } from '../src/node-io/tls-links.ts';
import type { Endpoint, LinkId } from '../src/ports.ts';
import { DishonestCircuit } from './dishonest-circuit.fixture.ts';
import type { LabNetwork } from './lab-network.fixture.ts';
import { News } from './news.fixture.ts';

/**
 * A client in the test's own process, made of the product's parts below circuits: real TLS links to the relays of a lab,
 * over which the test says what no client of ours would.
 */
export class DishonestClient implements LinkUser {
  /** What each relay publishes of itself, by nickname. */
  readonly relays: ReadonlyMap<string, ServerDescriptor>;
  readonly news = new News();
  readonly entropy = new SystemEntropy();
  readonly #clock = new SystemClock();
  readonly #tls = new TlsLinks();
  readonly #mux: LinkMux;
  readonly #ready = new Set<LinkId>();
  readonly #lost = new Map<LinkId, LinkFault>();
  readonly #circuits = new Map<LinkId, Map<number, DishonestCircuit>>();

  constructor(relays: ReadonlyMap<string, ServerDescriptor>) {
    this.relays = relays;
    this.#mux = new LinkMux({
      port: this.#tls,
      clock: this.#clock,
      entropy: this.entropy,
      observer: { log: () => {}, count: () => {} },
      identity: undefined,
      protocols: [3],
      ownAddresses: [],
      user: this,
    });
    this.#tls.attach(this.#mux);
  }

  /** Reads the relays' descriptors from the authority, as anybody may. */
  static async start(lab: LabNetwork): Promise<DishonestClient> {
    const answer = await fetch(`http://${lab.node('auth1').listens.dir}/tor/server/all`);
    const relays = new Map<string, ServerDescriptor>();
    for (const text of splitDescriptors(await answer.text(), 100)) {
      const parsed = parseServerDescriptor(text, Date.now());
      if (parsed.ok) relays.set(parsed.value.nickname, parsed.value);
    }
    return new DishonestClient(relays);
  }

  relay(nickname: string): ServerDescriptor {
    const found = this.relays.get(nickname);
    if (found === undefined) throw new Error(`${nickname} has not published`);
    return found;
  }

  /** Opens a link, through its handshake. */
  async link(to: Endpoint, expect: ExpectedPeer = {}): Promise<LinkId> {
    const link = this.#mux.open(to, expect);
    await this.news.until(() => {
      const fault = this.#lost.get(link);
      if (fault !== undefined) throw new Error(`no link: ${fault.code} ${fault.detail ?? ''}`);
      return this.#ready.has(link) ? link : undefined;
    }, 'the link');
    return link;
  }

  /** A circuit over these relays, on a link of its own. */
  async circuit(...path: readonly string[]): Promise<DishonestCircuit> {
    const [first, ...others] = path.map(nickname => this.relay(nickname));
    const circuit = this.circuitOn(await this.link(first.address, first));
    await circuit.create(first);
    for (const relay of others) await circuit.extend(relay);
    return circuit;
  }

  /** A circuit's place on a link; nothing is sent. */
  circuitOn(link: LinkId): DishonestCircuit {
    const id = this.#mux.allocateCircuit(link);
    if (id === undefined) throw new Error('no circuit id is left');
    const { entropy, news } = this;
    const circuit = new DishonestCircuit(link, {
      entropy,
      news,
      send: (command, payload) => void this.#mux.send(link, id, command, payload, 0),
    });
    const onLink = this.#circuits.get(link) ?? new Map<number, DishonestCircuit>();
    this.#circuits.set(link, onLink.set(id, circuit));
    return circuit;
  }

  /** Makes a circuit and forgets it: once it stands, the other end has dealt with all that was sent on this link before. */
  async roundTrip(link: LinkId): Promise<void> {
    await this.circuitOn(link).create();
  }

  /** Bytes as they are, below cells. */
  write(link: LinkId, bytes: Uint8Array): void {
    this.#tls.write(link, bytes);
  }

  /** Resolves once the link is gone. */
  async lost(link: LinkId): Promise<void> {
    await this.news.until(() => this.#lost.get(link), 'the end of the link');
  }

  async stop(): Promise<void> {
    await this.#tls.stop();
    this.#clock.stop();
  }

  onLinkReady(link: LinkId): void {
    this.#ready.add(link);
    this.news.tell();
  }

  onLinkLost(link: LinkId, fault: LinkFault): void {
    this.#lost.set(link, fault);
    this.news.tell();
  }

  onCell(link: LinkId, id: number, command: number, bytes: Uint8Array, at: number): void {
    this.#circuits
      .get(link)
      ?.get(id)
      ?.onCell(command, bytes.slice(at, at + 509));
    this.news.tell();
  }

  onRun(link: LinkId, id: number, bytes: Uint8Array, at: number, stride: number, count: number): void {
    for (; count > 0; count--, at += stride) this.onCell(link, id, cellCommand.relay, bytes, at);
  }

  onCircuitWritable(): void {}
}

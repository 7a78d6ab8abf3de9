import type { NodeLinks } from '../relay/start-relay.ts';
import { assert } from '../src/base/assert.ts';
import type {
  Admission,
  Clock,
  CloseReason,
  Endpoint,
  LinkFacts,
  LinkHandler,
  LinkId,
} from '../src/ports.ts';
import { type PathShape, ShapedPath } from './shaped-path.ts';

interface Shaped {
  readonly out: ShapedPath;
  readonly in: ShapedPath;
  /** The connection has ended; what it brought, and that it did, is still under way. */
  ended: boolean;
}

/** What a connection exports that is no more: nobody's proof agrees with it. */
const noKey = new Uint8Array(32);

/**
 * A relay's links as they would be with all who dial it far away. The relay that is dialled shapes both directions, so that each
 * link is shaped once, and as its listener says: links that it dials itself pass as they are.
 */
export class ShapedLinks implements NodeLinks, LinkHandler {
  readonly #links: NodeLinks;
  readonly #clock: Clock;
  readonly #shape: PathShape;
  readonly #shaped = new Map<LinkId, Shaped>();
  #handler: LinkHandler | undefined;

  constructor(links: NodeLinks, clock: Clock, shape: PathShape) {
    this.#links = links;
    this.#clock = clock;
    this.#shape = shape;
  }

  attach(handler: LinkHandler, admission?: Admission): void {
    this.#handler = handler;
    this.#links.attach(this, admission);
  }

  listen(at: Endpoint): Promise<Endpoint> {
    return this.#links.listen(at);
  }

  stop(): Promise<void> {
    return this.#links.stop();
  }

  open(to: Endpoint): LinkId {
    return this.#links.open(to);
  }

  write(link: LinkId, bytes: Uint8Array): boolean {
    const shaped = this.#shaped.get(link);
    if (shaped === undefined) return this.#links.write(link, bytes);
    const copy = bytes.slice();
    // The connection below is faster than the path, and holds no more than the path has carried.
    return shaped.out.send(copy.length, () => void this.#links.write(link, copy));
  }

  pendingBytes(link: LinkId): number {
    return this.#links.pendingBytes(link);
  }

  pause(link: LinkId): void {
    this.#shaped.get(link)?.in.hold();
    this.#links.pause(link);
  }

  resume(link: LinkId): void {
    this.#shaped.get(link)?.in.release();
    this.#links.resume(link);
  }

  close(link: LinkId, why: CloseReason): void {
    const shaped = this.#shaped.get(link);
    this.#shaped.delete(link);
    if (shaped === undefined) {
      this.#links.close(link, why);
      return;
    }
    shaped.in.hold();
    shaped.out.send(0, () => this.#links.close(link, why));
  }

  facts(link: LinkId): LinkFacts {
    const facts = this.#links.facts(link);
    const shaped = this.#shaped.get(link);
    if (shaped === undefined) return facts;
    const exporter: LinkFacts['exporter'] = (label, context) =>
      shaped.ended ? noKey : facts.exporter(label, context);
    return { ...facts, exporter };
  }

  onAccepted(link: LinkId, from: Endpoint): void {
    this.#shaped.set(link, {
      out: new ShapedPath(this.#clock, this.#shape, () => {
        if (this.#shaped.has(link)) this.#to.onWritable(link);
      }),
      in: new ShapedPath(this.#clock, this.#shape, () => {
        if (this.#shaped.has(link)) this.#links.resume(link);
      }),
      ended: false,
    });
    this.#to.onAccepted(link, from);
  }

  onOpen(link: LinkId): void {
    this.#to.onOpen(link);
  }

  onBytes(link: LinkId, bytes: Uint8Array): void {
    const shaped = this.#shaped.get(link);
    if (shaped === undefined) {
      this.#to.onBytes(link, bytes);
      return;
    }
    const copy = bytes.slice();
    if (!shaped.in.send(copy.length, () => this.#to.onBytes(link, copy))) this.#links.pause(link);
  }

  onWritable(link: LinkId): void {
    if (!this.#shaped.has(link)) this.#to.onWritable(link);
  }

  onClosed(link: LinkId, why: CloseReason): void {
    const shaped = this.#shaped.get(link);
    if (shaped === undefined) {
      this.#to.onClosed(link, why);
      return;
    }
    shaped.ended = true;
    shaped.in.send(0, () => {
      if (this.#shaped.delete(link)) this.#to.onClosed(link, why);
    });
  }

  get #to(): LinkHandler {
    assert(this.#handler !== undefined, 'a link handler is attached');
    return this.#handler;
  }
}

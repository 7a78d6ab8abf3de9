import { assert } from '../base/assert.ts';
import type { CloseReason, Endpoint, LinkFacts, LinkHandler, LinkId, LinkPort } from '../ports.ts';
import type { Machine } from './machine.ts';
import type { ConnectionEnd, EndUser } from './sim-connection.ts';

const noCertificate = new Uint8Array(0);
/** Round trips until TLS is up: one for TCP, one for TLS 1.3. */
const handshakes = 2;

/** Sees the bytes of a node's links, which TLS would hide from everybody else. For checkers; changes nothing. */
export interface LinkTap {
  read(link: LinkId, bytes: Uint8Array): void;
  written(link: LinkId, bytes: Uint8Array): void;
}

interface Link {
  readonly id: LinkId;
  readonly end: ConnectionEnd;
  readonly accepted: boolean;
}

/** The TLS connections of one host. */
export class SimLinks implements LinkPort {
  tap: LinkTap | undefined;
  readonly #host: Machine;
  #handler: LinkHandler | undefined;
  #links = new Map<LinkId, Link>();
  #lastId = 0;

  constructor(host: Machine) {
    this.#host = host;
  }

  /** The core that hears of links; set before any is opened. */
  attach(handler: LinkHandler): void {
    this.#handler = handler;
  }

  /** @param certificate DER that this host shows in TLS. */
  listen(port: number, certificate: Uint8Array): void {
    this.#host.listen(port, (end, from) => {
      const link = this.#add(end, true);
      end.user = this.#user(link, () => this.#to.onAccepted(link.id, from));
      end.certificate = certificate;
    });
  }

  open(to: Endpoint): LinkId {
    const link = this.#add(this.#host.newEnd(), false);
    this.#host.node.called(`link open ${to.host}:${to.port}`, link.id);
    link.end.user = this.#user(link, () => this.#to.onOpen(link.id));
    this.#host.connect(link.end, to, handshakes);
    return link.id;
  }

  write(link: LinkId, bytes: Uint8Array): boolean {
    this.#host.node.called('link write', link, 0, bytes);
    this.tap?.written(link, bytes);
    return this.#find(link)?.end.write(bytes) ?? true;
  }

  pendingBytes(link: LinkId): number {
    return this.#find(link)?.end.pendingBytes ?? 0;
  }

  pause(link: LinkId): void {
    this.#host.node.called('link pause', link);
    this.#find(link)?.end.pause();
  }

  resume(link: LinkId): void {
    this.#host.node.called('link resume', link);
    this.#find(link)?.end.resume();
  }

  close(link: LinkId, why: CloseReason): void {
    this.#host.node.called(`link close ${why}`, link);
    this.#find(link)?.end.close(why);
    this.#links.delete(link);
  }

  facts(link: LinkId): LinkFacts {
    this.#host.node.called('link facts', link);
    const found = this.#find(link);
    assert(found !== undefined, 'facts are asked of an open link');
    const { end, accepted } = found;
    return {
      peerCertificate: accepted ? noCertificate : (end.peer?.certificate ?? noCertificate),
      ownCertificate: end.certificate,
      exporter: (label, context) => end.exportKey(label, context),
    };
  }

  /** The process died; its links are no more. */
  forget(): void {
    this.#links.clear();
  }

  get #to(): LinkHandler {
    assert(this.#handler !== undefined, `${this.#host.node.name} has attached a link handler`);
    return this.#handler;
  }

  #add(end: ConnectionEnd, accepted: boolean): Link {
    this.#lastId += 1;
    const link = { id: this.#lastId, end, accepted };
    this.#links.set(link.id, link);
    return link;
  }

  /** Undefined: closed by either side; a call that crosses the news of it does nothing. */
  #find(link: LinkId): Link | undefined {
    assert(link > 0 && link <= this.#lastId, `${this.#host.node.name} names a link that it was given`);
    return this.#links.get(link);
  }

  #user(link: Link, opened: () => void): EndUser {
    const { node } = this.#host;
    const fail = () => link.end.fail();
    return {
      opened: () => {
        node.told(link.accepted ? 'link accepted' : 'link opened', link.id);
        opened();
      },
      bytes: bytes => {
        node.told('link bytes', link.id, 0, bytes);
        this.tap?.read(link.id, bytes);
        node.treat(() => this.#to.onBytes(link.id, bytes), fail);
      },
      writable: () => {
        node.told('link writable', link.id);
        node.treat(() => this.#to.onWritable(link.id), fail);
      },
      // TLS has no half-open state here: an end of the peer's bytes is the end of the link.
      ended: () => {},
      closed: why => {
        node.told(`link closed ${why}`, link.id);
        this.#links.delete(link.id);
        this.#to.onClosed(link.id, why);
      },
    };
  }
}

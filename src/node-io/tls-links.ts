import { constants } from 'node:crypto';
import type { OnReadOpts, Socket, TcpSocketConnectOpts } from 'node:net';
import {
  connect,
  createServer,
  DEFAULT_CIPHERS,
  type SecureVersion,
  type Server,
  type TLSSocket,
} from 'node:tls';
import { assert } from '../base/assert.ts';
import {
  linkHandshakeMsMax,
  linkLingerMsMax,
  linksMax,
  linksUnreadyMax,
  linkWriteBytesHigh,
  stopLingerMsMax,
  youngLinkBytesHigh,
} from '../base/limits.ts';
import type { Admission, CloseReason, Endpoint, LinkFacts, LinkHandler, LinkId, LinkPort } from '../ports.ts';
import { BlockPool, PortSocket, type SocketSource } from './port-socket.ts';
import { boundEndpoint, closeServer, listenAt } from './server-socket.ts';

/** What a node shows in TLS. */
export interface TlsIdentity {
  /** PKCS#8 PEM of the RSA-2048 link key. */
  readonly privateKeyPem: string;
  /** DER, self-signed. */
  readonly certificate: Uint8Array;
}

interface Link {
  readonly output: PortSocket<TLSSocket>;
  readonly accepted: boolean;
}

const writeTerms = { bytesHigh: linkWriteBytesHigh, youngBytesHigh: youngLinkBytesHigh };
const noCertificate = new Uint8Array(0);
const exporterBytes = 32;

/**
 * What both sides ask of TLS. Certificates are not verified here: CERTS proves, inside the link, whose certificate it is.
 * spec: tor-spec/negotiating-channels
 */
const tlsTerms = {
  minVersion: 'TLSv1.2' as SecureVersion,
  ecdhCurve: 'P-256:X25519',
  // As C tor's client asks for; Node would begin with AES-256, which protects no more than the layers of AES-128 inside.
  ciphers: `TLS_AES_128_GCM_SHA256:${DEFAULT_CIPHERS}`,
  // A resumed session would show no certificate, and tickets tell who came back.
  secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
};

/** The TLS connections of one node. */
export class TlsLinks implements LinkPort {
  readonly #identity: TlsIdentity | undefined;
  readonly #from: string | undefined;
  readonly #pool = new BlockPool();
  readonly #servers = new Set<Server>();
  /** TCP connections whose TLS is not up yet, and those below the links. */
  readonly #raw = new Set<Socket>();
  /** Those whose TLS is not up, oldest first, by who is at the other end. */
  readonly #unready = new Map<string, Socket>();
  readonly #links = new Map<LinkId, Link>();
  /** Links that hold a socket, closed ones that still send included. */
  readonly #held = new Set<PortSocket>();
  #whenEmpty: (() => void) | undefined;
  #stopped = false;
  #handler: LinkHandler | undefined;
  #admission: Admission | undefined;
  #lastId = 0;

  /**
   * @param identity absent: a client, which only dials.
   * @param from the address of this machine that links are dialled from; absent: the system's choice.
   */
  constructor(identity?: TlsIdentity, from?: string) {
    this.#identity = identity;
    this.#from = from;
  }

  /** The core that hears of links; set before any is opened. @param admission absent: everybody may connect. */
  attach(handler: LinkHandler, admission?: Admission): void {
    this.#handler = handler;
    this.#admission = admission;
  }

  /** Takes links at an address; port 0 takes any free one. Resolves to what was bound, rejects when it cannot be. */
  async listen(at: Endpoint): Promise<Endpoint> {
    const identity = this.#identity;
    assert(identity !== undefined, 'who listens shows a certificate');
    const server = createServer({
      ...tlsTerms,
      key: identity.privateKeyPem,
      cert: pemOf(identity.certificate),
      requestCert: false,
      handshakeTimeout: linkHandshakeMsMax,
    });
    // Those that are being closed count too.
    server.maxConnections = linksMax + 2 * linksUnreadyMax;
    server.on('connection', (raw: Socket) => this.#onConnection(raw));
    server.on('tlsClientError', (_error, socket) => socket.destroy());
    server.on('secureConnection', socket => this.#accept(socket));
    await listenAt(server, at);
    this.#servers.add(server);
    return boundEndpoint(server);
  }

  open(to: Endpoint): LinkId {
    return this.#add(onread => this.#dial(this.#lastId, to, onread), false);
  }

  write(link: LinkId, bytes: Uint8Array): boolean {
    return this.#find(link)?.output.write(bytes) ?? true;
  }

  pendingBytes(link: LinkId): number {
    return this.#find(link)?.output.pendingBytes ?? 0;
  }

  pause(link: LinkId): void {
    this.#find(link)?.output.pause();
  }

  resume(link: LinkId): void {
    this.#find(link)?.output.resume();
  }

  close(link: LinkId, _why: CloseReason): void {
    this.#find(link)?.output.close(linkLingerMsMax);
    this.#links.delete(link);
  }

  facts(link: LinkId): LinkFacts {
    const found = this.#find(link);
    assert(found !== undefined, 'facts are asked of an open link');
    const { accepted } = found;
    const { socket } = found.output;
    const own = this.#identity?.certificate;
    return {
      peerCertificate: accepted
        ? noCertificate
        : new Uint8Array(socket.getPeerX509Certificate()?.raw ?? noCertificate),
      ownCertificate: (accepted ? own : undefined) ?? noCertificate,
      exporter: (label, context) =>
        socket.destroyed
          ? undefined
          : new Uint8Array(socket.exportKeyingMaterial(exporterBytes, label, Buffer.from(context))),
    };
  }

  /** Takes no more links, lets each send its last bytes for a moment, and ends with no socket left. The core hears nothing more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const closing = [...this.#servers].map(closeServer);
    this.#links.clear();
    const empty = new Promise<void>(done => {
      this.#whenEmpty = done;
    });
    for (const output of this.#held) output.close(stopLingerMsMax);
    this.#tellIfEmpty();
    await empty;
    for (const raw of this.#raw) raw.destroy();
    await Promise.all(closing);
  }

  get #to(): LinkHandler {
    assert(this.#handler !== undefined, 'a link handler is attached');
    return this.#handler;
  }

  /** TCP is up, and TLS begins. */
  #onConnection(raw: Socket): void {
    const host = raw.remoteAddress ?? '';
    if (this.#admission?.admits(host) === false) {
      raw.destroy();
      return;
    }
    this.#raw.add(raw);
    const name = farEnd(raw);
    this.#unready.set(name, raw);
    raw.once('close', () => {
      this.#raw.delete(raw);
      if (this.#unready.get(name) === raw) this.#unready.delete(name);
      this.#admission?.left(host);
    });
    if (this.#unready.size <= linksUnreadyMax) return;
    for (const [oldest, socket] of this.#unready) {
      this.#unready.delete(oldest);
      socket.destroy();
      return;
    }
  }

  #accept(socket: TLSSocket): void {
    this.#unready.delete(farEnd(socket));
    const from = { host: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 };
    // Gone since its handshake, before the core is there or after it has stopped: it never hears of it.
    const unheard = this.#handler === undefined || this.#stopped || from.host === '';
    if (unheard) socket.destroy();
    else this.#to.onAccepted(this.#add(socket, true), from);
  }

  #dial(id: LinkId, { host, port }: Endpoint, onread: OnReadOpts): TLSSocket {
    // Node hands these on to the TCP connection below; its types do not know of it.
    const below: Pick<TcpSocketConnectOpts, 'localAddress' | 'onread'> = { localAddress: this.#from, onread };
    const socket = connect({ ...tlsTerms, host, port, rejectUnauthorized: false, ...below });
    const tooLate = setTimeout(() => this.#links.get(id)?.output.destroy('timeout'), linkHandshakeMsMax);
    socket.once('close', () => clearTimeout(tooLate));
    return socket.once('secureConnect', () => {
      clearTimeout(tooLate);
      if (this.#links.has(id)) this.#to.onOpen(id);
    });
  }

  #add(source: SocketSource<TLSSocket>, accepted: boolean): LinkId {
    this.#lastId += 1;
    const id = this.#lastId;
    const output = new PortSocket(source, this.#pool, writeTerms, {
      bytes: bytes => this.#to.onBytes(id, bytes),
      writable: () => this.#to.onWritable(id),
      // An end of the peer's bytes is the end of the link: Node answers it, and `closed` follows.
      ended: () => {},
      closed: why => {
        if (this.#links.delete(id)) this.#to.onClosed(id, why);
      },
      gone: () => {
        this.#held.delete(output);
        this.#tellIfEmpty();
      },
    });
    this.#held.add(output);
    this.#links.set(id, { output, accepted });
    return id;
  }

  /** Undefined: closed by either side; a call that crosses the news of it does nothing. */
  #find(link: LinkId): Link | undefined {
    assert(link > 0 && link <= this.#lastId, 'a link that this port gave out');
    return this.#links.get(link);
  }

  #tellIfEmpty(): void {
    if (this.#held.size === 0) this.#whenEmpty?.();
  }
}

function farEnd({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

function pemOf(der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}

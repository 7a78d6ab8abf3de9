import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import type { HopTarget } from '../../src/circuit/extend.ts';
import { makeNodeKeys, type NodeKeys } from '../../src/crypto/node-keys.ts';
import { generateRsaKey, type RsaKey } from '../../src/crypto/rsa.ts';
import { makeTlsCertificate } from '../../src/link/link-certificates.ts';
import type { LinkProtocol } from '../../src/link/link-faults.ts';
import { SystemEntropy } from '../../src/node-io/system-entropy.ts';
import type { Holder } from './link-certs.fixture.ts';
import { RawLink } from './raw-link.fixture.ts';

let tlsKey: RsaKey | undefined;

/** Keys of a node that nobody has seen before. */
export function freshKeys(): NodeKeys {
  const identity = generateRsaKey(1024);
  // Nothing is proven by this one alone: all share it, because it is slow to make.
  tlsKey ??= generateRsaKey(2048);
  return makeNodeKeys(new SystemEntropy(), { rsaIdentity: identity, tls: tlsKey, tap: identity });
}

/** A relay at which a test says what it wants to whoever dials, below every rule. */
export class FalseRelay {
  readonly holder: Holder;
  readonly target: HopTarget;
  readonly #server: Server;
  readonly #links: RawLink[] = [];

  private constructor(holder: Holder, server: Server, protocol: LinkProtocol, nickname: string) {
    const { keys } = holder;
    this.holder = holder;
    this.#server = server;
    const { port } = server.address() as AddressInfo;
    this.target = {
      nickname,
      rsaId: keys.rsaIdentity.fingerprint,
      ed25519: keys.identity.publicKey,
      ntorKey: keys.ntor.publicKey,
      address: { host: '127.0.0.1', port },
    };
    server.on('secureConnection', (socket: TLSSocket) =>
      this.#links.push(new RawLink(socket, protocol, false)),
    );
    server.on('tlsClientError', () => {});
  }

  static async start(protocol: LinkProtocol, keys = freshKeys(), nickname = 'false'): Promise<FalseRelay> {
    const tlsCertificate = makeTlsCertificate(keys, Date.now());
    const lines = Buffer.from(tlsCertificate)
      .toString('base64')
      .match(/.{1,64}/g)
      ?.join('\n');
    const cert = `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
    const server = createServer({ key: keys.tls.pem, cert });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new FalseRelay({ keys, side: 'responder', tlsCertificate }, server, protocol, nickname);
  }

  /** The link that somebody has opened so far. */
  get link(): RawLink | undefined {
    return this.#links[0];
  }

  /** Calls when somebody has opened the link. */
  onLink(opened: (link: RawLink) => void): void {
    this.#server.once('secureConnection', () => opened(this.#links[0]));
  }

  /** Calls whenever somebody has opened one. */
  onEachLink(opened: (link: RawLink) => void): void {
    this.#server.on('secureConnection', () => opened(this.#links[this.#links.length - 1]));
  }

  stop(): void {
    for (const link of this.#links) link.destroy();
    this.#server.close();
  }
}

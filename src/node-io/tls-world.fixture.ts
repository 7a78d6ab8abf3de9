import { createServer } from 'node:net';
import { generateRsaKey } from '../crypto/rsa.ts';
import { selfSignedCertificate } from '../crypto/x509.ts';
import type { Endpoint, LinkHandler, LinkPort } from '../ports.ts';
import type { PortWorld } from '../sim/port-kits.ts';
import { type TlsIdentity, TlsLinks } from './tls-links.ts';

export const localhost: Endpoint = { host: '127.0.0.1', port: 0 };
const key = generateRsaKey(2048);
export const identity: TlsIdentity = {
  privateKeyPem: key.pem,
  certificate: selfSignedCertificate({
    key,
    commonName: 'www.example.net',
    notBeforeMs: Date.now() - 86_400_000,
    notAfterMs: Date.now() + 86_400_000,
    serial: Uint8Array.of(1),
  }),
};
const nextTurn = () => new Promise<void>(done => setTimeout(done, 1));

export async function until(holds: () => boolean, each: () => void = () => {}): Promise<void> {
  while (!holds()) {
    each();
    await nextTurn();
  }
}

/** Many turns of the event loop, in which loopback delivers all it has. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 100; i++) await nextTurn();
}

/** A port on loopback that was free a moment ago and that nobody listens at. */
export async function nowhere(): Promise<Endpoint> {
  const server = createServer();
  await new Promise<void>(listening => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as { port: number };
  await new Promise(closed => server.close(closed));
  return { host: '127.0.0.1', port };
}

type Links = LinkPort & Pick<TlsLinks, 'attach' | 'listen' | 'stop'>;

/** Two nodes with TLS between them. @param listener the links of the one that is dialled. */
export async function tlsWorld(
  listener: (links: TlsLinks) => Links = links => links,
): Promise<PortWorld<LinkPort, LinkHandler>> {
  const [near, far] = [new TlsLinks(), listener(new TlsLinks(identity))];
  const side = (links: Links) => ({
    port: links,
    attach: (handler: LinkHandler) => links.attach(handler),
    turn: <T>(run: () => T) => run(),
  });
  return {
    dialler: side(near),
    listener: side(far),
    at: await far.listen(localhost),
    nowhere: await nowhere(),
    until,
    settle,
    stop: async () => void (await Promise.all([near.stop(), far.stop()])),
  };
}

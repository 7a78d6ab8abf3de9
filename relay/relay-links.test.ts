import { expect, it, vi } from 'vitest';
import { makeLinkIdentity, makeTlsCertificate } from '../src/link/link-certificates.ts';
import {
  entropy,
  keysOf,
  ManualClock,
  MemoryPort,
  observer,
  RecordingUser,
  wallMs,
} from '../src/link/two-nodes.fixture.ts';
import { RelayLinks } from './relay-links.ts';

const linksMax = vi.hoisted(() => 3);

vi.mock('../src/base/limits.ts', async original => ({ ...(await original<object>()), linksMax }));

it('knows where each link comes from, that of whoever took the place of another too', () => {
  const keys = keysOf(1);
  const ownCertificate = makeTlsCertificate(keys, wallMs);
  const facts = { peerCertificate: new Uint8Array(0), ownCertificate, exporter: () => new Uint8Array(32) };
  const links = new RelayLinks({
    port: new MemoryPort(facts),
    clock: new ManualClock(),
    entropy,
    observer,
    identity: makeLinkIdentity(keys, wallMs),
    protocols: [4],
    ownAddresses: ['127.0.0.1'],
    user: new RecordingUser(),
  });
  const hosts = Array.from({ length: linksMax + 2 }, (_, at) => `10.0.0.${at + 1}`);
  for (const [at, host] of hosts.entries()) links.onAccepted(at + 1, { host, port: 4_000 });
  expect(links.linkCount).toBe(linksMax);
  expect(hosts.map((_, at) => links.addressOf(at + 1)).slice(-linksMax)).toEqual(hosts.slice(-linksMax));
});

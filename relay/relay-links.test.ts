import { expect, it, vi } from 'vitest';
import { circuitRestRoundMs, circuitSpareRounds } from '../src/base/limits.ts';
import { relayCommand } from '../src/cell/commands.ts';
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
import { Lab, type TestClient } from './relay-lab.fixture.ts';
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
    identity: makeLinkIdentity(keys, () => wallMs),
    protocols: [4],
    ownAddresses: ['127.0.0.1'],
    user: new RecordingUser(),
  });
  const hosts = Array.from({ length: linksMax + 2 }, (_, at) => `10.0.0.${at + 1}`);
  for (const [at, host] of hosts.entries()) links.onAccepted(at + 1, { host, port: 4_000 });
  expect(links.linkCount).toBe(linksMax);
  expect(hosts.map((_, at) => links.addressOf(at + 1)).slice(-linksMax)).toEqual(hosts.slice(-linksMax));
});

it('where links are as many as may be, one gives way on which no circuit serves anybody', () => {
  const lab = new Lab();
  const relay = lab.relay();
  const [busy, idle, gone] = [1, 2, 3].map(host => lab.client(`11.1.0.${host}`));
  for (const client of [busy, idle, gone]) {
    client.connect(relay);
    client.create(relay, 'fast');
  }
  const use = (client: TestClient) => client.send(relayCommand.drop, 0, new Uint8Array(0));
  for (let half = 0; half < 6; half++) {
    use(busy);
    if (half > 3) use(idle);
    lab.world.runFor((circuitSpareRounds * circuitRestRoundMs) / 2);
  }
  const newcomer = lab.client('11.1.0.4');
  newcomer.connect(relay);
  newcomer.create(relay, 'fast');
  lab.world.runFor(1_000);
  expect([busy, idle, gone].map(({ lost }) => lost.length)).toEqual([0, 0, 1]);
  // All of them have been used of late.
  const refused = lab.client('11.1.0.5');
  expect(() => refused.connect(relay)).toThrow();
  expect([busy, idle, newcomer].map(({ lost }) => lost.length)).toEqual([0, 0, 0]);
});

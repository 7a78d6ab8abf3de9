import { describe, expect, test } from 'vitest';
import { equalBytes } from '../src/base/bytes.ts';
import type { NodeKeys } from '../src/crypto/node-keys.ts';
import { rejectEverything } from '../src/directory/address-policy.ts';
import { parseAuthorityCertificate, splitCertificates } from '../src/directory/authority-certificate.ts';
import { buildServerDescriptor } from '../src/directory/descriptor.ts';
import { DirectoryClient } from '../src/directory/directory-client.ts';
import { parseProtocols } from '../src/directory/protocols.ts';
import { relayProtocolsText } from '../src/directory/server-descriptor.ts';
import { VirtualClock } from '../src/sim/virtual-clock.ts';
import { AuthorityLab } from './authority-lab.fixture.ts';

describe('authority', () => {
  test('takes descriptors, probes the relays, and serves a consensus that a client believes', () => {
    const at = new AuthorityLab(1);
    expect(at.get('/tor/status-vote/current/consensus-microdesc').status).toBe(404);
    const relays = [1, 2, 3].map(index => at.relay(index));
    for (const each of relays) {
      const answer = at.upload(each.descriptor());
      expect([answer.status, answer.reason]).toEqual([200, 'descriptor accepted']);
    }
    at.world.runFor(2_000);
    expect(at.first.core.counts).toEqual({ descriptors: 3, listed: 3 });
    const clock = new VirtualClock(at.askerHost.node);
    const client = at.askerHost.node.turn(
      () =>
        new DirectoryClient({
          authorities: [at.first.self],
          clock,
          entropy: at.askerHost.node.entropy,
          mirror: true,
        }),
    );
    for (let i = 0; i < 20; i++) {
      const wanted = at.askerHost.node.turn(() => client.next());
      if (wanted === undefined) break;
      const response = at.get(wanted.path);
      const taken = at.askerHost.node.turn(() => client.answered(wanted, response));
      expect(taken, wanted.kind).toMatchObject({ ok: true });
    }
    const view = at.askerHost.node.turn(() => client.view)!;
    expect(view.relays.map(each => [each.nickname, each.priceMsatPer2Pow20])).toHaveLength(3);
    const exit = view.relayByName('relay3')!;
    expect([...exit.flags].sort()).toEqual(['Exit', 'Fast', 'Guard', 'Running', 'Stable', 'V2Dir', 'Valid']);
    expect(equalBytes(exit.ed25519, relays[2].keys.identity.publicKey)).toBe(true);
    expect(exit.bandwidth).toBe(3_000);
    expect(view.params.get('circwindow')).toBe(1000);
    expect([...client.descriptors()]).toHaveLength(3);
    const answer = at.get('/tor/server/authority');
    expect(new TextDecoder().decode(answer.body)).toContain('router auth1 10.0.0.1 5001 0 7001');
    expect(answer.headers.get('x-your-address-is')).toBe('10.0.0.99');
    expect(answer.headers.has('date')).toBe(true);
  });

  test('leaves out relays that do not answer as who they say they are', () => {
    const at = new AuthorityLab(1);
    const silent = at.relay(1, false);
    at.upload(silent.descriptor());
    at.upload(at.relay(2).descriptor());
    // At the address of another relay the handshake proves another identity.
    const impostor = at.relay(3);
    at.upload(impostor.descriptor({ port: 9002 }));
    at.world.runFor(40_000);
    expect(at.first.core.counts).toEqual({ descriptors: 3, listed: 1 });
    expect(at.first.core.consensus('ns')?.relays.map(each => each.nickname)).toEqual(['relay2']);
  });

  test('votes on, whatever ports a relay opens', () => {
    const at = new AuthorityLab(1);
    const ports = Array.from({ length: 600 }, (_, i) => 20_001 + 2 * i);
    const exitPolicy = ports.map(port => ({
      accept: true,
      network: undefined,
      ports: { low: port, high: port },
    }));
    expect(at.upload(at.relay(1).descriptor({ exitPolicy })).status).toBe(200);
    at.upload(at.relay(2).descriptor());
    at.world.runFor(2_000);
    expect(at.first.core.counts.listed).toBe(2);
  });

  test('goes on under a new certificate when it has run for longer than the first holds', () => {
    const at = new AuthorityLab(1, { assumeReachable: true });
    at.crash(0);
    at.first.skewMs = 400 * 86_400_000;
    at.restart(0);
    const nowMs = at.wallMs() + at.first.skewMs;
    at.upload(at.relay(1).descriptor({ publishedMs: nowMs }));
    at.world.runFor(2_000);
    expect(at.first.core.counts.listed).toBe(1);
    const [served] = splitCertificates(at.text('/tor/keys/all.z'), 9).map(parseAuthorityCertificate);
    expect(served?.ok && served.value.expiresMs).toBeGreaterThan(nowMs);
  });

  test('drops a relay that has died, and keeps the last consensus when all have', () => {
    const at = new AuthorityLab(1);
    const relays = [1, 2].map(index => at.relay(index));
    for (const each of relays) at.upload(each.descriptor());
    at.world.runFor(2_000);
    expect(at.first.core.counts.listed).toBe(2);
    relays[0].host.crash();
    at.world.runFor(60_000);
    expect(at.first.core.consensus('ns')?.relays.map(each => each.nickname)).toEqual(['relay2']);
    relays[1].host.crash();
    at.world.runFor(60_000);
    expect(at.first.core.counts.listed).toBe(1);
  });

  test('makes a newer consensus each interval', () => {
    const at = new AuthorityLab(1);
    at.upload(at.relay(1).descriptor());
    at.world.runFor(2_000);
    const first = at.first.core.consensus('microdesc')!;
    at.world.runFor(20_000);
    const second = at.first.core.consensus('microdesc')!;
    expect(second.validAfterMs).toBeGreaterThan(first.validAfterMs);
    expect(second.validAfterMs % 20_000).toBe(0);
    expect(second.freshUntilMs - second.validAfterMs).toBe(20_000);
    expect(second.validUntilMs - second.validAfterMs).toBe(60_000);
  });

  test('refuses what is forged, old, or steals an identity', () => {
    const at = new AuthorityLab(1, { assumeReachable: true });
    const one = at.relay(1);
    const text = one.descriptor();
    expect(at.upload(text.replace('relay1', 'relayX')).reason).toContain('DESCRIPTOR_BAD_SIGNATURE');
    expect(at.upload('hello').reason).toContain('UPLOAD_EMPTY');
    expect(at.upload(text).status).toBe(200);
    expect(at.upload(text).status).toBe(200);
    const published = at.wallMs();
    expect(at.upload(one.descriptor({ publishedMs: published - 3_600_000 })).reason).toContain('UPLOAD_OLD');
    const thief = at.relay(2);
    expect(at.upload(thief.descriptor({ publishedMs: published - 25 * 3_600_000 })).reason).toContain(
      'UPLOAD_STALE',
    );
    expect(at.upload(thief.descriptor({ publishedMs: published + 13 * 3_600_000 })).reason).toContain(
      'UPLOAD_FUTURE',
    );
    const mixed = { ...thief.keys, identity: one.keys.identity };
    const stolen = buildStolen(mixed, thief.descriptor());
    expect(at.upload(stolen).reason).toContain('UPLOAD_KEY_PINNED');
    expect(at.get('/tor/').status).toBe(404);
    expect(at.post('/tor/post/vote', 'x')).toMatchObject({
      status: 400,
      reason: 'UPLOAD_EMPTY no vote in it',
    });
    expect(at.post('/tor/post/other', 'x').status).toBe(404);
  });

  test('refuses relays at private addresses unless it is a lab', () => {
    const at = new AuthorityLab(1, { lab: false });
    expect(at.upload(at.relay(1).descriptor()).reason).toContain('UPLOAD_PRIVATE_ADDRESS');
  });

  test('remembers descriptors, pins and consensus across a crash', () => {
    const at = new AuthorityLab(1, { assumeReachable: true });
    const one = at.relay(1);
    at.upload(one.descriptor());
    at.world.runFor(2_000);
    const before = at.first.core.consensus('ns')!;
    at.crash(0);
    at.restart(0);
    const again = at.first.core;
    expect(again.counts).toEqual({ descriptors: 1, listed: 1 });
    expect(again.consensus('ns')?.text).toBe(before.text);
    expect(at.get('/tor/server/all').status).toBe(200);
  });
});

/** A descriptor in which one relay's RSA identity claims another one's Ed25519 identity, validly signed. */
function buildStolen(keys: NodeKeys, like: string): string {
  const published = /published (.*)/.exec(like)![1];
  return buildServerDescriptor(keys, {
    nickname: 'thief',
    address: { host: '10.0.2.9', port: 9001 },
    ipv6: undefined,
    dirPort: 0,
    platform: 'naulon 0.1.0 on Node',
    protocols: parseProtocols(relayProtocolsText)!,
    publishedMs: Date.parse(`${published.replace(' ', 'T')}Z`),
    uptimeSeconds: 1,
    bandwidth: { rate: 1e8, burst: 1e8, observed: 1e6 },
    exitPolicy: [rejectEverything],
    ipv6Policy: undefined,
    family: [],
    contact: undefined,
    servesDirectory: true,
    hibernating: false,
    price: undefined,
  });
}

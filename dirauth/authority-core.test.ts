import { describe, expect, test } from 'vitest';
import { equalBytes } from '../src/base/bytes.ts';
import { makeNodeKeys, type NodeKeys } from '../src/crypto/node-keys.ts';
import { RsaKey } from '../src/crypto/rsa.ts';
import { acceptEverything, rejectEverything } from '../src/directory/address-policy.ts';
import { buildServerDescriptor } from '../src/directory/descriptor.ts';
import { DirectoryClient } from '../src/directory/directory-client.ts';
import { documentBytes } from '../src/directory/document-lines.ts';
import { labFlagRules } from '../src/directory/flag-rules.ts';
import { encodeRequest, type HttpResponse, HttpResponseReader } from '../src/directory/http-codec.ts';
import { parseProtocols } from '../src/directory/protocols.ts';
import { relayProtocolsText } from '../src/directory/server-descriptor.ts';
import { makeLinkIdentity, makeTlsCertificate } from '../src/link/link-certificates.ts';
import { LinkMux } from '../src/link/link-mux.ts';
import type { Endpoint, StreamHandler, StreamId } from '../src/ports.ts';
import { rsaFixture } from '../src/sim/rsa-fixtures.ts';
import type { SimHost } from '../src/sim/sim-host.ts';
import { SimNetwork } from '../src/sim/sim-network.ts';
import { SimStore } from '../src/sim/sim-store.ts';
import { VirtualClock } from '../src/sim/virtual-clock.ts';
import { World } from '../src/sim/world.ts';
import { AuthorityCore, type AuthoritySettings } from './authority-core.ts';
import { type AuthorityKeys, withCertificate } from './authority-keys.ts';

const settings: AuthoritySettings = {
  nickname: 'auth1',
  contact: 'nobody',
  address: '10.0.0.1',
  orPort: 5001,
  dirPort: 7001,
  lab: true,
  assumeReachable: false,
  schedule: { intervalMs: 20_000, intervalsValid: 3, settleMs: 500 },
  votingDelay: [2, 2],
  params: new Map([['circwindow', 1000]]),
  flagRules: labFlagRules,
  protocols: [3, 4, 5],
};

/** A plain HTTP client on a host: one request, one answer. */
class Asker implements StreamHandler {
  readonly #host: SimHost;
  readonly #readers = new Map<
    StreamId,
    { reader: HttpResponseReader; bytes: Uint8Array; done: (r: HttpResponse) => void }
  >();

  constructor(host: SimHost) {
    this.#host = host;
    host.streams.attach(this);
  }

  ask(to: Endpoint, bytes: Uint8Array, done: (response: HttpResponse) => void): void {
    const stream = this.#host.streams.connect(to);
    this.#readers.set(stream, { reader: new HttpResponseReader(), bytes, done });
  }

  onConnected(stream: StreamId): void {
    this.#host.streams.write(stream, this.#readers.get(stream)!.bytes);
  }
  onStreamBytes(stream: StreamId, bytes: Uint8Array): void {
    const entry = this.#readers.get(stream);
    const result = entry?.reader.push(bytes);
    if (entry === undefined || result === undefined) return;
    this.#readers.delete(stream);
    this.#host.streams.close(stream);
    if (!result.ok) throw new Error(result.fault.code);
    entry.done(result.value);
  }
  onStreamAccepted(): void {}
  onResolved(): void {}
  onStreamWritable(): void {}
  onStreamEnd(): void {}
  onStreamClosed(): void {}
}

interface Lab {
  readonly world: World;
  readonly network: SimNetwork;
  readonly core: AuthorityCore;
  readonly host: SimHost;
  readonly store: SimStore;
  readonly keys: AuthorityKeys;
  readonly asker: Asker;
  readonly askerHost: SimHost;
  request(bytes: Uint8Array): HttpResponse;
  get(path: string): HttpResponse;
  upload(text: string): HttpResponse;
  crash(name: string): void;
}

function lab(change: Partial<AuthoritySettings> = {}): Lab {
  const world = new World({ seed: 7 });
  const network = new SimNetwork(world, {});
  const host = network.host('auth1', { ip: '10.0.0.1' });
  const store = new SimStore(host.node);
  const clock = new VirtualClock(host.node);
  const keys = host.node.turn(() => {
    const rsa = {
      rsaIdentity: new RsaKey(rsaFixture('identity', 0)),
      tls: new RsaKey(rsaFixture('tls', 0)),
      tap: new RsaKey(rsaFixture('tap', 0)),
    };
    const [identity, signing] = [
      new RsaKey(rsaFixture('authorityIdentity', 0)),
      new RsaKey(rsaFixture('authoritySigning', 0)),
    ];
    return withCertificate(makeNodeKeys(host.node.entropy, rsa), identity, signing, clock.wallMs());
  });
  const core = startOn(host, store, keys, { ...settings, ...change });
  const askerHost = network.host('asker', { ip: '10.0.0.2' });
  const asker = new Asker(askerHost);
  const request = (bytes: Uint8Array): HttpResponse => {
    let got: HttpResponse | undefined;
    askerHost.node.turn(() =>
      asker.ask({ host: '10.0.0.1', port: 7001 }, bytes, response => (got = response)),
    );
    for (let i = 0; i < 100 && got === undefined; i++) world.runFor(10);
    if (got === undefined) throw new Error('no answer');
    return got;
  };
  return {
    world,
    network,
    core,
    host,
    store,
    keys,
    asker,
    askerHost,
    request,
    crash: name => {
      for (const each of network.hosts) if (each.node.name === name) each.crash();
    },
    get: path => request(encodeRequest('GET', path, '10.0.0.1')),
    upload: text => request(encodeRequest('POST', '/tor/', '10.0.0.1', { body: documentBytes(text) })),
  };
}

function startOn(
  host: SimHost,
  store: SimStore,
  keys: AuthorityKeys,
  config: AuthoritySettings,
): AuthorityCore {
  return host.node.turn(() => {
    const clock = new VirtualClock(host.node);
    const { entropy, observer } = host.node;
    const core = new AuthorityCore(config, keys, {
      links: host.links,
      streams: host.streams,
      clock,
      entropy,
      store,
      observer,
    });
    host.links.attach(core.links);
    host.streams.attach(core);
    store.attach(core);
    host.links.listen(config.orPort, makeTlsCertificate(keys.node, clock.wallMs()));
    host.streams.listen(config.dirPort, 'dir');
    core.start();
    return core;
  });
}

interface TestRelay {
  readonly keys: NodeKeys;
  descriptor(change?: { publishedMs?: number; port?: number }): string;
}

/** A relay that shakes hands at its OR port and does nothing else. */
function relay(at: Lab, index: number, listens = true): TestRelay {
  const host = at.network.host(`relay${index}`, { ip: `10.0.${index}.9` });
  return host.node.turn(() => {
    const clock = new VirtualClock(host.node);
    const rsa = {
      rsaIdentity: new RsaKey(rsaFixture('identity', index)),
      tls: new RsaKey(rsaFixture('tls', 0)),
      tap: new RsaKey(rsaFixture('tap', 0)),
    };
    const keys = makeNodeKeys(host.node.entropy, rsa);
    if (listens) {
      const mux = new LinkMux({
        port: host.links,
        clock,
        entropy: host.node.entropy,
        observer: host.node.observer,
        identity: makeLinkIdentity(keys, clock.wallMs()),
        protocols: [3],
        ownAddresses: [host.ip],
        user: { onLinkReady() {}, onLinkLost() {}, onCell() {}, onCircuitWritable() {} },
      });
      host.links.attach(mux);
      host.links.listen(9001, makeTlsCertificate(keys, clock.wallMs()));
    }
    const protocols = parseProtocols(relayProtocolsText)!;
    return {
      keys,
      descriptor: ({ publishedMs, port } = {}) =>
        buildServerDescriptor(keys, {
          nickname: `relay${index}`,
          address: { host: host.ip, port: port ?? 9001 },
          ipv6: undefined,
          dirPort: 0,
          platform: 'naulon 0.1.0 on Node',
          protocols,
          publishedMs: publishedMs ?? host.node.turn(() => clock.wallMs()),
          uptimeSeconds: 1,
          bandwidth: { rate: 1e8, burst: 1e8, observed: 1e6 * index },
          exitPolicy: [index === 3 ? acceptEverything : rejectEverything],
          ipv6Policy: undefined,
          family: [],
          contact: undefined,
          servesDirectory: true,
          hibernating: false,
          price: { priceMsatPer2Pow20: 1000n, paySchemes: [1] },
        }),
    };
  });
}

describe('authority', () => {
  test('takes descriptors, probes the relays, and serves a consensus that a client believes', () => {
    const at = lab();
    expect(at.get('/tor/status-vote/current/consensus-microdesc').status).toBe(404);
    const relays = [1, 2, 3].map(index => relay(at, index));
    for (const each of relays) {
      const answer = at.upload(each.descriptor());
      expect([answer.status, answer.reason]).toEqual([200, 'Descriptor accepted']);
    }
    at.world.runFor(2_000);
    expect(at.core.counts).toEqual({ descriptors: 3, listed: 3 });
    const clock = new VirtualClock(at.askerHost.node);
    const client = at.askerHost.node.turn(
      () =>
        new DirectoryClient({
          authorities: [at.core.self],
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
    expect(answer.headers.get('x-your-address-is')).toBe('10.0.0.2');
    expect(answer.headers.has('date')).toBe(true);
  });

  test('leaves out relays that do not answer as who they say they are', () => {
    const at = lab();
    const silent = relay(at, 1, false);
    at.upload(silent.descriptor());
    at.upload(relay(at, 2).descriptor());
    // At the address of another relay the handshake proves another identity.
    const impostor = relay(at, 3);
    at.upload(impostor.descriptor({ port: 9002 }));
    at.world.runFor(40_000);
    expect(at.core.counts).toEqual({ descriptors: 3, listed: 1 });
    expect(at.core.consensus('ns')?.relays.map(each => each.nickname)).toEqual(['relay2']);
  });

  test('drops a relay that has died, and keeps the last consensus when all have', () => {
    const at = lab();
    for (const index of [1, 2]) at.upload(relay(at, index).descriptor());
    at.world.runFor(2_000);
    expect(at.core.counts.listed).toBe(2);
    at.crash('relay1');
    at.world.runFor(60_000);
    expect(at.core.consensus('ns')?.relays.map(each => each.nickname)).toEqual(['relay2']);
    at.crash('relay2');
    at.world.runFor(60_000);
    expect(at.core.counts.listed).toBe(1);
  });

  test('makes a newer consensus each interval', () => {
    const at = lab();
    at.upload(relay(at, 1).descriptor());
    at.world.runFor(2_000);
    const first = at.core.consensus('microdesc')!;
    at.world.runFor(20_000);
    const second = at.core.consensus('microdesc')!;
    expect(second.validAfterMs).toBeGreaterThan(first.validAfterMs);
    expect(second.validAfterMs % 20_000).toBe(0);
    expect(second.freshUntilMs - second.validAfterMs).toBe(20_000);
    expect(second.validUntilMs - second.validAfterMs).toBe(60_000);
  });

  test('refuses what is forged, old, or steals an identity', () => {
    const at = lab({ assumeReachable: true });
    const one = relay(at, 1);
    const text = one.descriptor();
    expect(at.upload(text.replace('relay1', 'relayX')).reason).toContain('DESCRIPTOR_BAD_SIGNATURE');
    expect(at.upload('hello').reason).toContain('UPLOAD_EMPTY');
    expect(at.upload(text).status).toBe(200);
    expect(at.upload(text).status).toBe(200);
    const published = at.host.node.turn(() => new VirtualClock(at.host.node).wallMs());
    expect(at.upload(one.descriptor({ publishedMs: published - 3_600_000 })).reason).toContain('UPLOAD_OLD');
    const thief = relay(at, 2);
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
    expect(
      at.request(encodeRequest('POST', '/tor/post/vote', 'x', { body: documentBytes('x') })).status,
    ).toBe(404);
  });

  test('refuses relays at private addresses unless it is a lab', () => {
    const at = lab({ lab: false });
    expect(at.upload(relay(at, 1).descriptor()).reason).toContain('UPLOAD_PRIVATE_ADDRESS');
  });

  test('remembers descriptors, pins and consensus across a crash', () => {
    const at = lab({ assumeReachable: true });
    const one = relay(at, 1);
    at.upload(one.descriptor());
    at.world.runFor(2_000);
    const before = at.core.consensus('ns')!;
    at.host.crash();
    at.store.crash();
    const again = startOn(at.host, at.store, at.keys, { ...settings, assumeReachable: true });
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

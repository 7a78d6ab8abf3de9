import { makeNodeKeys, type NodeKeys } from '../src/crypto/node-keys.ts';
import { RsaKey } from '../src/crypto/rsa.ts';
import { acceptEverything, rejectEverything } from '../src/directory/address-policy.ts';
import { buildServerDescriptor } from '../src/directory/descriptor.ts';
import type { DirectoryAuthority } from '../src/directory/directory-authority.ts';
import { documentBytes, documentText } from '../src/directory/document-lines.ts';
import { labFlagRules } from '../src/directory/flag-rules.ts';
import { encodeRequest, type HttpResponse, HttpResponseReader } from '../src/directory/http-codec.ts';
import { parseProtocols } from '../src/directory/protocols.ts';
import { type DescriptorFacts, relayProtocolsText } from '../src/directory/server-descriptor.ts';
import { makeLinkIdentity, makeTlsCertificate } from '../src/link/link-certificates.ts';
import { LinkMux } from '../src/link/link-mux.ts';
import type { Endpoint, StreamHandler, StreamId } from '../src/ports.ts';
import { rsaFixture } from '../src/sim/rsa-fixtures.ts';
import type { SimHost } from '../src/sim/sim-host.ts';
import { SimNetwork } from '../src/sim/sim-network.ts';
import type { LoggedLine } from '../src/sim/sim-node.ts';
import { SimStore } from '../src/sim/sim-store.ts';
import { VirtualClock } from '../src/sim/virtual-clock.ts';
import { World } from '../src/sim/world.ts';
import { AuthorityCore } from './authority-core.ts';
import { type AuthorityKeys, withCertificate } from './authority-keys.ts';
import type { AuthoritySettings } from './authority-settings.ts';

const [orPort, dirPort] = [5001, 7001];
const protocols = parseProtocols(relayProtocolsText)!;

const labSettings: Omit<AuthoritySettings, 'nickname' | 'address' | 'authorities'> = {
  contact: 'nobody',
  platform: 'naulon 0.1.0 on Node',
  orPort,
  dirPort,
  lab: true,
  assumeReachable: false,
  schedule: { intervalMs: 20_000, intervalsValid: 3, voteMs: 4_000, signMs: 4_000, settleMs: 500 },
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

/** An authority on a machine of its own, which can die and start again. */
export interface LabAuthority {
  readonly host: SimHost;
  readonly store: SimStore;
  readonly keys: AuthorityKeys;
  readonly settings: AuthoritySettings;
  readonly self: DirectoryAuthority;
  readonly logged: LoggedLine[];
  skewMs: number;
  core: AuthorityCore;
}

export interface LabRelay {
  readonly keys: NodeKeys;
  readonly host: SimHost;
  descriptor(change?: Partial<DescriptorFacts> & { readonly port?: number }): string;
}

/** Authorities in virtual time, relays that answer handshakes, and somebody who asks. */
export class AuthorityLab {
  readonly world: World;
  readonly network: SimNetwork;
  readonly askerHost: SimHost;
  readonly authorities: readonly LabAuthority[];
  readonly #asker: Asker;

  /** @param change what all of them are set to beside a lab's usual settings. */
  constructor(count: number, change: Partial<AuthoritySettings> = {}, seed = 7) {
    this.world = new World({ seed });
    this.network = new SimNetwork(this.world, {});
    this.askerHost = this.network.host('asker', { ip: '10.0.0.99' });
    this.#asker = new Asker(this.askerHost);
    const machines = Array.from({ length: count }, (_, index) => {
      const address = `10.0.0.${index + 1}`;
      const host = this.network.host(`auth${index + 1}`, { ip: address });
      const keys = authorityKeys(host, index);
      const self = {
        nickname: host.node.name,
        dirAddress: { host: address, port: dirPort },
        orAddress: { host: address, port: orPort },
        rsaId: keys.node.rsaIdentity.fingerprint,
        v3Ident: keys.identity.fingerprint,
      };
      return { host, keys, self, address };
    });
    const authorities = count === 1 ? [] : machines.map(({ self }) => self);
    this.authorities = machines.map(({ host, keys, self, address }) => {
      const settings = { ...labSettings, ...change, nickname: self.nickname, address, authorities };
      const logged: LoggedLine[] = [];
      host.node.onLog = line => logged.push(line);
      const store = new SimStore(host.node);
      const core = startOn(host, store, keys, settings, 0);
      return { host, store, keys, settings, self, logged, skewMs: 0, core };
    });
  }

  get first(): LabAuthority {
    return this.authorities[0];
  }

  /** Power fails: what was not durable is gone. */
  crash(index: number): void {
    this.authorities[index].host.crash();
    this.authorities[index].store.crash();
  }

  /** Starts again with what was durable, and with whatever clock it has now. */
  restart(index: number): void {
    const authority = this.authorities[index];
    const { host, store, keys, settings, skewMs } = authority;
    authority.core = startOn(host, store, keys, settings, skewMs);
  }

  /** One request to the directory port of an authority. */
  request(bytes: Uint8Array, to = 0): HttpResponse {
    let got: HttpResponse | undefined;
    const { dirAddress } = this.authorities[to].self;
    this.askerHost.node.turn(() => this.#asker.ask(dirAddress, bytes, response => (got = response)));
    for (let i = 0; i < 100 && got === undefined; i++) this.world.runFor(10);
    if (got === undefined) throw new Error('no answer');
    return got;
  }

  get(path: string, from = 0): HttpResponse {
    return this.request(encodeRequest('GET', path, 'authority'), from);
  }

  text(path: string, from = 0): string {
    return documentText(this.get(path, from).body);
  }

  post(path: string, text: string, to = 0): HttpResponse {
    return this.request(encodeRequest('POST', path, 'authority', { body: documentBytes(text) }), to);
  }

  upload(text: string, to = 0): HttpResponse {
    return this.post('/tor/', text, to);
  }

  wallMs(): number {
    return this.askerHost.node.turn(() => new VirtualClock(this.askerHost.node).wallMs());
  }

  /** A relay that shakes hands at its OR port, if it listens, and does nothing else. The third one is an exit. */
  relay(index: number, listens = true): LabRelay {
    const host = this.network.host(`relay${index}`, { ip: `10.0.${index}.9` });
    return host.node.turn(() => {
      const clock = new VirtualClock(host.node);
      const keys = nodeKeys(host, index);
      if (listens) answerHandshakes(host, keys, clock);
      return {
        keys,
        host,
        descriptor: ({ port, ...change } = {}) =>
          buildServerDescriptor(keys, {
            nickname: `relay${index}`,
            address: { host: host.ip, port: port ?? 9001 },
            ipv6: undefined,
            dirPort: 0,
            platform: 'naulon 0.1.0 on Node',
            protocols,
            publishedMs: host.node.turn(() => clock.wallMs()),
            uptimeSeconds: 1,
            bandwidth: { rate: 1e8, burst: 1e8, observed: 1e6 * index },
            exitPolicy: [index === 3 ? acceptEverything : rejectEverything],
            ipv6Policy: undefined,
            family: [],
            contact: undefined,
            servesDirectory: true,
            hibernating: false,
            price: { priceMsatPer2Pow20: 1000n, paySchemes: [1] },
            ...change,
          }),
      };
    });
  }
}

function nodeKeys({ node }: SimHost, index: number): NodeKeys {
  const rsa = {
    rsaIdentity: new RsaKey(rsaFixture('identity', index)),
    tls: new RsaKey(rsaFixture('tls', 0)),
    tap: new RsaKey(rsaFixture('tap', 0)),
  };
  return makeNodeKeys(node.entropy, rsa);
}

/** Relays have the identities with the small numbers, authorities those behind. */
function authorityKeys(host: SimHost, index: number): AuthorityKeys {
  return host.node.turn(() => {
    const identity = new RsaKey(rsaFixture('authorityIdentity', index));
    const signing = new RsaKey(rsaFixture('authoritySigning', index));
    return withCertificate(
      nodeKeys(host, 60 + index),
      identity,
      signing,
      new VirtualClock(host.node).wallMs(),
    );
  });
}

function startOn(
  host: SimHost,
  store: SimStore,
  keys: AuthorityKeys,
  settings: AuthoritySettings,
  skewMs: number,
): AuthorityCore {
  return host.node.turn(() => {
    const clock = new VirtualClock(host.node, skewMs);
    const { links, streams, node } = host;
    const { entropy, observer } = node;
    const core = new AuthorityCore(settings, keys, { links, streams, clock, entropy, store, observer });
    links.attach(core.links);
    streams.attach(core);
    store.attach(core);
    links.listen(settings.orPort, makeTlsCertificate(keys.node, clock.wallMs()));
    streams.listen(settings.dirPort, 'dir');
    core.start();
    return core;
  });
}

function answerHandshakes(host: SimHost, keys: NodeKeys, clock: VirtualClock): void {
  const mux = new LinkMux({
    port: host.links,
    clock,
    entropy: host.node.entropy,
    observer: host.node.observer,
    identity: makeLinkIdentity(keys, () => clock.wallMs()),
    protocols: [3],
    ownAddresses: [host.ip],
    user: { onLinkReady() {}, onLinkLost() {}, onCell() {}, onRun() {}, onCircuitWritable() {} },
  });
  host.links.attach(mux);
  host.links.listen(9001, makeTlsCertificate(keys, clock.wallMs()));
}

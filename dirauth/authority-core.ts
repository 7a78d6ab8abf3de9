import { assert } from '../src/base/assert.ts';
import { toHex } from '../src/base/bytes.ts';
import { sha1 } from '../src/crypto/sha.ts';
import { rejectEverything } from '../src/directory/address-policy.ts';
import { type Consensus, parseConsensus } from '../src/directory/consensus.ts';
import { formatConsensus, signConsensus } from '../src/directory/consensus-builder.ts';
import type { ConsensusFlavor } from '../src/directory/consensus-entry.ts';
import { buildServerDescriptor } from '../src/directory/descriptor.ts';
import type { DirectoryAuthority } from '../src/directory/directory-authority.ts';
import { DirectoryCache } from '../src/directory/directory-cache.ts';
import { documentBytes, documentText } from '../src/directory/document-lines.ts';
import { consensusEntries, type FlagRules, type RelayStanding } from '../src/directory/flag-rules.ts';
import { type DirectoryAnswer, type HttpRequest, plainAnswer } from '../src/directory/http-codec.ts';
import { parseProtocols } from '../src/directory/protocols.ts';
import type { ServerDescriptor } from '../src/directory/server-descriptor.ts';
import { makeLinkIdentity } from '../src/link/link-certificates.ts';
import type { LinkFault, LinkPeer, LinkProtocol } from '../src/link/link-faults.ts';
import { LinkMux, type LinkUser } from '../src/link/link-mux.ts';
import type {
  AnswerHandler,
  Cancel,
  Clock,
  CloseReason,
  Endpoint,
  Entropy,
  LinkId,
  LinkPort,
  Observer,
  StorePort,
  StoreWrite,
  StreamHandler,
  StreamId,
  StreamPort,
} from '../src/ports.ts';
import { AuthorityDocuments } from './authority-documents.ts';
import type { AuthorityKeys } from './authority-keys.ts';
import { DescriptorRegistry } from './descriptor-registry.ts';
import { DirPort } from './dir-port.ts';
import { MeasuredBandwidths } from './measure-bandwidth.ts';
import { OrResponder } from './or-responder.ts';
import { probeEveryMs, ReachabilityProbe } from './reachability-probe.ts';
import { consensusTimes, nextDueMs, type VoteSchedule } from './vote-clock.ts';

/** What an authority's configuration comes down to; its torrc is read in config.ts. */
export interface AuthoritySettings {
  readonly nickname: string;
  readonly contact: string | undefined;
  /** IPv4 text that others reach it by. */
  readonly address: string;
  readonly orPort: number;
  readonly dirPort: number;
  /** Take relays at private addresses, publish changes at once. */
  readonly lab: boolean;
  /** Every relay with a recent descriptor runs; otherwise it must answer a link handshake. */
  readonly assumeReachable: boolean;
  readonly schedule: VoteSchedule;
  /** Seconds for votes and for signatures, as the consensus tells them. */
  readonly votingDelay: readonly [number, number];
  readonly params: ReadonlyMap<string, number>;
  readonly flagRules: FlagRules;
  readonly protocols: readonly LinkProtocol[];
}

/** All that an authority needs of the world. */
export interface AuthorityPorts {
  readonly links: LinkPort;
  readonly streams: StreamPort;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly store: StorePort;
  readonly observer: Observer;
}

const consensusKeys = { ns: 'authority/consensus-ns', microdesc: 'authority/consensus-microdesc' } as const;
const flavors: readonly ConsensusFlavor[] = ['ns', 'microdesc'];
/** A first consensus does not wait for its due time, only for relays that come together to be there. */
const firstSettleMs = 30_000;

/**
 * A directory authority: takes descriptors, finds out who runs, signs a consensus each interval, and serves it all over
 * its directory port and over one-hop circuits.
 */
export class AuthorityCore implements LinkUser, StreamHandler, AnswerHandler {
  /** Give it what the link port reports. */
  readonly links: LinkMux;
  /** How others name this authority in their configuration. */
  readonly self: DirectoryAuthority;
  readonly #settings: AuthoritySettings;
  readonly #keys: AuthorityKeys;
  readonly #ports: AuthorityPorts;
  readonly #registry: DescriptorRegistry;
  readonly #documents: AuthorityDocuments;
  readonly #measured = new MeasuredBandwidths();
  readonly #probe: ReachabilityProbe;
  readonly #responder: OrResponder;
  readonly #dirPort: DirPort;
  #cancelDue: Cancel | undefined;
  #cancelSettle: Cancel | undefined;
  #asks = 0;

  constructor(settings: AuthoritySettings, keys: AuthorityKeys, ports: AuthorityPorts) {
    const { clock, entropy, observer, streams } = ports;
    const { address, schedule } = settings;
    this.#settings = settings;
    this.#keys = keys;
    this.#ports = ports;
    this.self = {
      nickname: settings.nickname,
      dirAddress: { host: address, port: settings.dirPort },
      orAddress: { host: address, port: settings.orPort },
      rsaId: keys.node.rsaIdentity.fingerprint,
      v3Ident: keys.identity.fingerprint,
    };
    this.links = new LinkMux({
      port: ports.links,
      clock,
      entropy,
      observer,
      identity: makeLinkIdentity(keys.node, clock.wallMs()),
      protocols: settings.protocols,
      ownAddresses: [address],
      user: this,
    });
    this.#registry = new DescriptorRegistry(settings.lab);
    this.#documents = new AuthorityDocuments(keys.certificate, this.#registry);
    const directory = new DirectoryCache(this.#documents, clock, request => this.#post(request));
    this.#probe = new ReachabilityProbe(this.links, clock, probeEveryMs(schedule.intervalMs), () =>
      this.#settleSoon(),
    );
    const { node } = keys;
    this.#responder = new OrResponder({ mux: this.links, keys: node, entropy, observer, streams, directory });
    this.#dirPort = new DirPort(streams, clock, (request, asker) => directory.respond(request, asker));
  }

  /** Reads what is stored and begins to make consensuses. */
  start(): void {
    const { clock, store } = this.#ports;
    const wallMs = clock.wallMs();
    this.#registry.restore(store, wallMs);
    this.#restoreConsensuses(wallMs);
    this.#describeSelf();
    if (!this.#settings.assumeReachable) this.#probe.watch(() => this.#registry.all());
    if ([...this.#registry.all()].length > 0) this.#settleSoon();
    this.#planDue();
  }

  /** Bandwidths as scanners measured them; the code of the fault when it is no v3bw file. */
  readBandwidths(text: string): string | undefined {
    return this.#measured.read(text);
  }

  /** Relays with a recent descriptor, and those of them that the consensus lists. */
  get counts(): { readonly descriptors: number; readonly listed: number } {
    const listed = this.#documents.consensus('microdesc')?.relays.length ?? 0;
    return { descriptors: [...this.#registry.all()].length, listed };
  }

  consensus(flavor: ConsensusFlavor): Consensus | undefined {
    return this.#documents.consensus(flavor);
  }

  // Links

  onLinkReady(link: LinkId, peer: LinkPeer, _protocol: LinkProtocol): void {
    this.#probe.onLinkReady(link, peer);
  }

  onLinkLost(link: LinkId, _fault: LinkFault): void {
    if (!this.#probe.onLinkLost(link)) this.#responder.onLinkLost(link);
  }

  onCell(link: LinkId, circuit: number, command: number, bytes: Uint8Array, at: number): void {
    this.#responder.onCell(link, circuit, command, bytes, at);
  }

  onCircuitWritable(link: LinkId, circuit: number): void {
    this.#responder.onCircuitWritable(link, circuit);
  }

  // Directory port

  onStreamAccepted(stream: StreamId, listener: string, from: Endpoint): void {
    assert(listener === 'dir', 'an authority listens for directory requests alone');
    this.#dirPort.onAccepted(stream, from);
  }

  onStreamBytes(stream: StreamId, bytes: Uint8Array): void {
    this.#dirPort.onBytes(stream, bytes);
  }

  onStreamWritable(stream: StreamId): void {
    this.#dirPort.onWritable(stream);
  }

  onStreamEnd(stream: StreamId): void {
    this.#dirPort.onEnd(stream);
  }

  onStreamClosed(stream: StreamId, _why: CloseReason): void {
    this.#dirPort.onClosed(stream);
  }

  /** An authority looks nothing up and connects nowhere but over links. */
  onResolved(): void {}
  onConnected(): void {}
  /** A descriptor that a power cut lost is uploaded again, so nobody waits for it to be durable. */
  onAnswer(): void {}
  onChain(): void {}

  #post(request: HttpRequest): DirectoryAnswer {
    const { clock, observer } = this.#ports;
    if (request.path !== '/tor/' && request.path !== '/tor') return plainAnswer(404);
    const uploaded = this.#registry.upload(request.body, clock.wallMs());
    if (!uploaded.ok) {
      const { code, detail } = uploaded.fault;
      observer.count('naulon_authority_uploads_refused_total');
      observer.log('info', 'descriptor refused', { code });
      return plainAnswer(400, `${code} ${detail ?? ''}`.trim().replace(/[^\x20-\x7e]/g, '?'));
    }
    const { descriptor, writes } = uploaded.value;
    if (writes.length > 0) {
      this.#commit(writes);
      observer.count('naulon_authority_uploads_total');
      observer.log('info', 'descriptor accepted', { relay: descriptor.nickname });
      if (this.#settings.assumeReachable) this.#settleSoon();
      else this.#probe.add(descriptor);
    }
    return plainAnswer(200, 'Descriptor accepted');
  }

  // Consensuses

  #planDue(): void {
    const { clock } = this.#ports;
    const wallMs = clock.wallMs();
    const wait = nextDueMs(this.#settings.schedule, wallMs) - wallMs;
    this.#cancelDue?.();
    this.#cancelDue = clock.after(wait, () => {
      this.#make();
      this.#planDue();
    });
  }

  /** The set of relays has changed: in a lab, and when there is no consensus yet, publish it once it is still. */
  #settleSoon(): void {
    const first = this.#documents.consensus('microdesc') === undefined;
    const wait = this.#settings.schedule.settleMs ?? (first ? firstSettleMs : undefined);
    if (wait === undefined) return;
    this.#cancelSettle?.();
    this.#cancelSettle = this.#ports.clock.after(wait, () => {
      if (this.#changed()) this.#make();
    });
  }

  /** True when a consensus made now would name other descriptors than the current one. */
  #changed(): boolean {
    const digests = (ids: Iterable<Uint8Array | undefined>): string =>
      [...ids]
        .map(id => toHex(id ?? new Uint8Array()))
        .sort()
        .join();
    const current = this.#documents.consensus('ns')?.relays ?? [];
    const now = this.#standings(this.#ports.clock.wallMs()).filter(each => each.running);
    return (
      digests(current.map(each => each.descriptorDigest)) !== digests(now.map(each => each.descriptor.digest))
    );
  }

  #make(): void {
    const { clock, observer } = this.#ports;
    const { schedule, votingDelay, params, flagRules } = this.#settings;
    const wallMs = clock.wallMs();
    this.#commit(this.#registry.expire(wallMs));
    const relays = consensusEntries(this.#standings(wallMs), flagRules);
    // Clients are better off with the relays of a while ago than with none.
    if (relays.length === 0) return;
    const previousMs = this.#documents.consensus('ns')?.validAfterMs;
    const facts = {
      ...consensusTimes(schedule, wallMs, previousMs),
      votingDelay,
      params,
      relays,
      authorities: [
        {
          nickname: this.self.nickname,
          v3Ident: this.#keys.identity.fingerprint,
          hostname: this.#settings.address,
          address: this.#settings.address,
          dirPort: this.#settings.dirPort,
          orPort: this.#settings.orPort,
          contact: this.#settings.contact ?? '',
          voteDigest: sha1(...relays.map(relay => relay.descriptorDigest ?? new Uint8Array())),
        },
      ],
    };
    const signer = { v3Ident: this.#keys.identity.fingerprint, signingKey: this.#keys.signing };
    const consensuses = flavors.map(flavor => {
      const text = signConsensus(formatConsensus(facts, flavor), flavor, [signer]);
      const parsed = parseConsensus(text);
      assert(parsed.ok, 'our own consensus is well formed');
      return parsed.value;
    });
    const listed = relays.flatMap(relay => this.#registry.byIdentity(toHex(relay.rsaId)) ?? []);
    this.#documents.publish(consensuses, listed, wallMs);
    this.#commit(
      consensuses.map(each => ({ key: consensusKeys[each.flavor], value: documentBytes(each.text) })),
    );
    observer.count('naulon_authority_consensuses_total');
    observer.log('info', 'consensus made', { relays: relays.length });
  }

  #standings(wallMs: number): RelayStanding[] {
    return [...this.#registry.all()].map(descriptor => ({
      descriptor,
      running: this.#settings.assumeReachable || this.#probe.isReachable(descriptor),
      measuredKBps: this.#measured.of(descriptor.rsaId, wallMs),
      authority: false,
    }));
  }

  /** What was signed before a restart is served until the next is due. */
  #restoreConsensuses(wallMs: number): void {
    const restored: Consensus[] = [];
    for (const flavor of flavors) {
      const stored = this.#ports.store.get(consensusKeys[flavor]);
      const parsed = stored === undefined ? undefined : parseConsensus(documentText(stored));
      if (parsed?.ok) restored.push(parsed.value);
    }
    const listed = (restored[0]?.relays ?? []).flatMap((relay): ServerDescriptor[] => {
      const descriptor = this.#registry.byIdentity(toHex(relay.rsaId));
      return descriptor === undefined ? [] : [descriptor];
    });
    this.#documents.publish(restored, listed, wallMs);
  }

  /** The authority's own descriptor: it is asked for, though no consensus lists it. */
  #describeSelf(): void {
    const { clock } = this.#ports;
    const { nickname, address, orPort, dirPort, contact } = this.#settings;
    const protocols = parseProtocols(
      'Cons=2 Desc=2 DirCache=2 FlowCtrl=1 Link=3-5 LinkAuth=3 Microdesc=2 Relay=2',
    );
    assert(protocols !== undefined, 'our own protocol list is well formed');
    this.#documents.own = buildServerDescriptor(this.#keys.node, {
      nickname,
      address: { host: address, port: orPort },
      ipv6: undefined,
      dirPort,
      platform: 'naulon on Node',
      protocols,
      publishedMs: clock.wallMs(),
      uptimeSeconds: 0,
      bandwidth: { rate: 1_000_000, burst: 1_000_000, observed: 1_000_000 },
      exitPolicy: [rejectEverything],
      ipv6Policy: undefined,
      family: [],
      contact,
      servesDirectory: true,
      hibernating: false,
      price: undefined,
    });
  }

  #commit(writes: readonly StoreWrite[]): void {
    if (writes.length > 0) this.#ports.store.commit(writes, ++this.#asks);
  }
}

import { assert } from '../src/base/assert.ts';
import { equalBytes } from '../src/base/bytes.ts';
import { fail, type Result } from '../src/base/fault.ts';
import {
  directoryUploadBytesMax,
  queuedCellBytes,
  relayQueueBytesMax,
  voteBytesMax,
} from '../src/base/limits.ts';
import { HeldBytes } from '../src/circuit/held-bytes.ts';
import type { Consensus } from '../src/directory/consensus.ts';
import type { ConsensusFlavor } from '../src/directory/consensus-entry.ts';
import { parseServerDescriptor, splitDescriptors } from '../src/directory/descriptor.ts';
import type { DirectoryAuthority } from '../src/directory/directory-authority.ts';
import { DirectoryCache } from '../src/directory/directory-cache.ts';
import { documentText } from '../src/directory/document-lines.ts';
import { type DirectoryAnswer, type HttpRequest, plainAnswer } from '../src/directory/http-codec.ts';
import { HttpTransfers } from '../src/directory/http-transfers.ts';
import { splitVotes } from '../src/directory/vote.ts';
import { makeLinkIdentity } from '../src/link/link-certificates.ts';
import type { LinkFault, LinkPeer, LinkProtocol } from '../src/link/link-faults.ts';
import { LinkMux, type LinkUser } from '../src/link/link-mux.ts';
import type {
  Answer,
  AnswerHandler,
  AskId,
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
import type { AuthorityKeys } from './authority-keys.ts';
import type { AuthoritySettings } from './authority-settings.ts';
import { ConsensusKeeper } from './consensus-keeper.ts';
import { DirPort } from './dir-port.ts';
import { KnownCertificates } from './known-certificates.ts';
import { OrResponder } from './or-responder.ts';
import { describeAuthority } from './own-descriptor.ts';
import { Peers } from './peers.ts';
import { probeEveryMs } from './reachability-probe.ts';
import { RelayCensus } from './relay-census.ts';

/** All that an authority needs of the world. */
export interface AuthorityPorts {
  readonly links: LinkPort;
  readonly streams: StreamPort;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly store: StorePort;
  readonly observer: Observer;
}

/** Votes in one upload: C tor allows several, an authority posts its own. */
const votesPerUploadMax = 16;

/**
 * A directory authority: takes descriptors, finds out who runs, makes consensuses with the other authorities, and serves
 * it all over its directory port and over one-hop circuits.
 */
export class AuthorityCore implements LinkUser, StreamHandler, AnswerHandler {
  /** Give it what the link port reports. */
  readonly links: LinkMux;
  /** How others name this authority in their configuration. */
  readonly self: DirectoryAuthority;
  readonly #settings: AuthoritySettings;
  readonly #keys: AuthorityKeys;
  readonly #ports: AuthorityPorts;
  readonly #census: RelayCensus;
  readonly #certificates: KnownCertificates;
  readonly #keeper: ConsensusKeeper;
  readonly #transfers: HttpTransfers;
  readonly #responder: OrResponder;
  readonly #dirPort: DirPort;
  #asks: AskId = 0;
  /** Run once what was asked to be stored is durable. */
  readonly #durable = new Map<AskId, () => void>();

  constructor(settings: AuthoritySettings, keys: AuthorityKeys, ports: AuthorityPorts) {
    const { clock, entropy, observer, streams } = ports;
    const { address, lab, assumeReachable, schedule } = settings;
    const { node } = keys;
    const v3Ident = keys.identity.fingerprint;
    this.#settings = settings;
    this.#keys = keys;
    this.#ports = ports;
    this.self = {
      nickname: settings.nickname,
      dirAddress: { host: address, port: settings.dirPort },
      orAddress: { host: address, port: settings.orPort },
      rsaId: node.rsaIdentity.fingerprint,
      v3Ident,
    };
    this.links = new LinkMux({
      port: ports.links,
      clock,
      entropy,
      observer,
      identity: makeLinkIdentity(node, () => clock.wallMs()),
      protocols: settings.protocols,
      ownAddresses: [address],
      user: this,
      queueCellsMax: Math.floor(relayQueueBytesMax / queuedCellBytes),
    });
    const held = new HeldBytes(clock, this.links);
    const authorities = votersOf(settings, this.self);
    const others = authorities.filter(each => !equalBytes(each.v3Ident as Uint8Array, v3Ident));
    this.#transfers = new HttpTransfers(streams, clock);
    this.#certificates = new KnownCertificates(authorities);
    this.#census = new RelayCensus({
      lab,
      assumeReachable,
      probeEveryMs: probeEveryMs(schedule.intervalMs),
      links: this.links,
      clock,
      onChange: () => this.#keeper.settleSoon(),
    });
    this.#keeper = new ConsensusKeeper({
      ...ports,
      settings,
      keys,
      authorities,
      certificates: this.#certificates,
      census: this.#census,
      peers: new Peers(others, this.#transfers, observer),
      commit: (writes, durable) => this.#commit(writes, durable),
    });
    const directory = new DirectoryCache(this.#keeper.documents, clock, {
      get: path => this.#keeper.voting.answer(path),
      post: request => this.#post(request),
    });
    this.#responder = new OrResponder({ ...ports, mux: this.links, keys: node, directory, held });
    // Nobody but an authority has more to upload than a descriptor.
    const peerHosts = new Set(others.map(({ dirAddress }) => dirAddress.host));
    const uploadBytesMax = (host: string) => (peerHosts.has(host) ? voteBytesMax : directoryUploadBytesMax);
    this.#dirPort = new DirPort(streams, clock, directory, uploadBytesMax, held);
  }

  /** Reads what is stored and begins to make consensuses. */
  start(): void {
    const { clock, store } = this.#ports;
    const wallMs = clock.wallMs();
    this.#certificates.restore(store, wallMs);
    this.#certificates.add(this.#keys.certificate, wallMs);
    this.#keeper.documents.own = describeAuthority(this.#keys.node, this.#settings, wallMs);
    this.#census.start(store);
    this.#responder.start();
    this.#keeper.start();
  }

  /** Bandwidths as scanners measured them; the code of the fault when it is no v3bw file. */
  readBandwidths(text: string): string | undefined {
    return this.#census.readBandwidths(text);
  }

  /** Relays with a recent descriptor, and those that the consensus lists. */
  get counts(): { readonly descriptors: number; readonly listed: number } {
    const listed = this.consensus('microdesc')?.relays.length ?? 0;
    return { descriptors: this.#census.registry.size, listed };
  }

  consensus(flavor: ConsensusFlavor): Consensus | undefined {
    return this.#keeper.documents.consensus(flavor);
  }

  // Links

  onLinkReady(link: LinkId, peer: LinkPeer, _protocol: LinkProtocol): void {
    this.#census.onLinkReady(link, peer);
  }

  onLinkLost(link: LinkId, _fault: LinkFault): void {
    if (!this.#census.onLinkLost(link)) this.#responder.onLinkLost(link);
  }

  onCell(link: LinkId, circuit: number, command: number, bytes: Uint8Array, at: number): void {
    this.#responder.onCell(link, circuit, command, bytes, at);
  }

  onRun(link: LinkId, circuit: number, bytes: Uint8Array, at: number, stride: number, count: number): void {
    this.#responder.onRun(link, circuit, bytes, at, stride, count);
  }

  onCircuitWritable(link: LinkId, circuit: number): void {
    this.#responder.onCircuitWritable(link, circuit);
  }

  // Streams: those that others open to our directory port, and those that we open to theirs

  onStreamAccepted(stream: StreamId, listener: string, from: Endpoint): void {
    assert(listener === 'dir', 'an authority listens for directory requests alone');
    this.#dirPort.onAccepted(stream, from);
  }

  onConnected(stream: StreamId): void {
    this.#transfers.onConnected(stream);
  }

  onStreamBytes(stream: StreamId, bytes: Uint8Array): void {
    if (this.#transfers.owns(stream)) this.#transfers.onBytes(stream, bytes);
    else this.#dirPort.onBytes(stream, bytes);
  }

  onStreamWritable(stream: StreamId): void {
    this.#dirPort.onWritable(stream);
  }

  onStreamEnd(stream: StreamId): void {
    if (this.#transfers.owns(stream)) this.#transfers.onEnd(stream);
    else this.#dirPort.onEnd(stream);
  }

  onStreamClosed(stream: StreamId, why: CloseReason): void {
    if (this.#transfers.owns(stream)) this.#transfers.onClosed(stream, why);
    else this.#dirPort.onClosed(stream);
  }

  onAnswer(answer: Answer): void {
    const durable = this.#durable.get(answer.ask);
    this.#durable.delete(answer.ask);
    durable?.();
  }

  /** An authority looks nothing up, and has nothing to do with a chain. */
  onResolved(): void {}
  onChain(): void {}

  // Uploads

  #post(request: HttpRequest): DirectoryAnswer {
    const text = documentText(request.body);
    switch (request.path) {
      case '/tor/':
      case '/tor':
        return this.#accepted('descriptor', this.#takeDescriptor(text));
      case '/tor/post/vote':
        return this.#accepted('vote', this.#takeVotes(text));
      case '/tor/post/consensus-signature':
        return this.#accepted('signature', this.#keeper.voting.takeSignatures(text));
      default:
        return plainAnswer(404);
    }
  }

  #accepted(what: string, taken: Result<unknown>): DirectoryAnswer {
    if (taken.ok) return plainAnswer(200, `${what} accepted`);
    const { code, detail = '' } = taken.fault;
    const { observer } = this.#ports;
    observer.count('naulon_authority_uploads_refused_total');
    observer.log('info', `${what} refused`, { code });
    return plainAnswer(400, `${code} ${detail}`.trim().replace(/[^\x20-\x7e]/g, '?'));
  }

  /** The first descriptor of an upload; extra-info behind it is ignored. */
  #takeDescriptor(text: string): Result<unknown> {
    const { clock, observer } = this.#ports;
    const [piece] = splitDescriptors(text, 1);
    if (piece === undefined) return fail('UPLOAD_EMPTY', 'no descriptor in it');
    const parsed = parseServerDescriptor(piece, clock.wallMs());
    if (!parsed.ok) return parsed;
    const taken = this.#census.take(parsed.value);
    if (!taken.ok || taken.value.length === 0) return taken;
    // One that a power cut loses is uploaded again, so nobody waits for it to be durable.
    this.#commit(taken.value);
    observer.count('naulon_authority_uploads_total');
    observer.log('info', 'descriptor accepted', { relay: parsed.value.nickname });
    return taken;
  }

  #takeVotes(text: string): Result<unknown> {
    const votes = splitVotes(text, votesPerUploadMax);
    const taken = votes.map(vote => this.#keeper.voting.takeVote(vote, 'posted'));
    return taken.find(each => !each.ok) ?? taken[0] ?? fail('UPLOAD_EMPTY', 'no vote in it');
  }

  /** @param durable run once all would survive a power cut. */
  #commit(writes: readonly StoreWrite[], durable?: () => void): void {
    if (writes.length === 0) return;
    this.#asks += 1;
    if (durable !== undefined) this.#durable.set(this.#asks, durable);
    this.#ports.store.commit(writes, this.#asks);
  }
}

/** Those that vote; without any configured, an authority is alone. */
function votersOf(settings: AuthoritySettings, self: DirectoryAuthority): readonly DirectoryAuthority[] {
  const voters = settings.authorities.filter(each => each.v3Ident !== undefined);
  if (voters.length === 0) return [self];
  const isSelf = ({ v3Ident }: DirectoryAuthority): boolean =>
    equalBytes(v3Ident as Uint8Array, self.v3Ident as Uint8Array);
  assert(voters.some(isSelf), 'an authority is one of those that vote');
  return voters;
}

import { fromHex, toBase64, toHex } from '../base/bytes.ts';
import { type Fault, fail, ok, type Result } from '../base/fault.ts';
import { directoryRequestsMax, microdescriptorsPerRequest } from '../base/limits.ts';
import { sha256 } from '../crypto/sha.ts';
import type { Clock, Entropy } from '../ports.ts';
import type { AuthorityCertificate } from './authority-certificate.ts';
import { CertificateShelf } from './certificate-shelf.ts';
import { type Consensus, isReasonablyLive, parseConsensus } from './consensus.ts';
import type { ConsensusFlavor } from './consensus-entry.ts';
import { verifyConsensus } from './consensus-verify.ts';
import { DescriptorShelf } from './descriptor-shelf.ts';
import type { DirectoryAuthority } from './directory-authority.ts';
import type { DirectoryDocuments } from './directory-documents.ts';
import { documentBytes, documentText } from './document-lines.ts';
import type { HttpResponse } from './http-codec.ts';
import { type Microdescriptor, parseMicrodescriptor, splitMicrodescriptors } from './microdescriptor.ts';
import { joinView, type NetworkView } from './network-view.ts';
import { asksPrice, PriceShelf } from './price-shelf.ts';
import { RetrySchedule } from './retry-schedule.ts';
import { UnreadDocuments } from './unread-documents.ts';
import { randomBelow } from './weighted-choice.ts';

/** One GET that the caller should make; it comes back by `answered` or `failed`, each exactly once. */
export interface DirectoryRequest {
  readonly kind: 'consensus' | 'certificates' | 'microdescriptors' | 'prices' | 'descriptors';
  readonly path: string;
  /** `authority`: no other source is known to have it yet. `any`: any relay with V2Dir will do. */
  readonly from: 'authority' | 'any';
  readonly ifModifiedSinceMs: number | undefined;
  /** What is asked for: a flavour, or digests or identities in hex. */
  readonly wanted: readonly string[];
}

export interface DirectoryClientOptions {
  readonly authorities: readonly DirectoryAuthority[];
  readonly clock: Clock;
  readonly entropy: Entropy;
  /** Also keep the flavour ns and the server descriptors, to serve them to others. */
  readonly mirror?: boolean;
  /** Waits between tries of what failed, doubling from the first to the second. */
  readonly retryMs?: readonly [number, number];
}

/** How far a node is from knowing the network. */
export interface DirectoryProgress {
  readonly consensus: boolean;
  readonly relaysListed: number;
  readonly relaysKnown: number;
}

/**
 * Keeps the view of the network current: says what to fetch next, verifies what comes, keeps the last good view when
 * something fails. Does no IO: the caller carries requests over circuits or directory ports.
 * spec: dir-spec/client-operation
 */
export class DirectoryClient implements DirectoryDocuments {
  readonly #options: DirectoryClientOptions;
  readonly #certificates: CertificateShelf;
  readonly #microdescriptors = new Map<string, Microdescriptor>();
  readonly #shelf = new DescriptorShelf();
  readonly #prices = new PriceShelf();
  readonly #current = new Map<ConsensusFlavor, Consensus>();
  /** Parsed, but its signers' certificates are not all here. */
  readonly #pending = new Map<ConsensusFlavor, Consensus>();
  /** Wall clock from which a newer consensus is looked for. */
  readonly #refetchMs = new Map<ConsensusFlavor, number>();
  /** Wall clock at which the caller's want of a newer consensus was last heeded. */
  readonly #wantedMs = new Map<ConsensusFlavor, number>();
  readonly #unread = {
    microdescriptors: new UnreadDocuments(),
    prices: new UnreadDocuments(),
    descriptors: new UnreadDocuments(),
  };
  readonly #retries = new Map<string, RetrySchedule>();
  readonly #underWay = new Set<DirectoryRequest>();
  #view: NetworkView | undefined;
  #own: string | undefined;
  #changed = false;

  constructor(options: DirectoryClientOptions) {
    this.#options = options;
    this.#certificates = new CertificateShelf(options.authorities);
  }

  /** The network, once a consensus is verified and most of its microdescriptors are here; undefined when too old. */
  get view(): NetworkView | undefined {
    const consensus = this.#current.get('microdesc');
    const live = consensus !== undefined && isReasonablyLive(consensus, this.#options.clock.wallMs());
    return live ? this.#view : undefined;
  }

  get progress(): DirectoryProgress {
    const consensus = this.#current.get('microdesc');
    const relaysListed = consensus?.relays.length ?? 0;
    const relaysKnown = relaysListed - this.#missingMicrodescriptors().length;
    return { consensus: consensus !== undefined, relaysListed, relaysKnown };
  }

  /** The next request to make now, or undefined; call again until undefined, and after each answer. */
  next(): DirectoryRequest | undefined {
    if (this.#underWay.size >= directoryRequestsMax) return undefined;
    const request =
      this.#nextCertificates() ??
      this.#nextConsensus('microdesc') ??
      this.#nextDocuments('microdescriptors') ??
      this.#nextDocuments('prices') ??
      (this.#options.mirror ? (this.#nextConsensus('ns') ?? this.#nextDocuments('descriptors')) : undefined);
    if (request !== undefined) this.#underWay.add(request);
    return request;
  }

  /** Milliseconds until `next` could have something that it has not now; undefined while answers are awaited. */
  wakeMs(): number | undefined {
    const { clock } = this.#options;
    const waits: number[] = [];
    for (const schedule of this.#retries.values())
      if (schedule.waiting) waits.push(schedule.readyInMs(clock.monotonicMs()));
    for (const flavor of this.#flavors()) waits.push((this.#refetchMs.get(flavor) ?? 0) - clock.wallMs());
    const future = waits.filter(wait => wait > 0);
    if (future.length > 0) return Math.min(...future);
    return this.#underWay.size > 0 ? undefined : 1_000;
  }

  /** Takes an answer. A fault says why it was of no use; the last good view stays. */
  answered(request: DirectoryRequest, response: HttpResponse): Result<'news' | 'none', Fault> {
    this.#underWay.delete(request);
    const result = this.#take(request, response);
    this.#noteUnread(request);
    const key = retryKey(request);
    if (result.ok) this.#retries.delete(key);
    else this.#scheduleFor(key).fail(this.#options.clock.monotonicMs());
    return result;
  }

  /** No answer came: the circuit or connection broke, or bytes were no HTTP. */
  failed(request: DirectoryRequest): void {
    this.#underWay.delete(request);
    this.#scheduleFor(retryKey(request)).fail(this.#options.clock.monotonicMs());
  }

  /** The view lacks what the caller needs: asks an authority for a newer consensus, unless it was asked of late. */
  wantNewer(): void {
    const nowMs = this.#options.clock.wallMs();
    for (const [flavor, current] of this.#current) {
      const askedMs = this.#wantedMs.get(flavor) ?? current.validAfterMs;
      if (nowMs < askedMs + pauseMs(current)) continue;
      this.#wantedMs.set(flavor, nowMs);
      this.#refetchMs.set(flavor, nowMs);
    }
  }

  /** Something of `documents` changed since the last call: persist it. */
  takeChanged(): boolean {
    const changed = this.#changed;
    this.#changed = false;
    return changed;
  }

  /** Takes documents that were persisted: they pass the same checks as fetched ones. */
  restore(texts: {
    readonly certificates: string;
    readonly consensuses: readonly string[];
    readonly microdescriptors: string;
    readonly descriptors?: string;
  }): void {
    this.#certificates.add(texts.certificates, this.#options.clock.wallMs());
    const micro = splitMicrodescriptors(texts.microdescriptors, Number.MAX_SAFE_INTEGER);
    for (const text of micro) this.#addMicrodescriptor(text, undefined);
    for (const text of texts.consensuses) this.#takeConsensus(text);
    if (texts.descriptors !== undefined)
      this.#shelf.addAll(texts.descriptors, undefined, this.#options.clock.wallMs());
    this.#rebuild();
    this.#changed = false;
  }

  consensus(flavor: ConsensusFlavor): Consensus | undefined {
    return this.#current.get(flavor);
  }

  certificates(): readonly AuthorityCertificate[] {
    return this.#certificates.all;
  }

  microdescriptor(digest: string): string | undefined {
    return this.#microdescriptors.get(digest)?.text;
  }

  microdescriptors(): Iterable<Microdescriptor> {
    return this.#microdescriptors.values();
  }

  descriptor(digest: string): string | undefined {
    return this.#shelf.byDigest(digest);
  }

  descriptorOf(rsaId: string): string | undefined {
    return this.#shelf.byIdentity(rsaId);
  }

  descriptors(): Iterable<string> {
    return this.#shelf.texts();
  }

  ownDescriptor(): string | undefined {
    return this.#own;
  }

  /** What a relay serves as /tor/server/authority. */
  setOwnDescriptor(text: string): void {
    this.#own = text;
  }

  #flavors(): readonly ConsensusFlavor[] {
    return this.#options.mirror ? ['microdesc', 'ns'] : ['microdesc'];
  }

  #nextConsensus(flavor: ConsensusFlavor): DirectoryRequest | undefined {
    if (this.#pending.has(flavor) || this.#busy('consensus', [flavor])) return undefined;
    const { clock, authorities } = this.#options;
    if (clock.wallMs() < (this.#refetchMs.get(flavor) ?? 0)) return undefined;
    if (!this.#ready(`consensus ${flavor}`)) return undefined;
    const prefixes = authorities
      .filter(each => each.v3Ident !== undefined)
      .map(each => toHex((each.v3Ident as Uint8Array).subarray(0, 3)).toUpperCase())
      .sort();
    const name = flavor === 'ns' ? 'consensus' : 'consensus-microdesc';
    return {
      kind: 'consensus',
      path: `/tor/status-vote/current/${name}/${prefixes.join('+')}.z`,
      from: this.#isWanted(flavor) ? 'authority' : this.#source(`consensus ${flavor}`),
      ifModifiedSinceMs: this.#current.get(flavor)?.validAfterMs,
      wanted: [flavor],
    };
  }

  #nextCertificates(): DirectoryRequest | undefined {
    if (this.#pending.size === 0 || !this.#ready('certificates')) return undefined;
    const wanted = new Set<string>();
    for (const consensus of this.#pending.values())
      for (const each of this.#certificates.missing(consensus, this.#options.clock.wallMs()))
        wanted.add(`${toHex(each.v3Ident)}-${toHex(each.signingKeyDigest)}`.toUpperCase());
    const names = [...wanted].sort();
    if (names.length === 0 || this.#busy('certificates', names)) return undefined;
    return {
      kind: 'certificates',
      path: `/tor/keys/fp-sk/${names.join('+')}.z`,
      from: this.#source('certificates'),
      ifModifiedSinceMs: undefined,
      wanted: names,
    };
  }

  #nextDocuments(kind: DocumentKind): DirectoryRequest | undefined {
    if (!this.#ready(kind)) return undefined;
    const missing = this.#missing(kind).filter(each => !this.#busy(kind, [each]));
    const wanted = this.#unread[kind].first(missing, microdescriptorsPerRequest);
    if (wanted.length === 0) return undefined;
    return {
      kind,
      path: pathOf[kind](wanted),
      from: kind === 'descriptors' ? 'authority' : this.#source(kind),
      ifModifiedSinceMs: undefined,
      wanted,
    };
  }

  /** What the current consensus names and is not here. */
  #missing(kind: DocumentKind): string[] {
    if (kind === 'microdescriptors') return this.#missingMicrodescriptors();
    if (kind === 'descriptors') {
      const digests = this.#current.get('ns')?.relays.map(each => toHex(each.descriptorDigest as Uint8Array));
      return (digests ?? []).filter(digest => this.#shelf.byDigest(digest) === undefined);
    }
    const consensus = this.#current.get('microdesc');
    if (consensus === undefined) return [];
    const untold = consensus.relays.filter(entry => {
      const micro = this.#microdescriptors.get(toHex(entry.microdescriptorDigest as Uint8Array));
      return asksPrice(entry) && !entry.price && micro !== undefined && !micro.price;
    });
    return this.#prices.missing(consensus, untold);
  }

  #take(request: DirectoryRequest, response: HttpResponse): Result<'news' | 'none', Fault> {
    if (response.status === 304 && request.kind === 'consensus') {
      this.#askAgain(request.wanted[0] as ConsensusFlavor);
      return ok('none');
    }
    if (response.status !== 200) {
      if (request.kind === 'certificates') this.#giveUpPending();
      return fail('DIRECTORY_STATUS', String(response.status));
    }
    const text = documentText(response.body);
    if (request.kind === 'consensus') return this.#takeConsensus(text, request.wanted[0] as ConsensusFlavor);
    if (request.kind === 'certificates') return this.#takeCertificates(text);
    const added = this.#takeDescriptors(request.kind, text, new Set(request.wanted));
    if (added === 0) return fail('DIRECTORY_USELESS_ANSWER', request.kind);
    this.#changed = true;
    return ok('news');
  }

  #takeDescriptors(kind: DocumentKind, text: string, wanted: ReadonlySet<string>): number {
    const nowMs = this.#options.clock.wallMs();
    if (kind === 'microdescriptors') return this.#takeMicrodescriptors(text, wanted);
    if (kind === 'descriptors') return this.#shelf.addAll(text, wanted, nowMs);
    const consensus = this.#current.get('microdesc');
    const taken = consensus === undefined ? 0 : this.#prices.take(text, wanted, consensus, nowMs);
    if (taken > 0) this.#rebuild();
    return taken;
  }

  #takeConsensus(text: string, flavor?: ConsensusFlavor): Result<'news' | 'none', Fault> {
    const parsed = parseConsensus(text);
    if (!parsed.ok) return parsed;
    const consensus = parsed.value;
    if (flavor !== undefined && consensus.flavor !== flavor)
      return fail('DIRECTORY_USELESS_ANSWER', 'flavour');
    if (!isReasonablyLive(consensus, this.#options.clock.wallMs())) return fail('CONSENSUS_NOT_LIVE');
    const current = this.#current.get(consensus.flavor);
    if (current !== undefined && consensus.validAfterMs < current.validAfterMs)
      return fail('CONSENSUS_OLDER');
    if (current?.text === consensus.text) {
      this.#askAgain(consensus.flavor);
      return ok('none');
    }
    return this.#judge(consensus);
  }

  /** Makes a consensus the current one if enough authorities signed it, or keeps it until their certificates are here. */
  #judge(consensus: Consensus): Result<'news' | 'none', Fault> {
    const { authorities, clock } = this.#options;
    const verified = verifyConsensus(consensus, authorities, this.#certificates.all, clock.wallMs());
    this.#pending.delete(consensus.flavor);
    if (verified.ok) {
      this.#current.set(consensus.flavor, consensus);
      this.#planRefetch(consensus);
      this.#forgetUnlisted(consensus);
      this.#changed = true;
      if (consensus.flavor === 'microdesc') this.#rebuild();
      return ok('news');
    }
    if (verified.fault.code !== 'CONSENSUS_CERTIFICATES_MISSING') return verified;
    this.#pending.set(consensus.flavor, consensus);
    return ok('none');
  }

  #takeCertificates(text: string): Result<'news' | 'none', Fault> {
    const added = this.#certificates.add(text, this.#options.clock.wallMs());
    const judged = added === 0 ? [] : [...this.#pending.values()];
    for (const consensus of judged)
      if (!this.#judge(consensus).ok) this.#pending.set(consensus.flavor, consensus);
    this.#giveUpPending();
    if (added === 0) return fail('DIRECTORY_USELESS_ANSWER', 'certificates');
    this.#changed = true;
    return ok('news');
  }

  /** Whoever gave us the consensus may have made it up, signers and all: somebody else is asked for another one. */
  #giveUpPending(): void {
    for (const flavor of this.#pending.keys())
      this.#scheduleFor(`consensus ${flavor}`).fail(this.#options.clock.monotonicMs());
    this.#pending.clear();
  }

  #takeMicrodescriptors(text: string, wanted: ReadonlySet<string>): number {
    let added = 0;
    for (const piece of splitMicrodescriptors(text, wanted.size))
      if (this.#addMicrodescriptor(piece, wanted)) added += 1;
    if (added > 0) this.#rebuild();
    return added;
  }

  #addMicrodescriptor(text: string, wanted: ReadonlySet<string> | undefined): boolean {
    const parsed = parseMicrodescriptor(text);
    if (!parsed.ok) {
      const digest = toHex(sha256(documentBytes(text)));
      if (wanted?.has(digest)) this.#unread.microdescriptors.unreadable(digest);
      return false;
    }
    const digest = toHex(parsed.value.digest);
    if (wanted !== undefined && !wanted.has(digest)) return false;
    this.#microdescriptors.set(digest, parsed.value);
    return true;
  }

  /** Replaces the view once most relays of the current consensus are known; until then the older view serves. */
  #rebuild(): void {
    const consensus = this.#current.get('microdesc');
    if (consensus === undefined) return;
    const missing = this.#missingMicrodescriptors().length;
    if (this.#view !== undefined && missing * 3 > consensus.relays.length) return;
    if (missing > 0 && missing * 3 > consensus.relays.length) return;
    this.#view = joinView(consensus, this.#microdescriptors, this.#prices);
  }

  #noteUnread({ kind, wanted }: DirectoryRequest): void {
    if (kind === 'consensus' || kind === 'certificates') return;
    const missing = new Set(this.#missing(kind));
    this.#unread[kind].answered(wanted, each => !missing.has(each));
  }

  #missingMicrodescriptors(): string[] {
    const consensus = this.#current.get('microdesc');
    if (consensus === undefined) return [];
    return consensus.relays
      .map(entry => toHex(entry.microdescriptorDigest as Uint8Array))
      .filter(digest => !this.#microdescriptors.has(digest));
  }

  /** Documents that no current consensus names are of no use any more. */
  #forgetUnlisted(consensus: Consensus): void {
    if (consensus.flavor === 'ns') {
      const listed = new Set(consensus.relays.map(each => toHex(each.descriptorDigest as Uint8Array)));
      this.#shelf.keepOnly(listed);
      this.#unread.descriptors.keepOnly(listed);
      return;
    }
    const listed = new Set(consensus.relays.map(each => toHex(each.microdescriptorDigest as Uint8Array)));
    this.#unread.microdescriptors.keepOnly(listed);
    this.#unread.prices.keepOnly(new Set(consensus.relays.map(each => toHex(each.rsaId))));
    for (const digest of this.#microdescriptors.keys())
      if (!listed.has(digest)) this.#microdescriptors.delete(digest);
  }

  /**
   * Mirrors come first, soon after the old consensus is no longer fresh, so that clients, who spread over the time
   * until it ends, find the new one there. spec: dir-spec/client-operation (download schedule)
   */
  #planRefetch(consensus: Consensus): void {
    const { freshUntilMs, validUntilMs, flavor } = consensus;
    const share = this.#options.mirror ? 8 : 2;
    const spread = Math.max(Math.floor((validUntilMs - freshUntilMs) / share), 1);
    this.#refetchMs.set(flavor, freshUntilMs + randomBelow(spread, this.#options.entropy));
  }

  /**
   * There is none newer yet, whether that is said or the same one is sent. One that is still fresh was asked about before its
   * time; the longer the next one is overdue, the more rarely it is asked for. spec: dir-spec/client-operation (retrying)
   */
  #askAgain(flavor: ConsensusFlavor): void {
    const current = this.#current.get(flavor);
    if (current === undefined) return;
    const nowMs = this.#options.clock.wallMs();
    const lateMs = nowMs - current.freshUntilMs;
    const soonMs = nowMs + Math.max(pauseMs(current), lateMs / lateShare);
    this.#refetchMs.set(flavor, Math.max(soonMs, current.freshUntilMs));
  }

  /** The caller wants a newer one before it is time to: mirrors have what we have. */
  #isWanted(flavor: ConsensusFlavor): boolean {
    const wantedMs = this.#wantedMs.get(flavor);
    return wantedMs !== undefined && wantedMs === this.#refetchMs.get(flavor);
  }

  #busy(kind: DirectoryRequest['kind'], wanted: readonly string[]): boolean {
    for (const request of this.#underWay)
      if (request.kind === kind && wanted.some(each => request.wanted.includes(each))) return true;
    return false;
  }

  #ready(key: string): boolean {
    return (this.#retries.get(key)?.readyInMs(this.#options.clock.monotonicMs()) ?? 0) <= 0;
  }

  /** Mirrors, and whoever knows no relay or was let down by one, ask an authority. */
  #source(key: string): 'authority' | 'any' {
    const failures = this.#retries.get(key)?.failures ?? 0;
    return this.#options.mirror || this.view === undefined || failures % 2 === 1 ? 'authority' : 'any';
  }

  #scheduleFor(key: string): RetrySchedule {
    let schedule = this.#retries.get(key);
    if (schedule === undefined) {
      schedule = new RetrySchedule(this.#options.retryMs ?? [1_000, 60_000]);
      this.#retries.set(key, schedule);
    }
    return schedule;
  }
}

type DocumentKind = 'microdescriptors' | 'prices' | 'descriptors';

/** @param wanted in hex, as `DirectoryRequest` has them. */
const pathOf: Readonly<Record<DocumentKind, (wanted: readonly string[]) => string>> = {
  microdescriptors: wanted =>
    `/tor/micro/d/${wanted.map(digest => toBase64(fromHex(digest) as Uint8Array)).join('-')}.z`,
  prices: wanted => `/tor/server/fp/${wanted.join('+').toUpperCase()}.z`,
  descriptors: wanted => `/tor/server/d/${wanted.join('+').toUpperCase()}.z`,
};

/** A consensus that is overdue by so many minutes is looked for once in as many minutes over this. */
const lateShare = 8;

/** Between two looks for a newer consensus: a minute for one that is made each hour. */
function pauseMs({ validAfterMs, freshUntilMs }: Consensus): number {
  return Math.max(1_000, (freshUntilMs - validAfterMs) / 60);
}

function retryKey(request: DirectoryRequest): string {
  return request.kind === 'consensus' ? `consensus ${request.wanted[0]}` : request.kind;
}

import { equalBytes, toHex } from '../src/base/bytes.ts';
import { microdescriptorsPerRequest } from '../src/base/limits.ts';
import type { AuthorityCertificate } from '../src/directory/authority-certificate.ts';
import { type Consensus, parseConsensus } from '../src/directory/consensus.ts';
import { verifyConsensus } from '../src/directory/consensus-verify.ts';
import { parseServerDescriptor, splitDescriptors } from '../src/directory/descriptor.ts';
import type { DirectoryAuthority } from '../src/directory/directory-authority.ts';
import { documentBytes, documentText } from '../src/directory/document-lines.ts';
import { knownFlags, voteEntries } from '../src/directory/flag-rules.ts';
import type { ServerDescriptor } from '../src/directory/server-descriptor.ts';
import { eachDemand } from '../src/directory/status-document.ts';
import { buildVote, type Vote } from '../src/directory/vote.ts';
import type { VoteEntry } from '../src/directory/vote-entry.ts';
import type { Cancel, Clock, Observer, StorePort, StoreWrite } from '../src/ports.ts';
import { AuthorityDocuments } from './authority-documents.ts';
import { type AuthorityKeys, renewed } from './authority-keys.ts';
import type { AuthoritySettings } from './authority-settings.ts';
import { CatchUp } from './catch-up.ts';
import type { KnownCertificates } from './known-certificates.ts';
import type { Peers } from './peers.ts';
import type { RelayCensus } from './relay-census.ts';
import { Voting, type VotingHost } from './voting.ts';
import { type ConsensusPair, flavors } from './voting-round.ts';

type NamedDescriptor = Pick<VoteEntry, 'rsaId' | 'descriptorDigest'>;

export interface KeeperOptions {
  readonly settings: AuthoritySettings;
  readonly keys: AuthorityKeys;
  /** All that vote, this one among them. */
  readonly authorities: readonly DirectoryAuthority[];
  readonly certificates: KnownCertificates;
  readonly census: RelayCensus;
  readonly peers: Peers;
  readonly clock: Clock;
  readonly store: StorePort;
  readonly observer: Observer;
  readonly commit: (writes: readonly StoreWrite[], durable?: () => void) => void;
}

const consensusKeys = { ns: 'authority/consensus-ns', microdesc: 'authority/consensus-microdesc' } as const;
/** A first consensus does not wait for its due time, only for relays that come together to be there. */
const firstSettleMs = 30_000;
/** A consensus that is so far from now on was made by a wrong clock. */
const futureMsMax = 60_000;

/**
 * Keeps the consensus of the network: has it voted on when it is due, and when the relays have changed where that is
 * worth it; holds what was agreed on, and fetches what the others agreed on without us.
 */
export class ConsensusKeeper implements VotingHost {
  readonly documents: AuthorityDocuments;
  readonly voting: Voting;
  readonly #options: KeeperOptions;
  readonly #catchUp: CatchUp;
  #keys: AuthorityKeys;
  /** Something has changed since we voted last. */
  #unvoted = false;
  #cancelSettle: Cancel | undefined;

  constructor(options: KeeperOptions) {
    const { settings, keys, certificates, census, peers } = options;
    this.#options = options;
    this.#keys = keys;
    this.documents = new AuthorityDocuments(certificates, census.registry);
    const signer = { v3Ident: keys.identity.fingerprint, signingKey: keys.signing };
    this.voting = new Voting({ ...options, schedule: settings.schedule, signer, host: this });
    this.#catchUp = new CatchUp(peers, {
      addCertificate: certificate => this.#addCertificate(certificate),
      take: (consensus, from) => this.#takeAgreed(consensus, from),
    });
  }

  /** Reads what is stored and begins to vote. */
  start(): void {
    const { clock, store, census } = this.#options;
    this.#remember(census.standings().map(({ descriptor }) => descriptor));
    const stored = flavors.flatMap((flavor): Consensus[] => {
      const value = store.get(consensusKeys[flavor]);
      const parsed = value === undefined ? undefined : parseConsensus(documentText(value));
      return parsed?.ok ? [parsed.value] : [];
    });
    this.documents.publish(stored, clock.wallMs());
    this.voting.start();
    const freshUntilMs = this.documents.consensus('ns')?.freshUntilMs ?? 0;
    if (clock.wallMs() >= freshUntilMs) this.#catchUp.start();
  }

  /** Our vote would be another one now: in a lab, and when there is no consensus yet, has it cast once all is still. */
  settleSoon(): void {
    const { clock, settings } = this.#options;
    this.#unvoted = true;
    const wait = settings.schedule.settleMs ?? (this.currentMs() === undefined ? firstSettleMs : undefined);
    if (wait === undefined) return;
    this.#cancelSettle?.();
    this.#cancelSettle = clock.after(wait, () => {
      if (this.#unvoted && this.#changed() && !this.voting.call()) this.settleSoon();
    });
  }

  /** True when the current consensus names other descriptors than we would. */
  #changed(): boolean {
    const digests = (ids: Iterable<Uint8Array | undefined>): string =>
      [...ids]
        .map(id => toHex(id ?? new Uint8Array()))
        .sort()
        .join();
    const current = this.documents.consensus('ns')?.relays ?? [];
    const now = voteEntries(this.#options.census.standings(), this.#options.settings.flagRules).filter(each =>
      each.flags.has('Running'),
    );
    return (
      digests(current.map(each => each.descriptorDigest)) !== digests(now.map(each => each.descriptorDigest))
    );
  }

  // What voting asks

  currentMs(): number | undefined {
    const wallMs = this.#options.clock.wallMs();
    const current = this.documents.consensus('ns');
    const usable =
      current !== undefined && current.validUntilMs >= wallMs && current.validAfterMs <= wallMs + futureMsMax;
    return usable ? current.validAfterMs : undefined;
  }

  vote(validAfterMs: number): string {
    const { settings, census, clock, commit } = this.#options;
    const { certificate, identity, signing } = this.#currentKeys();
    const { schedule, nickname, address, dirPort, orPort, contact } = settings;
    commit(census.expire());
    this.#unvoted = false;
    const standings = census.standings();
    this.#remember(standings.map(({ descriptor }) => descriptor));
    const v3Ident = identity.fingerprint;
    const facts = {
      publishedMs: clock.wallMs(),
      validAfterMs,
      freshUntilMs: validAfterMs + schedule.intervalMs,
      validUntilMs: validAfterMs + schedule.intervalMs * schedule.intervalsValid,
      votingDelay: [schedule.voteMs / 1_000, schedule.signMs / 1_000] as const,
      knownFlags,
      params: settings.params,
      protocols: eachDemand(() => new Map()),
      authority: { nickname, v3Ident, hostname: address, address, dirPort, orPort, contact: contact ?? '' },
      relays: voteEntries(standings, settings.flagRules),
    };
    return buildVote(facts, certificate, { v3Ident, signingKey: signing });
  }

  /** An authority may run for longer than its certificate holds. */
  #currentKeys(): AuthorityKeys {
    const { certificates, clock, commit } = this.#options;
    this.#keys = renewed(this.#keys, clock.wallMs());
    commit(certificates.add(this.#keys.certificate, clock.wallMs()));
    return this.#keys;
  }

  /** A relay that did not reach us with its descriptor may have reached another authority. */
  onVote(vote: Vote): void {
    const from = this.#options.peers.of(vote.authority.v3Ident);
    if (from !== undefined) this.#fetchDescriptors(vote.relays, from);
  }

  publish(consensus: ConsensusPair): void {
    const { observer } = this.#options;
    this.#hold(consensus);
    observer.count('naulon_authority_consensuses_total');
    observer.log('info', 'consensus made', {
      relays: consensus.ns.relays.length,
      votes: consensus.ns.authorities.length,
      signers: consensus.ns.signatures.length,
    });
  }

  onFailed(): void {
    this.#catchUp.start();
    this.settleSoon();
  }

  commit(writes: readonly StoreWrite[], durable: () => void): void {
    this.#options.commit(writes, durable);
  }

  // What others agreed on

  #addCertificate(certificate: AuthorityCertificate): void {
    const { certificates, clock, commit } = this.#options;
    commit(certificates.add(certificate, clock.wallMs()));
  }

  #takeAgreed(consensus: ConsensusPair, from: DirectoryAuthority): void {
    const { authorities, certificates, clock, observer } = this.#options;
    if (consensus.ns.validAfterMs <= (this.currentMs() ?? 0)) return;
    const verified = flavors.every(
      flavor => verifyConsensus(consensus[flavor], authorities, certificates.all, clock.wallMs()).ok,
    );
    if (!verified) return;
    this.#hold(consensus);
    observer.log('info', 'consensus of the others', { authority: from.nickname });
    this.#fetchDescriptors(
      consensus.ns.relays.flatMap(({ rsaId, descriptorDigest }) =>
        descriptorDigest === undefined ? [] : { rsaId, descriptorDigest },
      ),
      from,
    );
    this.voting.onConsensus();
  }

  #hold(consensus: ConsensusPair): void {
    const { clock, commit } = this.#options;
    this.documents.publish([consensus.ns, consensus.microdesc], clock.wallMs());
    commit(
      flavors.map(flavor => ({ key: consensusKeys[flavor], value: documentBytes(consensus[flavor].text) })),
    );
  }

  // Descriptors

  /** Asks an authority for the descriptors that it names and we lack. */
  #fetchDescriptors(named: Iterable<NamedDescriptor>, from: DirectoryAuthority): void {
    const digests = [...named].flatMap(relay => (this.#knows(relay) ? [] : toHex(relay.descriptorDigest)));
    for (let at = 0; at < digests.length; at += microdescriptorsPerRequest) {
      const wanted = new Set(digests.slice(at, at + microdescriptorsPerRequest));
      const path = `/tor/server/d/${[...wanted].join('+').toUpperCase()}.z`;
      this.#options.peers.get(from, path, text => this.#takeDescriptors(text, wanted));
    }
  }

  #knows({ rsaId, descriptorDigest }: NamedDescriptor): boolean {
    if (this.documents.descriptor(toHex(descriptorDigest)) !== undefined) return true;
    const latest = this.#options.census.registry.byIdentity(toHex(rsaId));
    return latest !== undefined && equalBytes(latest.digest, descriptorDigest);
  }

  /** Even one that is not the latest may be what the consensus names. */
  #takeDescriptors(text: string, wanted: ReadonlySet<string>): void {
    const { census, clock, commit, observer } = this.#options;
    for (const piece of splitDescriptors(text, wanted.size)) {
      const parsed = parseServerDescriptor(piece, clock.wallMs());
      if (!parsed.ok || !wanted.has(toHex(parsed.value.digest))) continue;
      this.#remember([parsed.value]);
      const taken = census.take(parsed.value);
      if (!taken.ok) continue;
      commit(taken.value);
      observer.log('info', 'descriptor of another authority', { relay: parsed.value.nickname });
    }
  }

  #remember(descriptors: readonly ServerDescriptor[]): void {
    const { clock, settings } = this.#options;
    const { intervalMs, intervalsValid } = settings.schedule;
    this.documents.remember(descriptors, clock.wallMs() + intervalMs * (intervalsValid + 1));
  }
}

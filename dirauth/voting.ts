import { assert } from '../src/base/assert.ts';
import { equalBytes, toHex } from '../src/base/bytes.ts';
import { fail, ok, type Result } from '../src/base/fault.ts';
import { rsaVerifyDigest } from '../src/crypto/rsa.ts';
import type { StatusSigner } from '../src/directory/consensus-signatures.ts';
import { formatDetachedSignatures, parseDetachedSignatures } from '../src/directory/detached-signatures.ts';
import type { DirectoryAuthority } from '../src/directory/directory-authority.ts';
import type { StatusSignature } from '../src/directory/status-document.ts';
import { parseVote, splitVotes, type Vote } from '../src/directory/vote.ts';
import type { Cancel, Clock, Observer, StorePort, StoreWrite } from '../src/ports.ts';
import type { KnownCertificates } from './known-certificates.ts';
import type { Peers } from './peers.ts';
import {
  consensusRecords,
  forgottenRecords,
  type RoundRecords,
  readRounds,
  voteRecord,
} from './round-records.ts';
import { mayVote, nextDueMs, promptMs, roundTimes, type VoteSchedule } from './vote-clock.ts';
import { type ConsensusPair, VotingRound } from './voting-round.ts';

/** What voting asks of the authority that it is done for. */
export interface VotingHost {
  /** When the consensus that holds now began to; undefined: there is none that may be used. */
  currentMs(): number | undefined;
  /** Our vote on a consensus of that time. */
  vote(validAfterMs: number): string;
  onVote(vote: Vote): void;
  /** Most authorities have signed it. */
  publish(consensus: ConsensusPair): void;
  /** A round has come to no consensus. */
  onFailed(): void;
  /** @param durable called once all would survive a power cut. */
  commit(writes: readonly StoreWrite[], durable: () => void): void;
}

export interface VotingOptions {
  readonly schedule: VoteSchedule;
  /** All that vote, we among them. */
  readonly authorities: readonly DirectoryAuthority[];
  readonly signer: StatusSigner;
  readonly certificates: KnownCertificates;
  readonly peers: Peers;
  readonly clock: Clock;
  readonly store: StorePort;
  readonly observer: Observer;
  readonly host: VotingHost;
}

const votePath = '/tor/post/vote';
const signaturePath = '/tor/post/consensus-signature';

interface OpenRound {
  readonly round: VotingRound;
  voted: boolean;
  askedVotes: boolean;
  computing: boolean;
  askedSignatures: boolean;
  /** Of the timer of its next step. */
  cancel: Cancel | undefined;
}

/**
 * Makes consensuses together with the other authorities: votes are exchanged, each computes the consensus, signatures
 * are exchanged, and what most have signed counts. One authority alone is a vote of one. What it tells others it has
 * stored before, so that after a crash it says the same again. spec: dir-spec/voting-schedule
 */
export class Voting {
  readonly #options: VotingOptions;
  readonly #rounds = new Map<number, OpenRound>();
  /** That of the consensus which holds: others may still ask for what was in it. */
  #last: VotingRound | undefined;

  constructor(options: VotingOptions) {
    this.#options = options;
  }

  /** Takes up the rounds that were under way, and waits for the next one that is due. */
  start(): void {
    const { clock, store, host } = this.#options;
    const currentMs = host.currentMs() ?? 0;
    for (const records of readRounds(store)) {
      const { validAfterMs, votes, consensus } = records;
      const round = this.#newRound(validAfterMs);
      for (const vote of votes) if (this.#authority(vote.authority.v3Ident)) round.addVote(vote);
      if (consensus !== undefined) round.adopt(consensus);
      if (validAfterMs === currentMs) this.#last = round;
      else if (validAfterMs > currentMs && clock.wallMs() < round.times.endsMs) this.#open(round);
      else this.#forget(records);
    }
    this.#openDue();
  }

  /** Calls for a vote now. False: the last one was called a moment ago, try again a little later. */
  call(): boolean {
    const { schedule, clock, host } = this.#options;
    const wallMs = clock.wallMs();
    const currentMs = host.currentMs();
    let validAfterMs = promptMs(schedule, wallMs, currentMs);
    while (this.#rounds.has(validAfterMs)) validAfterMs = promptMs(schedule, wallMs, validAfterMs);
    if (!mayVote(schedule, validAfterMs, wallMs, currentMs)) return false;
    this.#open(this.#newRound(validAfterMs));
    return true;
  }

  /** Takes a vote of another authority, posted by it or fetched from whoever had it. */
  takeVote(text: string, how: 'posted' | 'fetched'): Result<'new' | 'known'> {
    const taken = this.#judgeVote(text, how);
    if (!taken.ok) this.#options.observer.count('naulon_authority_votes_refused_total');
    return taken;
  }

  #judgeVote(text: string, how: 'posted' | 'fetched'): Result<'new' | 'known'> {
    const { clock, certificates, observer, host } = this.#options;
    const parsed = parseVote(text);
    if (!parsed.ok) return parsed;
    const vote = parsed.value;
    const wallMs = clock.wallMs();
    const authority = this.#authority(vote.authority.v3Ident);
    if (authority === undefined || vote.certificate.expiresMs < wallMs) return fail('VOTE_STRANGER');
    const open = this.#roundFor(vote.validAfterMs);
    if (open === undefined) {
      // Votes for other times are what a wrong clock looks like from outside.
      observer.log('warn', 'vote for another time', { authority: authority.nickname });
      return fail('VOTE_OUT_OF_TIME');
    }
    const { round } = open;
    const tooLate = open.computing || (how === 'posted' && wallMs >= round.times.askVotesMs);
    if (tooLate && !round.hasVoteOf(toHex(vote.authority.v3Ident))) return fail('VOTE_LATE');
    const added = round.addVote(vote);
    if (added === 'another') return fail('VOTE_SECOND');
    if (added === 'known') return ok('known');
    host.commit([...certificates.add(vote.certificate, wallMs), voteRecord(vote)], () => {});
    observer.count('naulon_authority_votes_total');
    host.onVote(vote);
    this.#act(open);
    return ok('new');
  }

  /** Takes signatures under a consensus, of whoever has made them. */
  takeSignatures(text: string): Result<number> {
    const parsed = parseDetachedSignatures(text);
    if (!parsed.ok) return parsed;
    const open = this.#roundFor(parsed.value.times.validAfterMs);
    if (open === undefined) return fail('SIGNATURES_OUT_OF_TIME');
    const good = open.round.addSignatures(parsed.value, (made, digest) => this.#isGood(made, digest));
    if (good === 0) return fail('SIGNATURES_STRANGER');
    this.#act(open);
    return ok(good);
  }

  #isGood({ v3Ident, signingKeyDigest, signature }: StatusSignature, digest: Uint8Array): boolean {
    const { certificates, clock } = this.#options;
    const certificate = this.#authority(v3Ident) && certificates.find(v3Ident, signingKeyDigest);
    if (certificate === undefined || certificate.expiresMs < clock.wallMs()) return false;
    return rsaVerifyDigest(certificate.signingKey, digest, signature);
  }

  /** What others may read of it, by what follows `/tor/status-vote/`. */
  answer([when, name = '', digests = '']: readonly string[]): string[] {
    const pending = [...this.#rounds.values()].map(({ round }) => round);
    const last = this.#last === undefined ? [] : [this.#last];
    const rounds = when === 'next' ? [...pending.reverse(), ...last] : when === 'current' ? last : [];
    if (name === 'consensus-signatures') {
      const detached = rounds.find(round => round.consensus !== undefined)?.detached();
      return detached === undefined ? [] : [formatDetachedSignatures(detached)];
    }
    const votes = rounds.flatMap(round => round.votes);
    const names = (name === 'd' ? digests : name).toLowerCase().split('+');
    const named = (vote: Vote): boolean => {
      if (name === 'authority') return equalBytes(vote.authority.v3Ident, this.#options.signer.v3Ident);
      return names.includes(toHex(name === 'd' ? vote.digest : vote.authority.v3Ident));
    };
    return votes.filter(named).map(vote => vote.text);
  }

  // Rounds

  /** The round for a document of that time, opened if it may be; undefined: it is not the time for it. */
  #roundFor(validAfterMs: number): OpenRound | undefined {
    const { schedule, clock, host } = this.#options;
    const open = this.#rounds.get(validAfterMs);
    if (open !== undefined) return open;
    const may = mayVote(schedule, validAfterMs, clock.wallMs(), host.currentMs());
    return may ? this.#open(this.#newRound(validAfterMs)) : undefined;
  }

  #newRound(validAfterMs: number): VotingRound {
    const { schedule, authorities } = this.#options;
    return new VotingRound(validAfterMs, roundTimes(schedule, validAfterMs), authorities.length);
  }

  #openDue(): void {
    const { schedule, clock } = this.#options;
    const validAfterMs = nextDueMs(schedule, clock.wallMs());
    if (!this.#rounds.has(validAfterMs)) this.#open(this.#newRound(validAfterMs));
  }

  #open(round: VotingRound): OpenRound {
    const open: OpenRound = {
      round,
      voted: false,
      askedVotes: false,
      computing: round.consensus !== undefined,
      askedSignatures: false,
      cancel: undefined,
    };
    this.#rounds.set(round.validAfterMs, open);
    this.#postSignatures(round);
    this.#act(open);
    return open;
  }

  /** Does what is due in a round by now, and waits for what comes next. */
  #act(open: OpenRound): void {
    const { round } = open;
    if (this.#rounds.get(round.validAfterMs) !== open) return;
    const wallMs = this.#options.clock.wallMs();
    const { opensMs, askVotesMs, computeMs, askSignaturesMs, endsMs } = round.times;
    if (!open.voted && wallMs >= opensMs && wallMs < askVotesMs) this.#vote(open);
    if (!open.askedVotes && wallMs >= askVotesMs) this.#askVotes(open);
    if (!open.computing && round.mostVoted && (round.allVoted || wallMs >= computeMs)) this.#compute(open);
    if (!open.askedSignatures && wallMs >= askSignaturesMs) this.#askSignatures(open);
    const signed = round.mostSigned && (round.votersSigned || wallMs >= endsMs);
    if (signed && wallMs >= round.validAfterMs) this.#publish(open);
    else if (wallMs >= endsMs) this.#fail(open);
    else {
      const steps = [opensMs, askVotesMs, computeMs, askSignaturesMs, round.validAfterMs, endsMs];
      const nextMs = Math.min(...steps.filter(step => step > wallMs));
      open.cancel?.();
      open.cancel = this.#options.clock.after(nextMs - wallMs, () => this.#act(open));
    }
  }

  #vote(open: OpenRound): void {
    const { host, signer, observer } = this.#options;
    open.voted = true;
    const { round } = open;
    // After a restart it is the same vote as before.
    const before = round.votes.find(({ authority }) => equalBytes(authority.v3Ident, signer.v3Ident));
    if (before !== undefined) {
      this.#options.peers.post(votePath, before.text);
      return;
    }
    const vote = parseVote(host.vote(round.validAfterMs));
    assert(vote.ok, 'our own vote is well formed');
    host.commit([voteRecord(vote.value)], () => {
      round.addVote(vote.value);
      observer.log('debug', 'voted', { relays: vote.value.relays.length });
      this.#options.peers.post(votePath, vote.value.text);
      this.#act(open);
    });
  }

  #askVotes(open: OpenRound): void {
    open.askedVotes = true;
    const { authorities, peers } = this.#options;
    const idents = authorities.map(({ v3Ident }) => toHex(v3Ident as Uint8Array));
    const missing = idents.filter(ident => !open.round.hasVoteOf(ident));
    if (missing.length === 0) return;
    const path = `/tor/status-vote/next/${missing.join('+').toUpperCase()}.z`;
    for (const peer of peers.all)
      peers.get(peer, path, text => {
        for (const vote of splitVotes(text, authorities.length)) this.takeVote(vote, 'fetched');
      });
  }

  /** Votes that come from now on are not in it. */
  #compute(open: OpenRound): void {
    const { signer, host, observer } = this.#options;
    open.computing = true;
    const { round } = open;
    const consensus = round.compute(signer);
    if (consensus === undefined) return;
    host.commit(consensusRecords(consensus), () => {
      round.adopt(consensus);
      observer.log('debug', 'consensus signed', { relays: consensus.ns.relays.length });
      this.#postSignatures(round);
      this.#act(open);
    });
  }

  #postSignatures(round: VotingRound): void {
    const detached = round.detached();
    if (detached !== undefined) this.#options.peers.post(signaturePath, formatDetachedSignatures(detached));
  }

  #askSignatures(open: OpenRound): void {
    open.askedSignatures = true;
    const { peers } = this.#options;
    if (open.round.consensus === undefined || open.round.allSigned) return;
    for (const peer of peers.all)
      peers.get(peer, '/tor/status-vote/next/consensus-signatures.z', text => this.takeSignatures(text));
  }

  #publish({ round }: OpenRound): void {
    if (this.#last !== undefined) this.#forget(this.#last);
    this.#last = round;
    this.#options.host.publish(round.signedConsensus());
    this.onConsensus();
  }

  /** A consensus holds that is newer than the one before: rounds for no later one are over. */
  onConsensus(): void {
    const currentMs = this.#options.host.currentMs() ?? 0;
    for (const open of [...this.#rounds.values()]) {
      if (open.round.validAfterMs > currentMs) continue;
      this.#close(open);
      if (open.round !== this.#last) this.#forget(open.round);
    }
    this.#openDue();
  }

  #fail(open: OpenRound): void {
    const { round, computing } = open;
    this.#close(open);
    this.#forget(round);
    // Without relays there is nothing to agree on.
    if (!computing || round.consensus !== undefined) {
      const { votes, signerCount } = round;
      this.#options.observer.log('warn', 'no consensus', { votes: votes.length, signers: signerCount });
      this.#options.observer.count('naulon_authority_rounds_failed_total');
    }
    this.#openDue();
    this.#options.host.onFailed();
  }

  #close(open: OpenRound): void {
    open.cancel?.();
    this.#rounds.delete(open.round.validAfterMs);
  }

  #forget(round: Omit<RoundRecords, 'validAfterMs'>): void {
    this.#options.host.commit(forgottenRecords(round), () => {});
  }

  #authority(v3Ident: Uint8Array): DirectoryAuthority | undefined {
    return this.#options.authorities.find(
      each => each.v3Ident !== undefined && equalBytes(each.v3Ident, v3Ident),
    );
  }
}

import { assert } from '../src/base/assert.ts';
import { equalBytes, toHex } from '../src/base/bytes.ts';
import { type Consensus, consensusDigest, parseConsensus } from '../src/directory/consensus.ts';
import { formatConsensus } from '../src/directory/consensus-builder.ts';
import type { ConsensusFlavor } from '../src/directory/consensus-entry.ts';
import { consensusOf } from '../src/directory/consensus-of-votes.ts';
import {
  attachSignatures,
  type StatusSigner,
  signedAlgorithm,
  signText,
} from '../src/directory/consensus-signatures.ts';
import type { DetachedSignatures, SignedDigest } from '../src/directory/detached-signatures.ts';
import { type StatusSignature, signedText } from '../src/directory/status-document.ts';
import type { Vote } from '../src/directory/vote.ts';
import type { RoundTimes } from './vote-clock.ts';

export const flavors: readonly ConsensusFlavor[] = ['ns', 'microdesc'];

/** A consensus in both flavours. */
export type ConsensusPair = Readonly<Record<ConsensusFlavor, Consensus>>;

interface KeptSignature {
  readonly digest: Uint8Array;
  readonly made: StatusSignature;
}

/**
 * What one authority knows on the way to the consensus of one time: votes, the consensus it computed of them, and who
 * has signed what. Nothing in it depends on the order in which it learnt of it.
 */
export class VotingRound {
  readonly validAfterMs: number;
  readonly times: RoundTimes;
  /** How many may vote. */
  readonly #authorities: number;
  readonly #votes = new Map<string, Vote>();
  readonly #signatures = {
    ns: new Map<string, KeptSignature>(),
    microdesc: new Map<string, KeptSignature>(),
  };
  /** As we signed it. */
  #consensus: ConsensusPair | undefined;

  constructor(validAfterMs: number, times: RoundTimes, authorities: number) {
    this.validAfterMs = validAfterMs;
    this.times = times;
    this.#authorities = authorities;
  }

  /** An authority's first vote counts: with a second one, not all would have the same. */
  addVote(vote: Vote): 'new' | 'known' | 'another' {
    const ident = toHex(vote.authority.v3Ident);
    const known = this.#votes.get(ident);
    if (known !== undefined) return equalBytes(known.digest, vote.digest) ? 'known' : 'another';
    this.#votes.set(ident, vote);
    return 'new';
  }

  get votes(): readonly Vote[] {
    return [...this.#votes.values()];
  }

  /** @param ident hex, lower case. */
  hasVoteOf(ident: string): boolean {
    return this.#votes.has(ident);
  }

  get allVoted(): boolean {
    return this.#votes.size === this.#authorities;
  }

  get mostVoted(): boolean {
    return this.#votes.size * 2 > this.#authorities;
  }

  /** The consensus that we have signed. */
  get consensus(): ConsensusPair | undefined {
    return this.#consensus;
  }

  /**
   * The consensus of the votes that are here, signed. Undefined when it would list no relay, the voters agree on rules that
   * are not known here, or nobody could read it: what others vote is not in our hands.
   */
  compute(signer: StatusSigner): ConsensusPair | undefined {
    const facts = consensusOf(this.votes, this.#authorities);
    if (facts === undefined || facts.relays.length === 0) return undefined;
    const made = (flavor: ConsensusFlavor) => {
      const text = formatConsensus(facts, flavor);
      return parseConsensus(
        attachSignatures(text, flavor, [signText(text, signedAlgorithm[flavor], signer)]),
      );
    };
    const [ns, microdesc] = [made('ns'), made('microdesc')];
    return ns.ok && microdesc.ok ? { ns: ns.value, microdesc: microdesc.value } : undefined;
  }

  /** From now on this is the consensus that we have signed; there will be no other one for this time. */
  adopt(consensus: ConsensusPair): void {
    assert(this.#consensus === undefined, 'an authority signs one consensus for one time');
    this.#consensus = consensus;
    for (const flavor of flavors)
      for (const made of consensus[flavor].signatures) this.#keep(flavor, digestOf(consensus[flavor]), made);
  }

  /**
   * Keeps signatures, also such as come before the consensus is computed here.
   * @param good whether it is the signature of a trusted authority under that digest.
   * @returns how many of them are good.
   */
  addSignatures(
    { signed }: DetachedSignatures,
    good: (signature: StatusSignature, digest: Uint8Array) => boolean,
  ): number {
    let count = 0;
    for (const flavor of flavors) {
      const { digest, signatures } = signed[flavor];
      for (const made of signatures) {
        if (made.algorithm !== signedAlgorithm[flavor] || !good(made, digest)) continue;
        this.#keep(flavor, digest, made);
        count += 1;
      }
    }
    return count;
  }

  #keep(flavor: ConsensusFlavor, digest: Uint8Array, made: StatusSignature): void {
    const kept = this.#signatures[flavor];
    const ident = toHex(made.v3Ident);
    const before = kept.get(ident);
    const ours = this.#consensus === undefined ? undefined : digestOf(this.#consensus[flavor]);
    if (before === undefined || ours === undefined || !equalBytes(before.digest, ours))
      kept.set(ident, { digest, made });
  }

  /** Whether all whose votes are in it have signed what we have computed. */
  get votersSigned(): boolean {
    const signers = this.#signers();
    return [...this.#votes.keys()].every(ident => signers.has(ident));
  }

  get allSigned(): boolean {
    return this.signerCount === this.#authorities;
  }

  get mostSigned(): boolean {
    return this.signerCount * 2 > this.#authorities;
  }

  get signerCount(): number {
    return this.#signers().size;
  }

  /** Those who have signed both flavours as we have computed them. */
  #signers(): Set<string> {
    const [ns, microdesc] = flavors.map(flavor =>
      this.#matching(flavor).map(({ v3Ident }) => toHex(v3Ident)),
    );
    return new Set(ns.filter(ident => microdesc.includes(ident)));
  }

  #matching(flavor: ConsensusFlavor): StatusSignature[] {
    const ours = this.#consensus === undefined ? undefined : digestOf(this.#consensus[flavor]);
    if (ours === undefined) return [];
    return [...this.#signatures[flavor].values()].flatMap(({ digest, made }) =>
      equalBytes(digest, ours) ? [made] : [],
    );
  }

  /** The signatures under the consensus that we have computed, for others to take. */
  detached(): DetachedSignatures | undefined {
    if (this.#consensus === undefined) return undefined;
    const { validAfterMs, freshUntilMs, validUntilMs } = this.#consensus.ns;
    const signed = (flavor: ConsensusFlavor, consensus: Consensus): SignedDigest => ({
      digest: digestOf(consensus),
      signatures: this.#matching(flavor),
    });
    return {
      times: { validAfterMs, freshUntilMs, validUntilMs },
      signed: {
        ns: signed('ns', this.#consensus.ns),
        microdesc: signed('microdesc', this.#consensus.microdesc),
      },
    };
  }

  /** The consensus with all signatures that are here. */
  signedConsensus(): ConsensusPair {
    const { ns, microdesc } = this.#consensus as ConsensusPair;
    const whole = ({ text, flavor }: Consensus) =>
      parsed(attachSignatures(signedText(text), flavor, this.#matching(flavor)));
    return { ns: whole(ns), microdesc: whole(microdesc) };
  }
}

function digestOf(consensus: Consensus): Uint8Array {
  return consensusDigest(consensus, signedAlgorithm[consensus.flavor]);
}

function parsed(text: string): Consensus {
  const consensus = parseConsensus(text);
  assert(consensus.ok, 'our own consensus is well formed');
  return consensus.value;
}

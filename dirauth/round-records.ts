import { toHex } from '../src/base/bytes.ts';
import { type Consensus, parseConsensus } from '../src/directory/consensus.ts';
import { documentBytes, documentText } from '../src/directory/document-lines.ts';
import { parseVote, type Vote } from '../src/directory/vote.ts';
import type { StorePort, StoreWrite } from '../src/ports.ts';
import { type ConsensusPair, flavors } from './voting-round.ts';

const prefix = 'authority/round/';

/** What an authority has said, or heard, in one round: it must not say something else after a crash. */
export interface RoundRecords {
  readonly validAfterMs: number;
  readonly votes: readonly Vote[];
  /** As we signed it. */
  readonly consensus: ConsensusPair | undefined;
}

export function voteRecord({ validAfterMs, authority, text }: Vote): StoreWrite {
  const key = `${prefix}${validAfterMs}/vote/${toHex(authority.v3Ident)}`;
  return { key, value: documentBytes(text) };
}

export function consensusRecords(consensus: ConsensusPair): StoreWrite[] {
  return flavors.map(flavor => {
    const { validAfterMs, text } = consensus[flavor];
    return { key: `${prefix}${validAfterMs}/consensus/${flavor}`, value: documentBytes(text) };
  });
}

/** What to remove of a round that is over. */
export function forgottenRecords({ votes, consensus }: Omit<RoundRecords, 'validAfterMs'>): StoreWrite[] {
  const records = [...votes.map(voteRecord), ...(consensus === undefined ? [] : consensusRecords(consensus))];
  return records.map(({ key }) => ({ key, value: undefined }));
}

/** All that is stored; what does not read any more is left out. */
export function readRounds(store: StorePort): RoundRecords[] {
  const rounds = new Map<number, { votes: Vote[]; consensuses: Map<string, Consensus> }>();
  for (const [key, value] of store.list(prefix)) {
    const [time, kind, name] = key.slice(prefix.length).split('/');
    const round = rounds.get(Number(time)) ?? { votes: [], consensuses: new Map<string, Consensus>() };
    rounds.set(Number(time), round);
    if (kind === 'vote') {
      const vote = parseVote(documentText(value));
      if (vote.ok) round.votes.push(vote.value);
    } else {
      const consensus = parseConsensus(documentText(value));
      if (consensus.ok) round.consensuses.set(name, consensus.value);
    }
  }
  return [...rounds].map(([validAfterMs, { votes, consensuses }]) => {
    const [ns, microdesc] = flavors.map(flavor => consensuses.get(flavor));
    const consensus = ns === undefined || microdesc === undefined ? undefined : { ns, microdesc };
    return { validAfterMs, votes, consensus };
  });
}

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAuthorityCertificate } from '../src/directory/authority-certificate.ts';
import { parseConsensus } from '../src/directory/consensus.ts';
import { parseServerDescriptor } from '../src/directory/descriptor.ts';
import { parseMicrodescriptor, splitMicrodescriptors } from '../src/directory/microdescriptor.ts';
import { parseVote } from '../src/directory/vote.ts';
import { type CapturedVerdicts, readVector } from './twins/captured.fixture.ts';
import {
  consensusOf,
  descriptorOf,
  documentTwins,
  expectedOfDocument,
  oursTakesConsensus,
  oursTakesDescriptor,
  oursTakesPacked,
} from './twins/captured-documents.fixture.ts';
import { readDocuments } from './twins/captured-texts.fixture.ts';
import { packedTwins } from './twins/compression-twins.fixture.ts';
import { oursTakes, signedCases } from './twins/directory-verdict.fixture.ts';
import { FalseNetwork } from './twins/false-network.fixture.ts';
import type { Verdict } from './twins/verdict.fixture.ts';
import { FalseVotes } from './twins/vote-verdict.fixture.ts';

const documents = readDocuments();
const { texts, wallMs } = documents;
const { tor, verdicts } = readVector<CapturedVerdicts>('document-verdicts');

describe(`documents of ${tor}`, () => {
  it('are read: the descriptor, and the microdescriptors that the consensus names', () => {
    const descriptor = parseServerDescriptor(texts['server-descriptor'], wallMs);
    expect(descriptor).toMatchObject({ ok: true, value: { nickname: 'tor1' } });
    const consensus = parseConsensus(texts['consensus-microdesc']);
    if (!consensus.ok) throw new Error(consensus.fault.detail);
    const named = consensus.value.relays.map(each => each.microdescriptorDigest);
    const digests = splitMicrodescriptors(texts.microdescriptors, 10).map(text => {
      const parsed = parseMicrodescriptor(text);
      return parsed.ok ? parsed.value.digest : undefined;
    });
    expect(digests).toEqual(expect.arrayContaining(named));
  });

  it('are read: the vote, the key certificate, and the consensus of the other flavour', () => {
    expect(parseVote(texts.vote)).toMatchObject({ ok: true });
    expect(parseAuthorityCertificate(texts['key-certificate'])).toMatchObject({ ok: true });
    const consensus = parseConsensus(texts.consensus);
    expect(consensus).toMatchObject({ ok: true, value: { flavor: 'ns' } });
    const descriptor = parseServerDescriptor(texts['server-descriptor'], wallMs);
    expect(
      consensus.ok && descriptor.ok && consensus.value.relays.map(each => each.descriptorDigest),
    ).toEqual(expect.arrayContaining([descriptor.ok && descriptor.value.digest]));
  });
});

describe('what C tor keeps and refuses, so do we:', () => {
  const [descriptors, consensuses] = documentTwins();

  it('every twin has a verdict, and every verdict a twin', () => {
    const names = [...descriptors, ...consensuses].map(([name]) => name);
    expect(names.sort()).toEqual(Object.keys(verdicts).sort());
  });

  it.each(descriptors)('%s', (name, twin) => {
    const made = oursTakesDescriptor(documents, descriptorOf(documents, twin));
    expect(made).toBe(expectedOfDocument(name, verdicts[name]));
  });

  it.each(consensuses)('%s', (name, twin) => {
    const made = oursTakesConsensus(documents, consensusOf(documents, twin));
    expect(made).toBe(expectedOfDocument(name, verdicts[name]));
  });
});

describe('what a client of C tor makes of how a consensus is packed, so do we:', () => {
  const { verdicts: ofPacked } = readVector<CapturedVerdicts>('packed-verdicts');

  it('every twin has a verdict, and every verdict a twin', () => {
    expect(packedTwins.map(({ name }) => name).sort()).toEqual(Object.keys(ofPacked).sort());
  });

  it.each(packedTwins.map(twin => [twin.name, twin] as const))('%s', (name, twin) => {
    expect(oursTakesPacked(documents, twin)).toBe(expectedOfDocument(name, ofPacked[name]));
  });
});

describe('what C tor makes of certificates, microdescriptors and votes, so do we:', () => {
  const { verdicts: ofAuthorities } = readVector<CapturedVerdicts>('authority-verdicts');
  const ours = new Map<string, () => Verdict>();
  let network: FalseNetwork;

  beforeAll(async () => {
    network = await FalseNetwork.start();
    for (const each of signedCases(network)) ours.set(each.name, () => oursTakes(network, each));
    const votes = new FalseVotes(network);
    for (const twin of votes.twins) ours.set(`a vote ${twin.name}`, () => votes.oursTakes(twin));
  }, 60_000);
  afterAll(() => network?.stop());

  it('every twin has a verdict, and every verdict a twin', () => {
    expect([...ours.keys()].sort()).toEqual(Object.keys(ofAuthorities).sort());
  });

  it.each(Object.entries(ofAuthorities))('%s', (name, verdict) => {
    expect(ours.get(name)?.()).toBe(expectedOfDocument(name, verdict));
  });
});

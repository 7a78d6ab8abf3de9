import { utf8 } from '../../../src/base/bytes.ts';
import type { Result } from '../../../src/base/fault.ts';
import {
  parseAuthorityCertificate,
  splitCertificates,
} from '../../../src/directory/authority-certificate.ts';
import { parseBandwidthFile } from '../../../src/directory/bandwidth-file.ts';
import { parseConsensus } from '../../../src/directory/consensus.ts';
import { consensusOf } from '../../../src/directory/consensus-of-votes.ts';
import { verifyConsensus } from '../../../src/directory/consensus-verify.ts';
import { parseServerDescriptor, splitDescriptors } from '../../../src/directory/descriptor.ts';
import { parseDetachedSignatures } from '../../../src/directory/detached-signatures.ts';
import { documentBytes, documentText } from '../../../src/directory/document-lines.ts';
import { parseMicrodescriptor, splitMicrodescriptors } from '../../../src/directory/microdescriptor.ts';
import { congestionOf, joinView } from '../../../src/directory/network-view.ts';
import { PriceShelf } from '../../../src/directory/price-shelf.ts';
import { parseVote, splitVotes } from '../../../src/directory/vote.ts';
import type { FuzzTarget } from '../fuzz-target.ts';
import { sourceWords } from '../source-words.ts';
import { type SampleDocuments, sampleDocuments } from './sample-documents.ts';
import { verdictOf } from './verdict.ts';

/** Common to all documents. */
const shared = ['src/directory/document-lines', 'src/directory/status-document', 'src/directory/port-policy'];
const cases = 100_000;
const piecesMax = 16;

interface DocumentKind {
  readonly name: string;
  readonly sources: readonly string[];
  readonly samples: (documents: SampleDocuments) => readonly string[];
  /** Reads a text as its takers do. */
  readonly read: (text: string, documents: SampleDocuments) => Result<unknown>;
}

const kinds: readonly DocumentKind[] = [
  {
    name: 'consensus',
    sources: ['src/directory/consensus', 'src/directory/network-view', 'src/flow/congestion-params'],
    samples: ({ consensuses }) => consensuses,
    read(text, { wallMs, certificates }) {
      const parsed = parseConsensus(text);
      if (!parsed.ok) return parsed;
      const known = parseAuthorityCertificate(certificates[0]);
      if (!known.ok) return known;
      congestionOf(joinView(parsed.value, new Map(), new PriceShelf()));
      return verifyConsensus(parsed.value, [known.value], [known.value], wallMs);
    },
  },
  {
    name: 'vote',
    sources: ['src/directory/vote', 'src/directory/consensus', 'src/directory/agreed-relays'],
    samples: ({ votes }) => votes,
    read(text) {
      const [first = ''] = splitVotes(text, piecesMax);
      const parsed = parseVote(first);
      if (parsed.ok) consensusOf([parsed.value], 1);
      return parsed;
    },
  },
  {
    name: 'descriptor',
    sources: ['src/directory/descriptor', 'src/directory/address-policy', 'src/crypto/ed25519-cert'],
    samples: ({ descriptors }) => descriptors,
    read: (text, { wallMs }) => parseServerDescriptor(splitDescriptors(text, piecesMax)[0] ?? '', wallMs),
  },
  {
    name: 'microdescriptor',
    sources: ['src/directory/microdescriptor', 'src/directory/price-line'],
    samples: ({ microdescriptors }) => microdescriptors,
    read: text => parseMicrodescriptor(splitMicrodescriptors(text, piecesMax)[0] ?? ''),
  },
  {
    name: 'certificate',
    sources: ['src/directory/authority-certificate', 'src/crypto/rsa'],
    samples: ({ certificates }) => certificates,
    read: text => parseAuthorityCertificate(splitCertificates(text, piecesMax)[0] ?? ''),
  },
  {
    name: 'signatures',
    sources: ['src/directory/detached-signatures'],
    samples: ({ signatures }) => signatures,
    read: parseDetachedSignatures,
  },
  {
    name: 'bandwidths',
    sources: ['src/directory/bandwidth-file'],
    samples: () => [
      `1800000000\nversion=1.4.0\nsoftware=sbws\n=====\nbw=760 node_id=$${'AB'.repeat(20)} nick=relay\n`,
    ],
    read: parseBandwidthFile,
  },
];

/** What directories hand out and take in. */
export const documentTargets: readonly FuzzTarget[] = kinds.map(({ name, sources, samples, read }) => ({
  name,
  cases,
  inputBytesMax: 8_192,
  sources: [...shared, ...sources],
  open() {
    const documents = sampleDocuments();
    return {
      seeds: samples(documents).map(documentBytes),
      words: [...sourceWords([...shared, ...sources]), utf8('\n'), utf8('-----BEGIN SIGNATURE-----\n')],
      take(input, tell) {
        tell(verdictOf(read(documentText(input), documents)));
      },
    };
  },
}));

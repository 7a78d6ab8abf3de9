import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toHex } from '../../src/base/bytes.ts';
import { parseAuthorityCertificate, splitCertificates } from '../../src/directory/authority-certificate.ts';
import { parseConsensus } from '../../src/directory/consensus.ts';
import { verifyConsensus } from '../../src/directory/consensus-verify.ts';
import { documentText } from '../../src/directory/document-lines.ts';
import { parseMicrodescriptor, splitMicrodescriptors } from '../../src/directory/microdescriptor.ts';
import { Tor } from '../interop/c-tor.fixture.ts';
import { News } from '../news.fixture.ts';
import {
  certificateOf,
  certificateTwins,
  consensusListing,
  microdescriptorTwins,
} from './authority-twins.fixture.ts';
import { packedTwins } from './compression-twins.fixture.ts';
import { type FalseAnswer, FalseNetwork, plainAnswer } from './false-network.fixture.ts';
import type { Verdict } from './verdict.fixture.ts';

/** What a client asks of a directory until it can build circuits, in that order. */
const steps = ['consensus', 'keys', 'micro', 'circuit'] as const;
type Step = (typeof steps)[number];

function stepOf(path: string): Step | undefined {
  return steps.find(step => path.includes(`/${step}`));
}

/** Something that a false directory answers. */
export interface DirectoryCase {
  /** Also the verdict's place in the captured ones. */
  readonly name: string;
  /** The step at which the answer is right or wrong. */
  readonly at: Step;
  /** What the network says in this case in place of what it otherwise would. */
  answersOf(network: FalseNetwork): Partial<Record<Step, FalseAnswer>>;
}

export const packedCases: readonly DirectoryCase[] = packedTwins.map(twin => ({
  name: twin.name,
  at: 'consensus',
  answersOf: ({ consensus }) => ({ consensus: twin.answer(consensus) }),
}));

/** Twins of what that network says; they are the same for each. */
export function signedCases({ signer, microdescriptors }: FalseNetwork): readonly DirectoryCase[] {
  return [
    ...certificateTwins(signer.certificate.text).map(
      (twin): DirectoryCase => ({
        name: `a certificate ${twin.name}`,
        at: 'keys',
        answersOf: network => ({ keys: plainAnswer(certificateOf(network.signer, twin)) }),
      }),
    ),
    ...microdescriptorTwins(microdescriptors[0]).map(
      ({ name, edit }): DirectoryCase => ({
        name: `a microdescriptor ${name}`,
        at: 'micro',
        answersOf: network => {
          const edited = network.microdescriptors.map(edit);
          const consensus = consensusListing(
            network.consensus,
            network.microdescriptors,
            edited,
            network.signer,
          );
          return { consensus: plainAnswer(consensus), micro: plainAnswer(edited.join('')) };
        },
      }),
    ),
  ];
}

/** Clients under test at once: each waits for most of its time. */
const atOnce = 12;

/** `keep` or `refuse`, of each: what a client of C tor makes of it. */
export async function torTakes(cases: readonly DirectoryCase[]): Promise<Record<string, Verdict>> {
  const dir = await mkdtemp(join(tmpdir(), 'naulon-tor-'));
  const waiting = cases.map((each, at) => ({ each, dir: join(dir, `client${at}`) }));
  const verdicts: Record<string, Verdict> = {};
  const work = async (): Promise<void> => {
    const network = await FalseNetwork.start();
    try {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
        verdicts[next.each.name] = await judgeTor(network, next.each, next.dir);
    } finally {
      network.stop();
    }
  };
  try {
    await Promise.all(Array.from({ length: atOnce }, work));
  } finally {
    await rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
  return verdicts;
}

/** Whether a client that knows nothing yet goes on to what comes next, or asks for the same again. */
async function judgeTor(
  network: FalseNetwork,
  { name, at, answersOf }: DirectoryCase,
  dir: string,
): Promise<Verdict> {
  const news = new News();
  const answers = answersOf(network);
  let answered = false;
  let verdict: Verdict | undefined;
  const onStep = (step: Step | undefined): void => {
    if (step === undefined) return;
    if (steps.indexOf(step) > steps.indexOf(at)) verdict ??= 'keep';
    if (step === at && answered) verdict ??= 'refuse';
    answered ||= step === at;
    news.tell();
  };
  network.words = {
    onRequest: path => {
      const step = stepOf(path);
      onStep(step);
      return step && answers[step];
    },
    // Until it has microdescriptors it can only ask by CREATE_FAST.
    onMade: () => {
      onStep('circuit');
      return false;
    },
  };
  const lines = ['TestingTorNetwork 1', 'SocksPort 0', `DirAuthority ${network.authority}`];
  const tor = await Tor.start({ dir, name: 'client', lines, ready: /Opened Control listener/ });
  try {
    // One that neither goes on nor asks again has no use for what it has.
    return await news.until(() => verdict, `what ${name} comes to`).catch((): Verdict => 'refuse');
  } finally {
    await tor.stop();
  }
}

/** `keep` or `refuse`: what a client of ours makes of certificates and microdescriptors. */
export function oursTakes(network: FalseNetwork, { answersOf }: DirectoryCase): Verdict {
  const answers = answersOf(network);
  const said = (step: Step, otherwise: string) =>
    answers[step] === undefined ? otherwise : documentText(answers[step].body);
  const consensus = parseConsensus(said('consensus', network.consensus));
  const certificates = splitCertificates(said('keys', network.signer.certificate.text), 10).flatMap(text => {
    const parsed = parseAuthorityCertificate(text);
    return parsed.ok ? [parsed.value] : [];
  });
  if (!consensus.ok || !verifyConsensus(consensus.value, certificates, certificates, Date.now()).ok)
    return 'refuse';
  const found = splitMicrodescriptors(said('micro', network.microdescriptors.join('')), 10).map(text => {
    const parsed = parseMicrodescriptor(text);
    return parsed.ok ? toHex(parsed.value.digest) : '';
  });
  const wanted = consensus.value.relays.map(({ microdescriptorDigest }) =>
    toHex(microdescriptorDigest ?? new Uint8Array(0)),
  );
  return wanted.every(digest => found.includes(digest)) ? 'keep' : 'refuse';
}

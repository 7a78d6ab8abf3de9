import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { equalBytes } from '../../src/base/bytes.ts';
import { documentBytes } from '../../src/directory/document-lines.ts';
import { entriesOf, makeVote, type TestAuthority } from '../../src/directory/small-network.fixture.ts';
import { parseVote, splitVotes } from '../../src/directory/vote.ts';
import { scheduleLines, Tor, torAuthorityLines } from '../interop/c-tor.fixture.ts';
import { voteOf, voteTwins } from './authority-twins.fixture.ts';
import type { DocumentTwin } from './document-edits.fixture.ts';
import { replaced } from './document-text.fixture.ts';
import type { FalseNetwork } from './false-network.fixture.ts';
import { post } from './post.fixture.ts';
import type { Verdict } from './verdict.fixture.ts';

/** Authorities vote so seldom that all votes of a test are for one time. */
const intervalSeconds = 1_800;
const delaySeconds = 20;
/** Votes that are posted later than this before their time might not be known to all. */
const closingMs = 3 * delaySeconds * 1_000;
const intervalMs = intervalSeconds * 1_000;
const nextMs = () => (Math.floor(Date.now() / intervalMs) + 1) * intervalMs;

/** Votes of an authority that others know, on the consensus that is due next. */
export class FalseVotes {
  readonly #authority: TestAuthority;
  readonly twins: readonly DocumentTwin[];
  readonly #text: string;
  readonly #validAfterMs: number;

  constructor({ signer, descriptors }: FalseNetwork) {
    this.#authority = signer;
    this.#validAfterMs = nextMs();
    const vote = makeVote(signer, entriesOf(descriptors), {
      publishedMs: Date.now(),
      validAfterMs: this.#validAfterMs,
      freshUntilMs: this.#validAfterMs + intervalMs,
      validUntilMs: this.#validAfterMs + 3 * intervalMs,
      votingDelay: [delaySeconds, delaySeconds],
      params: new Map([['naulon', 1]]),
    });
    this.#text = vote.text;
    this.twins = voteTwins(vote.text);
  }

  /** An authority keeps the newest vote of another: each twin is of a later second. */
  of(twin: DocumentTwin): string {
    const second = new Date(Date.now() + this.twins.indexOf(twin) * 1_000).toISOString().slice(0, 19);
    return voteOf(
      replaced('published', `published ${second.replace('T', ' ')}`)(this.#text),
      this.#authority,
      twin,
    );
  }

  /** `keep` or `refuse`: what an authority of ours makes of one that is posted. */
  oursTakes(twin: DocumentTwin): Verdict {
    const [text] = splitVotes(this.of(twin), 1);
    const parsed = text === undefined ? undefined : parseVote(text);
    if (!parsed?.ok) return 'refuse';
    const { authority, certificate, validAfterMs } = parsed.value;
    const known = equalBytes(authority.v3Ident, this.#authority.identity.fingerprint);
    return known && certificate.expiresMs > Date.now() && validAfterMs === this.#validAfterMs
      ? 'keep'
      : 'refuse';
  }
}

/** `keep` or `refuse`, of each: the status with which an authority of C tor answers a vote that is posted to it. */
export async function torTakesVotes(network: FalseNetwork): Promise<Record<string, Verdict>> {
  while (nextMs() - Date.now() < 2 * closingMs) await pause(1_000);
  const dir = await mkdtemp(join(tmpdir(), 'naulon-tor-'));
  const votes = new FalseVotes(network);
  const schedule = scheduleLines(intervalSeconds, delaySeconds);
  const { trusted, lines } = await torAuthorityLines(join(dir, 'auth'), { schedule });
  const tor = await Tor.start({
    dir: join(dir, 'auth'),
    name: 'torauth',
    lines: [...lines, `DirAuthority ${network.authority}`],
    ready: /Opened OR listener connection \(ready\)/,
  });
  const verdicts: Record<string, Verdict> = {};
  try {
    const [, dirPort] = / (127\.0\.0\.1:\d+) /.exec(trusted) ?? [];
    for (const twin of votes.twins) {
      const status = await post(`http://${dirPort}/tor/post/vote`, documentBytes(votes.of(twin)));
      verdicts[`a vote ${twin.name}`] = status === 200 ? 'keep' : 'refuse';
    }
  } finally {
    await tor.stop();
    await rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
  return verdicts;
}

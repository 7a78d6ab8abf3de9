import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Tor } from '../interop/c-tor.fixture.ts';
import { News } from '../news.fixture.ts';
import { type PackedTwin, packedTwins } from './compression-twins.fixture.ts';
import { FalseNetwork } from './false-network.fixture.ts';
import type { Verdict } from './verdict.fixture.ts';

/** Clients under test at once: each waits for most of its time. */
const atOnce = 4;

/** `keep` or `refuse`, of each: what a client of C tor makes of a consensus that is packed so. */
export async function torTakesPacked(): Promise<Record<string, Verdict>> {
  const dir = await mkdtemp(join(tmpdir(), 'naulon-tor-'));
  const waiting = packedTwins.map((twin, at) => ({ twin, dir: join(dir, `client${at}`) }));
  const verdicts: Record<string, Verdict> = {};
  const work = async (): Promise<void> => {
    const network = await FalseNetwork.start();
    try {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
        verdicts[next.twin.name] = await takesPacked(network, next.twin, next.dir);
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

/** Whether a client that knows nothing yet asks next for what goes with that consensus, or for a consensus again. */
async function takesPacked(network: FalseNetwork, twin: PackedTwin, dir: string): Promise<Verdict> {
  const news = new News();
  let asked = 0;
  let verdict: Verdict | undefined;
  network.words = {
    onRequest: path => {
      const forConsensus = path.includes('/consensus');
      if (forConsensus) asked += 1;
      if (!forConsensus) verdict ??= 'keep';
      else if (asked > 1) verdict ??= 'refuse';
      news.tell();
      return forConsensus ? twin.answer(network.consensus) : undefined;
    },
  };
  const lines = ['TestingTorNetwork 1', 'SocksPort 0', `DirAuthority ${network.authority}`];
  const tor = await Tor.start({ dir, name: 'packed', lines, ready: /Opened Control listener/ });
  try {
    return await news.until(() => verdict, `what ${twin.name} comes to`);
  } finally {
    await tor.stop();
  }
}

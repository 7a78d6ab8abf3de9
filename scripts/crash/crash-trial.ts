import { setTimeout as pause } from 'node:timers/promises';
import type { SeededEntropy } from '../../src/sim/seeded-entropy.ts';
import { countedTrial } from './counted-trial.ts';
import type { CrashLab } from './crash-lab.ts';
import type { CrashPoint, Party } from './crash-points.ts';
import type { CrashingNode } from './crash-process.ts';
import type { MoneyCount } from './money-count.ts';

/** What else happens while the killed process is down. */
export const meanwhiles = ['nothing', 'bitcoind killed', 'reorg'] as const;
export type Meanwhile = (typeof meanwhiles)[number];

/** A point, or any time at all. */
export type Death = { readonly at: CrashPoint } | { readonly anyTime: Party };

const deathMsMax = 60_000;
const streamBytes = 150_000;
const streams = 6;
/** Of a whole life of a channel; later kills would find it settled. */
const lifeMs = 400;

/** Lives a channel's life, kills one of its ends on the way, brings it up again, and counts the money when all is settled. */
export function crashTrial(
  lab: CrashLab,
  death: Death,
  meanwhile: Meanwhile,
  random: SeededEntropy,
): Promise<readonly string[]> {
  return countedTrial(lab, async count => {
    const at = 'at' in death ? death.at : undefined;
    const dying = lab.node('at' in death ? death.at.party : death.anyTime);
    if (at !== undefined) await startToDie(lab, dying, at, random);
    const living = live(lab, count, at);
    const died =
      at === undefined
        ? pause(random.between(0, lifeMs), true)
        : Promise.race([dying.death.then(() => true), pause(deathMsMax, false)]);
    const gotThere = await died;
    await dying.kill();
    await living.end();
    await during(lab, meanwhile, count, random);
    return gotThere ? [] : ['it did not get to that point'];
  });
}

async function startToDie(
  lab: CrashLab,
  dying: CrashingNode,
  at: CrashPoint,
  random: SeededEntropy,
): Promise<void> {
  await dying.kill();
  if (at.what === 'seed') lab.renewPurse(dying);
  await dying.start({ at, nth: isPayment(at) ? random.between(1, 12) : 1 });
}

/** A channel gets there many times; the first payment is large, the others follow fast. */
function isPayment(at: CrashPoint | undefined): boolean {
  return at !== undefined && /^(payment|REDEEM|RECEIPT)$/.test(at.what);
}

/** A channel's life while it lasts; whatever fails in it is what a crash does to a life. */
function live(lab: CrashLab, count: MoneyCount, at: CrashPoint | undefined): { end(): Promise<void> } {
  let over = false;
  const isOver = () => over;
  const lived = (async () => {
    // Who has just started knows nothing of the chain yet, and can neither open a contract nor take one.
    while (!over) {
      try {
        await lifeOf(lab, count, at, isOver);
        return;
      } catch {
        await pause(100);
      }
    }
  })();
  return {
    end: async () => {
      over = true;
      await lived;
    },
  };
}

async function lifeOf(
  lab: CrashLab,
  count: MoneyCount,
  at: CrashPoint | undefined,
  isOver: () => boolean,
): Promise<void> {
  if (lab.client.isDead) return;
  if (at?.what === 'address') {
    const address = await (await lab.control()).walletAddress();
    count.gift(await lab.chain.funds.faucet(address, 50_000n), address);
  }
  const needsChild = at?.what === 'child' || at?.what.endsWith(' with child');
  if (at?.party === 'client' && (needsChild || (at.what === 'refund' && at.act === 'broadcast'))) {
    await lab.openChannel();
    await lab.relay.kill();
    if (needsChild) await emptyBlocks(lab, 25, isOver);
    else while (!isOver()) await slowly(lab, 25);
    return;
  }
  const { circuit, user } = await lab.openCircuit();
  for (let stream = 0; !isOver() && (stream < streams || isPayment(at)); stream++)
    await lab.stream(user, streamBytes);
  const close = async () => void (await (await lab.control()).closeCircuit(circuit.id));
  if (needsChild) {
    await emptyBlocks(lab, 1, isOver, close);
    return;
  }
  await close();
  while (!isOver()) await slowly(lab, 1);
}

/** Nothing that waits gets into any, so that it needs a child. */
async function emptyBlocks(
  lab: CrashLab,
  atOnce: number,
  isOver: () => boolean,
  first = async () => {},
): Promise<void> {
  await lab.chain.withoutMining(async () => {
    await first();
    while (!isOver()) {
      await lab.chain.mineEmpty(atOnce);
      await pause(100);
    }
  });
}

/** Blocks that everybody has time to hear of. */
async function slowly(lab: CrashLab, blocks: number): Promise<void> {
  await lab.chain.mine(blocks);
  await pause(100);
}

async function during(
  lab: CrashLab,
  meanwhile: Meanwhile,
  count: MoneyCount,
  random: SeededEntropy,
): Promise<void> {
  if (meanwhile === 'bitcoind killed') await lab.chain.killAndRestart(random.between(0, 3));
  if (meanwhile !== 'reorg') return;
  const depthMax = Math.min(6, (await lab.chain.height()) - count.fromHeight);
  if (depthMax > 0) await lab.chain.reorganise(random.between(1, depthMax));
  else await lab.chain.mine(1);
}

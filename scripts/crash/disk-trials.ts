import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { RunCount } from '../../src/node-io/run-count.ts';
import { countedTrial } from './counted-trial.ts';
import type { CrashLab } from './crash-lab.ts';
import type { Party } from './crash-points.ts';
import { paidChannel, tryClose, tryStream } from './paid-channel.ts';

type Problems = Promise<readonly string[]>;

const pageBytes = 4_096;
const squeezesMax = 12;
const channelsEach = 3;

/** A second process wants the data of one that runs: it is refused, and the first notices nothing. */
export function twoProcesses(lab: CrashLab, party: Party): Problems {
  return countedTrial(lab, async () => {
    const channel = await paidChannel(lab);
    const before = lab.receiptedMsat();
    const said = await lab.node(party).startSecond();
    await tryStream(lab, channel);
    const goesOn = lab.receiptedMsat() > before;
    await tryClose(lab, channel);
    return [
      ...(/is in use by process \d+/.test(said) ? [] : [`the second process was not refused: ${said}`]),
      ...(goesOn ? [] : ['the first process takes or makes no payments any more']),
    ];
  });
}

/** Its records can grow no more, by a limit of the system: it ends at once, and has lost nothing when there is room again. */
export function diskFull(lab: CrashLab, party: Party): Problems {
  return countedTrial(lab, async () => {
    const node = lab.node(party);
    const bytes = node.storeBytes;
    for (let pages = 0; pages < squeezesMax; pages++) {
      await node.kill();
      if (!(await node.startWithin(bytes - pages * pageBytes))) break;
      for (let channel = 0; channel < channelsEach && !node.isDead; channel++) await payOnce(lab, party);
      if (node.isDead) break;
    }
    return node.saidDiskFull ? [] : ['it did not say that the disk is full'];
  });
}

async function payOnce(lab: CrashLab, party: Party): Promise<void> {
  const dead = lab.node(party).death.then(() => undefined);
  const paid = paidChannel(lab).catch(() => undefined);
  const channel = await Promise.race([paid, dead]);
  if (channel !== undefined) await Promise.race([tryClose(lab, channel), dead]);
}

/** How old a backup is: its owner has made or taken payments on the channel since, or has opened it since. */
export type Staleness = 'payments' | 'channel';

/** What a backup cannot know is wrong in its owner's records, and in no sum. */
const expected: Readonly<Record<Party, RegExp>> = {
  relay: /: no relay of the network has this channel$/,
  client: /: (\d+ sat were settled, \d+ were paid|the payee has a payment that the payer has not made)$/,
};

/** A party dies and is given its records of some time ago: it refuses them, and loses no more than they lack when it must take them. */
export async function staleBackup(lab: CrashLab, party: Party, since: Staleness): Problems {
  const node = lab.node(party);
  const store = join(node.dataDir, 'store');
  const backup = join(lab.dir, `backup-${party}`);
  const problems = await countedTrial(lab, async () => {
    const before = lab.receiptedMsat();
    if (since === 'channel') cpSync(store, backup, { recursive: true });
    const channel = await paidChannel(lab);
    if (since === 'payments') {
      // What is under way to the disk is there by then; nothing is paid meanwhile.
      await pause(500);
      cpSync(store, backup, { recursive: true });
    }
    const known = since === 'channel' ? before : lab.receiptedMsat();
    await tryStream(lab, channel);
    // It runs once more, so that it has seen newer records than those that are put back.
    await node.kill();
    await node.start();
    await node.kill();
    rmSync(store, { recursive: true });
    cpSync(backup, store, { recursive: true });
    const refused = await node.start().then(
      () => false,
      error => /is an old copy/.test(String(error)),
    );
    // Its owner insists.
    rmSync(new RunCount(node.dataDir).file);
    // A relay can prove no more than its backup: by so much its owner loses.
    if (party === 'relay') lab.forgetReceipts(known);
    return refused ? [] : ['it went on with an old copy of its records'];
  }).finally(() => rmSync(backup, { recursive: true, force: true }));
  return problems.filter(problem => !expected[party].test(problem));
}

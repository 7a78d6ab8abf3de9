import { countedTrial } from './counted-trial.ts';
import type { CrashLab } from './crash-lab.ts';
import type { Party } from './crash-points.ts';
import { paidChannel, tryClose, tryStream } from './paid-channel.ts';

type Problems = Promise<readonly string[]>;

const squeezesMax = 12;
const channelsEach = 3;
const diskFullWords = 'naulon: the disk does not take what must be stored';
/** Lmdb 3.5.6 writes its reason into a buffer that may be too small for it, and dies of that: as dead, if not as clear. */
const lmdbDied = /^Write error: File too large .*malloc\(\)/;

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
    // Pages that lmdb has free are taken first, wherever they lie: in the end it has no room at all.
    for (let squeezes = 0; squeezes < squeezesMax; squeezes++) {
      await node.kill();
      if (!(await node.startWithin(Math.ceil((bytes * (squeezesMax - squeezes)) / squeezesMax)))) break;
      for (let channel = 0; channel < channelsEach && !node.isDead; channel++) await payOnce(lab, party);
      if (node.isDead) break;
    }
    const said = node.lastWords;
    return said.startsWith(diskFullWords) || lmdbDied.test(said)
      ? []
      : [`it did not say that the disk is full, but: ${said}`];
  });
}

async function payOnce(lab: CrashLab, party: Party): Promise<void> {
  let over = false;
  const dead = lab.node(party).death.then(() => {
    over = true;
  });
  // A channel that were opened later would still be in use when the money is counted.
  const channel = await paidChannel(lab, undefined, () => over).catch(() => undefined);
  if (channel !== undefined) await Promise.race([tryClose(lab, channel), dead]);
}

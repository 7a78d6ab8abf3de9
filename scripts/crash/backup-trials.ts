import { execFile } from 'node:child_process';
import { cpSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { naulonFile } from '../node-process.ts';
import { countedTrial } from './counted-trial.ts';
import type { CrashLab } from './crash-lab.ts';
import type { Party } from './crash-points.ts';
import type { CrashingNode } from './crash-process.ts';
import {
  closeChannel,
  type PaidChannel,
  paidChannel,
  spendingOf,
  tryClose,
  tryStream,
} from './paid-channel.ts';
import { until } from './until.ts';

type Problems = Promise<readonly string[]>;

/** What a backup's owner has done since: payments on a channel that is in it, or channels that are not. */
export type Since = 'payments' | 'channels';

/** What a backup cannot know is wrong in its owner's records, and in no sum. */
const unknowable: Readonly<Record<Party, RegExp>> = {
  relay: /: (no relay of the network has this channel|\d+ sat were settled, \d+ were paid)$/,
  client: /: (\d+ sat were settled, \d+ were paid|the payee has a payment that the payer has not made)$/,
};

const diskMs = 500;
const noticed = 'store_went_back';
const noticeMsMax = 20_000;

/** A party loses its data, restores its backup, and goes on with that: it loses no more than the backup lacks, and nobody else anything. */
export async function restoredBackup(lab: CrashLab, party: Party, since: Since): Problems {
  const node = lab.node(party);
  const file = join(lab.dir, `${party}.sealed`);
  const [store, copy] = [join(node.dataDir, 'store'), join(lab.dir, `copy-${party}`)];
  const seal = async (): Promise<void> => {
    // What is under way to the disk is there by then; nothing is paid meanwhile.
    await pause(diskMs);
    await naulon('backup', '--dir', node.dataDir, '-o', file, ...secret(lab));
    cpSync(store, copy, { recursive: true });
  };
  const problems = await countedTrial(lab, async () => {
    let known = lab.receiptedMsat();
    if (since === 'channels') await seal();
    const channel = await paidChannel(lab);
    if (since === 'payments') {
      known = lab.receiptedMsat();
      await seal();
    }
    await tryStream(lab, channel);
    // It runs once more, so that it has seen newer records than those that are put back.
    await node.kill();
    await node.start();
    await node.kill();
    rmSync(store, { recursive: true });
    renameSync(copy, store);
    const refused = await node.start().then(
      () => false,
      error => /is an old copy/.test(String(error)),
    );
    await node.kill();
    await restore(lab, node, file);
    if (party === 'relay') lab.forgetReceipts(known);
    await lab.startDead();
    return [...(refused ? [] : ['it went on with an old copy of its records']), ...(await goesOn(lab))];
  }).finally(() => {
    rmSync(file, { force: true });
    rmSync(copy, { recursive: true, force: true });
  });
  return problems.filter(problem => !unknowable[party].test(problem));
}

/**
 * A whole data directory is put back as it was: at first nothing tells. Once the chain shows what is not in it, the party
 * promises nothing more, settles or takes back what it knows, and goes on when its owner has restored a backup of it.
 */
export async function oldDirectory(lab: CrashLab, party: Party, since: Since): Problems {
  const node = lab.node(party);
  const copy = join(lab.dir, `copy-${party}`);
  const problems = await countedTrial(lab, async () => {
    const first = await paidChannel(lab);
    await pause(diskMs);
    const known = lab.receiptedMsat();
    // A socket is no data.
    cpSync(node.dataDir, copy, { recursive: true, filter: from => basename(from) !== 'control' });
    const ended = since === 'payments' ? [first] : [await paidChannel(lab), await paidChannel(lab)];
    if (since === 'payments') await tryStream(lab, first);
    for (const channel of ended) await settled(lab, channel);
    await node.kill();
    rmSync(node.dataDir, { recursive: true });
    renameSync(copy, node.dataDir);
    if (party === 'relay') lab.forgetReceipts(known);
    const said = node.logged(noticed);
    await lab.startDead();
    const stops = await stopsPromising(lab, () => node.logged(noticed) > said);
    await tryClose(lab, first);
    if (stops.length > 0) return stops;
    await restoreItself(lab, node);
    return goesOn(lab);
  }).finally(() => rmSync(copy, { recursive: true, force: true }));
  return problems.filter(problem => !unknowable[party].test(problem));
}

/** Closes the channel and waits until a block has what settles it. */
async function settled(lab: CrashLab, channel: PaidChannel): Promise<void> {
  await closeChannel(lab, channel);
  await spendingOf(lab, channel);
  await until(
    async () => (await lab.chain.rpc('gettxout', channel.contractTxid, 0, false)) === null,
    'the settlement is in a block',
  );
}

/** Empty: it has noticed, and neither makes nor takes payments. */
async function stopsPromising(lab: CrashLab, hasNoticed: () => boolean): Promise<readonly string[]> {
  try {
    await until(async () => hasNoticed(), 'it has noticed', noticeMsMax);
  } catch {
    return ['it has not noticed that its records are old'];
  }
  const before = lab.receiptedMsat();
  const paid = await Promise.race([paidOnce(lab), pause(10_000, 'nothing was paid')]);
  const more = lab.receiptedMsat() - before;
  return more === 0n ? [] : [`it went on with old records: ${more} msat were paid, ${paid}`];
}

async function paidOnce(lab: CrashLab): Promise<string> {
  try {
    const { circuit, user } = await lab.openCircuit();
    await lab.stream(user, 100_000);
    await (await lab.control()).closeCircuit(circuit.id);
    return 'over a circuit';
  } catch (error) {
    return String(error);
  }
}

/** What its owner is told to do: seal the old records, and restore them into a fresh directory. */
async function restoreItself(lab: CrashLab, node: CrashingNode): Promise<void> {
  const file = join(lab.dir, `${node.party}.sealed`);
  await node.kill();
  await naulon('backup', '--dir', node.dataDir, '-o', file, ...secret(lab));
  await restore(lab, node, file);
  rmSync(file);
  await lab.startDead();
}

/** Of its directory only the configuration is left. */
async function restore(lab: CrashLab, { dataDir }: CrashingNode, file: string): Promise<void> {
  for (const gone of ['store', 'store-runs', 'keys.json'])
    rmSync(join(dataDir, gone), { recursive: true, force: true });
  await naulon('restore', file, '--dir', dataDir, ...secret(lab));
  lab.hasRestored = true;
}

/** Empty: payments are made and taken again. */
async function goesOn(lab: CrashLab): Promise<readonly string[]> {
  const before = lab.receiptedMsat();
  const channel = await paidChannel(lab);
  const more = lab.receiptedMsat() - before;
  await tryClose(lab, channel);
  return more > 0n ? [] : ['nothing is paid any more'];
}

function secret(lab: CrashLab): readonly string[] {
  const file = join(lab.dir, 'passphrase');
  writeFileSync(file, 'of the crash matrix\n', { mode: 0o600 });
  return ['--passphrase-file', file];
}

async function naulon(...args: readonly string[]): Promise<void> {
  await promisify(execFile)(process.execPath, [naulonFile(), ...args]);
}

import { beforeEach, expect, it } from 'vitest';
import { backupLoss, decodeBackup, encodeBackup, makeBackup, writesOf } from './index.ts';
import { Lab, type SimHostWorld } from './sim-lab.fixture.ts';

let lab: Lab;
beforeEach(() => {
  lab = new Lab();
});

function backUp(side: 'payer' | 'payee', runs = 1) {
  lab.world.runUntilIdle();
  const world = lab[side].world as SimHostWorld;
  return world.turn(() => makeBackup(world.store, runs, ''));
}

it.each(['payer', 'payee'] as const)('of a %s gives way to none that has less', async side => {
  const empty = backUp(side);
  const talk = await lab.open();
  const opened = backUp(side);
  await talk.pay(2_000_000n);
  const paid = backUp(side);
  expect(backupLoss(empty, opened)).toBeUndefined();
  expect(backupLoss(opened, paid)).toBeUndefined();
  expect(backupLoss(paid, paid)).toBeUndefined();
  expect(backupLoss(opened, empty)).toMatch(/1 of the backup's 1 channels are not in the store/);
  expect(backupLoss(paid, opened)).toMatch(/a channel has been paid more in the backup/);
  expect(backupLoss(backUp(side, 2), paid)).toMatch(/the store is older: run 1, the backup is of run 2/);
  lab = new Lab({ variant: 'cltv' });
  expect(backupLoss(paid, { ...backUp(side), records: [] })).toMatch(
    new RegExp(`of another ${side}'s wallet`),
  );
});

it('is read as it was written, and puts records back that say that they are old', async () => {
  await lab.open();
  const made = backUp('payer');
  expect(decodeBackup(encodeBackup(made))).toEqual(made);
  const keys = writesOf(made).map(({ key }) => key);
  expect(keys).toEqual(expect.arrayContaining(made.records.map(([key]) => key)));
  expect(keys).toContain('bitcoin-channel/payer/restored');
});

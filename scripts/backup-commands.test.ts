import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Bitcoind, startBitcoind } from '../regtest/bitcoind.ts';
import { type Funds, openFunds } from '../regtest/funds.ts';
import { readFileStore } from '../src/node-io/file-store.ts';
import { ChannelLab } from '../test/channel-lab.fixture.ts';
import { storeRecords } from '../test/stored-records.fixture.ts';
import { runNaulon } from './naulon.fixture.ts';

let root: string;
let bitcoind: Bitcoind;
let funds: Funds;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'naulon-backup-test-'));
  writeFileSync(join(root, 'pass'), 'correct horse\n');
  bitcoind = await startBitcoind();
  funds = await openFunds(bitcoind);
}, 120_000);
afterAll(async () => {
  await bitcoind.stop();
  rmSync(root, { recursive: true, force: true });
});

type Side = 'payer' | 'payee';
const path = (name: string) => join(root, name);
const naulon = (...args: string[]) => runNaulon([...args, '--passphrase-file', path('pass')]);

/** The side's records of now, in a directory of that name. */
async function directoryOf(lab: ChannelLab, side: Side, name: string): Promise<string> {
  const { durable } = (side === 'payer' ? lab.payerHost : lab.payeeHost).store;
  await storeRecords(
    path(name),
    [...durable].map(([key, value]) => ({ key, value })),
  );
  return path(name);
}

async function backUp(lab: ChannelLab, side: Side, name: string): Promise<string> {
  const file = path(`${name}.sealed`);
  const directory = await directoryOf(lab, side, name);
  expect(await naulon('backup', '--dir', directory, '-o', file)).toMatchObject({ code: 0, err: '' });
  return file;
}

/** The side dies, its disk is lost, and it goes on in a fresh directory with what the backup holds. */
async function restoreFrom(lab: ChannelLab, side: Side, file: string): Promise<void> {
  const directory = `${file}.restored`;
  expect(await naulon('restore', file, '--dir', directory)).toMatchObject({ code: 0 });
  expect(statSync(directory).mode & 0o777).toBe(0o700);
  const reader = readFileStore(directory);
  await lab.restore(side, reader.list(''));
  await reader.close();
}

describe('naulon backup and restore', { timeout: 120_000 }, () => {
  it('give a relay its channels again: it loses no more than was paid since, and the next payment has that too', async () => {
    const lab = new ChannelLab(bitcoind, funds, { reusePaidChannels: true });
    await lab.fund();
    const talk = await lab.open();
    await talk.pay(2_000_000n);
    const file = await backUp(lab, 'payee', 'relay');
    await talk.pay(1_500_000n);
    lab.payer.side.ended(talk.session);
    await restoreFrom(lab, 'payee', file);
    expect(lab.row('payee').paidSat).toBe(3_000n);
    await lab.phase('payee', 'open');
    const next = lab.talk(10_000_000n);
    expect(await next.pay(1_000_000n)).toMatchObject({ kind: 'credited', value: 1_500_000n });
    await next.close();
    await lab.inMempool(1);
    await lab.mine();
    await lab.phase('payee', 'closed');
    expect(lab.row('payee').ending).toMatchObject({ payeeSat: 4_500n });
    await lab.checkLedgers();
    await lab.stop();
  });

  it('let what a relay earned be settled from its backup alone, at a cost that is shown first', async () => {
    const lab = new ChannelLab(bitcoind, funds, {});
    for (let i = 0; i < 2; i++) await lab.fund();
    for (let i = 0; i < 2; i++) await (await lab.open()).pay(4_000_000n);
    const file = await backUp(lab, 'payee', 'lost');
    const rows = lab.payeeScheme.desk.channels();
    await lab.payeeHost.stop();
    const directory = path('found');
    expect(await naulon('restore', file, '--dir', directory)).toMatchObject({ code: 0 });
    const chain = `chain: {rpc: '${bitcoind.rpcUrl}', cookie: '${bitcoind.cookieFile}'}\n`;
    writeFileSync(path('pay.yaml'), chain);
    const args = ['channel', 'redeem', '--all', '--dir', directory, '--pay', path('pay.yaml')];
    const dry = await runNaulon([...args, '--dry-run']);
    expect(dry).toMatchObject({ code: 0, out: '10,000 sat in 2 channels; nothing was sent\n' });
    expect(dry.err).toMatch(
      /contract +earned +fee +vB +sat\/vB +child today +ends +in blocks\n\w{12} +5,000 +372 /,
    );
    expect(await bitcoind.rpc('getrawmempool')).toEqual([]);
    expect(await runNaulon(args)).toMatchObject({ code: 0 });
    const pool = await bitcoind.rpc<string[]>('getrawmempool');
    expect(pool.sort()).toEqual(rows.map(({ settlementTxid }) => settlementTxid).sort());
    await funds.mine(1);
    const closed = () => lab.payerScheme.desk.channels().filter(({ phase }) => phase === 'closed');
    expect(await lab.payerHost.until(() => closed().length === 2)).toBe(true);
    expect(closed().map(({ ending }) => ending?.payeeSat)).toEqual([5_000n, 5_000n]);
    await lab.payerHost.stop();
  });

  it('let a client whose backup is old pay nothing twice, and believe no more than it has signed', async () => {
    const lab = new ChannelLab(bitcoind, funds, { reusePaidChannels: true });
    await lab.fund();
    const talk = await lab.open();
    const file = await backUp(lab, 'payer', 'client');
    await talk.pay(5_000_000n);
    lab.payee.side.ended(talk.session);
    await restoreFrom(lab, 'payer', file);
    expect(lab.row('payer').paidSat).toBe(1_000n);
    await lab.phase('payer', 'open');
    // The relay shows the signature for the 6,000 sat that the client has forgotten.
    const next = lab.talk(10_000_000n);
    expect(await next.pay(0n)).toEqual({ kind: 'ready' });
    expect(lab.row('payer').paidSat).toBe(6_000n);
    expect(await next.pay(500_000n)).toMatchObject({ kind: 'credited', value: 500_000n });
    // One that shows none gets nothing.
    const lie = next.target.slice();
    new DataView(lie.buffer).setBigUint64(10, 6_501n);
    next.target = lie;
    expect(await next.pay(500_000n)).toMatchObject({ fault: { code: 'PAY_BAD_TARGET' } });
    next.lose();
    await lab.mine(4);
    await lab.inMempool(1);
    await lab.mine();
    await lab.phase('payer', 'closed');
    expect(lab.row('payer').ending).toMatchObject({ payeeSat: 6_500n });
    await lab.checkLedgers();
    await lab.stop();
  });

  it('never write over more with less, nor over a wallet', async () => {
    const lab = new ChannelLab(bitcoind, funds, {});
    await lab.fund();
    const empty = await directoryOf(lab, 'payer', 'empty');
    const talk = await lab.open();
    talk.lose();
    const file = await backUp(lab, 'payer', 'full');
    await lab.stop();
    const kept = readFileSync(file);
    expect(await naulon('backup', '--dir', empty, '-o', file)).toMatchObject({
      code: 1,
      err: expect.stringContaining("1 of the backup's 1 channels are not in the store"),
    });
    const made = path('made');
    expect(await runNaulon(['wallet', 'new', '--dir', made])).toMatchObject({ code: 0 });
    expect(await naulon('backup', '--dir', made, '-o', file)).toMatchObject({
      code: 1,
      err: expect.stringContaining("another payer's wallet"),
    });
    expect(readFileSync(file).equals(kept)).toBe(true);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    // The same node again takes the place of its own backup; a directory with a wallet takes none.
    expect(await naulon('backup', '--dir', path('full'), '-o', file)).toMatchObject({ code: 0 });
    expect(await naulon('restore', file, '--dir', made)).toMatchObject({ code: 2 });
    expect(await naulon('backup', '--dir', path('nothing'), '-o', file)).toMatchObject({ code: 2 });
    expect(await runNaulon(['restore', file, '--dir', path('x')])).toMatchObject({ code: 2 });
  });
});

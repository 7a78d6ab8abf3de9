import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Bitcoind, startBitcoind } from '../regtest/bitcoind.ts';
import { satoshiOf } from '../regtest/bitcoind-rpc.ts';
import { type Funds, openFunds } from '../regtest/funds.ts';
import { runNaulon } from '../scripts/naulon.fixture.ts';
import { toHex } from '../src/base/bytes.ts';
import { scriptOfAddress } from '../src/bitcoin/wallet.ts';
import { withdrawReply } from '../src/broker/money-messages.ts';
import { hasPostgres, Postgres } from '../test/postgres.fixture.ts';
import { MortalBroker, type PartyAnswer } from './mortal-broker.fixture.ts';

let folder: string;
let bitcoind: Bitcoind;
let funds: Funds;
let postgres: Postgres | undefined;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'naulon-broker-deaths-'));
  bitcoind = await startBitcoind();
  funds = await openFunds(bitcoind);
  if (hasPostgres()) postgres = await Postgres.start();
});

afterAll(async () => {
  await postgres?.stop();
  await bitcoind.stop();
  rmSync(folder, { recursive: true, force: true });
});

const newBroker = (name: string, store?: object) =>
  new MortalBroker({ folder, bitcoind, funds }, name, store);

/** What a withdrawal was answered with. */
function paid({ reply }: PartyAnswer): { readonly txid: string; readonly feeSat: bigint } {
  const { txid, feeSat } = withdrawReply.decode(reply ?? new Uint8Array(0)) ?? {};
  return { txid: toHex((txid as Uint8Array).slice().reverse()), feeSat: feeSat as bigint };
}

/** What a transaction pays to an address, once it is in a block: one that needs another is offered again with the next. */
async function received(address: string, txid: string): Promise<bigint> {
  interface Found {
    readonly vout: readonly { readonly value: number; readonly scriptPubKey: { readonly hex: string } }[];
    readonly confirmations?: number;
  }
  const script = toHex(scriptOfAddress(address) as Uint8Array);
  for (;;) {
    const found = await bitcoind.rpc<Found>('getrawtransaction', txid, true).catch(() => undefined);
    if (found?.confirmations !== undefined) {
      const outputs = found.vout.filter(({ scriptPubKey }) => scriptPubKey.hex === script);
      return outputs.reduce((sum, { value }) => sum + satoshiOf(value), 0n);
    }
    await funds.mine(1);
    await pause(100);
  }
}

/** What every store must keep for a broker whose process dies. */
async function paysOutOnce(broker: MortalBroker): Promise<void> {
  await broker.start('persist');
  await broker.deposit(300_000n);
  const [to, other] = [await funds.address(), await funds.address()];
  const [first, second] = [broker.withdrawal(to, 120_000n), broker.withdrawal(other, 80_000n)];
  expect((await broker.ask(first)).reply).toBeUndefined();
  await broker.process.ended;

  await broker.start('broadcast');
  await broker.has(300_000_000n);
  const early = await broker.ask(first);
  await broker.process.ended;

  await broker.start('reply');
  const told = await broker.ask(first);
  if (early.reply !== undefined) expect(told.reply).toEqual(early.reply);
  expect((await broker.ask(second)).reply).toBeUndefined();
  await broker.process.ended;

  await broker.start('never');
  const toldToo = await broker.ask(second);
  expect((await broker.ask(first)).reply).toEqual(told.reply);
  expect((await broker.ask(second)).reply).toEqual(toldToo.reply);
  const [one, two] = [paid(told), paid(toldToo)];
  await broker.has(300_000_000n - (200_000n + one.feeSat + two.feeSat) * 1_000n);
  await broker.expectBacked();
  expect([await received(to, one.txid), await received(other, two.txid)]).toEqual([120_000n, 80_000n]);
  await broker.expectBacked();
}

it('pays out once and to the satoshi wherever it is killed: lmdb', async () => {
  const broker = newBroker('lmdb');
  await paysOutOnce(broker);
  await broker.process.stop();
}, 240_000);

describe.runIf(hasPostgres())('with records in PostgreSQL', () => {
  it('pays out once and to the satoshi wherever it is killed', async () => {
    const broker = newBroker('postgres', { postgres: server().url() });
    await paysOutOnce(broker);
    await broker.process.stop();
  }, 240_000);

  it('ends when the server is killed, and has all that it answered when both are back', async () => {
    await server().ask('create database killed');
    writeFileSync(join(folder, 'password'), `${server().access.password}\n`, { mode: 0o600 });
    const url = server().url('killed', { user: 'owner' });
    const broker = newBroker('killed', { postgres: url, password: '../password' });
    await broker.start('never');
    await broker.deposit(200_000n);
    const to = await funds.address();
    const first = broker.withdrawal(to, 50_000n);
    const told = await broker.ask(first);
    await server().kill();
    await expect(broker.process.ended).resolves.toMatchObject({ code: 3, asked: false });
    expect(broker.lastWords).toMatch(/^naulon: PostgreSQL at 127\.0\.0\.1:\d+\/killed cannot be reached/);
    await expect(broker.start('never')).rejects.toThrow(/cannot be reached \(ECONNREFUSED\)/);

    await server().begin();
    await broker.start('never');
    expect((await broker.ask(first)).reply).toEqual(told.reply);
    await broker.has(200_000_000n - (50_000n + paid(told).feeSat) * 1_000n);
    expect(await received(to, paid(told).txid)).toBe(50_000n);
    await broker.expectBacked();
    expect(readFileSync(broker.log, 'utf8')).not.toContain(server().access.password);
    await broker.process.stop();
  }, 240_000);

  it('takes over what was in lmdb, which nobody then takes for the truth', async () => {
    await server().ask('create database moved');
    const broker = newBroker('moved');
    await broker.start('never');
    await broker.deposit(100_000n);
    const request = broker.withdrawal(await funds.address(), 30_000n);
    const told = await broker.ask(request);
    await broker.process.stop();

    broker.keepIn({ postgres: server().url('moved') });
    await broker.start('never');
    expect((await broker.ask(request)).reply).toEqual(told.reply);
    await broker.has(100_000_000n - (30_000n + paid(told).feeSat) * 1_000n);
    const { code, err } = await runNaulon(['pay', 'evidence', '--dir', broker.dir]);
    expect(code).toBe(3);
    expect(err).toContain('name its broker.yaml with --file');
    await broker.expectBacked();
    await broker.process.stop();

    broker.keepIn(undefined);
    await expect(broker.start('never')).rejects.toThrow(/is an old copy: 2 runs are in it, 3 were here/);
  }, 240_000);
});

function server(): Postgres {
  if (postgres === undefined) throw new Error('PostgreSQL was started');
  return postgres;
}

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ToldChannel } from '../client/channel-money.ts';
import { bitcoinOf, regtestRpc, satoshiOf } from '../regtest/bitcoind-rpc.ts';
import { openDataDirectory } from '../src/node-io/data-directory.ts';
import { FileStore, readFileStore } from '../src/node-io/file-store.ts';
import type { StoreWrite } from '../src/ports.ts';
import { labUrl } from './lab-server.ts';
import { type MoneyControl, moneyControl } from './money-control.ts';
import { runNaulon } from './naulon.fixture.ts';
import { type NetworkState, readNetworkState } from './network-state.ts';
import type { AuditedLine, LedgerLine } from './node-ledgers.ts';
import { naulonFile } from './node-process.ts';
import { satoshiAt, settlementOf } from './settlement.ts';

/** Amounts come as decimal strings. */
type Sent<T> = { [K in keyof T]: T[K] extends bigint ? string : T[K] };

let root: string;
let dir: string;
/** What commands ask the client, without a process for each question. */
let money: MoneyControl;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'naulon-money-test-'));
  dir = join(root, 'net');
  expect(await naulon('up', '-d', '-q')).toMatchObject({ code: 0 });
  money = await moneyControl(state().control);
}, 120_000);
afterAll(async () => {
  money.disconnect();
  await naulon('down');
  rmSync(root, { recursive: true, force: true });
});

const naulon = (...args: string[]) => runNaulon([...args, '--data-dir', dir]);
const state = () => readNetworkState(dir) as NetworkState;
const rpc = () => regtestRpc(state().chain.rpcUrl, state().chain.cookieFile);
const count = (sat: string) => Number(sat);

/** The answer of a command that succeeds. */
async function told<T>(...args: string[]): Promise<T> {
  const { code, out, err } = await naulon(...args, '--json');
  expect({ code, err: code === 0 ? '' : err }).toEqual({ code: 0, err: '' });
  return JSON.parse(out) as T;
}

/** Waits for the chain's news to reach the client. */
async function untilPhase(contractTxid: string, phase: string): Promise<ToldChannel> {
  for (;;) {
    const found = (await money.channels()).channels.find(each => each.contractTxid === contractTxid);
    if (found?.phase === phase) return found;
  }
}

describe('naulon wallet', { timeout: 120_000 }, () => {
  it('gives fresh addresses, and is filled from the faucet to the satoshi', async () => {
    const first = await told<{ address: string }>('wallet', 'address');
    expect(first.address).toMatch(/^bcrt1q[0-9a-z]{38}$/);
    const before = await told<{ confirmedSat: string }>('wallet', 'balance');
    const funded = await told<{ txid: string; address: string; balance: { confirmedSat: string } }>(
      ...['wallet', 'fund', '--sat', '123456'],
    );
    expect(funded.address).not.toBe(first.address);
    expect(count(funded.balance.confirmedSat)).toBe(count(before.confirmedSat) + 123_456);
    expect(await rpc()('getrawtransaction', funded.txid, 1)).toMatchObject({ confirmations: 1 });
  });

  it('tells bitcoind of every script, and no secret unless asked', async () => {
    const { descriptors } = await told<{ descriptors: { desc: string }[] }>('wallet', 'descriptor');
    for (const { desc } of descriptors)
      expect(await rpc()('getdescriptorinfo', desc)).toMatchObject({ hasprivatekeys: false });
    await rpc()('createwallet', 'watching', true, true);
    const watching = regtestRpc(state().chain.rpcUrl, state().chain.cookieFile, 'watching');
    const imported = await watching<{ success: boolean }[]>('importdescriptors', descriptors);
    expect(imported.every(({ success }) => success)).toBe(true);
    const { confirmedSat } = await told<{ confirmedSat: string }>('wallet', 'balance');
    expect(satoshiOf(await watching<number>('getbalance'))).toBe(BigInt(confirmedSat));
    const secret = await naulon('wallet', 'descriptor', '--private');
    expect(secret.out).toContain('tprv');
    expect(secret.err).toContain('Whoever has these lines');
  });

  it('is made anew in a directory of its own, for its owner alone, and never replaced', async () => {
    const own = join(root, 'own');
    const made = await told<{ address: string }>('wallet', 'new', '--dir', own);
    expect([own, join(own, 'store')].map(path => statSync(path).mode & 0o777)).toEqual([0o700, 0o700]);
    expect(statSync(join(own, 'store', 'records.mdb')).mode & 0o777).toBe(0o600);
    const described = () => naulon('wallet', 'descriptor', '--dir', own);
    const [before] = [await described()];
    expect(await rpc()('deriveaddresses', before.out.trim(), [0, 0])).toEqual([made.address]);
    const again = await naulon('wallet', 'new', '--dir', own);
    expect(again).toMatchObject({ code: 2, out: '', err: expect.stringContaining(own) });
    expect(await described()).toEqual(before);
    expect(await naulon('wallet', 'new')).toMatchObject({ code: 2 });
  });
});

/** A stream that is left open, over three relays that have been paid; ends it. */
async function openPaidStream(): Promise<() => Promise<unknown>> {
  const args = ['stream', state().lab, '--path', 'guard1,middle1,exit1', '-q', '--data-dir', dir];
  const stream = spawn(process.execPath, [naulonFile(), ...args], { stdio: ['pipe', 'ignore', 'ignore'] });
  const ended = new Promise(done => stream.once('close', done));
  const inUse = ({ inSession, paidSat }: ToldChannel) => inSession && paidSat > 0n;
  while ((await money.channels()).channels.filter(inUse).length < 3);
  return () => {
    stream.stdin.end();
    return ended;
  };
}

describe('naulon channel', { timeout: 120_000 }, () => {
  it('opens one of the size asked, from which the next circuit pays, and which then settles', async () => {
    const opened = await told<Sent<ToldChannel>>('channel', 'open', 'guard1', '--size', '70000');
    expect(opened).toMatchObject({ relay: 'guard1', phase: 'open', capacitySat: '70000', paidSat: '0' });
    expect(await satoshiAt(rpc(), { txid: opened.contractTxid, index: 0 })).toBe(70_000n);
    const table = await naulon('channel', 'ls');
    expect(table.out).toMatch(
      /^relay +phase +capacity +paid +remaining +ends +in blocks +confirmations +contract\nguard1 +open +70,000 +0 +69,388 +\d+ +14\d +1 /,
    );
    const url = labUrl(state().lab, { seed: 'money', bytes: 100_000 });
    const got = await naulon('get', url, '--path', 'guard1,middle1,exit1', '-o', join(root, 'got'));
    expect(got.code).toBe(0);
    const closed = await untilPhase(opened.contractTxid, 'closed');
    expect(closed.paidSat).toBeGreaterThan(0n);
    const { channels: all } = await money.channels();
    expect(all.filter(({ relay }) => relay === 'guard1')).toHaveLength(1);
    expect((await naulon('channel', 'ls')).out).toMatch(/^0 channels; \d ended/);
  });

  it('closes those that are named, by relay or transaction, and says what to do about others', async () => {
    const [one, two] = [
      await told<Sent<ToldChannel>>('channel', 'open', 'middle1', '--size', '20000'),
      await told<Sent<ToldChannel>>('channel', 'open', 'middle1', '--size', '30000'),
    ];
    for (const [name, { contractTxid }] of [
      [one.contractTxid.slice(0, 10), one] as const,
      ['middle1', two] as const,
    ]) {
      const { code, out } = await naulon('channel', 'close', name);
      expect({ code, out }).toEqual({
        code: 0,
        out: expect.stringMatching(/^middle1 settles by [0-9a-f]{64}: 0 sat to it, [12]9,388 back\n$/),
      });
      await untilPhase(contractTxid, 'closed');
    }
    expect(await naulon('channel', 'close', 'middle1')).toMatchObject({ code: 2 });
    expect(await naulon('channel', 'close')).toMatchObject({ code: 2 });
    expect(await naulon('channel', 'close', '--all')).toMatchObject({ code: 0, out: 'no open channels\n' });
    expect(await naulon('channel', 'open', 'nobody')).toMatchObject({ code: 2 });
    expect(await naulon('channel', 'open', 'exit1', '--size', '4999')).toMatchObject({ code: 2 });
    const poor = await naulon('channel', 'open', 'exit1', '--size', '90000000', '--json');
    expect(poor.code).toBe(5);
    expect(JSON.parse(poor.out).error.message).toContain('naulon wallet fund');
  });

  it('closes one that a circuit pays from, and every other channel of that circuit', async () => {
    const endStream = await openPaidStream();
    const { channels: closed } = await told<{ channels: Sent<ToldChannel>[] }>(
      ...['channel', 'close', '--all', '--now'],
    );
    expect(closed.map(({ relay }) => relay).sort()).toEqual(['exit1', 'guard1', 'middle1']);
    for (const { contractTxid } of closed) await untilPhase(contractTxid, 'closed');
    await endStream();
  });

  it('is settled by the relay while it runs when its operator says so, which shows first what it costs', async () => {
    const endStream = await openPaidStream();
    const atGuard = (await money.channels()).channels.filter(
      ({ relay, phase }) => relay === 'guard1' && phase === 'open',
    );
    const redeem = ['channel', 'redeem', '--all', '--dir', join(dir, 'guard1')];
    const dry = await told<{ channels: { contractTxid: string }[]; offered: unknown[] }>(
      ...redeem,
      '--dry-run',
    );
    expect(dry).toMatchObject({ channels: [{ contractTxid: atGuard[0].contractTxid }], offered: [] });
    expect((await untilPhase(atGuard[0].contractTxid, 'open')).ending).toBeUndefined();
    expect(await told(...redeem)).toMatchObject({
      byRelay: true,
      offered: [{ contractTxid: atGuard[0].contractTxid }],
    });
    expect((await untilPhase(atGuard[0].contractTxid, 'closed')).ending).toMatchObject({ how: 'payment' });
    expect((await naulon(...redeem)).out).toBe('0 sat in 0 channels; nothing was sent\n');
    await endStream();
  });

  it('is paid for by another wallet, by the PSBT that it has signed', async () => {
    await rpc()('createwallet', 'other');
    const other = regtestRpc(state().chain.rpcUrl, state().chain.cookieFile, 'other');
    const segwit = await other<string>('getnewaddress', '', 'bech32');
    await told('regtest', 'faucet', segwit, '--sat', '100000');
    await told('regtest', 'mine');
    const open = async (given: (address: string, sat: string) => Promise<string>) => {
      const args = ['channel', 'open', 'guard1', '--size', '45000', '--psbt', '--json', '--data-dir', dir];
      const command = spawn(process.execPath, [naulonFile(), ...args], { stdio: ['pipe', 'pipe', 'ignore'] });
      const ended = new Promise<number | null>(done => command.once('close', done));
      const answers: Record<string, string>[] = [];
      for await (const line of createInterface({ input: command.stdout })) {
        answers.push(JSON.parse(line));
        const [{ address, sat }] = answers;
        if (answers.length === 1) command.stdin.end(`${await given(address, sat)}\n`);
      }
      return { code: await ended, answer: answers[1] };
    };
    const signed = async (address: string, bitcoin: string) => {
      const outputs = [{ [address]: bitcoin }];
      const options = { change_type: 'bech32' };
      const { psbt } = await other<{ psbt: string }>('walletcreatefundedpsbt', [], outputs, 0, options);
      return (await other<{ psbt: string }>('walletprocesspsbt', psbt)).psbt;
    };
    const wrong = await open(address => signed(address, '0.00044999'));
    expect(wrong).toMatchObject({ code: 2, answer: { error: { code: 'PSBT_REFUSED' } } });
    const before = await money.balance();
    expect(before.lockedSat).toBe(0n);
    const { code, answer } = await open((address, sat) => signed(address, bitcoinOf(BigInt(sat))));
    expect({ code, answer }).toMatchObject({ code: 0, answer: { phase: 'open', capacitySat: '45000' } });
    expect(await money.balance()).toMatchObject({ confirmedSat: before.confirmedSat, lockedSat: 45_000n });
    await told('channel', 'close', 'guard1');
    await untilPhase(answer.contractTxid, 'closed');
  });

  it('is refunded from its height on, and not before', async () => {
    const { contractTxid, refundHeight } = await told<Sent<ToldChannel>>('channel', 'open', 'exit1');
    const early = await naulon('channel', 'refund', 'exit1', '--json');
    const { height, channels: asked } = JSON.parse(early.out);
    expect(early.code).toBe(1);
    expect(asked).toMatchObject([{ offered: false, blocksLeft: refundHeight - height }]);
    expect((await naulon('channel', 'refund', 'exit1')).out).toMatch(
      /too early, \d+ blocks remain until \d+/,
    );
    await told('regtest', 'mine', String(refundHeight - height));
    const { ending } = await untilPhase(contractTxid, 'refunded');
    expect(ending).toMatchObject({ how: 'refund', payeeSat: 0n, payerSat: 99_628n });
  });
});

describe('naulon ledger', { timeout: 120_000 }, () => {
  it('lists what both ends of each channel have recorded', async () => {
    const { channels: lines } = await told<{ channels: Sent<LedgerLine>[] }>('ledger', 'ls');
    const payers = lines.filter(({ role }) => role === 'payer');
    expect(payers.map(({ node }) => node)).toEqual(payers.map(() => 'client'));
    for (const { channel, relay, paidSat } of payers)
      expect(lines.find(line => line.role === 'payee' && line.channel === channel)).toMatchObject({
        node: relay,
        paidSat,
      });
    const guard = await told<{ channels: Sent<LedgerLine>[] }>('ledger', 'ls', '--dir', join(dir, 'guard1'));
    expect(guard.channels).toEqual(
      lines
        .filter(({ node }) => node === 'guard1')
        .map(each => expect.objectContaining({ channel: each.channel })),
    );
  });

  it('is equal to what bitcoind says, contract by contract', async () => {
    const audit = await told<{ equal: boolean; lines: Sent<AuditedLine>[]; sums: Record<string, string> }>(
      ...['ledger', 'check'],
    );
    expect(audit.equal).toBe(true);
    let lockedSat = 0n;
    for (const { role, contractTxid, contractIndex, sums } of audit.lines) {
      const contract = { txid: contractTxid, index: contractIndex };
      const settled = await settlementOf(rpc(), contract);
      const held = await satoshiAt(rpc(), contract);
      const paidOut = settled?.outputs.filter(({ script }) => script !== '51024e73') ?? [];
      const said = Object.fromEntries(Object.entries(sums).map(([name, sat]) => [name, BigInt(String(sat))]));
      expect(said.lockedSat).toBe(held);
      expect(said.payeeSat + said.payerSat).toBe(paidOut.reduce((sum, { sat }) => sum + sat, 0n));
      if (role === 'payer') lockedSat += held;
    }
    expect(BigInt(audit.sums.lockedSat)).toBe(lockedSat);
    const { payeeSat, payerSat, feeSat, heldSat } = audit.sums;
    expect([payeeSat, payerSat, feeSat, heldSat].reduce((sum, sat) => sum + BigInt(sat), 0n)).toBe(lockedSat);
    expect((await naulon('ledger', 'check')).out).toMatch(
      /\nequal: \d+ records of \d+ channels, and bitcoind/,
    );
  });

  it('is written as CSV of whole numbers', async () => {
    const file = join(root, 'ledger.csv');
    expect(await told('ledger', 'export', '-o', file)).toMatchObject({ file });
    const [heading, ...rows] = readFileSync(file, 'utf8').trimEnd().split('\n');
    expect((await naulon('ledger', 'export')).out.trimEnd().split('\n')).toEqual([heading, ...rows]);
    const columns = heading.split(',');
    const { channels: lines } = await told<{ channels: Sent<LedgerLine>[] }>('ledger', 'ls');
    for (const [at, row] of rows.map(each => each.split(',')).entries()) {
      const field = (name: string) => row[columns.indexOf(name)];
      for (const name of columns.filter(each => /_m?sat$/.test(each))) expect(field(name)).toMatch(/^\d*$/);
      expect(field('capacity_sat')).toBe(lines[at].capacitySat);
      expect(field('paid_msat')).toBe(String(BigInt(lines[at].paidSat) * 1_000n));
      expect(field('contract_txid')).toBe(lines[at].contractTxid);
    }
    expect(await naulon('ledger', 'export', '-o', join(root, 'no', 'file'))).toMatchObject({ code: 3 });
  });

  it('is found wrong where one bit of it is', async () => {
    const { channels: all } = await money.channels();
    const paid = all.find(({ relay, paidSat }) => relay === 'guard1' && paidSat > 0n);
    const keys = ['channel', 'best'].map(kind => `bitcoin-channel/payee/${kind}/${paid?.channel}`);
    const at: Record<string, (record: Uint8Array) => number> = {
      satoshi: () => 7,
      signature: record => record.length - 1,
      // The last 52 bytes are the ending: its id, height and shares.
      settlement: record => record.length - 52,
    };
    for (const [name, byteOf] of Object.entries(at)) {
      const wrongKey = name === 'settlement' ? keys[0] : keys[1];
      await copyOf('guard1', name, (record, key) =>
        record.map((byte, index) => (key === wrongKey && index === byteOf(record) ? byte ^ 1 : byte)),
      );
    }
    await copyOf('guard1', 'gone', (record, key) => (key === keys[0] ? undefined : record));
    await copyOf('guard1', 'whole', record => record);
    const pay = join(dir, 'guard1', 'pay.yaml');
    const checked = await runNaulon(['ledger', 'check', '--pay', pay, '--data-dir', join(root, 'copies')]);
    const contract = `${paid?.contractTxid}:0`;
    const said = checked.out
      .split('\n')
      .filter(line => line.includes(contract) || line.includes('cannot be read'));
    expect({ code: checked.code, said }).toEqual({
      code: 1,
      said: [
        expect.stringMatching(/^satoshi: .* the payer's signature is not for \d+ sat$/),
        expect.stringMatching(/^satoshi: .* \d+ sat were settled, \d+ were paid$/),
        expect.stringMatching(/^settlement: .* what spent the contract is neither its refund nor one of its/),
        expect.stringMatching(/^settlement: .* the chain says that [0-9a-f]{64} spent the contract, not/),
        expect.stringMatching(/^signature: .* the payer's signature is not for \d+ sat$/),
        expect.stringMatching(/^gone: .* cannot be read, or a part of it is missing$/),
      ],
    });
    expect(checked.out).toMatch(/\nNOT equal: 4 of \d+ records of \d+ channels are wrong\n$/);
  });

  it('says what is missing', async () => {
    const nothing = join(root, 'nothing');
    expect(await runNaulon(['ledger', 'ls', '--data-dir', nothing])).toMatchObject({ code: 3 });
    expect(await naulon('ledger', 'ls', '--dir', nothing)).toMatchObject({ code: 2 });
    const alone = ['ledger', 'check', '--dir', join(dir, 'guard1'), '--data-dir', nothing];
    expect(await runNaulon(alone)).toMatchObject({ code: 3, err: expect.stringContaining('--offline') });
    expect((await runNaulon([...alone, '--offline'])).out).toMatch(/\nsound: /);
    const pay = ['--pay', join(dir, 'guard1', 'pay.yaml')];
    expect((await runNaulon([...alone, ...pay])).out).toMatch(/\nequal: /);
  });
});

/** A node's records in a directory of another name, each as `change` has it. */
async function copyOf(
  node: string,
  name: string,
  change: (record: Uint8Array, key: string) => Uint8Array | undefined,
): Promise<void> {
  const records = readFileStore(join(dir, node));
  const writes: StoreWrite[] = records
    .list('')
    .map(([key, value]) => ({ key, value: change(value.slice(), key) }));
  await records.close();
  const directory = openDataDirectory(join(root, 'copies', name));
  const copy = new FileStore({ directory, onBroken: why => expect.unreachable(why.message) });
  await new Promise<void>(stored => {
    copy.attach({ onAnswer: () => stored() });
    copy.commit(writes, 1);
  });
  await copy.close();
}

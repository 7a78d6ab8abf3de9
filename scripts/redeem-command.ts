import { resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { RpcCall } from '../regtest/bitcoind-rpc.ts';
import { RpcFault, satoshiOf } from '../regtest/bitcoind-rpc.ts';
import { askToSettle } from '../relay/owner-commands.ts';
import { toHex } from '../src/base/bytes.ts';
import { exitCode, OperatorError } from '../src/base/fault.ts';
import { reorgBlocksExpected } from '../src/base/limits.ts';
import { childFeeSat } from '../src/bitcoin/child-tx.ts';
import { openDataDirectory } from '../src/node-io/data-directory.ts';
import { FileStore, readFileStore } from '../src/node-io/file-store.ts';
import {
  contractName,
  type LedgerRow,
  type Redeemable,
  redeemable,
} from '../src/schemes/bitcoin-channel/index.ts';
import { contractFacts } from './contract-facts.ts';
import { type ChainOptions, chainRpc, namedChain } from './named-chain.ts';
import { counted, grouped, type Terminal, table } from './terminal.ts';

interface RedeemOptions extends ChainOptions {
  readonly dir: string;
  readonly all?: boolean;
  readonly dryRun?: boolean;
}

/** A settlement with what it costs today. */
interface Costed extends Redeemable {
  readonly satPerVbyte: number;
  /** What a child would pay to lift it to the feerate of the day. */
  readonly childSat: bigint;
  readonly blocksLeft: number;
}

const feerateFloor = 2_000n;
/** A running relay is asked for so many at a time: a request is one line. */
const askedAtOnce = 1_000;
const offeredMsMax = 10_000;

/**
 * Settles what a relay has earned: shows what it costs, then has it settle, if it runs. For one that does not run, stores
 * that the channels close, and offers each best payment to the chain.
 */
export async function redeem(options: RedeemOptions, terminal: Terminal, names: string[]): Promise<number> {
  const directory = resolve(options.dir);
  const found = await namedChain(options);
  if (found === undefined) {
    const what = `no chain runs in ${resolve(options.dataDir)}; name a bitcoind with --pay`;
    throw new OperatorError('REGTEST_DOWN', what, exitCode.missing);
  }
  const rpc = await chainRpc(found);
  const reader = readFileStore(directory);
  const wanted = choose(redeemable(reader, 'regtest'), options, names);
  await reader.close();
  const costed = await costOf(rpc, wanted);
  const costs = costed.map(toldCost);
  for (const line of costTable(costed)) terminal.say(line);
  if (options.dryRun || costed.length === 0) {
    terminal.object({ channels: costs, offered: [] });
    const earned = costed.reduce((sum, { row }) => sum + row.paidSat, 0n);
    terminal.print(`${grouped(earned)} sat in ${counted(costed.length, 'channel')}; nothing was sent`);
    return exitCode.ok;
  }
  const asked = await askRelay(directory, costed);
  const due = asked === undefined ? await storeClosing(directory, costed) : costed;
  const offered = [];
  for (const { row, settlement } of due) {
    const fault =
      asked === undefined
        ? await offer(rpc, settlement)
        : (asked.get(row.channel) ?? (await seenOffered(rpc, row)));
    offered.push({ contractTxid: row.contractTxid, settlementTxid: row.settlementTxid, fault });
    const what = fault === undefined ? 'offered to the chain' : `not offered: ${fault}`;
    terminal.print(`settlement of ${grouped(row.paidSat)} sat on ${row.contractTxid.slice(0, 12)} ${what}`);
  }
  terminal.object({ channels: costs, offered, byRelay: asked !== undefined });
  const refused = offered.some(({ fault }) => fault !== undefined);
  const when = asked === undefined ? 'once the relay runs' : 'by the relay at each block';
  if (refused) terminal.say(`What was refused is offered again, with a child that pays, ${when}.`);
  return refused ? exitCode.badAnswer : exitCode.ok;
}

/** Why the relay does not settle, by channel, where it does not. Undefined: it does not run. */
async function askRelay(
  directory: string,
  wanted: readonly Costed[],
): Promise<ReadonlyMap<string, string> | undefined> {
  const refusals = new Map<string, string>();
  for (let from = 0; from < wanted.length; from += askedAtOnce) {
    const channels = wanted.slice(from, from + askedAtOnce).map(({ row }) => row.channel);
    const answer = await askToSettle(directory, channels);
    if (answer === undefined) return undefined;
    for (const [channel, why] of Object.entries(answer)) if (why !== null) refusals.set(channel, why);
  }
  return refusals;
}

/** Waits until bitcoind has a transaction that spends the contract: the payer may have paid more meanwhile. */
async function seenOffered(rpc: RpcCall, row: LedgerRow): Promise<string | undefined> {
  const { contractTxid, contractIndex } = row;
  for (const deadline = performance.now() + offeredMsMax; performance.now() < deadline; await pause(100))
    if ((await rpc('gettxout', contractTxid, contractIndex, true)) === null) return whyAbsent(rpc, row);
  return 'bitcoind has not taken it yet';
}

/** Undefined for a contract that is spent; bitcoind tells as little of one that it has never seen. */
async function whyAbsent(rpc: RpcCall, row: LedgerRow): Promise<string | undefined> {
  const name = contractName(row);
  const facts = await contractFacts(rpc, [name], Math.max(0, row.openedHeight - reorgBlocksExpected));
  return facts.get(name)?.spending === undefined ? 'bitcoind knows no such contract' : undefined;
}

function choose(
  all: readonly Redeemable[],
  { all: everything }: RedeemOptions,
  names: readonly string[],
): readonly Redeemable[] {
  if (everything && names.length === 0) return all;
  if (everything || names.length === 0) {
    const what = 'name transaction ids of contracts (8 digits or more), or say --all';
    throw new OperatorError('USAGE', what, exitCode.usage);
  }
  const means = (name: string, { row }: Redeemable) => name.length >= 8 && row.contractTxid.startsWith(name);
  for (const name of names) {
    if (all.some(each => means(name, each))) continue;
    throw new OperatorError('CHANNEL_UNKNOWN', `nothing to settle on ${name}`, exitCode.usage);
  }
  return all.filter(each => names.some(name => means(name, each)));
}

async function costOf(rpc: RpcCall, wanted: readonly Redeemable[]): Promise<readonly Costed[]> {
  const height = await rpc<number>('getblockcount');
  const { mempoolminfee, incrementalrelayfee } = await rpc<Record<string, number>>('getmempoolinfo');
  const { feerate = 0 } = await rpc<{ feerate?: number }>('estimatesmartfee', 2);
  const rates = [satoshiOf(mempoolminfee) + satoshiOf(incrementalrelayfee), satoshiOf(feerate)];
  const satPerKvb = rates.reduce((highest, rate) => (rate > highest ? rate : highest), feerateFloor);
  return wanted.map(each => {
    const { row, vsize } = each;
    const fee = { parentVsize: vsize, parentFeeSat: row.feeSat, satPerKvb, feeSatMin: 0n };
    const falls = Number(row.feeSat) * 1_000 < Number(vsize * satPerKvb);
    return {
      ...each,
      satPerVbyte: Number(row.feeSat) / Number(vsize),
      childSat: falls ? childFeeSat(fee) : 0n,
      blocksLeft: Math.max(0, row.refundHeight - height),
    };
  });
}

/**
 * What is due of these now that nobody else writes: a relay that has ended meanwhile may have taken more before. Throws
 * STORE_LOCKED where one runs that cannot be asked.
 */
async function storeClosing(
  directory: string,
  wanted: readonly Redeemable[],
): Promise<readonly Redeemable[]> {
  const names = new Set(wanted.map(({ row }) => row.channel));
  let failed: (why: OperatorError) => void = () => {};
  const store = new FileStore({ directory: openDataDirectory(directory), onBroken: why => failed(why) });
  try {
    const due = redeemable(store, 'regtest').filter(({ row }) => names.has(row.channel));
    if (due.length > 0)
      await new Promise<void>((stored, broken) => {
        failed = broken;
        store.attach({ onAnswer: () => stored() });
        store.commit(
          due.map(({ closing }) => closing),
          1,
        );
      });
    return due;
  } finally {
    await store.close();
  }
}

/** Why bitcoind does not take it; undefined when it does, or has it. */
async function offer(rpc: RpcCall, settlement: Uint8Array): Promise<string | undefined> {
  try {
    await rpc('sendrawtransaction', toHex(settlement));
    return undefined;
  } catch (error) {
    if (!(error instanceof RpcFault)) throw error;
    return error.code === -27 || /txn-already/.test(error.message) ? undefined : error.message;
  }
}

function toldCost({ row, vsize, satPerVbyte, childSat, blocksLeft }: Costed) {
  const { contractTxid, settlementTxid, paidSat, feeSat, refundHeight } = row;
  return {
    contractTxid,
    settlementTxid,
    paidSat,
    feeSat,
    vsize,
    satPerVbyte,
    childSat,
    refundHeight,
    blocksLeft,
  };
}

function costTable(costed: readonly Costed[]): string[] {
  if (costed.length === 0) return [];
  const rows = costed.map(({ row, vsize, satPerVbyte, childSat, blocksLeft }) => [
    row.contractTxid.slice(0, 12),
    grouped(row.paidSat),
    grouped(row.feeSat),
    String(vsize),
    satPerVbyte.toFixed(1),
    grouped(childSat),
    String(row.refundHeight),
    String(blocksLeft),
  ]);
  return table(['contract', 'earned', 'fee', 'vB', 'sat/vB', 'child today', 'ends', 'in blocks'], rows);
}

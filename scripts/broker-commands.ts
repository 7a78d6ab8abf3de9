import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type RecordsPlace, readRecords } from '../broker/broker-records.ts';
import { readAnyBroker } from '../broker/config.ts';
import { brokerSecretsIn } from '../broker/start-broker.ts';
import type { RpcCall } from '../regtest/bitcoind-rpc.ts';
import { satoshiOf } from '../regtest/bitcoind-rpc.ts';
import { toHex } from '../src/base/bytes.ts';
import { exitCode, OperatorError } from '../src/base/fault.ts';
import { bookProblems } from '../src/broker/account-book.ts';
import { filedProofs } from '../src/broker/broker-core.ts';
import { type BrokerLedger, readBrokerLedger } from '../src/broker/broker-ledger.ts';
import { SigningKey } from '../src/crypto/ecdsa.ts';
import { coinbaseMaturity } from '../src/node-io/block-follower.ts';
import type { StoreReader } from '../src/node-io/file-store.ts';
import { makeOutputFolder } from '../src/node-io/output-file.ts';
import { chosenBrokered } from '../src/node-io/scheme-module.ts';
import { SystemClock } from '../src/node-io/system-clock.ts';
import { SystemEntropy } from '../src/node-io/system-entropy.ts';
import type { BrokerHost } from '../src/payment/broker-side.ts';
import type { BrokeredScheme } from '../src/payment/brokered.ts';
import type { Value } from '../src/payment/scheme.ts';
import { brokeredSchemes } from '../src/schemes/brokered.ts';
import { type ChainOptions, chainRpc, namedChain } from './named-chain.ts';
import { networkBrokerFile } from './network-broker.ts';
import type { ChainAccess } from './network-state.ts';
import { grouped, type Terminal, table } from './terminal.ts';

interface BrokerOptions extends ChainOptions {
  /** The broker's data directory. */
  readonly dir?: string;
  /** Its broker.yaml, which names that and the chain too. */
  readonly file?: string;
}

/** Holds a broker's books against themselves, each scheme's records, and the coins that bitcoind knows. */
export async function check(options: BrokerOptions, terminal: Terminal): Promise<number> {
  const broker = brokerOf(options);
  const chain = (options.pay === undefined ? broker.chain : undefined) ?? (await namedChain(options));
  if (chain === undefined) {
    const what = `no chain runs in ${resolve(options.dataDir)}; start it with: naulon up -d, or name it with --pay`;
    throw new OperatorError('LEDGER_NO_CHAIN', what, exitCode.missing);
  }
  const schemes = broker.schemes && (await chosenBrokered(broker.schemes));
  const audit = await auditBroker(broker, await chainRpc(chain), schemes);
  const { problems } = audit;
  const told = toldBooks(audit);
  terminal.object({ ok: problems.length === 0, ...told, problems });
  for (const line of bookLines(told)) terminal.print(line);
  for (const problem of problems) terminal.print(problem);
  if (problems.length === 0) terminal.print('Every e-coin and every balance is backed, to the satoshi.');
  return problems.length === 0 ? exitCode.ok : exitCode.badAnswer;
}

/** Writes the proofs of cheating that a broker has on file, one file each. */
export async function proofs(
  options: BrokerOptions & { readonly output?: string },
  terminal: Terminal,
): Promise<number> {
  const records = await readRecords(brokerOf(options));
  try {
    const found = filedProofs(records);
    const folder = options.output ?? '.';
    if (found.length > 0) makeOutputFolder(folder);
    const files = found.map(([name]) => join(folder, `${name}.proof.json`));
    await Promise.all(found.map(([, text], index) => writeFile(files[index], text)));
    terminal.object({ proofs: files });
    for (const file of files) terminal.print(file);
    if (files.length === 0) terminal.print('This broker has caught nobody.');
    return exitCode.ok;
  } finally {
    await records.close();
  }
}

interface NamedBroker extends RecordsPlace {
  /** Absent: its file is not known. */
  readonly chain?: ChainAccess;
  readonly schemes?: readonly string[];
}

function brokerOf({ file, dir, dataDir }: BrokerOptions): NamedBroker {
  if (file === undefined) {
    if (dir !== undefined) return { dataDirectory: resolve(dir), store: undefined };
    const dataDirectory = resolve(dataDir, 'broker');
    const written = join(dataDirectory, networkBrokerFile);
    // The broker of `up` may stand behind a module's scheme, as its file says.
    const schemes = existsSync(written) ? readAnyBroker(written).schemes : undefined;
    return { dataDirectory, store: undefined, schemes };
  }
  const { dataDirectory, store, chain, schemes } = readAnyBroker(resolve(file));
  return { dataDirectory, store, schemes, chain: { rpcUrl: chain.rpc, cookieFile: chain.cookie } };
}

/** What a broker's records and a chain say together. */
export interface BrokerAudit {
  /** That it stands behind. */
  readonly schemes: readonly BrokeredScheme[];
  readonly ledger: BrokerLedger;
  /** By scheme, from the scheme's own records. */
  readonly outstandingMsat: ReadonlyMap<number, Value>;
  readonly problems: readonly string[];
}

/** Reads the records of a broker, which may be running, and asks bitcoind for its coins. */
export async function auditBroker(
  place: RecordsPlace,
  rpc: RpcCall,
  schemes = brokeredSchemes,
): Promise<BrokerAudit> {
  const records = await readRecords(place);
  try {
    const { key, walletSeed } = brokerSecretsIn(place.dataDirectory);
    const ledger = readBrokerLedger(records, key, walletSeed);
    const outstandingMsat = outstandingIn(records, ledger, schemes);
    const heldSat = await reserveSat(rpc, ledger);
    const { receivedMsat, paidOutMsat } = ledger.books;
    const owedMsat = receivedMsat - paidOutMsat;
    const backing =
      heldSat * 1_000n === owedMsat ? [] : [`${owedMsat} msat owed, ${heldSat} sat on the chain`];
    return {
      schemes,
      ledger,
      outstandingMsat,
      problems: [...bookProblems(ledger.books, outstandingMsat), ...backing],
    };
  } finally {
    await records.close();
  }
}

/** Each scheme counts its own records, as it does in the broker. */
function outstandingIn(
  store: StoreReader,
  { books }: BrokerLedger,
  schemes: readonly BrokeredScheme[],
): ReadonlyMap<number, Value> {
  const refuses = (): never => {
    throw new Error('a broker that is only read changes nothing');
  };
  const host: BrokerHost = {
    clock: new SystemClock(),
    entropy: new SystemEntropy(),
    store,
    observer: { log() {}, count() {} },
    key: SigningKey.fresh(new SystemEntropy()),
    accounts: { balanceMsat: refuses, issue: refuses, deposit: refuses, charge: refuses },
    lendsMsat: () => 0n,
    once: refuses,
    file: refuses,
  };
  const used = schemes.filter(({ id }) => books.schemes.has(id));
  return new Map(used.map(scheme => [scheme.id, scheme.broker(host).outstandingMsat()]));
}

/** As bitcoind answers `scantxoutset`. */
interface Unspent {
  readonly amount: number;
  readonly coinbase: boolean;
  readonly confirmations: number;
}

/** The wallet's coins in blocks, less what does not count yet, less what is on its way out. */
async function reserveSat(rpc: RpcCall, ledger: BrokerLedger): Promise<bigint> {
  const { descriptor, addresses, waitingSat, withdrawals } = ledger;
  const { unspents } = await rpc<{ unspents: readonly Unspent[] }>('scantxoutset', 'start', [
    { desc: descriptor, range: [0, addresses - 1] },
  ]);
  // The broker hears of a coinbase when a block may spend it.
  const ripe = unspents.filter(
    ({ coinbase, confirmations }) => !coinbase || confirmations >= coinbaseMaturity,
  );
  let sat = ripe.reduce((sum, { amount }) => sum + satoshiOf(amount), -waitingSat);
  const underWay = await underWayAmong(rpc, withdrawals);
  for (const [id, { paidSat }] of withdrawals) if (underWay(id)) sat -= paidSat;
  return sat;
}

/** Which withdrawals are in no block yet: their coins are unspent there, or come from one that is in none itself. */
async function underWayAmong(
  rpc: RpcCall,
  withdrawals: BrokerLedger['withdrawals'],
): Promise<(id: string) => boolean> {
  const unspent = new Set<string>();
  for (const [id, { spends }] of withdrawals) {
    const [{ txid, index }] = spends;
    const output = await rpc('gettxout', toHex(txid.slice().reverse()), index, false);
    if (output !== null) unspent.add(id);
  }
  const underWay = (id: string): boolean =>
    unspent.has(id) || (withdrawals.get(id)?.spends ?? []).some(({ txid }) => underWay(toHex(txid)));
  return underWay;
}

type Told = Pick<BrokerAudit, 'schemes' | 'outstandingMsat'> & {
  readonly ledger: Pick<BrokerLedger, 'books'>;
};

/** The books as they are told: sums of all accounts, and each scheme by its name. */
export function toldBooks({ schemes: known, ledger: { books }, outstandingMsat }: Told) {
  const sumOf = (values: Iterable<Value>) => [...values].reduce((sum, value) => sum + value, 0n);
  const [held, balances] = [sumOf(books.heldMsat.values()), sumOf(books.balancesMsat.values())];
  const name = (id: number) => known.find(scheme => scheme.id === id)?.name ?? String(id);
  return {
    receivedMsat: books.receivedMsat,
    paidOutMsat: books.paidOutMsat,
    accounts: books.heldMsat.size,
    heldMsat: held,
    owedMsat: held - balances,
    schemes: [...books.schemes].map(([id, { issuedMsat, depositedMsat }]) => ({
      scheme: name(id),
      issuedMsat,
      depositedMsat,
      outstandingMsat: outstandingMsat.get(id) ?? 0n,
    })),
  };
}

/** The same as a table. */
export function bookLines(told: ReturnType<typeof toldBooks>): readonly string[] {
  const { receivedMsat, paidOutMsat, accounts, heldMsat, owedMsat, schemes } = told;
  return [
    ...table(
      ['received msat', 'paid out', `in ${accounts} accounts`, 'owed by them'],
      [[receivedMsat, paidOutMsat, heldMsat, owedMsat].map(grouped)],
    ),
    '',
    ...table(
      ['scheme', 'issued msat', 'deposited', 'outstanding'],
      schemes.map(each => [
        each.scheme,
        ...[each.issuedMsat, each.depositedMsat, each.outstandingMsat].map(grouped),
      ]),
    ),
    '',
  ];
}

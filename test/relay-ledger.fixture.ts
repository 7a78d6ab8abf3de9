import { contractFacts } from '../scripts/contract-facts.ts';
import { readFileStore } from '../src/node-io/file-store.ts';
import { contractName, readLedger } from '../src/schemes/bitcoin-channel/index.ts';
import type { Ledger } from '../src/schemes/bitcoin-channel/ledger.ts';
import type { LabNetwork } from './lab-network.fixture.ts';

/** What the disk of a relay holds while the relay runs. */
export async function ledgerOf(lab: LabNetwork, relay: string): Promise<Ledger> {
  const reader = readFileStore(lab.node(relay).dataDir);
  try {
    return readLedger(reader, 'regtest');
  } finally {
    await reader.close();
  }
}

/** What of each channel is money: how much the relay can prove it was paid, and in how many payments. */
export async function paidOf(lab: LabNetwork, relay: string): Promise<readonly unknown[]> {
  const { rows } = await ledgerOf(lab, relay);
  return rows.map(({ channel, paidSat, payments }) => ({ channel, paidSat, payments }));
}

/** What is wrong with a relay's ledger, every record of it held against bitcoind. */
export async function problemsOf(lab: LabNetwork, relay: string): Promise<readonly string[]> {
  const ledger = await ledgerOf(lab, relay);
  const facts = await contractFacts(lab.rpc, ledger.rows.map(contractName), ledger.fromHeight);
  return [...ledger.unreadable, ...ledger.check(facts).flatMap(({ problems }) => problems)];
}

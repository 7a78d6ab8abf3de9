import { setTimeout as pause } from 'node:timers/promises';
import type { RpcCall } from '../../regtest/bitcoind-rpc.ts';
import { contractName } from '../../src/schemes/bitcoin-channel/index.ts';
import { auditLedgers, nodeDirectories, readLedgers } from '../node-ledgers.ts';
import { satoshiAt } from '../settlement.ts';
import type { SoakNetwork } from './soak-network.ts';

/** Where the clients' money went, as wallets, ledgers and bitcoind say it. */
export interface MoneyCheck {
  readonly channels: number;
  readonly fundedSat: bigint;
  readonly walletsSat: bigint;
  readonly payeeSat: bigint;
  readonly feeSat: bigint;
  /** Still in contracts. */
  readonly heldSat: bigint;
  /** Funded, less all of the others: 0 to the satoshi. */
  readonly missingSat: bigint;
  /** What records and chain disagree on: NODE: CONTRACT: PROBLEM. */
  readonly wrong: readonly string[];
}

const settleMsMax = 60_000;
const blockMs = 250;
/** Beyond the T of every channel, should one be left that only its refund ends. */
const refundBlocks = 160;

/** Has every channel closed, mines until no contract holds anything, and adds up. */
export async function settleAll(soak: SoakNetwork, say: (line: string) => void): Promise<MoneyCheck> {
  for (const { money } of soak.clients) {
    const { channels } = await money.channels();
    const open = channels.filter(({ ending }) => ending === undefined);
    await Promise.allSettled(open.map(({ channel }) => money.close(channel, true)));
  }
  if (!(await emptied(soak, settleMsMax))) {
    say('channels are left that only their refunds end: mining up to T');
    for (let block = 0; block < refundBlocks; block++) {
      await soak.mine(1);
      await pause(20);
    }
    await emptied(soak, settleMsMax);
  }
  return check(soak);
}

async function emptied(soak: SoakNetwork, msMax: number): Promise<boolean> {
  for (const deadline = performance.now() + msMax; performance.now() < deadline; ) {
    const waiting = await soak.rpc<{ size: number }>('getmempoolinfo');
    const balances = await Promise.all(soak.clients.map(({ money }) => money.balance()));
    if (waiting.size === 0 && balances.every(each => each.lockedSat === 0n && each.unconfirmedSat === 0n))
      return true;
    await soak.mine(1);
    await pause(blockMs);
  }
  return false;
}

async function check(soak: SoakNetwork): Promise<MoneyCheck> {
  const audit = await auditLedgers(await readLedgers(nodeDirectories(soak.dir)), soak.rpc, true);
  const paid = audit.lines.filter(({ role }) => role === 'payer');
  const sum = (amounts: readonly bigint[]) => amounts.reduce((total, each) => total + each, 0n);
  const balances = await Promise.all(soak.clients.map(({ money }) => money.balance()));
  const walletsSat = sum(balances.map(({ confirmedSat, unconfirmedSat }) => confirmedSat + unconfirmedSat));
  const [payeeSat, heldSat] = [
    sum(paid.map(({ sums }) => sums.payeeSat)),
    sum(paid.map(({ sums }) => sums.heldSat)),
  ];
  const locked = paid.filter(({ sums }) => sums.lockedSat > 0n);
  const contracts = new Set(locked.map(({ contractTxid }) => contractTxid));
  // One after the other: bitcoind turns away thousands of questions at once.
  const fundingFees: bigint[] = [];
  for (const txid of contracts) fundingFees.push(await feeOf(soak.rpc, txid));
  const feeSat = sum(paid.map(({ sums }) => sums.feeSat)) + sum(fundingFees);
  return {
    channels: locked.length,
    fundedSat: soak.fundedSat,
    walletsSat,
    payeeSat,
    feeSat,
    heldSat,
    missingSat: soak.fundedSat - walletsSat - payeeSat - feeSat - heldSat,
    wrong: [
      ...audit.lines.flatMap(line =>
        line.problems.map(
          problem =>
            `${line.node}: ${contractName(line)}: ${problem} (${line.relay}, ${line.phase}, ${line.paidSat} sat paid, ${line.ending?.how ?? 'no ending'})`,
        ),
      ),
      ...audit.unreadable,
    ],
  };
}

interface RawTransaction {
  readonly vin: readonly { readonly txid: string; readonly vout: number }[];
  readonly vout: readonly unknown[];
}

async function feeOf(rpc: RpcCall, txid: string): Promise<bigint> {
  const { vin, vout } = await rpc<RawTransaction>('getrawtransaction', txid, 1);
  const held = await Promise.all(vin.map(({ txid, vout: index }) => satoshiAt(rpc, { txid, index })));
  const given = await Promise.all(vout.map((_, index) => satoshiAt(rpc, { txid, index })));
  const sum = (amounts: readonly bigint[]) => amounts.reduce((total, each) => total + each, 0n);
  return sum(held) - sum(given);
}

import { setTimeout as pause } from 'node:timers/promises';
import type { RpcCall } from '../../regtest/bitcoind-rpc.ts';
import type { LedgerRow } from '../../src/schemes/bitcoin-channel/index.ts';
import type { CrashLab } from './crash-lab.ts';
import type { MoneyCount } from './money-count.ts';
import { until } from './until.ts';
import { channelsSince } from './verdict.ts';

/** Between blocks, beside the time that both need to treat one: what they offer then has to reach bitcoind. */
const roundMs = 100;
/** Rounds in which a relay settles what was paid, before the rest is left to refunds. */
const settlingRounds = 3;
const roundsMax = 120;
const refundBlocksAtOnce = 25;

/**
 * Mines until every contract of a trial has ended, in everybody's records too: relays settle after some blocks, what
 * was never paid comes back after T. What has not ended by then is for the count to find.
 */
export async function settle(lab: CrashLab, count: MoneyCount): Promise<void> {
  const control = await lab.control();
  // Whoever has just started offers its contract again once it has looked through the chain.
  await until(async () => (await control.walletHeight()) !== null, 'the client has seen the chain');
  /** Rounds in which no contract was left but such as bitcoind has never heard of. */
  let quiet = 0;
  for (let round = 1; round <= roundsMax && quiet < settlingRounds; round++) {
    const open = (await channelsSince(lab, count.fromHeight)).filter(isOpen);
    const { size: waiting } = await lab.chain.rpc<{ size: number }>('getmempoolinfo');
    if (open.length === 0 && waiting === 0) return;
    const known = await Promise.all(open.map(row => isKnown(lab.chain.rpc, row)));
    quiet = waiting === 0 && !known.includes(true) ? quiet + 1 : 0;
    const owed = open.some(({ role, paidSat }, at) => known[at] && role === 'payee' && paidSat > 0n);
    await lab.chain.mine(owed || round < settlingRounds ? 1 : refundBlocksAtOnce);
    const tip = await lab.chain.height();
    await until(async () => lab.hasFollowed(tip), 'both have treated the block');
    await pause(roundMs);
  }
}

/** A payee's record of a contract that was never paid from may stay: its contract is nobody's loss. */
function isOpen({ role, paidSat, ending }: LedgerRow): boolean {
  return ending === undefined && (role === 'payer' || paidSat > 0n);
}

/** Its owner offers a contract at every block, so that one that stays unknown can never be in one. */
function isKnown(rpc: RpcCall, { contractTxid }: LedgerRow): Promise<boolean> {
  return rpc('getrawtransaction', contractTxid).then(
    () => true,
    () => false,
  );
}

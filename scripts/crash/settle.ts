import { setTimeout as pause } from 'node:timers/promises';
import type { LedgerRow } from '../../src/schemes/bitcoin-channel/index.ts';
import type { CrashLab } from './crash-lab.ts';
import type { MoneyCount } from './money-count.ts';
import { channelsSince } from './verdict.ts';

/** A block each, in which everybody has time to act; margins of a private chain are a few blocks. */
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
  let settling = 0;
  for (let round = 0; round < roundsMax; round++) {
    const open = (await channelsSince(lab, count.fromHeight)).filter(isOpen);
    const { size: waiting } = await lab.chain.rpc<{ size: number }>('getmempoolinfo');
    if (open.length === 0 && waiting === 0) return;
    const owed = open.some(({ role, paidSat }) => role === 'payee' && paidSat > 0n);
    settling += 1;
    await lab.chain.mine(owed || settling < settlingRounds ? 1 : refundBlocksAtOnce);
    await pause(roundMs);
  }
}

/** A payee's record of a contract that was never paid from may stay: its contract is nobody's loss. */
function isOpen({ role, paidSat, ending }: LedgerRow): boolean {
  return ending === undefined && (role === 'payer' || paidSat > 0n);
}

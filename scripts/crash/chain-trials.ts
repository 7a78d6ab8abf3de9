import { setTimeout as pause } from 'node:timers/promises';
import { regtestRules } from '../../src/bitcoin/channel-rules.ts';
import type { LedgerRow } from '../../src/schemes/bitcoin-channel/index.ts';
import type { SeededEntropy } from '../../src/sim/seeded-entropy.ts';
import { countedTrial } from './counted-trial.ts';
import type { CrashLab } from './crash-lab.ts';
import { doubleSpend } from './double-spend.ts';
import { fillMempool, prepareFillers, spikeFeeSatMin, spikeOptions } from './full-mempool.ts';
import { closeChannel, paidChannel, spendingOf, tryClose, tryStream } from './paid-channel.ts';
import { until } from './until.ts';
import { channelsSince } from './verdict.ts';

type Problems = Promise<readonly string[]>;

/** Bitcoind dies right after blocks came, under a channel that is in use, and comes back without them. */
export function bitcoindKilled(lab: CrashLab, random: SeededEntropy): Problems {
  return countedTrial(lab, async () => {
    const channel = await paidChannel(lab);
    const lower = await lab.chain.killAndRestart(random.between(1, 6));
    await tryStream(lab, channel);
    await tryClose(lab, channel);
    return lower > 0 ? [] : ['bitcoind came back with the tip it had'];
  });
}

/** The block with the contract is replaced while its channel pays. */
export function contractDropped(lab: CrashLab, depth: number): Problems {
  return countedTrial(lab, async () => {
    const channel = await paidChannel(lab);
    await lab.chain.withoutMining(async () => {
      const confirmations = await confirmationsOf(lab, channel.contractTxid);
      if (confirmations < depth) await lab.chain.mine(depth - confirmations);
    });
    await lab.chain.reorganise(depth);
    await tryStream(lab, channel);
    await tryClose(lab, channel);
    return [];
  });
}

/** So is the one with the settlement, after both have heard of it. */
export function settlementDropped(lab: CrashLab, depth: number): Problems {
  return countedTrial(lab, async count => {
    const channel = await paidChannel(lab);
    await closeChannel(lab, channel);
    await until(async () => {
      const rows = await channelsSince(lab, count.fromHeight);
      return rows.filter(({ ending }) => ending !== undefined).length === 2;
    }, 'both have heard of the settlement');
    await lab.chain.withoutMining(async () => {
      const spent = await channelsSince(lab, count.fromHeight);
      const since = (await lab.chain.height()) - (spent[0].ending?.height ?? 0) + 1;
      if (since < depth) await lab.chain.mine(depth - since);
    });
    await lab.chain.reorganise(depth);
    return [];
  });
}

/** The client spends its contract's coins otherwise, before a block has it: the relay has given nothing for it. */
export function doubleSpentUnconfirmed(lab: CrashLab): Problems {
  return countedTrial(lab, async () => {
    const before = lab.receiptedMsat();
    await lab.chain.withoutMining(async () => {
      const opening = lab.openCircuit().catch(() => undefined);
      await until(async () => (await mempool(lab)).length > 0, 'the contract waits for a block');
      const [contract] = await mempool(lab);
      await lab.chain.mineOnly([await doubleSpend(lab, contract)]);
      await lab.client.kill();
      await opening;
    });
    const credited = lab.receiptedMsat() - before;
    return credited === 0n ? [] : [`the relay credited ${credited} msat of a contract that was in no block`];
  });
}

/** The same after a block had it: what was credited is lost, and nothing is credited any more. */
export async function doubleSpentConfirmed(lab: CrashLab): Problems {
  const problems = await countedTrial(lab, async () => {
    const channel = await paidChannel(lab);
    const depth = await confirmationsOf(lab, channel.contractTxid);
    const conflict = await doubleSpend(lab, channel.contractTxid);
    await lab.chain.reorganise(depth, [conflict]);
    // The relay follows the chain by a moment.
    await pause(1_000);
    const before = lab.receiptedMsat();
    await tryStream(lab, channel);
    const credited = lab.receiptedMsat() - before;
    await lab.client.kill();
    return credited === 0n
      ? []
      : [`the relay credited ${credited} msat of a contract that was spent otherwise`];
  });
  // Each party's record of the channel says so, and the sums are right without it.
  return problems.filter(problem => !/: the chain does not have the contract$/.test(problem));
}

/** A full mempool takes nothing below fifty times the settlement's own feerate: a child has to raise it. */
export function feeSpike(lab: CrashLab): Problems {
  return countedTrial(lab, async count => {
    await prepareFillers(lab.chain);
    const channel = await paidChannel(lab, 20_000_000);
    await lab.chain.restart(spikeOptions);
    await lab.chain.withoutMining(async () => {
      await fillMempool(lab.chain);
      await closeChannel(lab, channel);
      await until(async () => {
        await lab.chain.mine(1);
        await fillMempool(lab.chain);
        await pause(300);
        return (await lab.chain.rpc('gettxout', channel.contractTxid, 0, false)) === null;
      }, 'the settlement is in a block');
    });
    const { childFees } = await count.now();
    return childFees >= spikeFeeSatMin
      ? []
      : [`a child paid ${childFees} sat, not enough for such a mempool`];
  }).finally(() => lab.chain.restart([]));
}

/** The relay was down until few blocks before T, when the client may take all back: it must be faster. */
export function refundRace(lab: CrashLab, random: SeededEntropy): Problems {
  return countedTrial(lab, async count => {
    await paidChannel(lab);
    await lab.relay.kill();
    await lab.chain.withoutMining(async () => {
      // Streams that did not get as far as this may have been paid for too.
      const paid = await owed(lab, count.fromHeight);
      const firstT = Math.min(...paid.map(({ refundHeight }) => refundHeight));
      const blocksLeft = random.between(1, 6);
      const height = firstT - blocksLeft;
      await lab.chain.mine(height - (await lab.chain.height()));
      await lab.relay.start();
      // Blocks that leave the settlements out, until the client may offer its refund: all at once, but for where one is due.
      const last = height + blocksLeft + random.between(0, 2);
      let at = height;
      for (const channel of paid.sort((a, b) => a.refundHeight - b.refundHeight)) {
        const due = Math.max(at, channel.refundHeight - regtestRules.settleMarginBlocks);
        if (due > last) break;
        await lab.chain.mineEmpty(due - at);
        at = due;
        await spendingOf(lab, channel);
      }
      await lab.chain.mineEmpty(last - at);
      await pause(200);
      await lab.chain.mine(1);
    });
    const rows = await owed(lab, count.fromHeight);
    return rows.some(({ ending }) => ending?.how === 'refund') ? ['the client took its money back'] : [];
  });
}

/** What the relay was paid on. */
async function owed(lab: CrashLab, fromHeight: number): Promise<LedgerRow[]> {
  const rows = await channelsSince(lab, fromHeight);
  return rows.filter(({ role, paidSat }) => role === 'payee' && paidSat > 0n);
}

async function confirmationsOf(lab: CrashLab, txid: string): Promise<number> {
  const { confirmations } = await lab.chain.rpc<{ confirmations?: number }>('getrawtransaction', txid, 1);
  return confirmations ?? 0;
}

function mempool(lab: CrashLab): Promise<readonly string[]> {
  return lab.chain.rpc<readonly string[]>('getrawmempool');
}

import { setTimeout as pause } from 'node:timers/promises';
import type { CrashLab } from './crash-lab.ts';
import { until } from './until.ts';

/** A circuit whose only hop has been paid from a contract in a block. */
export interface PaidChannel {
  readonly circuit: number;
  readonly user: string;
  /** The transaction that holds the contract. */
  readonly contractTxid: string;
}

const openMsMax = 60_000;

/**
 * Opens one and streams over it; who has just started may need a while until it can.
 * @param isOver it is not tried again once that is so.
 */
export async function paidChannel(
  lab: CrashLab,
  bytes = 1_000_000,
  isOver = () => false,
): Promise<PaidChannel> {
  for (const deadline = performance.now() + openMsMax; ; await pause(100)) {
    try {
      const { circuit, user } = await lab.openCircuit();
      return await streamFirst(lab, circuit.id, user, bytes);
    } catch (error) {
      if (isOver() || performance.now() > deadline) throw error;
    }
  }
}

async function streamFirst(
  lab: CrashLab,
  circuit: number,
  user: string,
  bytes: number,
): Promise<PaidChannel> {
  try {
    await lab.stream(user, bytes);
    const { hops } = await (await lab.control()).circuit(circuit);
    const contractTxid = hops[0].contract?.txid;
    if (contractTxid === undefined) throw new Error('the circuit has no contract');
    return { circuit, user, contractTxid };
  } catch (error) {
    // A channel that is left in use is not settled before T.
    await (await lab.control()).closeCircuit(circuit).catch(() => {});
    throw error;
  }
}

export async function closeChannel(lab: CrashLab, { circuit }: PaidChannel): Promise<void> {
  await (await lab.control()).closeCircuit(circuit);
}

/** The transaction that spends the contract, once it waits or is in a block. */
export async function spendingOf(
  lab: CrashLab,
  { contractTxid }: Pick<PaidChannel, 'contractTxid'>,
): Promise<void> {
  await until(
    async () => (await lab.chain.rpc('gettxout', contractTxid, 0, true)) === null,
    'the contract is spent',
  );
}

/** Whether or not a relay still takes payments, nobody must lose by it. */
export async function tryStream(lab: CrashLab, { user }: PaidChannel, bytes = 2_000_000): Promise<void> {
  await Promise.race([lab.stream(user, bytes).catch(() => {}), pause(2_000)]);
}

/** A circuit that has ended by itself is settled all the same. */
export async function tryClose(lab: CrashLab, channel: PaidChannel): Promise<void> {
  await closeChannel(lab, channel).catch(() => {});
}

import { memoryCredit, type PaymentScheme, SimChain, SimProcess, struct, u64, World } from 'naulon';
import { type SchemeWorld, schemeCompliance } from 'naulon/compliance';
import { checkEnds, checkMoney } from 'naulon/sim/checkers';
import { PaidNetwork } from 'naulon/sim/paid-network';
import { expect, it } from 'vitest';

/** What somebody elsewhere writes to have a scheme judged: nothing here is imported but the package, by its name. */

const purseMsat = 10n ** 9n;
const scheme = memoryCredit({ purseMsat, limitMsat: purseMsat });
const amount = struct({ msat: u64 });

async function worldOf(made: PaymentScheme): Promise<SchemeWorld> {
  const world = new World({ seed: 'an author elsewhere' });
  const chain = new SimChain();
  const payer = SimProcess.start(world, 'payer', chain);
  const payee = SimProcess.start(world, 'payee', chain);
  /** The amounts at the end of all records of a kind. */
  const kept = (process: SimProcess, prefix: string) =>
    [...process.store.durable()]
      .filter(([key]) => key.startsWith(prefix))
      .map(([, record]) => amount.decode(record.subarray(-8))?.msat ?? 0n);
  return {
    payer,
    payee,
    signer: { ed25519: new Uint8Array(32).fill(1), sign: () => new Uint8Array(64) },
    scheme: () => made,
    settle: async () => void world.runUntilIdle(),
    mine: async () => {},
    firstMsat: 1n,
    budgetMsat: 1_000_000n,
    beyondMsat: purseMsat + 1n,
    held: () => kept(payee, 'memory-credit/payee/').reduce((sum, msat) => sum + msat, 0n),
    parted: () => kept(payer, 'memory-credit/payer/purse').reduce((sum, left) => sum + purseMsat - left, 0n),
  };
}

schemeCompliance('memory-credit', () => worldOf(scheme));

it('carries a paid network in virtual time', () => {
  const network = new PaidNetwork({
    seed: 'an author elsewhere',
    relays: 4,
    exits: 1,
    clients: 1,
    priceMsatPer2Pow20: 50_000_000n,
    schemeFor: () => scheme,
    window: 512,
  });
  network.bootstrap();
  network.transfer(100_000);
  network.world.runFor(2_000);
  expect(network.users.complete).toBe(1);
  expect(network.audit.payments).toBeGreaterThanOrEqual(3);
  network.stopClients();
  expect([...checkMoney(network), ...checkEnds(network)]).toEqual([]);
});

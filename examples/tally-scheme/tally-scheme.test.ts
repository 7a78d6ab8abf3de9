import { SimChain, SimProcess, World } from 'naulon';
import { type SchemeWorld, schemeCompliance } from 'naulon/compliance';
import { checkEnds, checkMoney } from 'naulon/sim/checkers';
import { PaidNetwork } from 'naulon/sim/paid-network';
import { expect, it } from 'vitest';
import { amount, heldPrefix, purseKey, tallyScheme } from './index.ts';

const seed = 'an author elsewhere';
const purseMsat = 10n ** 9n;
const scheme = tallyScheme(purseMsat);

/** A payer, a payee, and what the records of both say after all that the kit does to them. */
async function world(): Promise<SchemeWorld> {
  const simulated = new World({ seed });
  const chain = new SimChain();
  const payer = SimProcess.start(simulated, 'payer', chain);
  const payee = SimProcess.start(simulated, 'payee', chain);
  const msatIn = (record: Uint8Array | undefined) => record && amount.decode(record)?.msat;
  return {
    payer,
    payee,
    signer: { ed25519: new Uint8Array(32).fill(1), sign: () => new Uint8Array(64) },
    scheme: () => scheme,
    settle: async () => void simulated.runUntilIdle(),
    mine: async () => {},
    firstMsat: 1n,
    budgetMsat: 1_000_000n,
    beyondMsat: purseMsat + 1n,
    held: () =>
      [...payee.store.durable()]
        .filter(([key]) => key.startsWith(heldPrefix))
        .reduce((sum, [, record]) => sum + (msatIn(record) ?? 0n), 0n),
    parted: () => purseMsat - (msatIn(payer.store.durable().get(purseKey)) ?? purseMsat),
  };
}

schemeCompliance('tally', world);

it('pays for circuits of a whole network in virtual time', () => {
  const network = new PaidNetwork({
    seed,
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

import {
  AccountBook,
  BrokerCore,
  type BrokerPorts,
  SigningKey,
  SimChain,
  SimParties,
  SimProcess,
  World,
} from 'naulon';
import { type SchemeWorld, schemeCompliance } from 'naulon/compliance';
import { checkEnds, checkMoney } from 'naulon/sim/checkers';
import { PaidNetwork } from 'naulon/sim/paid-network';
import { expect, it } from 'vitest';
import tally from './index.ts';

const seed = 'an author elsewhere';
const at = { host: '10.0.0.1', port: 9_031 };
const keyOf = (byte: number) => new SigningKey(new Uint8Array(32).fill(byte));
const [brokerKey, payerKey] = [keyOf(1), keyOf(2)];
/** What the payer's account has. */
const accountMsat = 10n ** 9n;

const node = (account: SigningKey) =>
  tally.node({
    broker: { endpoint: at, key: brokerKey.publicKey },
    account,
    self: { host: '10.0.0.2', port: 9_031 },
    variant: undefined,
  });

/** A broker that stands behind tallies, and has the payer's money. */
function brokerOn(store: SimProcess['store'], ports: BrokerPorts): BrokerCore {
  const funds = new AccountBook(store, brokerKey.publicKey).receive(payerKey.publicKey, accountMsat);
  store.putBack(new Map(funds.map(({ key, value = new Uint8Array(0) }) => [key, value])));
  const settings = { key: brokerKey, walletSeed: new Uint8Array(32).fill(3), minConfirmations: 1 };
  return new BrokerCore(settings, ports, [tally]);
}

/** A payer, a payee and a broker, and what the broker's books say after all that the kit does to them. */
async function world(): Promise<SchemeWorld> {
  const simulated = new World({ seed });
  const chain = new SimChain();
  const parties = new SimParties();
  const start = (name: string) => SimProcess.start(simulated, name, chain, parties);
  const broker = SimProcess.start(simulated, 'broker', chain, parties, at);
  const core = broker.turn(() => brokerOn(broker.store, { ...broker.host, parties: broker.parties }));
  broker.attach(core);
  const moved = () => core.books.schemes.get(tally.id);
  return {
    payer: start('payer'),
    payee: start('payee'),
    signer: { ed25519: new Uint8Array(32).fill(1), sign: () => new Uint8Array(64) },
    scheme: side => node(side === 'payer' ? payerKey : keyOf(4)),
    settle: async () => void simulated.runUntilIdle(),
    mine: async () => {},
    firstMsat: 1n,
    budgetMsat: 1_000_000n,
    beyondMsat: accountMsat + 1n,
    held: () => moved()?.depositedMsat ?? 0n,
    parted: () => moved()?.issuedMsat ?? 0n,
    breakParties: how => {
      parties.trouble = () => how;
    },
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
    schemeFor: (role, index) => node(role === 'payer' ? payerKey : keyOf(10 + index)),
    window: 512,
  });
  const machine = network.machine('broker', at.host);
  const core = machine.host.node.turn(() => brokerOn(machine.store, machine.ports));
  machine.attachAnswers(core);
  network.bootstrap();
  network.transfer(100_000);
  network.world.runFor(2_000);
  expect(network.users.complete).toBe(1);
  expect(network.audit.payments).toBeGreaterThanOrEqual(3);
  network.stopClients();
  expect([...checkMoney(network), ...checkEnds(network)]).toEqual([]);
  const { issuedMsat = 0n, depositedMsat = 0n } = core.books.schemes.get(tally.id) ?? {};
  expect(depositedMsat).toBeGreaterThan(0n);
  expect(depositedMsat).toBe(issuedMsat);
});

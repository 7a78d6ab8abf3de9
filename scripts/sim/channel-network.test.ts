import { describe, expect, it } from 'vitest';
import { SeededEntropy } from '../../src/sim/seeded-entropy.ts';
import { ChannelNetwork, type ChannelNetworkOptions } from './channel-network.ts';
import { checkEnds, checkMoney } from './checkers.ts';

const small: ChannelNetworkOptions = {
  seed: 1,
  relays: 5,
  exits: 2,
  clients: 3,
  priceMsatPer2Pow20: 1_000_000_000n,
  window: 512,
  blockMs: 3_000,
};

describe.each(['spillman', 'cltv'] as const)('circuits paid by %s channels', variant => {
  it('transfer, settle on the chain for what was receipted, and run twice the same', () => {
    const live = () => {
      const network = new ChannelNetwork({ ...small, variant });
      network.fund();
      network.bootstrap();
      network.transfer(500_000);
      network.world.runFor(2_000);
      const findings = checkMoney(network);
      network.stopClients();
      network.settle();
      findings.push(...checkMoney(network), ...checkEnds(network), ...network.checkSettlement());
      const { audit, users, payees, relays, world } = network;
      const phases = relays.flatMap(({ machine }, index) =>
        machine.host.node.turn(() => payees[index].desk.channels()).map(({ phase }) => phase),
      );
      return {
        findings,
        complete: users.complete,
        payments: audit.payments,
        phases,
        digest: world.trace.digest(),
      };
    };
    const first = live();
    expect(first).toMatchObject({ findings: [], complete: 3, phases: Array(9).fill('closed') });
    expect(first.payments).toBeGreaterThan(9 * 3);
    expect(live()).toEqual(first);
  });
});

it('the hops of a circuit are paid together, by one durable write of their client', () => {
  const network = new ChannelNetwork({ ...small, clients: 1 });
  network.fund();
  network.bootstrap();
  network.transfer(100_000);
  const before = network.audit.payments;
  let commits = 0;
  network.clients[0].machine.store.tap = writes => {
    if (writes.some(({ key }) => key.startsWith('bitcoin-channel/payer/best/'))) commits += 1;
  };
  network.transfer(3_000_000);
  const payments = network.audit.payments - before;
  expect(payments).toBeGreaterThan(3 * 10);
  expect(commits).toBeLessThan(payments / 2);
});

describe('channels when nodes die and the chain reorganises', () => {
  const nodes = { relays: small.relays, clients: small.clients };

  it.each([0, 1, 2, 3, 4, 5])('seed %i: no satoshi is lost, and everybody is served again', seed => {
    const draw = new SeededEntropy(`deaths/${seed}`);
    const network = new ChannelNetwork({ ...small, seed, variant: seed % 2 === 0 ? 'spillman' : 'cltv' });
    network.fund();
    network.bootstrap();
    for (let round = 0; round < 4; round++) {
      network.transfer(500_000, network.clients, draw.between(50, 4_000));
      const act = draw.pick(['relay', 'client', 'reorg'] as const);
      if (act === 'relay') network.restartRelay(draw.below(nodes.relays));
      if (act === 'client') network.restartClient(draw.below(nodes.clients));
      if (act === 'reorg') network.chain.reorg(draw.between(1, 3));
    }
    network.world.runFor(5_000);
    const before = network.users.downloads.length;
    network.transfer(300_000);
    expect(network.users.downloads.slice(before).map(({ state, why }) => `${state}${why}`)).toEqual(
      Array(nodes.clients).fill('complete'),
    );
    network.world.runFor(2_000);
    expect(checkMoney(network)).toEqual([]);
    network.stopClients();
    network.settle(180);
    expect([...checkMoney(network), ...checkEnds(network), ...network.checkSettlement()]).toEqual([]);
  });

  it('finds a contract that a reorganisation confirmed below the height at which it was opened', () => {
    const network = new ChannelNetwork({ ...small, variant: 'cltv' });
    network.fund();
    network.bootstrap();
    network.transfer(500_000, network.clients, 9_000);
    network.chain.reorg(3);
    for (let relay = 0; relay < nodes.relays; relay++) network.restartRelay(relay);
    network.world.runFor(30_000);
    network.stopClients();
    network.settle(180);
    expect([...checkMoney(network), ...network.checkSettlement()]).toEqual([]);
  });
});

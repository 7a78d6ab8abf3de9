import net from 'node:net';
import tls from 'node:tls';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { memoryCredit } from '../../src/schemes/memory-credit/index.ts';
import { drawFaults } from '../../src/sim/faults.ts';
import { SeededEntropy } from '../../src/sim/seeded-entropy.ts';
import { checkEnds, checkMoney } from './checkers.ts';
import { PaidNetwork, type PaidNetworkOptions } from './paid-network.ts';

const purse = { purseMsat: 10_000_000_000n, limitMsat: 10_000_000_000n };

const small: PaidNetworkOptions = {
  seed: 1,
  relays: 6,
  exits: 2,
  clients: 4,
  priceMsatPer2Pow20: 50_000_000n,
  schemeFor: () => memoryCredit(purse),
  window: 512,
};

const opened = vi.fn();

beforeEach(() => {
  opened.mockReset();
  const refuse = (what: string) => () => {
    opened(what);
    throw new Error(`${what} in a simulation`);
  };
  vi.spyOn(net.Socket.prototype, 'connect').mockImplementation(refuse('connect'));
  vi.spyOn(net.Server.prototype, 'listen').mockImplementation(refuse('listen'));
  vi.spyOn(tls, 'connect').mockImplementation(refuse('tls.connect'));
});

afterEach(() => {
  vi.restoreAllMocks();
  expect(opened).not.toHaveBeenCalled();
  expect(process.getActiveResourcesInfo().filter(kind => /TCP|TLS|UDP/.test(kind))).toEqual([]);
});

/** Bootstraps, lets every client fetch through its paid circuit, holds the rules, and stops. */
function live(options: PaidNetworkOptions, bytes: number) {
  const network = new PaidNetwork(options);
  network.bootstrap();
  network.transfer(bytes);
  network.world.runFor(2_000);
  const findings = checkMoney(network);
  const paidCircuits = network.audit.circuits.filter(({ balance }) => balance.paid).length;
  network.stopClients();
  findings.push(...checkMoney(network), ...checkEnds(network));
  const { world, users, audit } = network;
  return {
    digest: world.trace.digest(),
    records: world.trace.records,
    virtualMs: world.nowUs / 1_000,
    complete: users.complete,
    failed: users.downloads.filter(({ state }) => state !== 'complete').map(({ why }) => why),
    payments: audit.payments,
    paidCircuits,
    findings,
  };
}

describe('50 relays and 200 clients in virtual time', () => {
  const large = { ...small, relays: 50, exits: 16, clients: 200 };

  it('bootstrap, pay three hops each and transfer, twice the same, without a socket', {
    timeout: 180_000,
  }, () => {
    const first = live(large, 100_000);
    expect(first.findings).toEqual([]);
    expect(first.failed).toEqual([]);
    expect(first.complete).toBe(200);
    expect(first.paidCircuits).toBe(600);
    expect(first.payments).toBeGreaterThanOrEqual(600);
    expect(live(large, 100_000)).toEqual(first);
  });
});

describe('a small paid network', () => {
  it('runs otherwise with another seed, and the same with the same', () => {
    const digests = [1, 1, 2].map(seed => live({ ...small, seed }, 20_000).digest);
    expect(digests[1]).toBe(digests[0]);
    expect(digests[2]).not.toBe(digests[0]);
  });

  it.each([3, 4, 5] as const)('works over link protocol %i', protocol => {
    const run = live({ ...small, linkProtocols: [protocol] }, 60_000);
    expect([run.complete, run.findings]).toEqual([4, []]);
  });

  it('tops up again and again in a long transfer', () => {
    const run = live({ ...small, clients: 1, window: 256 }, 1_000_000);
    expect([run.complete, run.findings]).toEqual([1, []]);
    expect(run.payments).toBeGreaterThan(3 * 5);
  });

  it('lets a client without money nowhere near an exit', () => {
    const network = new PaidNetwork({ ...small, penniless: new Set([0, 1]) });
    network.bootstrap();
    const [poor, rich] = [network.clients.slice(0, 2), network.clients.slice(2)];
    network.transfer(50_000, poor);
    expect(network.web.served).toBe(0);
    expect(network.users.downloads.map(({ state }) => state)).toEqual(['failed', 'failed']);
    network.transfer(50_000, rich);
    expect(network.users.complete).toBe(2);
    network.world.runFor(2_000);
    expect(checkMoney(network)).toEqual([]);
  });
});

describe('the checkers', () => {
  it('find a relay that forwards without debiting, and one that credits more than it was paid', () => {
    const generous = new PaidNetwork(small);
    for (const { core } of generous.relays) {
      const note = core.onCircuit;
      core.onCircuit = (circuit, balance) => {
        note?.(circuit, balance);
        let calls = 0;
        const debit = balance.debit.bind(balance);
        balance.debit = cells => (++calls === 12 ? true : debit(cells));
      };
    }
    generous.bootstrap();
    generous.transfer(50_000);
    generous.world.runFor(2_000);
    expect(checkMoney(generous).join()).toMatch(/carried \d+ cells and was debited/);

    const inflated = new PaidNetwork(small);
    for (const { core } of inflated.relays) {
      const note = core.onCircuit;
      core.onCircuit = (circuit, balance) => {
        note?.(circuit, balance);
        const credit = balance.credit.bind(balance);
        balance.credit = msat => credit(msat + 1n);
      };
    }
    inflated.bootstrap();
    inflated.transfer(20_000);
    expect(checkMoney(inflated).join()).toMatch(/credited \d+ msat of/);
  });
});

describe('a paid network under faults', () => {
  const seeds = Array.from({ length: 8 }, (_, seed) => seed + 100);

  it.each(seeds)('seed %i: no rule breaks, and once faults stop everybody is served', seed => {
    const faults = drawFaults(new SeededEntropy(seed));
    const network = new PaidNetwork({ ...small, seed, faults });
    network.world.runFor(20_000);
    network.transfer(100_000, network.clients, 60_000);
    network.faults.stop();
    network.bootstrap();
    network.world.runFor(120_000);
    expect(checkMoney(network)).toEqual([]);
    const before = network.users.downloads.length;
    network.transfer(100_000);
    const later = network.users.downloads.slice(before);
    expect(later.filter(({ state }) => state !== 'complete').map(({ why }) => why)).toEqual([]);
    network.stopClients();
    expect([...checkMoney(network), ...checkEnds(network)]).toEqual([]);
  });
});

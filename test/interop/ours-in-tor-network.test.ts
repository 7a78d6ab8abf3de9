import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Bitcoind, startBitcoind } from '../../regtest/bitcoind.ts';
import { type Funds, openFunds } from '../../regtest/funds.ts';
import { type ClientControl, controlOf } from '../../scripts/client-control.ts';
import { parseNetFile, relaysOf } from '../../scripts/net-file.ts';
import { writeClient, writeRelay } from '../../scripts/network-config.ts';
import { until } from '../lab-network.fixture.ts';
import { hasTor, type TorClient } from './c-tor.fixture.ts';
import './interop-table.ts';
import { TorNetwork } from './tor-network.fixture.ts';
import { transfer } from './transfers.fixture.ts';

const timeoutMs = 240_000;
const link = '3-5';
/** Ours: two relays that cost something, one that does not, and an exit that does. */
const plan = parseNetFile(
  'ours',
  `
relays:
  - {count: 1, flags: [guard], price: 100000 sat/GiB}
  - {count: 1, flags: [guard], price: 0 sat/GiB}
  - {count: 1, price: 100000 sat/GiB}
  - {exit: true, price: 100000 sat/GiB}
  - {exit: true, price: 0 sat/GiB}
link_protocols: ${link}
`,
);

describe.skipIf(!hasTor())('ours in a network that C tor made', () => {
  let network: TorNetwork;
  let bitcoind: Bitcoind;
  let funds: Funds;
  let stopMining: () => Promise<void>;
  let control: ClientControl;
  let socks: string;
  let tor: TorClient;
  let lab: string;

  beforeAll(async () => {
    network = await TorNetwork.start();
    lab = `127.0.0.1:${network.lab.port}`;
    bitcoind = await startBitcoind();
    funds = await openFunds(bitcoind);
    stopMining = funds.autoMine();
    const { rpcUrl, cookieFile } = bitcoind;
    const chain = { rpcUrl, cookieFile };
    const folder = (name: string) => {
      const made = join(network.dir, name);
      mkdirSync(made, { mode: 0o700 });
      return made;
    };
    const shared = { authorities: [network.trusted], exitTo: network.exitTo, chain, plan };
    const relays = relaysOf(plan);
    for (const relay of relays)
      await network.add(
        relay.nickname,
        writeRelay({ ...relay, ...shared, dir: folder(relay.nickname) }).args,
      );
    await network.lists('tor1', 'tor2', 'torexit', ...relays.map(({ nickname }) => nickname));
    const written = writeClient({ ...shared, dir: folder('client'), socks: 'auto' });
    const client = await network.add('client', written.args);
    socks = written.listensOf(client.readyLine).socks;
    control = await controlOf(written.control);
    for (let coin = 0; coin < 8; coin++) await funds.faucet(await control.walletAddress(), 2_000_000n);
    await funds.mine(1);
    await until(async () => (await control.walletSat()) === 16_000_000n, 'the wallet is funded');
    tor = await network.client();
  }, timeoutMs);
  afterAll(async () => {
    control?.close();
    await network?.stop();
    await stopMining?.();
    await bitcoind?.stop();
  }, timeoutMs);

  it('our client verifies its consensus and streams 50 MB over its relays', { timeout: timeoutMs }, async ({
    task,
  }) => {
    const path = ['tor1', 'tor2', 'torexit'];
    task.meta.interop = { scenario: 'our client, C tor network', link, path: path.join(' > ') };
    const circuit = await control.openCircuit(path, 'real');
    const bytes = await transfer(socks, lab, 50_000_000, 'real');
    task.meta.interop = { ...task.meta.interop, bytes };
    expect((await control.closeCircuit(circuit.id)).hops.map(hop => hop.payments)).toEqual([0, 0, 0]);
  });

  it.for([
    ['guard1', 'tor1', 'exit1'],
    ['tor1', 'middle1', 'torexit'],
    ['guard1', 'tor2', 'torexit'],
    ['tor1', 'tor2', 'exit1'],
    ['guard1', 'middle1', 'torexit'],
    ['tor2', 'middle1', 'exit1'],
  ])('our client pays ours and only ours: %s > %s > %s', { timeout: timeoutMs }, async (path, { task }) => {
    const told = { scenario: 'our client, mixed, paid', link, path: path.join(' > ') };
    task.meta.interop = told;
    const user = path.join('-');
    const circuit = await control.openCircuit(path, user);
    const bytes = await transfer(socks, lab, 5_000_000, user);
    const { hops } = await control.closeCircuit(circuit.id);
    task.meta.interop = { ...told, bytes };
    const paid = hops.filter(hop => hop.payments > 0).map(hop => hop.relay);
    expect(paid).toEqual(path.filter(relay => !relay.startsWith('tor')));
  });

  it.for([
    ['guard2', 'tor1', 'exit2'],
    ['tor1', 'guard2', 'torexit'],
    ['tor2', 'tor1', 'exit2'],
    ['guard2', 'tor2', 'torexit'],
  ])('a C tor client extends over %s > %s > %s', { timeout: timeoutMs }, async (path, { task }) => {
    const told = { scenario: 'C tor client, mixed, free relays', link, path: path.join(' > ') };
    task.meta.interop = told;
    const circuit = await tor.extend(path);
    const bytes = await tor.over(circuit, user => transfer(tor.socks, lab, 5_000_000, user));
    task.meta.interop = { ...told, bytes };
  });

  it('a C tor client that cannot pay is refused exit, told why, and served by an exit that is free', {
    timeout: timeoutMs,
  }, async ({ task }) => {
    const path = ['guard2', 'tor1', 'exit1'];
    task.meta.interop = { scenario: 'C tor client, paid exit: refused', link, path: path.join(' > ') };
    const circuit = await tor.extend(path);
    const attempt = tor.over(circuit, user => transfer(tor.socks, lab, 1_000, user));
    const refused = new RegExp(`^STREAM \\d+ (DETACHED|FAILED) ${circuit} .*REASON=END`);
    const event = await tor.control.event(refused);
    expect(event).toContain('REMOTE_REASON=RESOURCELIMIT');
    // It would look for another exit for two minutes, if it were let.
    await tor.control.ask(`CLOSESTREAM ${event.split(' ')[1]} 1`);
    await expect(attempt).rejects.toThrow();
    expect(await transfer(tor.socks, lab, 1_000, 'another-exit')).toBe(1_000);
    expect(tor.warnings).toEqual([]);
  });

  it('a C tor client over a paid guard is let go, and not left to hang', { timeout: timeoutMs }, async ({
    task,
  }) => {
    const path = ['guard1', 'tor1', 'exit2'];
    task.meta.interop = { scenario: 'C tor client, paid guard: let go', link, path: path.join(' > ') };
    const circuit = await tor.extend(path);
    await expect(tor.over(circuit, user => transfer(tor.socks, lab, 5_000_000, user))).rejects.toThrow();
    const event = await tor.control.event(new RegExp(`^CIRC ${circuit} CLOSED`));
    expect(event).toMatch(/REASON=DESTROYED REMOTE_REASON=RESOURCELIMIT/);
  });
});

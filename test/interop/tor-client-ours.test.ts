import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LabNetwork, startLabNetwork } from '../lab-network.fixture.ts';
import { hasTor, TorClient } from './c-tor.fixture.ts';
import './interop-table.ts';
import { transfer } from './transfers.fixture.ts';

const timeoutMs = 180_000;
const fileBytes = 50_000_000;

/** C tor as client of a network that is all ours, on each version of the link protocol. */
describe.skipIf(!hasTor()).each(['3', '4', '5'])('C tor as client of our network, link protocol %s', link => {
  let network: LabNetwork;
  let tor: TorClient;

  beforeAll(async () => {
    network = await startLabNetwork(
      `relays: [{count: 2, flags: [guard]}, {count: 2}, {count: 2, exit: true}]\nlink_protocols: ${link}\npay: {scheme: none}\n`,
    );
    tor = await TorClient.start(join(network.dir, 'tor'), [network.authority]);
  }, timeoutMs);
  afterAll(async () => {
    await tor?.stop();
    await network?.stop();
  }, timeoutMs);

  it(
    'bootstraps to 100 % and streams 50 MB',
    async ({ task }) => {
      const bytes = await transfer(tor.socks, network.state.lab, fileBytes, 'alone');
      const circuit = await tor.pathOf('alone');
      task.meta.interop = { scenario: 'C tor client, our network: one stream', link, path: circuit, bytes };
      expect(bytes).toBe(fileBytes);
      expect(tor.warnings).toEqual([]);
    },
    timeoutMs,
  );

  it(
    'streams over several circuits at once',
    async ({ task }) => {
      const users = ['u1', 'u2', 'u3', 'u4'];
      const sent = await Promise.all(
        users.map(user => transfer(tor.socks, network.state.lab, 5_000_000, user)),
      );
      const bytes = sent.reduce((sum, each) => sum + each, 0);
      task.meta.interop = { scenario: 'C tor client, our network: 4 circuits', link, path: 'its own', bytes };
      const streams = tor.control.events.filter(event => /^STREAM \d+ SENTCONNECT/.test(event));
      const circuits = new Set(streams.map(event => event.split(' ')[3]));
      expect(circuits.size).toBeGreaterThanOrEqual(4);
    },
    timeoutMs,
  );

  it(
    'resolves a name at our exit',
    async ({ task }) => {
      await tor.control.ask('RESOLVE localhost');
      const mapped = await tor.control.event(/^ADDRMAP localhost /);
      task.meta.interop = { scenario: 'C tor client, our network: RESOLVE', link, path: 'its own' };
      expect(mapped).toMatch(/^ADDRMAP localhost 127\.0\.0\.1/);
    },
    timeoutMs,
  );

  it(
    'extends a circuit along a path of its choice and attaches a stream to it',
    async ({ task }) => {
      const path = ['guard2', 'middle1', 'exit2'];
      const circuit = await tor.extend(path);
      const bytes = await tor.over(circuit, user => transfer(tor.socks, network.state.lab, 1_000_000, user));
      task.meta.interop = {
        scenario: 'C tor client, our network: EXTENDCIRCUIT',
        link,
        path: path.join(' > '),
        bytes,
      };
      expect(bytes).toBe(1_000_000);
    },
    timeoutMs,
  );
});

import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LabNetwork, startLabNetwork, until } from '../lab-network.fixture.ts';
import { hasTor, TorClient } from './c-tor.fixture.ts';
import './interop-table.ts';
import { transfer } from './transfers.fixture.ts';

const timeoutMs = 180_000;
const link = '3-5';
/** guard1 and exit1 are ours and cost something; guard2, middle1 and exit2 are C tor. */
const net = `
relays:
  - {count: 1, flags: [guard]}
  - {count: 1, flags: [guard], impl: tor}
  - {count: 1, impl: tor}
  - {count: 1, exit: true}
  - {count: 1, exit: true, impl: tor}
link_protocols: ${link}
`;

describe.skipIf(!hasTor())('C tor relays in a network of ours', () => {
  let network: LabNetwork;
  let tor: TorClient;

  beforeAll(async () => {
    network = await startLabNetwork(net);
    tor = await TorClient.start(join(network.dir, 'tor'), [network.authority]);
  }, timeoutMs);
  afterAll(async () => {
    await tor?.stop();
    await network?.stop();
  }, timeoutMs);

  it.for([
    ['guard1', 'middle1', 'exit1'],
    ['guard2', 'middle1', 'exit1'],
    ['guard1', 'middle1', 'exit2'],
    ['guard1', 'guard2', 'exit1'],
  ])('our client pays around them: %s > %s > %s', { timeout: timeoutMs }, async (path, { task }) => {
    const told = { scenario: 'our client, C tor relays under our authority', link, path: path.join(' > ') };
    task.meta.interop = told;
    const user = path.join('-');
    const circuit = await network.control.openCircuit(path, user);
    const bytes = await transfer(network.state.socks, network.state.lab, 5_000_000, user);
    const { hops } = await network.control.closeCircuit(circuit.id);
    task.meta.interop = { ...told, bytes };
    const paid = hops.filter(hop => hop.payments > 0).map(hop => hop.relay);
    expect(paid).toEqual(path.filter(relay => relay === 'guard1' || relay === 'exit1'));
  });

  it('a C tor client has them all from our consensus', { timeout: timeoutMs }, async ({ task }) => {
    const path = ['guard2', 'middle1', 'exit2'];
    const told = { scenario: 'C tor client, C tor relays, our authority', link, path: path.join(' > ') };
    task.meta.interop = told;
    const listed = async () => (await tor.control.ask('GETINFO ns/all')).join('\n');
    const names = [...path, 'guard1', 'exit1'];
    await until(async () => {
      const text = await listed();
      return names.every(name => text.includes(`\nr ${name} `));
    }, 'the consensus of the client lists all relays');
    const circuit = await tor.extend(path);
    const bytes = await tor.over(circuit, user => transfer(tor.socks, network.state.lab, 5_000_000, user));
    task.meta.interop = { ...told, bytes };
    expect(tor.warnings).toEqual([]);
  });
});

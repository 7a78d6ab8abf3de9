import { expect, it } from 'vitest';
import { refusedStreamWaste, wasteCellsBurst } from '../src/base/limits.ts';
import { endReason, relayCommand } from '../src/cell/commands.ts';
import { encodeBegin } from '../src/cell/relay-messages.ts';
import { Lab, openExit } from './relay-lab.fixture.ts';

const burst = 5;
const held = 'naulon_links_held_total';

it('reads a client slowly that goes on beginning streams beyond what its circuit may', () => {
  const lab = new Lab();
  const dos = new Map([
    ['DoSStreamCreationEnabled', 1],
    ['DoSStreamCreationRate', 1],
    ['DoSStreamCreationBurst', burst],
  ]);
  const relay = lab.relay({ exitPolicy: openExit, dos });
  const client = lab.client();
  client.connect(relay);
  client.create(relay, 'fast');
  const refusalsFree = wasteCellsBurst / refusedStreamWaste;
  const begin = (count: number): void => {
    for (let stream = 1; stream <= count; stream++)
      client.send(relayCommand.begin, stream, encodeBegin({ host: '10.0.0.1', port: 80, flags: 0 }));
    for (let stream = 1; stream <= count; stream++) client.next(relayCommand.end);
  };
  begin(burst + 1);
  expect(relay.host.node.counters.get(held)).toBeUndefined();
  client.send(relayCommand.begin, 100, encodeBegin({ host: '10.0.0.1', port: 80, flags: 0 }));
  expect(client.next(relayCommand.end).body).toEqual(Uint8Array.of(endReason.resourceLimit));
  begin(refusalsFree + 20);
  expect(relay.host.node.counters.get(held)).toBeGreaterThan(0);
});

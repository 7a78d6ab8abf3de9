import { expect, it, vi } from 'vitest';
import { circuitRestRoundMs, circuitSpareRounds } from '../src/base/limits.ts';
import { destroyReason, relayCommand } from '../src/cell/commands.ts';
import { encodeBegin } from '../src/cell/relay-messages.ts';
import { Lab, openExit, serverIp, type TestClient, type TestRelay } from './relay-lab.fixture.ts';

const circuitsMax = vi.hoisted(() => 4);

vi.mock('../src/base/limits.ts', async original => ({ ...(await original<object>()), circuitsMax }));

function arrive(lab: Lab, relay: TestRelay, host: number): TestClient {
  const client = lab.client(`11.1.0.${host}`);
  client.connect(relay);
  client.create(relay, 'fast');
  return client;
}

/** So long that what carries nothing is known for it. */
function pass(lab: Lab, busy: TestClient): void {
  for (let half = 0; half < 6; half++) {
    busy.send(relayCommand.drop, 0, new Uint8Array(0));
    lab.world.runFor((circuitSpareRounds * circuitRestRoundMs) / 2);
  }
}

it('where circuits are as many as may be, those that serve nobody give way, and no others', () => {
  const lab = new Lab();
  const priceMsatPer2Pow20 = 1_000_000n;
  const relay = lab.relay({ exitPolicy: openExit, priceMsatPer2Pow20 });
  relay.core.onCircuit = (_, balance) => void (relay.core.circuits.size === 2 && balance.credit(1_000_000n));
  const [idle, paid, late, busy] = [1, 2, 3, 4].map(host => arrive(lab, relay, host));
  const ended = (): (number | undefined)[] => [idle, paid, late, busy].map(({ destroyed }) => destroyed);
  pass(lab, busy);
  expect([relay.core.circuits.size, ended()]).toEqual([circuitsMax, Array(4).fill(undefined)]);

  const newcomers = [5, 6].map(host => arrive(lab, relay, host));
  const gone = destroyReason.resourceLimit;
  expect([relay.core.circuits.size, ended()]).toEqual([circuitsMax, [gone, undefined, gone, undefined]]);

  const refused = lab.client('11.1.0.7');
  refused.connect(relay);
  expect(() => refused.create(relay, 'fast')).toThrow();
  expect([refused.destroyed, relay.core.circuits.size]).toEqual([gone, circuitsMax]);
  expect(newcomers.map(({ destroyed }) => destroyed)).toEqual([undefined, undefined]);
});

it('a circuit with a stream is nobody’s spare, however quiet', () => {
  const lab = new Lab();
  const relay = lab.relay({ exitPolicy: openExit });
  const [streaming, idle, busy, other] = [1, 2, 3, 4].map(host => arrive(lab, relay, host));
  streaming.send(relayCommand.begin, 1, encodeBegin({ host: serverIp, port: 80, flags: 0 }));
  streaming.next(relayCommand.connected);
  pass(lab, busy);
  for (const host of [5, 6]) arrive(lab, relay, host);
  const gone = destroyReason.resourceLimit;
  const ended = [streaming, idle, busy, other].map(({ destroyed }) => destroyed);
  expect(ended).toEqual([undefined, gone, undefined, gone]);
});

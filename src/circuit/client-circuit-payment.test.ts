import fc from 'fast-check';
import { expect, test } from 'vitest';
import { concatBytes, fromUtf8, utf8 } from '../base/bytes.ts';
import { endReason, relayCommand } from '../cell/commands.ts';
import type { ClientStream } from '../stream/client-stream.ts';
import { data498, empty, Purse, Recorder, World } from './client-world.fixture.ts';

const purses = (...cells: number[]): Purse[] => cells.map(each => new Purse(each));

test.each([
  ['fixed windows', false],
  ['congestion control', true],
])('counts at the client are those of the relays, for any traffic, with %s', (_, congested) => {
  const step = fc.record({
    act: fc.constantFrom('open', 'write', 'answer', 'close', 'redeem', 'receipt', 'drop', 'run', 'writable'),
    hop: fc.nat(2),
    size: fc.nat(3_000),
    pick: fc.nat(9),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), steps => {
      const payers = purses(1e6, 1e6, 1e6);
      const world = new World(3, false, payers, congested).build();
      const streams: ClientStream[] = [];
      for (const { act, hop, size, pick } of steps) {
        const stream = streams[pick % Math.max(1, streams.length)];
        if (act === 'open') streams.push(world.connected());
        else if (act === 'write') stream?.write(new Uint8Array(size));
        else if (act === 'answer' && stream && !stream.closed && stream.receiveWindow > 0) {
          world.fromExit(relayCommand.data, stream.id, data498);
        } else if (act === 'close') stream?.close(endReason.done);
        else if (act === 'redeem') world.circuit.sendRedeem(hop, new Uint8Array(size % 400));
        else if (act === 'receipt') world.path.originate(hop, relayCommand.receipt, 0, new Uint8Array(9));
        else if (act === 'drop') world.path.originate(hop, relayCommand.drop, 0, empty);
        else if (act === 'run') world.path.run(size);
        else world.circuit.onWritable();
      }
      world.path.run();
      expect(world.end).toBeUndefined();
      world.counts();
      for (const [hop, payer] of payers.entries()) expect(payer.counted).toBe(world.path.relays[hop].cells);
    }),
    { numRuns: 60 },
  );
});

test('BEGIN waits until what its far side may send is paid for at every hop', () => {
  const payers = purses(10_000, 300, 10_000);
  const world = new World(3, false, payers).build();
  world.open(new Recorder());
  world.path.run();
  expect(world.path.relays[2].of(relayCommand.begin)).toEqual([]);
  expect(payers[1].wants).toBeGreaterThan(500);
  payers[1].spendable = payers[1].wants;
  world.circuit.onFunds();
  world.path.run();
  expect(world.path.relays[2].of(relayCommand.begin).length).toBe(1);
});

test('a stream that is given up before its BEGIN left costs nothing', () => {
  const world = new World(3, false, purses(100, 100, 100)).build();
  world.open(new Recorder()).close(endReason.done);
  const { cells } = world.path.relays[0];
  world.path.run();
  expect(world.path.relays[0].cells).toBe(cells);
});

test.each([
  ['fixed windows', false],
  ['congestion control', true],
])('the far side never gets permission to send what is not paid, with %s', (_, congested) => {
  const payers = purses(100_000, 100_000, 700);
  const world = new World(3, false, payers, congested).build();
  const user = new Recorder();
  const stream = world.connected(user);
  let sent = 0;
  const pour = (): void => {
    while (!stream.closed && stream.receiveWindow > 0 && world.circuit.hops[2].flow.received.cells > 0) {
      world.fromExit(relayCommand.data, stream.id, data498);
      sent += 1;
      world.path.run();
    }
  };
  pour();
  expect(payers[2].spendable).toBeGreaterThanOrEqual(0);
  expect(world.circuit.state).toBe('open');
  expect(sent).toBeGreaterThanOrEqual(550);
  world.circuit.sendRedeem(2, utf8('money'));
  payers[2].spendable += 5_000;
  world.circuit.onFunds();
  const before = sent;
  pour();
  expect(sent).toBeGreaterThan(before + 4_000);
  expect(payers[2].spendable).toBeGreaterThanOrEqual(0);
  world.counts();
});

test('DATA out stops before a hop is empty and goes on with funds, in order', () => {
  const payers = purses(100_000, 900, 100_000);
  const world = new World(3, false, payers).build();
  const stream = world.connected();
  const bytes = new Uint8Array(450 * 498).map((_, index) => Math.floor(index / 498));
  stream.write(bytes);
  for (let i = 0; i < 5; i++) {
    world.path.run();
    world.circuit.onWritable();
  }
  expect(world.path.relays[2].dataSeen).toBeLessThan(400);
  expect(payers[1].spendable).toBeGreaterThan(500);
  payers[1].spendable += 1_000;
  world.circuit.onFunds();
  for (let i = 0; i < 5; i++) {
    world.path.run();
    world.circuit.onWritable();
  }
  const received = concatBytes(...world.path.relays[2].of(relayCommand.data).map(cell => cell.body));
  expect(received).toEqual(bytes);
});

test('RECEIPTs go to the payer of the hop that sent them; a dishonest one ends the circuit', () => {
  const payers = purses(1_000, 1_000, 1_000);
  const world = new World(3, false, payers).build();
  world.path.originate(1, relayCommand.receipt, 0, utf8('receipt'));
  expect(payers.map(payer => payer.receipts.length)).toEqual([0, 1, 0]);
  payers[1].honest = false;
  world.path.originate(1, relayCommand.receipt, 0, utf8('receipt'));
  expect(world.end).toMatchObject({ by: 'us', hop: 1 });
  expect(payers.every(payer => payer.gone)).toBe(true);
});

test('no REDEEM goes where a hop on the way would cut the circuit; it waits for that hop', () => {
  const payers = purses(1_000, 1_000, 1_000);
  const world = new World(3, false, payers).build();
  payers[1].spendable = 0;
  world.circuit.sendRedeem(2, utf8('first'));
  world.circuit.sendRedeem(2, utf8('second'));
  world.path.run();
  expect(world.path.relays[2].of(relayCommand.redeem)).toEqual([]);
  payers[1].spendable = 100;
  world.circuit.onFunds();
  world.path.run();
  const bodies = world.path.relays[2].of(relayCommand.redeem).map(cell => fromUtf8(cell.body));
  expect(bodies).toEqual(['first', 'second']);
});

import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { concatBytes, fromUtf8, utf8 } from '../base/bytes.ts';
import { cellCommand, destroyReason, endReason, relayCommand } from '../cell/commands.ts';
import { cellPayloadBytes } from '../cell/link-codec.ts';
import {
  decodeBegin,
  encodeConnected,
  encodeResolved,
  encodeSendme,
  type ResolvedMessage,
} from '../cell/relay-messages.ts';
import type { Observer } from '../ports.ts';
import type { ClientStream, StreamUser } from '../stream/client-stream.ts';
import type { CircuitEnd } from './circuit-user.ts';
import { ClientCircuit } from './client-circuit.ts';
import type { HopPayer } from './hop-state.ts';
import { ManualClock, RelayPath } from './relay-path.fixture.ts';

const silent: Observer = { log() {}, count() {} };
const empty = new Uint8Array(0);
const data498 = new Uint8Array(498);

class Recorder implements StreamUser {
  opened: (string | undefined)[] = [];
  bytes = 0;
  text = '';
  full = false;
  writable = 0;
  resolved: ResolvedMessage | undefined;
  closed: number | undefined;
  onOpened(address: string | undefined): void {
    this.opened.push(address);
  }
  onData(bytes: Uint8Array): boolean {
    this.bytes += bytes.length;
    if (this.bytes < 1_000) this.text += fromUtf8(bytes);
    return !this.full;
  }
  onWritable(): void {
    this.writable += 1;
  }
  onResolved(answer: ResolvedMessage): void {
    this.resolved = answer;
  }
  onClosed(reason: number): void {
    this.closed = reason;
  }
}

/** A payer whose purse the test fills. */
class Purse implements HopPayer {
  spendable: number;
  counted = 0;
  wants = 0;
  receipts: Uint8Array[] = [];
  honest = true;
  gone = false;
  constructor(cells: number) {
    this.spendable = cells;
  }
  get spendableExit(): number {
    return this.spendable;
  }
  countCells(cells: number): void {
    this.counted += cells;
    this.spendable -= cells;
  }
  needs(cells: number): void {
    this.wants = cells;
  }
  onReceipt(body: Uint8Array): boolean {
    this.receipts.push(body.slice());
    return this.honest;
  }
  ended(): void {
    this.gone = true;
  }
}

class World {
  readonly path: RelayPath;
  readonly clock = new ManualClock();
  readonly circuit: ClientCircuit;
  built = 0;
  idle = 0;
  end: CircuitEnd | undefined;

  constructor(hops: number, fast = false, purses?: readonly HopPayer[]) {
    this.path = new RelayPath(hops, 7);
    this.circuit = new ClientCircuit({
      path: this.path.targets,
      fast,
      carrier: this.path,
      clock: this.clock,
      entropy: this.path.entropy,
      observer: silent,
      user: {
        onBuilt: () => {
          this.built += 1;
          for (const [hop, purse] of (purses ?? []).entries()) this.circuit.setPayer(hop, purse);
        },
        onEnded: end => {
          this.end = end;
        },
        onIdle: () => {
          this.idle += 1;
        },
      },
    });
    this.path.client = this.circuit;
  }

  build(): this {
    this.circuit.start();
    this.path.run();
    expect(this.circuit.state).toBe('open');
    return this;
  }

  open(user: StreamUser, hop?: number): ClientStream {
    return this.circuit.openStream({ kind: 'connect', host: 'example.com', port: 80 }, user, hop)!;
  }

  /** A stream that the last relay has accepted. */
  connected(user: StreamUser = new Recorder()): ClientStream {
    const stream = this.open(user);
    this.path.run();
    this.fromExit(relayCommand.connected, stream.id, empty);
    return stream;
  }

  get exit(): number {
    return this.path.relays.length - 1;
  }

  fromExit(command: number, streamId: number, body: Uint8Array): void {
    this.path.originate(this.exit, command, streamId, body);
  }

  counts(): void {
    for (const [hop, state] of this.circuit.hops.entries()) {
      expect(state.cells, `hop ${hop}`).toBe(this.path.relays[hop].cells);
    }
  }
}

describe('building', () => {
  test.each([1, 2, 3, 8])('%i hops by CREATE2 and EXTEND2', hops => {
    const world = new World(hops).build();
    expect(world.built).toBe(1);
    world.counts();
  });

  test('one hop by CREATE_FAST', () => {
    expect(new World(1, true).build().built).toBe(1);
  });

  test('a wrong answer to a handshake ends it, with the hop to blame', () => {
    const world = new World(2);
    world.circuit.start();
    world.path.run(1);
    world.path.originate(0, relayCommand.extended2, 0, concatBytes(Uint8Array.of(0, 64), new Uint8Array(64)));
    expect(world.end).toMatchObject({ by: 'us', fault: 'bad handshake', hop: 0 });
    expect(world.path.released).toBe(destroyReason.none);
  });

  test.each([
    ['CREATED2 twice', (world: World) => world.circuit.onCell(cellCommand.created2, new Uint8Array(509), 0)],
    [
      'RELAY_EARLY inbound',
      (world: World) => world.circuit.onCell(cellCommand.relayEarly, new Uint8Array(509), 0),
    ],
    [
      'a cell that nobody sent',
      (world: World) => world.circuit.onCell(cellCommand.relay, new Uint8Array(509), 0),
    ],
    ['EXTENDED2 not asked for', (world: World) => world.fromExit(relayCommand.extended2, 0, empty)],
    ['DATA on stream 0', (world: World) => world.fromExit(relayCommand.data, 0, data498)],
    ['DATA of no stream', (world: World) => world.fromExit(relayCommand.data, 77, data498)],
    ['END without a reason', (world: World) => world.fromExit(relayCommand.end, world.connected().id, empty)],
    [
      'SENDME out of turn',
      (world: World) => world.fromExit(relayCommand.sendme, 0, encodeSendme(new Uint8Array(20))),
    ],
    [
      'a stream SENDME out of turn',
      (world: World) => world.fromExit(relayCommand.sendme, world.connected().id, empty),
    ],
    ['a RECEIPT of a free hop', (world: World) => world.fromExit(relayCommand.receipt, 0, empty)],
    [
      'a cell from another hop than its stream',
      (world: World) => world.path.originate(0, relayCommand.data, world.connected().id, data498),
    ],
  ])('%s ends the circuit', (_, act) => {
    const world = new World(3).build();
    act(world);
    expect(world.circuit.state).toBe('ended');
    expect(world.end?.fault).toBeDefined();
    expect(world.path.released).toBe(destroyReason.none);
  });

  test('DESTROY and TRUNCATED end it, streams are told', () => {
    for (const act of [
      (world: World) => world.path.destroy(destroyReason.resourceLimit),
      (world: World) =>
        world.path.originate(1, relayCommand.truncated, 0, Uint8Array.of(destroyReason.resourceLimit)),
    ]) {
      const world = new World(3).build();
      const user = new Recorder();
      world.connected(user);
      act(world);
      expect(world.end).toMatchObject({ by: 'peer', reason: destroyReason.resourceLimit });
      expect(user.closed).toBe(endReason.destroy);
    }
  });

  test('unknown relay commands and DROP are ignored', () => {
    const world = new World(3).build();
    world.fromExit(relayCommand.drop, 0, data498);
    world.fromExit(99, 0, empty);
    expect(world.circuit.state).toBe('open');
    world.counts();
  });
});

describe('streams', () => {
  let world: World;
  beforeEach(() => {
    world = new World(3).build();
  });

  test('BEGIN, CONNECTED, DATA both ways, END', () => {
    const user = new Recorder();
    const stream = world.open(user);
    stream.write(utf8('early '));
    world.path.run();
    const begin = world.path.relays[2].of(relayCommand.begin)[0];
    expect(decodeBegin(begin.body)).toEqual({ host: 'example.com', port: 80, flags: 0 });
    expect(world.path.relays[2].of(relayCommand.data)).toEqual([]);
    world.fromExit(
      relayCommand.connected,
      stream.id,
      encodeConnected({ address: '1.2.3.4', ttlSeconds: 60 }),
    );
    expect(user.opened).toEqual(['1.2.3.4']);
    stream.write(utf8('late'));
    world.path.run();
    expect(
      world.path.relays[2]
        .of(relayCommand.data)
        .map(cell => fromUtf8(cell.body))
        .join(''),
    ).toBe('early late');
    world.fromExit(relayCommand.data, stream.id, utf8('answer'));
    expect(user.text).toBe('answer');
    world.fromExit(relayCommand.end, stream.id, Uint8Array.of(endReason.done));
    expect(user.closed).toBe(endReason.done);
    expect(world.idle).toBe(1);
    world.counts();
  });

  test('DATA before CONNECTED is delivered in order', () => {
    const user = new Recorder();
    const stream = world.open(user);
    world.path.run();
    world.fromExit(relayCommand.data, stream.id, utf8('first'));
    world.fromExit(relayCommand.connected, stream.id, empty);
    expect(user).toMatchObject({ opened: [undefined], text: 'first' });
  });

  test('a refused stream tells its reason', () => {
    const user = new Recorder();
    const stream = world.open(user);
    world.path.run();
    world.fromExit(relayCommand.end, stream.id, Uint8Array.of(endReason.exitPolicy, 1, 2, 3, 4, 0, 0, 0, 9));
    expect(user.closed).toBe(endReason.exitPolicy);
  });

  test('RESOLVE gives its answer', () => {
    const user = new Recorder();
    const stream = world.circuit.openStream({ kind: 'resolve', name: 'example.com' }, user)!;
    world.path.run();
    const addresses = [{ kind: 'ipv4', value: '1.2.3.4', ttlSeconds: 5 }] as const;
    world.fromExit(relayCommand.resolved, stream.id, encodeResolved({ addresses, error: undefined }));
    expect(user.resolved?.addresses).toEqual(addresses);
    expect(world.circuit.openStreams).toBe(0);
  });

  test('what was under way when we ended a stream is tolerated, within its window', () => {
    const stream = world.connected();
    world.fromExit(relayCommand.data, stream.id, data498);
    stream.close(endReason.done);
    world.path.run();
    expect(world.path.relays[2].of(relayCommand.end)[0].body).toEqual(Uint8Array.of(endReason.done));
    for (let i = 0; i < 499; i++) world.fromExit(relayCommand.data, stream.id, data498);
    expect(world.circuit.state).toBe('open');
    world.fromExit(relayCommand.data, stream.id, data498);
    expect(world.end?.fault).toBe('DATA beyond the window');
  });

  test('after END of both sides the id is free of surprises', () => {
    const stream = world.connected();
    stream.close(endReason.done);
    world.fromExit(relayCommand.end, stream.id, Uint8Array.of(endReason.done));
    world.fromExit(relayCommand.data, stream.id, data498);
    expect(world.end?.fault).toBe('cell of no stream');
  });

  test('sending stops at the stream window and goes on by SENDME', () => {
    world.path.acknowledges = false;
    const user = new Recorder();
    const stream = world.connected(user);
    world.path.capacity = 100_000;
    expect(stream.write(new Uint8Array(600 * 498))).toBe(false);
    for (let i = 0; i < 5; i++) {
      world.path.run();
      world.circuit.onWritable();
    }
    expect(world.path.relays[2].dataSeen).toBe(500);
    expect(user.writable).toBe(0);
    for (let i = 0; i < 2; i++) world.fromExit(relayCommand.sendme, stream.id, empty);
    world.path.run();
    expect(world.path.relays[2].dataSeen).toBe(600);
    expect(user.writable).toBe(1);
    world.counts();
  });

  test('a full link queue stops the source; the queue never comes near its cap', () => {
    const stream = world.connected();
    stream.write(new Uint8Array(450 * 498));
    expect(world.path.wire.length).toBe(200);
    world.path.run();
    world.circuit.onWritable();
    world.path.run();
    expect(world.path.relays[2].dataSeen).toBe(450);
  });

  test('two streams share a circuit window in turns, each in order', () => {
    const users = [new Recorder(), new Recorder(), new Recorder()];
    const streams = users.map(user => world.connected(user));
    for (const [index, stream] of streams.entries()) stream.write(new Uint8Array(900 * 498).fill(index + 1));
    for (let i = 0; i < 40; i++) {
      world.path.run();
      world.circuit.onWritable();
    }
    expect(users.map(user => user.writable)).toEqual([1, 1, 1]);
    const received = world.path.relays[2].of(relayCommand.data);
    for (const [index, stream] of streams.entries()) {
      const mine = received.filter(cell => cell.streamId === stream.id);
      expect(mine.length).toBe(900);
      expect(mine.every(cell => cell.body.every(byte => byte === index + 1))).toBe(true);
    }
    world.counts();
  });

  test('receiving: SENDMEs for circuit and stream, the digest proves the cell', () => {
    const user = new Recorder();
    const stream = world.connected(user);
    for (let i = 1; i <= 100; i++) {
      world.fromExit(relayCommand.data, stream.id, data498);
      if (i === 100) {
        const digest = world.path.relays[2].layer!.lastBackwardDigest().slice();
        world.path.run();
        const sendmes = world.path.relays[2].of(relayCommand.sendme);
        expect(sendmes.map(cell => cell.streamId)).toEqual([stream.id, 0, stream.id]);
        expect(sendmes[1].body).toEqual(encodeSendme(digest));
      }
    }
    world.counts();
  });

  test('a slow reader gets no stream SENDMEs until it has room', () => {
    const user = new Recorder();
    const stream = world.connected(user);
    user.full = true;
    for (let i = 0; i < 500; i++) world.fromExit(relayCommand.data, stream.id, data498);
    world.path.run();
    const sent = (): number =>
      world.path.relays[2].of(relayCommand.sendme).filter(cell => cell.streamId !== 0).length;
    expect(sent()).toBe(0);
    user.full = false;
    stream.drained();
    world.path.run();
    expect(sent()).toBe(10);
    user.full = true;
    for (let i = 0; i < 500; i++) world.fromExit(relayCommand.data, stream.id, data498);
    expect(world.circuit.state).toBe('open');
    world.fromExit(relayCommand.data, stream.id, data498);
    expect(world.end?.fault).toBe('DATA beyond the window');
  });

  test('leaky pipe: a directory stream to the first hop beside an exit stream', () => {
    const user = new Recorder();
    const directory = world.circuit.openStream({ kind: 'directory' }, user, 0)!;
    directory.write(utf8('GET / HTTP/1.0\r\n\r\n'));
    world.connected();
    world.path.run();
    expect(world.path.relays[0].of(relayCommand.data).length).toBe(1);
    world.path.originate(0, relayCommand.data, directory.id, utf8('documents'));
    expect(user.text).toBe('documents');
  });
});

describe('payment', () => {
  const purses = (...cells: number[]): Purse[] => cells.map(each => new Purse(each));

  test('counts at the client are those of the relays, for any traffic', () => {
    const step = fc.record({
      act: fc.constantFrom(
        'open',
        'write',
        'answer',
        'close',
        'redeem',
        'receipt',
        'drop',
        'run',
        'writable',
      ),
      hop: fc.nat(2),
      size: fc.nat(3_000),
      pick: fc.nat(9),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), steps => {
        const payers = purses(1e6, 1e6, 1e6);
        const world = new World(3, false, payers).build();
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

  test('the far side never gets permission to send what is not paid, payment goes first', () => {
    const payers = purses(100_000, 100_000, 700);
    const world = new World(3, false, payers).build();
    const user = new Recorder();
    const stream = world.connected(user);
    let sent = 0;
    const pour = (): void => {
      while (!stream.closed && stream.receiveWindow > 0 && world.circuit.hops[2].receiveWindow > 0) {
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
});

test('a flipped bit anywhere in a cell delivers nothing', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: cellPayloadBytes * 8 - 1 }), bit => {
      const world = new World(2).build();
      const user = new Recorder();
      const stream = world.connected(user);
      const { circuit } = world;
      const tampered = {
        onCell(command: number, bytes: Uint8Array, at: number): void {
          bytes[at + (bit >> 3)] ^= 1 << (bit & 7);
          circuit.onCell(command, bytes, at);
        },
      };
      world.path.client = tampered as ClientCircuit;
      world.fromExit(relayCommand.data, stream.id, utf8('secret'));
      expect(user.bytes).toBe(0);
      expect(circuit.state).toBe('ended');
    }),
    { numRuns: 50 },
  );
});

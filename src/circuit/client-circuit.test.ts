import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { concatBytes, fromUtf8, utf8 } from '../base/bytes.ts';
import { idleCellsMax } from '../base/limits.ts';
import { cellCommand, destroyReason, endReason, relayCommand } from '../cell/commands.ts';
import { cellPayloadBytes } from '../cell/link-codec.ts';
import { decodeBegin, encodeConnected, encodeResolved, encodeSendme } from '../cell/relay-messages.ts';
import type { ClientCircuit } from './client-circuit.ts';
import { data498, empty, Recorder, World } from './client-world.fixture.ts';

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
    expect(world.end).toMatchObject({ by: 'us', fault: 'bad handshake, NTOR_BAD_POINT', hop: 0 });
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
    ['END of no stream without a reason', (world: World) => world.fromExit(relayCommand.end, 77, empty)],
    ['RENDEZVOUS2', (world: World) => world.fromExit(relayCommand.rendezvous2, 0, data498)],
    [
      'CONNECTED twice',
      (world: World) => world.fromExit(relayCommand.connected, world.connected().id, empty),
    ],
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

  test.each<[what: string, say: (world: World) => void]>([
    ['DROP', world => world.fromExit(relayCommand.drop, 0, data498)],
    ['an unknown command on a stream', world => world.fromExit(99, 1, data498)],
    ['DATA on stream 0', world => world.fromExit(relayCommand.data, 0, empty)],
    ['DATA of no stream', world => world.fromExit(relayCommand.data, 77, empty)],
    ['BEGIN', world => world.fromExit(relayCommand.begin, 5, empty)],
    ['XON of another version', world => world.fromExit(relayCommand.xon, 1, Uint8Array.of(9))],
  ])('%s is ignored, but not without end: it costs', (_what, say) => {
    const world = new World(3).build();
    world.connected();
    for (let i = 0; i < idleCellsMax; i++) say(world);
    expect(world.circuit.state).toBe('open');
    world.path.run();
    world.counts();
    say(world);
    expect(world.end).toMatchObject({ by: 'us', fault: 'cells that say nothing', hop: 2 });
  });

  test('a cell from another hop than its stream is none of the stream', () => {
    const world = new World(3).build();
    const user = new Recorder();
    const stream = world.connected(user);
    world.path.originate(0, relayCommand.data, stream.id, data498);
    world.path.originate(1, relayCommand.end, stream.id, Uint8Array.of(endReason.done));
    expect([user.bytes, user.closed, world.circuit.state]).toEqual([0, undefined, 'open']);
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
    for (let i = 0; i <= idleCellsMax; i++) world.fromExit(relayCommand.data, stream.id, data498);
    expect(world.end?.fault).toBe('cells that say nothing');
  });

  test('SENDMEs for what was under way are tolerated, and no more of them', () => {
    const stream = world.connected();
    stream.close(endReason.done);
    for (let i = 0; i < 10; i++) world.fromExit(relayCommand.sendme, stream.id, empty);
    expect(world.circuit.state).toBe('open');
    for (let i = 0; i < 10 + idleCellsMax; i++) world.fromExit(relayCommand.sendme, stream.id, empty);
    expect(world.end?.fault).toBe('cells that say nothing');
  });

  test('ids do not run out, though far sides never answer an END', () => {
    world = new World(1).build();
    for (let opened = 0; opened < 66_000; opened++) {
      world.open(new Recorder()).close(endReason.done);
      world.path.wire.length = 0;
    }
    expect(world.circuit.openStreams).toBe(0);
  });

  test('after END of both sides nothing comes of what is said on the id', () => {
    const user = new Recorder();
    const stream = world.connected(user);
    stream.close(endReason.done);
    world.fromExit(relayCommand.end, stream.id, Uint8Array.of(endReason.done));
    for (let i = 0; i <= idleCellsMax; i++) world.fromExit(relayCommand.data, stream.id, empty);
    expect([user.bytes, world.end?.fault]).toEqual([0, 'cells that say nothing']);
  });

  test.each<[what: string, kind: 'connect' | 'resolve', command: number]>([
    ['CONNECTED', 'connect', relayCommand.connected],
    ['RESOLVED', 'resolve', relayCommand.resolved],
  ])('%s that cannot be read ends its stream alone', (_what, kind, command) => {
    const user = new Recorder();
    const goal =
      kind === 'resolve' ? ({ kind, name: 'example.com' } as const) : { kind, host: 'example.com', port: 80 };
    const stream = world.circuit.openStream(goal, user)!;
    world.path.run();
    world.fromExit(command, stream.id, Uint8Array.of(4, 4, 1));
    expect([user.closed, world.circuit.state]).toEqual([endReason.internal, 'open']);
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

test('a flipped bit anywhere in a cell delivers nothing', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: cellPayloadBytes * 8 - 1 }), bit => {
      const world = new World(2).build();
      const user = new Recorder();
      const stream = world.connected(user);
      const { circuit } = world;
      const tampered = {
        onRun(bytes: Uint8Array, at: number, stride: number, count: number): void {
          bytes[at + (bit >> 3)] ^= 1 << (bit & 7);
          circuit.onRun(bytes, at, stride, count);
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

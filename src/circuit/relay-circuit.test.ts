import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../base/bytes.ts';
import { cellCommand, destroyReason, endReason, endUnpaid, relayCommand } from '../cell/commands.ts';
import { streamIdOf, writeRelayCell } from '../cell/relay-cell.ts';
import { decodeSendme, encodeExtend2, encodeResolve, encodeSendme } from '../cell/relay-messages.ts';

import { begin, entropy, keys, next, Purse, previous, seed, target, world } from './relay-world.fixture.ts';

describe('a circuit at a relay', () => {
  it('carries a stream both ways', () => {
    const { send, received, streams, written } = world();
    send(relayCommand.begin, 3, begin);
    expect(received()).toEqual([]);
    send(relayCommand.data, 3, utf8('early'));
    expect(written.bytes).toBe(0);
    streams[0].onConnected('1.2.3.4', 60);
    expect(received()).toMatchObject([{ command: relayCommand.connected, stream: 3 }]);
    expect(written.bytes).toBe(5);
    streams[0].onBytes(new Uint8Array(1_000));
    expect(received().map(cell => cell.body?.length)).toEqual([498, 498, 4]);
    send(relayCommand.data, 3, new Uint8Array(20));
    expect(written.bytes).toBe(25);
    streams[0].onRemoteEnd();
    expect(received()).toMatchObject([
      { command: relayCommand.end, stream: 3, body: Uint8Array.of(endReason.done) },
    ]);
    expect(written.finished).toBe(1);
    // The client may not know yet.
    send(relayCommand.data, 3, new Uint8Array(20));
    expect(received()).toEqual([]);
  });

  it('pauses the destination at the stream window and goes on after SENDMEs', () => {
    const { send, received, streams, written } = world();
    send(relayCommand.begin, 1, begin);
    streams[0].onConnected('1.2.3.4', 60);
    received();
    streams[0].onBytes(new Uint8Array(498 * 700));
    expect(received().length).toBe(500);
    expect(written.paused).toBe(true);
    send(relayCommand.sendme, 1);
    expect(received().length).toBe(50);
    for (let i = 0; i < 4; i++) send(relayCommand.sendme, 1);
    expect(received().length).toBe(150);
    expect(written.paused).toBe(false);
  });

  it('stops all streams at the circuit window and shares what SENDMEs allow', () => {
    const { client, circuit, send, received, streams, cells } = world();
    for (const id of [1, 2, 3]) {
      send(relayCommand.begin, id, begin);
      streams[id - 1].onConnected('1.2.3.4', 60);
    }
    received();
    const digests: Uint8Array[] = [];
    const counts = new Map<number, number>();
    const take = () => {
      for (const cell of cells.splice(0)) {
        expect(client.openCell(cell.bytes, 0)).toBe(0);
        const id = streamIdOf(cell.bytes, 0);
        counts.set(id, (counts.get(id) ?? 0) + 1);
        const total = [...counts.values()].reduce((a, b) => a + b);
        if (total % 100 === 0) digests.push(client.lastBackwardDigest(0));
      }
    };
    for (const stream of streams) stream.onBytes(new Uint8Array(498 * 400));
    take();
    expect([...counts.values()].reduce((a, b) => a + b)).toBe(1_000);
    send(relayCommand.sendme, 0, encodeSendme(digests[0]));
    take();
    expect(counts.get(3)).toBe(300);
    send(relayCommand.sendme, 0, encodeSendme(digests[9]));
    expect(circuit.alive).toBe(false);
  });

  it('answers every hundredth DATA cell with its digest, and dies of the cell after the window', () => {
    const { client, circuit, send, received, streams, written } = world();
    send(relayCommand.begin, 1, begin);
    streams[0].onConnected('1.2.3.4', 60);
    received();
    written.full = true;
    for (let i = 1; i <= 500; i++) {
      send(relayCommand.data, 1, new Uint8Array(498));
      const answers = received();
      expect(answers.length).toBe(i % 100 === 0 ? 1 : 0);
      if (answers.length > 0)
        expect(decodeSendme(answers[0].body!)).toEqual(new Uint8Array(client.lastForwardDigest(0)));
    }
    streams[0].onWritable();
    expect(received().filter(cell => cell.command === relayCommand.sendme && cell.stream === 1).length).toBe(
      10,
    );
    for (let i = 0; i < 501; i++) send(relayCommand.data, 1, new Uint8Array(498));
    expect(circuit.alive).toBe(false);
    expect(received().at(-1)).toEqual({ command: 'DESTROY', reason: destroyReason.protocol });
    expect(written.finished).toBe(1);
  });

  it('refuses exits on free cells, and serves them once paid', () => {
    const { send, received, streams, resolves, purse } = world(new Purse(64, 0));
    send(relayCommand.begin, 1, begin);
    send(relayCommand.resolve, 2, encodeResolve('example.com'));
    expect(received()).toMatchObject([
      { command: relayCommand.end, stream: 1, body: Uint8Array.of(endUnpaid) },
      { command: relayCommand.end, stream: 2, body: Uint8Array.of(endUnpaid) },
    ]);
    expect(purse.free).toBe(60);
    expect([streams.length, resolves.length]).toEqual([0, 0]);
    purse.bought = 1_000;
    send(relayCommand.begin, 1, begin);
    send(relayCommand.resolve, 2, encodeResolve('example.com'));
    expect([streams.length, resolves.length]).toEqual([1, 1]);
    streams[0].onConnected('1.2.3.4', 60);
    streams[0].onBytes(new Uint8Array(498));
    // BEGIN, RESOLVE, CONNECTED cost free cells, DATA a paid one.
    expect([purse.free, purse.bought]).toEqual([57, 999]);
  });

  it('is cut off when a cell cannot be paid, and not before', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 200 }), cells => {
        const { circuit, send, received, purse } = world(new Purse(cells, 0));
        for (let i = 0; i < cells; i++) send(relayCommand.drop, 0);
        expect(circuit.alive).toBe(true);
        expect(purse.free).toBe(0);
        expect(received()).toEqual([]);
        send(relayCommand.drop, 0);
        expect(received()).toEqual([{ command: 'DESTROY', reason: destroyReason.resourceLimit }]);
        expect(circuit.alive).toBe(false);
      }),
      { numRuns: 20 },
    );
  });

  it('counts a cell once, in each direction, before it is forwarded', () => {
    const { circuit, client, send, received, cells, purse } = world(new Purse(64, 0));
    send(relayCommand.extend2, 0, encodeExtend2(target), true);
    circuit.setNext(next);
    circuit.extended(new Uint8Array(64));
    expect(received()).toMatchObject([{ command: relayCommand.extended2 }]);
    expect(purse.free).toBe(62);
    client.push({ ...keys, forwardKey: seed('other', 16), forwardDigest: seed('other', 20) });
    for (let i = 0; i < 31; i++) {
      const bytes = new Uint8Array(512);
      writeRelayCell(bytes, 3, relayCommand.drop, 0, new Uint8Array(0), entropy);
      client.seal(bytes, 3, 509, 1, 1);
      circuit.onClientRun(bytes, 3, 512, 1);
      circuit.onNextRun(new Uint8Array(512), 3, 512, 1);
    }
    expect(cells.length).toBe(62);
    expect(purse.free).toBe(0);
    circuit.onNextRun(new Uint8Array(512), 3, 512, 1);
    // What is queued on both sides has been paid for, so it still goes out.
    const { destroy } = cellCommand;
    const bytes = Uint8Array.of(destroyReason.resourceLimit);
    expect(cells.slice(62)).toEqual([
      { side: next, command: destroy, bytes, queued: 'sent' },
      { side: previous, command: destroy, bytes, queued: 'sent' },
    ]);
  });

  it.each([relayCommand.drop, 99])(
    'makes relay command %i cost a cell on a directory stream too',
    command => {
      const { send, received, purse } = world(new Purse(20, 0));
      send(relayCommand.beginDir, 1);
      received();
      for (let i = 0; i < 20; i++) send(command, 1);
      expect([purse.free, received()]).toEqual([0, []]);
      send(command, 1);
      expect(received()).toEqual([{ command: 'DESTROY', reason: destroyReason.resourceLimit }]);
    },
  );

  it('serves a directory for nothing', () => {
    const { send, received, purse } = world(new Purse(64, 0));
    send(relayCommand.beginDir, 1);
    send(relayCommand.data, 1, new Uint8Array(20));
    const answer = received();
    expect(answer[0]).toMatchObject({ command: relayCommand.connected });
    expect(answer.slice(1).reduce((sum, cell) => sum + cell.body!.length, 0)).toBe(100_001);
    expect(answer.at(-1)).toMatchObject({ command: relayCommand.end, body: Uint8Array.of(endReason.done) });
    send(relayCommand.sendme, 1);
    send(relayCommand.end, 1, Uint8Array.of(6));
    expect(purse.free).toBe(64);
    send(relayCommand.drop, 1);
    expect(purse.free).toBe(63);
  });

  it('extends once, in RELAY_EARLY alone, and again after TRUNCATE', () => {
    const { circuit, send, received, state, cells } = world();
    send(relayCommand.extend2, 0, encodeExtend2(target), true);
    expect(state.extends).toBe(1);
    circuit.setNext(next);
    circuit.extended(new Uint8Array(64));
    received();
    send(relayCommand.truncate, 0, Uint8Array.of(0));
    expect(cells.map(cell => [cell.side, cell.command])).toEqual([
      [next, cellCommand.destroy],
      [previous, cellCommand.relay],
    ]);
    received();
    send(relayCommand.extend2, 0, encodeExtend2(target));
    expect([received(), state.extends]).toEqual([[], 1]);
    send(relayCommand.extend2, 0, encodeExtend2(target), true);
    expect([received(), state.extends]).toEqual([[], 2]);
  });

  it('ends with its next hop, once what that has sent is on its way', () => {
    const { circuit, send, cells } = world();
    send(relayCommand.extend2, 0, encodeExtend2(target), true);
    circuit.setNext(next);
    circuit.extended(new Uint8Array(64));
    cells.length = 0;
    circuit.onNextLost(destroyReason.channelClosed);
    expect(circuit.alive).toBe(false);
    expect(cells).toMatchObject([{ side: previous, command: cellCommand.destroy, queued: 'sent' }]);
    expect(cells[0].bytes[0]).toBe(destroyReason.channelClosed);
  });

  it.each([
    [
      'a ninth RELAY_EARLY',
      (w: ReturnType<typeof world>) => {
        for (let i = 0; i < 9; i++) w.send(relayCommand.drop, 0, undefined, true);
      },
    ],
    [
      'a second EXTEND2',
      (w: ReturnType<typeof world>) => {
        w.send(relayCommand.extend2, 0, encodeExtend2(target), true);
        w.send(relayCommand.extend2, 0, encodeExtend2(target), true);
      },
    ],
    [
      'an unrecognised cell at the last hop',
      (w: ReturnType<typeof world>) => {
        w.circuit.onClientRun(new Uint8Array(512).fill(9), 3, 512, 1);
      },
    ],
    [
      'a RELAY_EARLY from the next hop',
      (w: ReturnType<typeof world>) => {
        w.send(relayCommand.extend2, 0, encodeExtend2(target), true);
        w.circuit.setNext(next);
        w.circuit.extended(new Uint8Array(64));
        w.received();
        w.circuit.onNextEarly();
      },
    ],
    ['an END without a reason', (w: ReturnType<typeof world>) => w.send(relayCommand.end, 1)],
    [
      'a SENDME for nothing',
      (w: ReturnType<typeof world>) => {
        w.send(relayCommand.sendme, 0, encodeSendme(new Uint8Array(20)));
      },
    ],
    [
      'CONNECTED on a stream',
      (w: ReturnType<typeof world>) => {
        w.send(relayCommand.begin, 1, begin);
        w.send(relayCommand.connected, 1);
      },
    ],
    ['a conflux', (w: ReturnType<typeof world>) => w.send(relayCommand.confluxLink, 0)],
    ['a command that only relays send', (w: ReturnType<typeof world>) => w.send(relayCommand.receipt, 0)],
  ])('dies of %s', (_what, act) => {
    const w = world();
    act(w);
    expect(w.received().at(-1)).toEqual({ command: 'DESTROY', reason: destroyReason.protocol });
    expect(w.state.gone).toBe(true);
  });

  it('dies when its queue is full, and packages no more when it is high', () => {
    const w = world();
    w.send(relayCommand.begin, 1, begin);
    w.streams[0].onConnected('1.2.3.4', 60);
    w.state.queueOpen = false;
    w.streams[0].onBytes(new Uint8Array(5_000));
    expect(w.cells.length).toBe(1);
    w.state.queueOpen = true;
    w.circuit.onWritable();
    expect(w.cells.length).toBe(12);
    w.state.sendOk = false;
    w.streams[0].onBytes(new Uint8Array(5_000));
    expect(w.circuit.alive).toBe(false);
  });

  it.each([
    ['an unknown command', 99, 0],
    ['an unknown command on a stream', 99, 4],
    ['BEGIN on stream 0', relayCommand.begin, 0],
    ['CONNECTED on no stream of ours', relayCommand.connected, 4],
    ['TRUNCATED', relayCommand.truncated, 0],
  ])('passes %s over, and is paid for it', (_what, command, stream) => {
    const { circuit, send, purse } = world(new Purse(64, 0));
    send(command, stream);
    expect([circuit.alive, purse.free]).toEqual([true, 63]);
  });

  it('keeps a stream whose id is asked for again', () => {
    const w = world();
    w.send(relayCommand.begin, 1, begin);
    w.send(relayCommand.resolve, 1, encodeResolve('a'));
    expect([w.circuit.alive, w.streams.length, w.received()]).toEqual([true, 1, []]);
  });

  it('answers a RESOLVE of no name at all', () => {
    const w = world();
    w.send(relayCommand.resolve, 1);
    expect(w.received()).toMatchObject([{ command: relayCommand.resolved }]);
  });

  it('throws for no command, stream or length', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            command: fc.oneof(fc.constantFrom(...Object.values(relayCommand)), fc.nat(255)),
            stream: fc.nat(3),
            body: fc.oneof(fc.uint8Array({ maxLength: 498 }), fc.constant(begin)),
            early: fc.boolean(),
            length: fc.option(fc.nat(65_535), { freq: 5, nil: undefined }),
          }),
          { maxLength: 30 },
        ),
        steps => {
          const { circuit, client, streams } = world();
          for (const { command, stream, body, early, length } of steps) {
            const bytes = new Uint8Array(512);
            writeRelayCell(bytes, 3, command, stream, body, entropy);
            if (length !== undefined) {
              bytes[12] = length >> 8;
              bytes[13] = length & 0xff;
            }
            client.seal(bytes, 3, 509, 1, 0);
            if (early) circuit.onClientEarly(bytes, 3);
            else circuit.onClientRun(bytes, 3, 512, 1);
            for (const each of streams) each.onConnected('1.2.3.4', 1);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

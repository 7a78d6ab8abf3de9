import { beforeEach, describe, expect, it } from 'vitest';
import { concatBytes } from '../base/bytes.ts';
import { endReason, relayCommand } from '../cell/commands.ts';
import { decodeXon, encodeSendme, encodeXoff, encodeXon } from '../cell/relay-messages.ts';
import { congestionParams, data498, empty, Recorder, World } from './client-world.fixture.ts';

const { initialCells, sendmeCells, xoffClientBytes, xoffExitBytes } = congestionParams;

let world: World;
beforeEach(() => {
  world = new World(3, false, undefined, true).build();
});

const exitOf = () => world.path.relays[world.exit];
const atExit = (command: number) => exitOf().of(command);

describe('a circuit whose exit has congestion control', () => {
  it('asks the exit for it, and no hop before', () => {
    expect(world.path.relays.map(relay => relay.sendmeCells)).toEqual([undefined, undefined, sendmeCells]);
    expect(world.circuit.hops.map(hop => hop.flow.streamWindows)).toEqual([true, true, false]);
  });

  it('sends one window until a SENDME comes', () => {
    world.path.acknowledges = false;
    const stream = world.connected();
    expect(stream.write(new Uint8Array(2_000 * 498))).toBe(false);
    world.path.run();
    expect(exitOf().dataSeen).toBe(initialCells);
  });

  it('goes on, in order, as SENDMEs answer', () => {
    const stream = world.connected();
    const bytes = new Uint8Array(500 * 498).map((_, index) => Math.floor(index / 498));
    stream.write(bytes);
    for (let turn = 0; turn < 40; turn++) {
      world.path.run();
      world.circuit.onWritable();
    }
    expect(concatBytes(...atExit(relayCommand.data).map(({ body }) => body))).toEqual(bytes);
    world.counts();
  });

  it.each([
    ['of a stream', (id: number) => world.fromExit(relayCommand.sendme, id, empty)],
    ['before it is due', () => world.fromExit(relayCommand.sendme, 0, encodeSendme(new Uint8Array(20)))],
  ])('ends for a SENDME %s', (_, send) => {
    send(world.connected().id);
    expect(world.end).toMatchObject({ by: 'us', hop: world.exit });
  });

  it('ends for a SENDME with another digest than that of the cell it answers', () => {
    world.path.acknowledges = false;
    const stream = world.connected();
    stream.write(new Uint8Array(sendmeCells * 498));
    world.path.run();
    const digest = exitOf().layer!.lastForwardDigest().slice();
    digest[0] ^= 1;
    world.fromExit(relayCommand.sendme, 0, encodeSendme(digest));
    expect(world.end).toMatchObject({ by: 'us', hop: world.exit });
  });

  it('answers every 31 DATA cells with a SENDME of the circuit, and none of the stream', () => {
    const user = new Recorder();
    const stream = world.connected(user);
    for (let cell = 0; cell < 100 * sendmeCells; cell++)
      world.fromExit(relayCommand.data, stream.id, data498);
    world.path.run();
    expect(user.bytes).toBe(100 * sendmeCells * 498);
    const sendmes = atExit(relayCommand.sendme);
    expect([sendmes.length, sendmes.filter(({ streamId }) => streamId !== 0).length]).toEqual([100, 0]);
    world.counts();
  });
});

describe('a stream of it', () => {
  it('tells the exit to stop while nobody reads, and to go on when all was read', () => {
    const user = new Recorder();
    const stream = world.connected(user);
    user.full = true;
    // The first cell finds out that the user is full; the rest waits.
    const cells = Math.ceil(xoffClientBytes / 498);
    for (let cell = 0; cell < cells; cell++) world.fromExit(relayCommand.data, stream.id, data498);
    world.path.run();
    expect(atExit(relayCommand.xoff)).toEqual([]);
    for (let cell = 0; cell < 2; cell++) world.fromExit(relayCommand.data, stream.id, data498);
    world.path.run();
    expect(atExit(relayCommand.xoff)).toMatchObject([{ streamId: stream.id, body: encodeXoff() }]);
    world.clock.nowMs += 100;
    user.full = false;
    stream.drained();
    world.path.run();
    const [xon] = atExit(relayCommand.xon);
    expect(decodeXon(xon.body)).toBe(Math.floor(((cells + 1) * 498) / 100));
    expect(atExit(relayCommand.xoff).length).toBe(1);
    world.counts();
  });

  it('stops at XOFF and goes on at XON, and the others go on meanwhile', () => {
    const [held, other] = [world.connected(), world.connected()];
    held.write(new Uint8Array(xoffExitBytes));
    for (let turn = 0; turn < 10; turn++) {
      world.path.run();
      world.circuit.onWritable();
    }
    world.fromExit(relayCommand.xoff, held.id, encodeXoff());
    const sentOn = (id: number) => atExit(relayCommand.data).filter(({ streamId }) => streamId === id).length;
    const before = sentOn(held.id);
    held.write(new Uint8Array(10 * 498));
    other.write(new Uint8Array(10 * 498));
    world.path.run();
    expect([sentOn(held.id) - before, sentOn(other.id)]).toEqual([0, 10]);
    world.fromExit(relayCommand.xon, held.id, encodeXon(0));
    world.path.run();
    expect(sentOn(held.id) - before).toBe(10);
    world.counts();
  });

  it.each([
    ['XOFF', relayCommand.xoff, encodeXoff()],
    ['XON', relayCommand.xon, encodeXon(0)],
  ])('passes over an %s that nothing sent can have caused', (_, command, body) => {
    const stream = world.connected();
    world.fromExit(command, stream.id, body);
    stream.write(data498);
    world.path.run();
    expect([world.end, world.path.relays[world.exit].dataSeen]).toEqual([undefined, 1]);
  });

  it('may still be sent a window of DATA once we have ended it, and signals', () => {
    const stream = world.connected();
    stream.write(new Uint8Array(xoffExitBytes));
    world.path.run();
    stream.close(endReason.done);
    for (let cell = 0; cell < initialCells; cell++) world.fromExit(relayCommand.data, stream.id, data498);
    world.fromExit(relayCommand.xoff, stream.id, encodeXoff());
    expect(world.circuit.state).toBe('open');
    world.path.run();
    world.counts();
  });
});

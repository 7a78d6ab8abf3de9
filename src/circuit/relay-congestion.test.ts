import { describe, expect, it } from 'vitest';
import { relayCommand } from '../cell/commands.ts';
import { encodeSendme, encodeXoff, encodeXon } from '../cell/relay-messages.ts';
import { congestionFlow } from '../flow/congestion-flow.ts';
import { readCongestionParams } from '../flow/congestion-params.ts';
import { VirtualTime } from '../flow/virtual-link.fixture.ts';
import { begin, Purse, world } from './relay-world.fixture.ts';

const params = readCongestionParams((_, otherwise) => otherwise);
const { initialCells, sendmeCells, xoffExitBytes } = params;
const manyPaid = 1_000_000;

/** A stream of an exit that has granted congestion control, its connection up. */
function connected() {
  const clock = new VirtualTime();
  const blocked = () => false;
  const purse = new Purse(64, manyPaid);
  const made = world(purse, congestionFlow({ params, sendmeCells, clock, blocked, end: 'exit' }));
  made.send(relayCommand.begin, 1, begin);
  made.streams[0].onConnected('1.2.3.4', 60);
  made.received();
  return { ...made, stream: made.streams[0], clock };
}

describe('an exit with congestion control', () => {
  it('sends one window, then as much as SENDMEs answer and more, and pauses the destination meanwhile', () => {
    const { stream, send, received, written, client, cells, clock } = connected();
    stream.onBytes(new Uint8Array(498 * 2 * initialCells));
    expect(written.paused).toBe(true);
    const digests: Uint8Array[] = [];
    let count = 0;
    while (cells.length > 0) {
      const [cell] = cells.splice(0, 1);
      client.openCell(cell.bytes, 0);
      count += 1;
      if (count % sendmeCells === 0) digests.push(client.lastBackwardDigest(0).slice());
    }
    expect(count).toBe(initialCells);
    clock.runUntil(50);
    send(relayCommand.sendme, 0, encodeSendme(digests[0]));
    // Slow start: what was answered, and as much again.
    expect(received().length).toBe(2 * sendmeCells);
  });

  it.each([
    ['of a stream', 1, new Uint8Array(0)],
    ['that is not due', 0, encodeSendme(new Uint8Array(20))],
  ])('ends the circuit for a SENDME %s', (_, id, body) => {
    const { send, state } = connected();
    send(relayCommand.sendme, id, body);
    expect(state.gone).toBe(true);
  });

  it('answers every 31 DATA cells, and the streams not at all', () => {
    const { send, received, written } = connected();
    for (let cell = 0; cell < 10 * sendmeCells; cell++) send(relayCommand.data, 1, new Uint8Array(498));
    expect(written.bytes).toBe(498 * 10 * sendmeCells);
    const answers = received();
    expect(answers.length).toBe(10);
    for (const answer of answers) expect(answer).toMatchObject({ command: relayCommand.sendme, stream: 0 });
  });

  it('stops a client that sends more than the destination takes, and lets it go on', () => {
    const { stream, send, received, written, clock } = connected();
    const signals = () => received().filter(({ command }) => command !== relayCommand.sendme);
    written.full = true;
    const cells = Math.ceil(xoffExitBytes / 498);
    for (let cell = 0; cell < cells; cell++) send(relayCommand.data, 1, new Uint8Array(498));
    expect(signals()).toEqual([]);
    for (let cell = 0; cell < 5; cell++) send(relayCommand.data, 1, new Uint8Array(498));
    expect(signals()).toMatchObject([{ command: relayCommand.xoff, stream: 1, body: encodeXoff() }]);
    clock.runUntil(1_000);
    written.full = false;
    stream.onWritable();
    expect(signals()).toMatchObject([{ command: relayCommand.xon, stream: 1 }]);
  });

  it('is stopped by XOFF, pauses the destination, and goes on at XON', () => {
    const { stream, send, received, written } = connected();
    send(relayCommand.xoff, 1, encodeXoff());
    stream.onBytes(new Uint8Array(498 * 3));
    expect(received()).toEqual([]);
    expect(written.paused).toBe(true);
    send(relayCommand.xon, 1, encodeXon(0));
    expect(received().length).toBe(3);
    expect(written.paused).toBe(false);
  });

  it('keeps to the rate that XON tells, and goes on by itself', () => {
    const { stream, send, received, clock } = connected();
    send(relayCommand.xon, 1, encodeXon(1));
    stream.onBytes(new Uint8Array(498 * 10));
    // A thousand bytes a second, a second's worth at once, and the cell that was begun.
    const before = received().length;
    expect(before).toBeLessThanOrEqual(3);
    clock.runUntil(2_000);
    const after = before + received().length;
    expect(after).toBeGreaterThan(before);
    expect(after).toBeLessThanOrEqual(7);
    clock.runUntil(10_000);
    expect(after + received().length).toBe(10);
  });

  it('ends the circuit for XON that cannot be read', () => {
    const { send, state } = connected();
    send(relayCommand.xon, 1, new Uint8Array(1));
    expect(state.gone).toBe(true);
  });

  it('is paid for signals as for every other cell', () => {
    const { send, purse } = connected();
    const before = purse.free + purse.bought;
    send(relayCommand.xoff, 1, encodeXoff());
    send(relayCommand.xon, 1, encodeXon(0));
    expect(before - purse.free - purse.bought).toBe(2);
  });
});

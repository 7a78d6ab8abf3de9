import { expect, it } from 'vitest';
import { directoryStallMsMax, relayBodyBytesMax } from '../base/limits.ts';
import { relayCommand } from '../cell/commands.ts';
import { DirectoryCache } from '../directory/directory-cache.ts';
import { DirectoryExchange } from '../directory/directory-exchange.ts';
import { fixedFlow } from '../flow/sendme-window.ts';
import type { Clock } from '../ports.ts';
import { type DirectoryService, DirectoryStream } from './directory-stream.ts';

/** A stream, the DATA it has sent, and its timers. */
function opened(serve: (clock: Clock) => DirectoryService) {
  let now = 0;
  let timers: { readonly at: number; readonly run: () => void }[] = [];
  const clock: Clock = {
    monotonicMs: () => now,
    wallMs: () => now,
    after(ms, run) {
      const timer = { at: now + ms, run };
      timers.push(timer);
      return () => {
        timers = timers.filter(each => each !== timer);
      };
    },
  };
  const pass = (ms: number): void => {
    now += ms;
    for (const timer of timers.filter(each => each.at <= now)) {
      timers = timers.filter(each => each !== timer);
      timer.run();
    }
  };
  const sent: Uint8Array[] = [];
  const ends: number[] = [];
  const stream: DirectoryStream = new DirectoryStream(
    1,
    {
      flow: fixedFlow(),
      dataRoom: () => 1_000,
      sendFullData(_stream, bytes, at, count) {
        for (; count > 0; count--, at += relayBodyBytesMax)
          sent.push(bytes.slice(at, at + relayBodyBytesMax));
      },
      sendData: (_stream, bytes, at, length) => void sent.push(bytes.slice(at, at + length)),
      sendControl: (_stream, command, body) => void (command === relayCommand.end && ends.push(body[0])),
      wait() {},
      wake() {},
      release() {},
    },
    serve(clock),
  );
  return { stream, sent, ends, pass, timers: () => timers.length };
}

const bytesOf = (text: string) => new Uint8Array(Buffer.from(text, 'latin1'));

it('reads a request of very many lines once, however small the cells of its body', () => {
  const { stream } = opened(clock => new DirectoryCache({} as never, clock));
  const head = bytesOf(`POST /x HTTP/1.0\r\nContent-Length: 45000\r\n${'a\r\n'.repeat(5_440)}\r\n`);
  for (let at = 0; at < head.length; at += relayBodyBytesMax)
    stream.onData(head.subarray(at, at + relayBodyBytesMax), 1);
  const before = process.cpuUsage();
  for (let count = 0; count < 5_000; count++) stream.onData(Uint8Array.of(65), 1);
  const { user, system } = process.cpuUsage(before);
  // Reading it anew takes more than 200 us a cell, this about one.
  expect((user + system) / 5_000).toBeLessThan(50);
});

it.each([
  [100, 0],
  [100, 50],
  [100, 398],
  [100, 100_000],
  [498, 498],
  [1_000, 1],
])('sends a head of %i bytes and a body of %i in full cells, and ends', (headBytes, bodyBytes) => {
  const head = new Uint8Array(headBytes).fill(1);
  const body = new Uint8Array(bodyBytes).fill(2);
  const left: number[] = [];
  const { stream, sent, ends } = opened(() => ({
    begin: asker => ({
      onBytes() {
        asker.answer(head, body);
        return false;
      },
      onLeft: bytes => left.push(bytes),
      stop() {},
    }),
  }));
  stream.onData(Uint8Array.of(0), 1);
  while (stream.pump(3));
  expect(Buffer.concat(sent)).toEqual(Buffer.concat([head, body]));
  expect(sent.slice(0, -1).every(cell => cell.length === relayBodyBytesMax)).toBe(true);
  expect([left.at(-1), ends.length]).toEqual([0, 1]);
});

it('gives an answer up of which the client takes nothing any more, and holds nothing of it then', () => {
  const held: number[] = [];
  const { stream, ends, pass, timers } = opened(clock => ({
    begin: asker => {
      const exchange: DirectoryExchange = new DirectoryExchange({
        asker,
        clock,
        onHeld: bytes => held.push(bytes),
        onRequest: () =>
          exchange.answer({ head: new Uint8Array(100), body: new Uint8Array(400_000), shared: false }),
      });
      return exchange;
    },
  }));
  stream.onData(bytesOf('GET / HTTP/1.0\r\n'), 1);
  stream.onData(bytesOf('\r\n'), 1);
  expect(held).toEqual([16, 0, 400_100]);
  pass(directoryStallMsMax - 1);
  stream.pump(100);
  expect(held.at(-1)).toBe(400_100 - 100 * relayBodyBytesMax);
  pass(directoryStallMsMax - 1);
  expect(ends).toEqual([]);
  pass(1);
  expect([ends.length, held.at(-1), timers()]).toEqual([1, 0, 0]);
});

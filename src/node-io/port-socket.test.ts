import { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { socketBlockBytes, youngLinkBytes, youngLinkWriteBytes } from '../base/limits.ts';
import { BlockPool, PortSocket } from './port-socket.ts';

/** A socket whose events the test makes, and what its user hears, in order: lengths of bytes and names of the rest. */
function listened() {
  const heard: (number | string)[] = [];
  const told: number[] = [];
  const socket = new Socket();
  const port = new PortSocket(
    socket,
    new BlockPool(),
    { bytesHigh: socketBlockBytes },
    {
      bytes: bytes => {
        heard.push(bytes.length);
        told.push(...bytes);
      },
      writable: () => {},
      ended: () => void heard.push('ended'),
      closed: why => void heard.push(why),
      gone: () => void heard.push('gone'),
    },
  );
  return { port, socket, heard, told };
}

const record = (length: number, fill = 0) => Buffer.alloc(length, fill);
const turn = () => new Promise(resolve => setImmediate(resolve));

test('what comes within a turn of the event loop is told at once, in its order', async () => {
  const { socket, heard, told } = listened();
  for (const fill of [1, 2, 3]) socket.emit('data', record(100, fill));
  expect(heard).toEqual([]);
  await turn();
  expect(heard).toEqual([300]);
  expect([told[0], told[100], told[200]]).toEqual([1, 2, 3]);
  socket.emit('data', record(7));
  await turn();
  expect(heard).toEqual([300, 7]);
});

test('more than a block holds is told as far as it goes, and large pieces as they come', async () => {
  const { socket, heard } = listened();
  const piece = 16_384;
  for (let pieces = 0; pieces < 6; pieces++) socket.emit('data', record(piece));
  expect(heard).toEqual([4 * piece]);
  socket.emit('data', record(socketBlockBytes));
  expect(heard).toEqual([4 * piece, 2 * piece, socketBlockBytes]);
  await turn();
  expect(heard).toHaveLength(3);
});

test('nothing that was read is told after the end, or missing before it', () => {
  const { socket, heard } = listened();
  socket.emit('data', record(10));
  socket.emit('end');
  socket.emit('data', record(5));
  socket.emit('close');
  expect(heard).toEqual([10, 'ended', 5, 'gone', 'done']);
});

test('a connection that we close tells nothing more', async () => {
  const { port, socket, heard } = listened();
  socket.emit('data', record(10));
  port.close(0);
  socket.emit('data', record(10));
  await turn();
  expect(heard.filter(each => each !== 'gone')).toEqual([]);
});

/** A link whose network takes what the test lets it take. */
function slowLink() {
  const given: Buffer[] = [];
  const takes: (() => void)[] = [];
  const socket = new Socket();
  socket._write = (bytes: Buffer, _encoding, done) => {
    given.push(Buffer.from(bytes));
    takes.push(done);
  };
  // Else what waits together would go round the above.
  socket._writev = undefined;
  socket._final = done => done();
  const heard: string[] = [];
  const port = new PortSocket(
    socket,
    new BlockPool(),
    { bytesHigh: 16 * socketBlockBytes, youngBytesHigh: 4 * socketBlockBytes },
    {
      bytes: () => {},
      writable: () => void heard.push('writable'),
      ended: () => {},
      closed: () => {},
      gone: () => {},
    },
  );
  return { port, socket, given, takes, heard };
}

const numbered = (from: number, length: number) =>
  Uint8Array.from({ length }, (_, at) => Math.imul(from + at + 1, 0x9e3779b1) >>> 24);

test('of what a peer that reads nothing is sent, TLS holds one small write', async () => {
  const { port, socket, given } = slowLink();
  for (let blocks = 0; blocks < 5; blocks++) port.write(numbered(0, socketBlockBytes));
  await turn();
  expect(given.map(({ length }) => length)).toEqual([youngLinkWriteBytes]);
  expect(socket.writableLength).toBe(youngLinkWriteBytes);
  expect(port.pendingBytes).toBe(5 * socketBlockBytes);
});

test('a link that takes what it is sent gets it in order, in whole blocks before long, and is told when it may go on', async () => {
  const { port, given, takes, heard } = slowLink();
  const total = youngLinkBytes + 10 * socketBlockBytes;
  let sent = 0;
  for (let turns = 0; sent < total || port.pendingBytes > 0; turns++) {
    expect(turns).toBeLessThan(200);
    for (let full = false; !full && sent < total; sent += socketBlockBytes)
      full = !port.write(numbered(sent, socketBlockBytes));
    await turn();
    for (const take of takes.splice(0)) take();
    await turn();
  }
  expect(Buffer.compare(Buffer.concat(given), numbered(0, total))).toBe(0);
  expect(Math.max(...given.map(({ length }) => length))).toBe(socketBlockBytes);
  expect(heard).toContain('writable');
  expect(port.pendingBytes).toBe(0);
});

test('a link may have more wait once it has been seen to take what it is sent', async () => {
  const { port, takes } = slowLink();
  const block = numbered(0, socketBlockBytes);
  const blocksUntilFull = () => {
    let blocks = 1;
    while (port.write(block)) blocks += 1;
    return blocks;
  };
  expect(blocksUntilFull()).toBe(5);
  for (let written = 5 * socketBlockBytes; written < youngLinkBytes; written += socketBlockBytes)
    port.write(block);
  for (await turn(); port.pendingBytes > 0; await turn()) for (const take of takes.splice(0)) take();
  expect(blocksUntilFull()).toBe(17);
});

test('a link that is closed while its first writes wait sends them all, and then its end', async () => {
  const { port, socket, given, takes } = slowLink();
  const sent = numbered(0, 3 * socketBlockBytes + 5);
  port.write(sent);
  await turn();
  let ended = false;
  socket.once('finish', () => {
    ended = true;
  });
  port.close(60_000);
  for (; takes.length > 0; await turn()) {
    expect(ended).toBe(false);
    takes.shift()?.();
  }
  expect(Buffer.compare(Buffer.concat(given), sent)).toBe(0);
  expect(ended).toBe(true);
  socket.destroy();
});

import { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { socketBlockBytes } from '../base/limits.ts';
import { BlockPool, PortSocket } from './port-socket.ts';

/** A socket whose events the test makes, and what its user hears, in order: lengths of bytes and names of the rest. */
function listened() {
  const heard: (number | string)[] = [];
  const told: number[] = [];
  const socket = new Socket();
  const port = new PortSocket(socket, new BlockPool(), socketBlockBytes, {
    bytes: bytes => {
      heard.push(bytes.length);
      told.push(...bytes);
    },
    writable: () => {},
    ended: () => void heard.push('ended'),
    closed: why => void heard.push(why),
    gone: () => void heard.push('gone'),
  });
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

import { createSocket } from 'node:dgram';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { ResolvedAddress } from '../ports.ts';
import { NameLookup } from './name-lookup.ts';
import { TcpStreams } from './tcp-streams.ts';

/** Resource records by 'name type'; type 1 is A, 28 AAAA, 12 PTR. */
type Records = Readonly<Record<string, readonly { readonly ttl: number; readonly data: Buffer }[]>>;

const labelsOf = (name: string) =>
  Buffer.concat([
    ...name.split('.').map(label => Buffer.from([label.length, ...Buffer.from(label)])),
    Buffer.of(0),
  ]);

/** Answers questions like a name server; 'slow.test' is never answered. */
async function nameServer(records: Records): Promise<{ at: string; stop(): void }> {
  const socket = createSocket('udp4');
  socket.on('message', (question, from) => {
    let end = 12;
    const labels: string[] = [];
    for (; question[end] !== 0; end += question[end] + 1)
      labels.push(question.subarray(end + 1, end + 1 + question[end]).toString());
    const name = labels.join('.');
    const type = question.readUInt16BE(end + 1);
    if (name === 'slow.test') return;
    const known = Object.keys(records).some(each => each.startsWith(`${name} `));
    const found = records[`${name} ${type}`] ?? [];
    const header = Buffer.alloc(12);
    question.copy(header, 0, 0, 2);
    header.writeUInt16BE(0x8180 | (known ? 0 : 3), 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(found.length, 6);
    const answers = found.map(({ ttl, data }) => {
      const fixed = Buffer.alloc(12);
      fixed.writeUInt16BE(0xc00c, 0);
      fixed.writeUInt16BE(type, 2);
      fixed.writeUInt16BE(1, 4);
      fixed.writeUInt32BE(ttl, 6);
      fixed.writeUInt16BE(data.length, 10);
      return Buffer.concat([fixed, data]);
    });
    socket.send(Buffer.concat([header, question.subarray(12, end + 5), ...answers]), from.port, from.address);
  });
  await new Promise<void>(bound => socket.bind(0, '127.0.0.1', bound));
  return { at: `127.0.0.1:${socket.address().port}`, stop: () => socket.close() };
}

const records: Records = {
  'both.test 1': [{ ttl: 77, data: Buffer.of(192, 0, 2, 1) }],
  'both.test 28': [{ ttl: 78, data: Buffer.from('20010db8000000000000000000000001', 'hex') }],
  'many.test 1': Array.from({ length: 28 }, (_, i) => ({ ttl: 1, data: Buffer.of(192, 0, 2, i) })),
  '1.2.0.192.in-addr.arpa 12': [{ ttl: 9, data: labelsOf('back.test') }],
};

test('names are answered with their addresses and their time to live', async () => {
  const server = await nameServer(records);
  const names = new NameLookup({ servers: [server.at], hostsFile: '/nonexistent' });
  expect(await names.find('both.test', false)).toEqual([
    { kind: 'ipv4', value: '192.0.2.1', ttlSeconds: 77 },
    { kind: 'ipv6', value: '2001:db8::1', ttlSeconds: 78 },
  ]);
  expect(await names.find('many.test', false)).toHaveLength(28);
  expect(await names.find('none.test', false)).toEqual([]);
  expect(await names.find('192.0.2.1', true)).toEqual([
    { kind: 'name', value: 'back.test', ttlSeconds: 300 },
  ]);
  expect(await names.find('192.0.2.9', true)).toEqual([]);
  expect(await names.find('both.test', true)).toEqual([]);
  expect(await names.find('localhost', false)).toEqual([
    { kind: 'ipv4', value: '127.0.0.1', ttlSeconds: 300 },
  ]);
  for (const name of ['', '.', 'a b', 'x'.repeat(300), '\0', 'both.test\n'])
    expect(await names.find(name, false)).toEqual([]);
  names.stop();
  server.stop();
});

test('the hosts file comes first, whatever its spelling', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'naulon-hosts-'));
  const hostsFile = join(folder, 'hosts');
  await writeFile(
    hostsFile,
    '# none.test\n10.0.0.1\tLab.test  alias # more.test\n\n0:0::1 lab.test\nnonsense lab2.test\n',
  );
  const names = new NameLookup({ servers: ['127.0.0.1:1'], hostsFile });
  expect((await names.find('LAB.test.', false)).map(({ value }) => value)).toEqual(['10.0.0.1', '::1']);
  expect((await names.find('alias', false)).map(({ value }) => value)).toEqual(['10.0.0.1']);
  for (const name of ['none.test', 'more.test', 'lab2.test'])
    expect(await names.find(name, false)).toEqual([]);
  names.stop();
  await rm(folder, { recursive: true });
});

test('the port answers each question by its number, and none after it has stopped', async () => {
  const server = await nameServer(records);
  const streams = new TcpStreams({ servers: [server.at], hostsFile: '/nonexistent' });
  const answers = new Map<number, readonly ResolvedAddress[]>();
  let arrived = () => {};
  streams.attach({
    onResolved: (ask, found) => {
      answers.set(ask, found);
      arrived();
    },
    onStreamAccepted() {},
    onConnected() {},
    onStreamBytes() {},
    onStreamWritable() {},
    onStreamEnd() {},
    onStreamClosed() {},
  });
  const [first, second, slow] = ['both.test', 'none.test', 'slow.test'].map(name =>
    streams.resolve(name, false),
  );
  expect(answers.size).toBe(0);
  while (answers.size < 2)
    await new Promise<void>(more => {
      arrived = more;
    });
  expect([answers.get(first)?.length, answers.get(second)?.length, answers.has(slow)]).toEqual([2, 0, false]);
  await streams.stop();
  await new Promise(done => setImmediate(done));
  expect(answers.has(slow)).toBe(false);
  server.stop();
});

import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { expect, test, vi } from 'vitest';
import { readBytesPerTurn } from '../base/limits.ts';
import type { LinkFacts, LinkHandler, StreamHandler, StreamId, StreamPort } from '../ports.ts';
import { linkPortKit, type PortWorld, streamPortKit } from '../sim/port-kits.ts';
import { TcpStreams } from './tcp-streams.ts';
import { TlsLinks } from './tls-links.ts';
import { identity, localhost, nowhere, settle, tlsWorld, until } from './tls-world.fixture.ts';

linkPortKit('TlsLinks', () => tlsWorld());

/**
 * TCP tells a close as an end of bytes, so a side hears `closed` once it has answered with an end of its own, as every core
 * does. The world answers for sides that are waited for in vain.
 */
streamPortKit('TcpStreams', async (): Promise<PortWorld<StreamPort, StreamHandler>> => {
  const unanswered: (() => void)[] = [];
  const side = (streams: TcpStreams) => ({
    port: streams,
    attach: (handler: StreamHandler) =>
      streams.attach({
        onResolved: (ask, found) => handler.onResolved(ask, found),
        onStreamAccepted: (stream, listener, from) => handler.onStreamAccepted(stream, listener, from),
        onConnected: (stream, remote) => handler.onConnected(stream, remote),
        onStreamBytes: (stream, bytes) => handler.onStreamBytes(stream, bytes),
        onStreamWritable: stream => handler.onStreamWritable(stream),
        onStreamEnd: (stream: StreamId) => {
          unanswered.push(() => streams.end(stream));
          handler.onStreamEnd(stream);
        },
        onStreamClosed: (stream, why) => handler.onStreamClosed(stream, why),
      }),
    turn: <T>(run: () => T) => run(),
  });
  const [near, far] = [new TcpStreams(), new TcpStreams()];
  return {
    dialler: side(near),
    listener: side(far),
    at: await far.listen(localhost, 'test'),
    nowhere: await nowhere(),
    until: holds => {
      let turns = 0;
      return until(holds, () => {
        turns += 1;
        if (turns === 200) for (const answer of unanswered.splice(0)) answer();
      });
    },
    settle,
    stop: async () => void (await Promise.all([near.stop(), far.stop()])),
  };
});

/** Counts what happens on links; nothing is expected but what the test names. */
function ear(events: string[]): LinkHandler {
  return {
    onAccepted: () => void events.push('accepted'),
    onOpen: () => void events.push('open'),
    onBytes: () => void events.push('bytes'),
    onWritable: () => void events.push('writable'),
    onClosed: (_link, why) => void events.push(`closed ${why}`),
  };
}

test('TLS 1.2 and 1.3 are taken, anything older or that is no TLS is not', async () => {
  const links = new TlsLinks(identity);
  const events: string[] = [];
  links.attach(ear(events));
  const at = await links.listen(localhost);
  const protocolOf = (maxVersion: 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3') =>
    new Promise<string>(answer => {
      const socket = connectTls({ ...at, maxVersion, minVersion: 'TLSv1', rejectUnauthorized: false });
      socket.once('secureConnect', () => {
        answer(socket.getProtocol() ?? '');
        socket.end();
      });
      socket.once('error', () => answer('refused'));
    });
  expect([await protocolOf('TLSv1.3'), await protocolOf('TLSv1.2'), await protocolOf('TLSv1.1')]).toEqual([
    'TLSv1.3',
    'TLSv1.2',
    'refused',
  ]);
  await until(() => events.length === 4);
  const noTls = connect(at.port, at.host).on('error', () => {});
  noTls.write('GET / HTTP/1.0\r\n\r\n');
  await until(
    () => noTls.closed,
    () => noTls.resume(),
  );
  expect(events).toHaveLength(4);
  await links.stop();
});

test('links are enciphered by AES-128, whoever of the two prefers another', async () => {
  const links = new TlsLinks(identity);
  links.attach(ear([]));
  const at = await links.listen(localhost);
  const socket = connectTls({ ...at, rejectUnauthorized: false });
  await new Promise(done => socket.once('secureConnect', done));
  expect(socket.getCipher().standardName).toBe('TLS_AES_128_GCM_SHA256');
  socket.on('error', () => {}).end();
  await links.stop();

  const dialler = new TlsLinks();
  const offered = new Promise<string>(told => {
    const options = {
      key: identity.privateKeyPem,
      cert: new X509Certificate(identity.certificate).toString(),
      honorCipherOrder: false,
    };
    const server = createTlsServer(options, accepted => {
      told(accepted.getCipher().standardName);
      accepted.on('error', () => {});
      accepted.end();
      server.close();
    });
    server.listen(0, '127.0.0.1', () => {
      dialler.attach(ear([]));
      dialler.open({ host: '127.0.0.1', port: (server.address() as AddressInfo).port });
    });
  });
  expect(await offered).toBe('TLS_AES_128_GCM_SHA256');
  await dialler.stop();
});

test('a dialler tells a listener that speaks no TLS from one that is not there', async () => {
  const server = createServer(socket => socket.on('error', () => {}).end('220 mail ready\r\n'));
  await new Promise<void>(listening => server.listen(0, '127.0.0.1', listening));
  const links = new TlsLinks();
  const events: string[] = [];
  links.attach(ear(events));
  links.open({ host: '127.0.0.1', port: (server.address() as { port: number }).port });
  await until(() => events.length > 0);
  expect(['closed protocol', 'closed reset']).toContain(events[0]);
  await links.stop();
  server.close();
});

test('stop ends listeners, links and connections still without TLS, and frees the port', async () => {
  const [near, far] = [new TlsLinks(), new TlsLinks(identity)];
  const events: string[] = [];
  near.attach(ear(events));
  far.attach(ear(events));
  const at = await far.listen(localhost);
  near.open(at);
  const halfway = connect(at.port, at.host).on('error', () => {});
  await until(() => events.length === 2 && halfway.readyState === 'open');
  await Promise.all([near.stop(), far.stop()]);
  await until(
    () => halfway.destroyed,
    () => halfway.resume(),
  );
  const again = new TlsLinks(identity);
  expect(await again.listen(at)).toEqual(at);
  await expect(new TlsLinks(identity).listen(at)).rejects.toMatchObject({ code: 'EADDRINUSE' });
  await again.stop();
});

test('a link that nobody attached for yet is turned away, and the listener lives', async () => {
  const [near, far] = [new TlsLinks(), new TlsLinks(identity)];
  const events: string[] = [];
  near.attach(ear(events));
  const at = await far.listen(localhost);
  near.open(at);
  await until(() => events.some(event => event.startsWith('closed')));
  far.attach(ear(events));
  near.open(at);
  await until(() => events.includes('accepted'));
  await Promise.all([near.stop(), far.stop()]);
});

test('facts of a link outlive it: what its last bytes ask of it has no answer, and throws nothing', async () => {
  const [near, far] = [new TlsLinks(), new TlsLinks(identity)];
  const events: string[] = [];
  const accepted: LinkFacts[] = [];
  far.attach({ ...ear(events), onAccepted: link => void accepted.push(far.facts(link)) });
  const opened: LinkFacts[] = [];
  near.attach({ ...ear(events), onOpen: link => void opened.push(near.facts(link)) });
  near.open(await far.listen(localhost));
  await until(() => accepted.length === 1 && opened.length === 1);
  const both = [...accepted, ...opened];
  const exported = () => both.map(facts => facts.exporter('EXPORTER FOR A TEST', identity.certificate));
  expect(exported().map(key => key?.length)).toEqual([32, 32]);
  await Promise.all([near.stop(), far.stop()]);
  expect(exported()).toEqual([undefined, undefined]);
});

test('what is thrown at the bytes of one connection ends that one alone, unless it breaks an invariant', async () => {
  const streams = new TcpStreams();
  const ends: string[] = [];
  streams.attach({
    ...quiet,
    onStreamBytes: (stream, bytes) => {
      if (Buffer.from(bytes).toString() === 'hostile') throw new TypeError('planted');
      streams.write(stream, bytes);
    },
    onStreamClosed: (_, why) => ends.push(why),
  });
  const said: string[] = [];
  const stderr = vi
    .spyOn(process.stderr, 'write')
    .mockImplementation(text => Boolean(said.push(String(text))));
  const at = await streams.listen(localhost, 'test');
  const heard: string[] = [];
  const [hostile, honest] = [connect(at), connect(at)];
  hostile.on('error', () => {}).write('hostile');
  await once(hostile, 'close');
  honest.on('data', bytes => heard.push(bytes.toString())).write('honest');
  await until(() => heard.length === 1);
  expect([heard, ends]).toEqual([['honest'], ['protocol']]);
  expect(said.join()).toMatch(/^naulon: unexpected, and a connection ends for it: TypeError: planted\n/);
  stderr.mockRestore();
  honest.destroy();
  await streams.stop();
});

test('a unix socket is for its user alone, gives way to the next, and goes with its port', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'naulon-socket-test-'));
  const path = join(folder, 'socket');
  writeFileSync(path, 'left behind');
  const streams = new TcpStreams();
  const heard: string[] = [];
  streams.attach({
    ...quiet,
    onStreamAccepted: (_, listener, from) => heard.push(`${listener} ${from.host}`),
    onStreamBytes: (stream, bytes) => {
      heard.push(Buffer.from(bytes).toString());
      streams.write(stream, Buffer.from('answer'));
    },
  });
  await streams.listenAtPath(path, 'control');
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const program = connect({ path }).on('data', bytes => heard.push(bytes.toString()));
  program.write('question');
  await until(() => heard.length === 3);
  expect(heard).toEqual([`control ${path}`, 'question', 'answer']);
  program.end();
  await streams.stop();
  expect(existsSync(path)).toBe(false);
  rmSync(folder, { recursive: true });
});

test.each(['dialled', 'accepted'])(
  '%s: whoever has much to say is heard in turns with the others',
  async how => {
    const bytes = 16 * 1024 * 1024;
    const talk = (socket: Socket) => void socket.on('error', () => {}).end(Buffer.alloc(bytes));
    const server = createServer(talk);
    await new Promise<void>(listening => server.listen(0, '127.0.0.1', listening));
    const streams = new TcpStreams();
    const inTurn = new Map<StreamId, number>();
    let [heard, most] = [0, 0];
    streams.attach({
      ...quiet,
      onStreamBytes: (stream, { length }) => {
        if (inTurn.size === 0) setImmediate(() => inTurn.clear());
        const here = (inTurn.get(stream) ?? 0) + length;
        inTurn.set(stream, here);
        most = Math.max(most, here);
        heard += length;
      },
    });
    const at = await streams.listen(localhost, 'test');
    for (let i = 0; i < 2; i++) {
      if (how === 'accepted') talk(connect(at));
      else streams.connect({ host: '127.0.0.1', port: (server.address() as { port: number }).port });
    }
    await until(() => heard === 2 * bytes);
    // What is on its way when a share is full comes on top.
    expect(most).toBeLessThanOrEqual(2 * readBytesPerTurn);
    await streams.stop();
    server.close();
  },
);

const quiet: StreamHandler = {
  onResolved: () => {},
  onStreamAccepted: () => {},
  onConnected: () => {},
  onStreamBytes: () => {},
  onStreamWritable: () => {},
  onStreamEnd: () => {},
  onStreamClosed: () => {},
};

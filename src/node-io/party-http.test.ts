import { once } from 'node:events';
import { request } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { utf8 } from '../base/bytes.ts';
import { partyMessageBytesMax } from '../base/limits.ts';
import { SigningKey } from '../crypto/ecdsa.ts';
import { SealedDoor, sealAsk, sealedScheme } from '../payment/sealed-asks.ts';
import type { Answer, Endpoint, PartyReply } from '../ports.ts';
import { SeededEntropy } from '../sim/seeded-entropy.ts';
import { HttpParties } from './party-http.ts';

const open: { stop(): Promise<unknown> }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map(each => each.stop()));
});

interface Asked {
  readonly scheme: number;
  readonly bytes: Uint8Array;
}

/** A party that answers as it is told, and one that asks it. */
async function pair(
  serve: (asked: Asked) => PartyReply | undefined,
  answerMsMax?: number,
  door?: SealedDoor,
) {
  const server = new HttpParties();
  const client = new HttpParties({ answerMsMax });
  open.push(server, client);
  const seen: Asked[] = [];
  server.attach({
    onAnswer() {},
    onChain() {},
    onRequest(id, scheme, bytes) {
      seen.push({ scheme, bytes });
      const reply = serve({ scheme, bytes });
      if (reply !== undefined) server.answer(id, reply);
    },
  });
  const at = await server.listen({ host: '127.0.0.1', port: 0 }, door);
  return { at, seen, ask: asking(client), server, client };
}

function asking(client: HttpParties): (to: Endpoint, scheme: number, bytes: Uint8Array) => Promise<Answer> {
  const waiting = new Map<number, (answer: Answer) => void>();
  client.attach({ onAnswer: answer => waiting.get(answer.ask)?.(answer), onChain() {} });
  let asks = 0;
  return (to, scheme, bytes) =>
    new Promise(resolve => {
      asks += 1;
      waiting.set(asks, resolve);
      client.ask(to, scheme, bytes, asks);
    });
}

it('carries a request and its reply, byte for byte', async () => {
  const { at, seen, ask } = await pair(({ bytes }) => ({ kind: 'reply', bytes: bytes.slice().reverse() }));
  const all = Uint8Array.from({ length: 256 }, (_, i) => i);
  expect(await ask(at, 3, all)).toMatchObject({ kind: 'party', reply: all.slice().reverse() });
  expect(await ask(at, 255, new Uint8Array(0))).toMatchObject({ reply: new Uint8Array(0) });
  expect(seen.map(({ scheme }) => scheme)).toEqual([3, 255]);
});

it('carries a refusal as the word that it is', async () => {
  const { at, ask } = await pair(() => ({ kind: 'refused', code: 'overspent' }));
  expect(await ask(at, 3, utf8('x'))).toMatchObject({ fault: 'overspent' });
});

it('opens what is sealed to its key and seals the answer, refusals too', async () => {
  const entropy = new SeededEntropy('party http');
  const key = SigningKey.fresh(entropy);
  const serve = ({ bytes }: Asked): PartyReply =>
    bytes.length > 5 ? { kind: 'refused', code: 'overspent' } : { kind: 'reply', bytes: utf8('gladly') };
  const { at, ask, seen } = await pair(serve, undefined, new SealedDoor(key, entropy));
  for (const [request, answer] of [
    ['hello', { kind: 'reply', bytes: utf8('gladly') }],
    ['hello again', { kind: 'refused', code: 'overspent' }],
  ] as const) {
    const sealed = sealAsk(key.publicKey, 3, utf8(request), entropy);
    const heard = await ask(at, sealedScheme, sealed.box);
    const box = heard.kind === 'party' ? heard.reply : undefined;
    expect(Buffer.from(box ?? []).includes('gladly')).toBe(false);
    expect(sealed.openReply(box ?? new Uint8Array(0))).toEqual(answer);
    expect(seen.at(-1)).toEqual({ scheme: 3, bytes: utf8(request) });
  }
  expect(await ask(at, sealedScheme, utf8('no box'))).toMatchObject({ fault: 'malformed' });
  expect(seen).toHaveLength(2);
});

it('says that nobody is there', async () => {
  const { at, ask, server } = await pair(() => undefined);
  await server.stop();
  expect(await ask(at, 3, utf8('x'))).toMatchObject({ fault: 'unreachable' });
});

it('gives up on a party that does not answer', async () => {
  const { at, ask } = await pair(() => undefined, 100);
  expect(await ask(at, 3, utf8('x'))).toMatchObject({ fault: 'late' });
});

it('takes no request that is too long, of no scheme, or no request at all, and serves on', async () => {
  const { at, seen, ask } = await pair(() => ({ kind: 'reply', bytes: utf8('ok') }));
  expect(await ask(at, 3, new Uint8Array(partyMessageBytesMax + 1))).toMatchObject({ fault: 'malformed' });
  const statusOf = async (method: string, path: string) => {
    const sent = request({ ...at, method, path }).end();
    const [response] = await once(sent, 'response');
    response.resume();
    return response.statusCode;
  };
  expect(await statusOf('GET', '/pay/3')).toBe(405);
  expect(await statusOf('POST', '/pay/256')).toBe(405);
  expect(await statusOf('POST', '/etc/passwd')).toBe(404);
  const noise = connect(at.port, at.host);
  noise.end('\0\x01 not HTTP\r\n\r\n');
  await once(noise.resume(), 'close');
  expect(seen).toEqual([]);
  expect(await ask(at, 3, utf8('x'))).toMatchObject({ reply: utf8('ok') });
});

it.each([
  ['closes at once', (): string | undefined => undefined, 'unreachable'],
  ['speaks something else', () => 'SSH-2.0-OpenSSH\r\n', 'unreachable'],
  ['breaks off in the middle', () => 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc', 'unreachable'],
  [
    'sends more than any reply',
    () => `HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\n${'x'.repeat(99_999)}`,
    'malformed',
  ],
  [
    'refuses with a page',
    () => `HTTP/1.1 409 No\r\ncontent-length: 60\r\n\r\n${'<'.repeat(60)}`,
    'malformed',
  ],
  ['is another server', () => 'HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n', 'malformed'],
])('is not led astray by a party that %s', async (_name, says, fault) => {
  const liar = createTcpServer(socket => {
    socket.on('error', () => {});
    const words = says();
    if (words === undefined) socket.destroy();
    else socket.once('data', () => socket.end(words));
  });
  await new Promise<void>(resolve => liar.listen(0, '127.0.0.1', resolve));
  open.push({ stop: () => new Promise(resolve => liar.close(resolve)) });
  const client = new HttpParties();
  open.push(client);
  const to = { host: '127.0.0.1', port: (liar.address() as AddressInfo).port };
  expect(await asking(client)(to, 3, utf8('x'))).toMatchObject({ kind: 'party', fault });
});

it('drops the answer to somebody who has gone', async () => {
  const { at, seen, server } = await pair(() => undefined);
  const gone = request({ ...at, method: 'POST', path: '/pay/3' });
  gone.on('error', () => {});
  gone.end('x');
  while (seen.length === 0) await new Promise(resolve => setImmediate(resolve));
  gone.destroy();
  server.answer(1, { kind: 'reply', bytes: utf8('late') });
  server.answer(99, { kind: 'reply', bytes: utf8('nobody') });
});

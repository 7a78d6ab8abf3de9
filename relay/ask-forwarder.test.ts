import { expect, it } from 'vitest';
import { fromUtf8, utf8 } from '../src/base/bytes.ts';
import { circuitAskBytesMax, forwardedAsksMax } from '../src/base/limits.ts';
import { encodeRequest, HttpRequestReader } from '../src/directory/http-codec.ts';
import { askPath, sealedScheme } from '../src/payment/sealed-asks.ts';
import type { Endpoint } from '../src/ports.ts';
import { AskForwarder } from './ask-forwarder.ts';

const broker = { host: '10.0.0.1', port: 8045 };
const assistant = { host: 'fc00::1', port: 8046 };

/** A forwarder, what it has passed on, and its answers to clients, by their head. */
function lab(options: { readonly broker: Endpoint | undefined } = { broker }) {
  const asked: {
    readonly to: Endpoint;
    readonly scheme: number;
    readonly body: string;
    readonly ask: number;
  }[] = [];
  const heads: string[] = [];
  let asks = 0;
  const forwarder = new AskForwarder({
    parties: {
      ask: (party, scheme, bytes, ask) => asked.push({ to: party, scheme, body: fromUtf8(bytes), ask }),
    },
    newAsk: () => ++asks,
    broker: options.broker,
    knows: (at, done) => done(at.host === assistant.host && at.port === assistant.port),
  });
  const defer = (bytes: Uint8Array) => {
    const request = new HttpRequestReader().push(bytes);
    if (!request?.ok) throw new Error('no request');
    return forwarder.defer(request.value, ({ head }) => heads.push(fromUtf8(head).split('\r\n')[0]));
  };
  const post = (path: string, body = 'box') => defer(encodeRequest('POST', path, 'h', { body: utf8(body) }));
  return { forwarder, asked, heads, defer, post };
}

it('passes on to its broker and to whom its schemes know, and to nobody else', () => {
  const { asked, heads, post } = lab();
  expect(post(`${askPath}10.0.0.1:8045`)).toBe(true);
  expect(post(`${askPath}[fc00::1]:8046`, 'other')).toBe(true);
  expect(asked).toEqual([
    { to: broker, scheme: sealedScheme, body: 'box', ask: 1 },
    { to: assistant, scheme: sealedScheme, body: 'other', ask: 2 },
  ]);
  const strange = [
    '10.0.0.1:8046',
    '10.0.0.2:8045',
    '127.0.0.1:18443',
    'localhost:80',
    '',
    '10.0.0.1',
    '10.0.0.1:0',
  ];
  for (const at of strange) expect(post(`${askPath}${at}`)).toBe(true);
  expect(heads).toEqual(strange.map(() => 'HTTP/1.0 404 No'));
  expect(asked).toHaveLength(2);
});

it('tells the answer once, or that there is none', () => {
  const { forwarder, heads, post } = lab();
  post(`${askPath}10.0.0.1:8045`);
  post(`${askPath}10.0.0.1:8045`);
  expect(forwarder.onAnswer({ kind: 'party', ask: 1, reply: utf8('sealed') })).toBe(true);
  expect(forwarder.onAnswer({ kind: 'party', ask: 1, reply: utf8('sealed') })).toBe(false);
  expect(forwarder.onAnswer({ kind: 'party', ask: 2, fault: 'unreachable' })).toBe(true);
  expect(forwarder.onAnswer({ kind: 'party', ask: 3, fault: 'late' })).toBe(false);
  expect(heads).toEqual(['HTTP/1.0 200 OK', 'HTTP/1.0 504 No']);
});

it('leaves to others what is no question, or too long', () => {
  const { defer, post } = lab();
  expect(defer(encodeRequest('GET', `${askPath}10.0.0.1:8045`, 'h'))).toBe(false);
  expect(post('/tor/')).toBe(false);
  expect(post(`${askPath}10.0.0.1:8045`, 'x'.repeat(circuitAskBytesMax + 1))).toBe(false);
});

it('passes nothing on without a broker, and no more than so many at a time', () => {
  expect(lab({ broker: undefined }).post(`${askPath}10.0.0.1:8045`)).toBe(false);
  const { heads, asked, post } = lab();
  for (let count = 0; count <= forwardedAsksMax; count++) post(`${askPath}10.0.0.1:8045`);
  expect([asked.length, heads]).toEqual([forwardedAsksMax, ['HTTP/1.0 503 No']]);
});

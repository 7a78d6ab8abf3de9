import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concatBytes, fromHex, fromUtf8, toHex, utf8 } from '../base/bytes.ts';
import type { SocksEvent, SocksRequest } from './socks5.ts';
import { encodeSocksReply, encodeSocksResolved, Socks5Server, socksReplyForEnd } from './socks5.ts';

interface Outcome {
  sent: string;
  requests: SocksRequest[];
  data: string;
  closed: string | undefined;
}

function collect(server: Socks5Server, chunks: readonly Uint8Array[]): Outcome {
  const outcome: Outcome = { sent: '', requests: [], data: '', closed: undefined };
  for (const chunk of chunks) {
    for (const event of server.push(chunk)) {
      if (event.kind === 'send') outcome.sent += toHex(event.bytes);
      else if (event.kind === 'request') outcome.requests.push(event.request);
      else if (event.kind === 'data') outcome.data += toHex(event.bytes);
      else outcome.closed = event.why;
    }
  }
  return outcome;
}

const run = (hex: string): Outcome => collect(new Socks5Server(), [fromHex(hex.replaceAll(' ', ''))!]);

const connectName = '050100 0501000309 6c6f63616c686f7374 1f90';

describe('socks5', () => {
  test.each([
    ['CONNECT by name, no auth', connectName, '0500', 'connect', 'name', 'localhost', 8080],
    ['CONNECT IPv4', '050100 05010001 7f000001 0050', '0500', 'connect', 'ipv4', '127.0.0.1', 80],
    [
      'CONNECT IPv6',
      '050100 05010004 20010db8000000000000000000000001 01bb',
      '0500',
      'connect',
      'ipv6',
      '2001:db8::1',
      443,
    ],
    [
      'an address sent as a name',
      '050100 0501000309 3132372e302e302e31 0050',
      '0500',
      'connect',
      'ipv4',
      '127.0.0.1',
      80,
    ],
    ['RESOLVE', '050100 05f0000303 612e62 0000', '0500', 'resolve', 'name', 'a.b', 0],
    ['RESOLVE_PTR', '050100 05f10001 01020304 0000', '0500', 'resolve-ptr', 'ipv4', '1.2.3.4', 0],
  ] as const)('%s', (_, hex, sent, kind, hostKind, host, port) => {
    const outcome = run(hex);
    expect(outcome).toMatchObject({ sent, closed: undefined, data: '' });
    expect(outcome.requests).toEqual([{ kind, hostKind, host, port, isolation: undefined }]);
  });

  test('user and password are the isolation token, and win over no auth', () => {
    const outcome = run(`05020002 0102 6162 01 63 ${connectName.slice(7)}`);
    expect(outcome.sent).toBe('05020100');
    expect(outcome.requests[0].isolation).toEqual({ user: 'ab', password: 'c' });
  });

  test('empty user and password are a token too', () => {
    expect(run(`050102 010000 ${connectName.slice(7)}`).requests[0].isolation).toEqual({
      user: '',
      password: '',
    });
  });

  test.each([
    ['SOCKS4', '0401005001020304', '', 'SOCKS_VERSION'],
    ['TLS on the port', '16030100', '', 'SOCKS_VERSION'],
    ['no method we speak', '050101', '05ff', 'SOCKS_NO_METHOD'],
    ['no method at all', '0500', '05ff', 'SOCKS_NO_METHOD'],
    ['bad password version', '050102 02', '05020101', 'SOCKS_MALFORMED'],
    ['BIND', '050100 05020001', '050005070001000000000000', 'SOCKS_COMMAND'],
    ['unknown address type', '050100 05010002', '050005080001000000000000', 'SOCKS_MALFORMED'],
    ['empty name', '050100 0501000300 0050', '050005010001000000000000', 'SOCKS_MALFORMED'],
    ['name with a zero byte', '050100 0501000303 610062 0050', '050005010001000000000000', 'SOCKS_MALFORMED'],
    ['name with a colon', '050100 0501000303 613a62 0050', '050005010001000000000000', 'SOCKS_MALFORMED'],
    ['port 0', '050100 05010001 7f000001 0000', '050005010001000000000000', 'SOCKS_MALFORMED'],
    ['RESOLVE_PTR of a name', '050100 05f1000303 612e62 0000', '050005010001000000000000', 'SOCKS_MALFORMED'],
  ])('%s is refused', (_, hex, sent, closed) => {
    expect(run(hex)).toEqual({ sent, requests: [], data: '', closed });
  });

  test('an HTTP request gets a hint that a person can read', () => {
    const outcome = collect(new Socks5Server(), [utf8('GET http://example.com/ HTTP/1.1\r\n\r\n')]);
    expect(outcome.closed).toBe('SOCKS_HTTP');
    const text = fromUtf8(fromHex(outcome.sent)!);
    expect(text).toMatch(/^HTTP\/1\.0 501 /);
    expect(text).toContain('--socks5-hostname');
  });

  test('splitting the bytes anywhere changes nothing', () => {
    const bytes = fromHex(`050200020102616201630501000309${'6c6f63616c686f7374'}1f90aabbcc`)!;
    const whole = collect(new Socks5Server(), [bytes]);
    expect(whole.data).toBe('aabbcc');
    for (let cut = 0; cut <= bytes.length; cut++) {
      expect(collect(new Socks5Server(), [bytes.subarray(0, cut), bytes.subarray(cut)])).toEqual(whole);
    }
    expect(
      collect(
        new Socks5Server(),
        [...bytes].map(byte => Uint8Array.of(byte)),
      ),
    ).toEqual(whole);
  });

  test('any bytes, split anyhow: no throw, nothing after close, at most one request', () => {
    const start = fc.constantFrom('', '050100', '05010205', '0501000501', '050102010161016205f000');
    fc.assert(
      fc.property(start, fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 12 }), (hex, chunks) => {
        const server = new Socks5Server();
        const events: SocksEvent[] = [fromHex(hex)!, ...chunks].flatMap(chunk => [...server.push(chunk)]);
        const closeAt = events.findIndex(event => event.kind === 'close');
        expect(closeAt === -1 || closeAt === events.length - 1).toBe(true);
        expect(events.filter(event => event.kind === 'request').length).toBeLessThanOrEqual(1);
        for (const event of events) {
          if (event.kind === 'request') expect(event.request.host.length).toBeGreaterThan(0);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('any name, port and token come through as sent', () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9.-]{0,62}$/);
    const token = fc.string({ unit: 'binary-ascii', maxLength: 60 });
    fc.assert(
      fc.property(name, fc.integer({ min: 1, max: 65535 }), token, token, (host, port, user, password) => {
        const field = (text: string): Uint8Array => concatBytes(Uint8Array.of(text.length), utf8(text));
        const bytes = concatBytes(
          Uint8Array.of(5, 1, 2, 1),
          field(user),
          field(password),
          Uint8Array.of(5, 1, 0, 3),
          field(host),
          Uint8Array.of(port >> 8, port & 255),
        );
        const { requests } = collect(new Socks5Server(), [bytes]);
        expect(requests).toEqual([
          { kind: 'connect', hostKind: 'name', host, port, isolation: { user, password } },
        ]);
      }),
    );
  });

  test('replies', () => {
    expect(toHex(encodeSocksReply('succeeded'))).toBe('05000001000000000000');
    expect(toHex(encodeSocksResolved('ipv4', '1.2.3.4'))).toBe('05000001010203040000');
    expect(toHex(encodeSocksResolved('ipv6', '::1'))).toBe(`05000004${'00'.repeat(15)}010000`);
    expect(toHex(encodeSocksResolved('name', 'a.b'))).toBe('0500000303612e620000');
    expect([1, 2, 3, 4, 6, 7, 8, 12, 13, 99].map(socksReplyForEnd)).toEqual([
      'generalFailure',
      'hostUnreachable',
      'connectionRefused',
      'notAllowed',
      'connectionRefused',
      'ttlExpired',
      'hostUnreachable',
      'connectionRefused',
      'generalFailure',
      'generalFailure',
    ]);
  });
});

import { deflateSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concatBytes, fromUtf8, utf8 } from '../base/bytes.ts';
import { directoryUploadBytesMax, httpHeadBytesMax, packedMembersMax } from '../base/limits.ts';
import { formatHttpTime, parseHttpTime } from './calendar.ts';
import {
  deflate,
  encodeAnswer,
  encodeRequest,
  HttpRequestReader,
  HttpResponseReader,
  notModifiedSince,
  plainAnswer,
} from './http-codec.ts';
import { must } from './small-network.fixture.ts';

const body = utf8('network-status-version 3\n'.repeat(200));

function inPieces<T>(
  push: (bytes: Uint8Array) => T | undefined,
  bytes: Uint8Array,
  size: number,
): T | undefined {
  let result: T | undefined;
  for (let at = 0; at < bytes.length; at += size) result = push(bytes.subarray(at, at + size)) ?? result;
  return result;
}

describe('http', () => {
  test('a head that comes byte by byte is refused at its cap, not before', () => {
    const reader = new HttpRequestReader();
    const head = utf8(`GET /tor/ HTTP/1.0\r\nX: ${'\r'.repeat(httpHeadBytesMax)}`);
    const faultAt = [...head].findIndex(byte => reader.push(Uint8Array.of(byte)) !== undefined);
    expect(faultAt).toBe(httpHeadBytesMax);
  });

  test('requests come out as they went in, however they are split', () => {
    const post = encodeRequest('POST', '/tor/', '10.0.0.1', { body });
    const get = encodeRequest('GET', '/tor/keys/all.z', '10.0.0.1', { ifModifiedSinceMs: 1_790_000_000_000 });
    for (const size of [1, 7, 100_000]) {
      const reader = new HttpRequestReader();
      const request = must(inPieces(bytes => reader.push(bytes), post, size)!);
      expect([request.method, request.path, request.body]).toEqual(['POST', '/tor/', body]);
      const other = new HttpRequestReader();
      const second = must(inPieces(bytes => other.push(bytes), get, size)!);
      expect([second.method, second.path, second.body.length]).toEqual(['GET', '/tor/keys/all.z', 0]);
      expect(notModifiedSince(second, 1_790_000_000_000)).toBe(true);
      expect(notModifiedSince(second, 1_790_000_001_000)).toBe(false);
    }
  });

  test.each([
    ['deflate, identity', 'deflate'],
    ['x-tor-lzma, x-zstd, deflate, gzip, identity', 'deflate'],
    ['identity', 'identity'],
  ])('answers to "%s" are %s', (accepted, encoding) => {
    const head = `GET /x.z HTTP/1.0\r\nAccept-Encoding: ${accepted}\r\n\r\n`;
    const request = must(new HttpRequestReader().push(utf8(head))!);
    const answer = { status: 200, reason: 'OK', body, deflated: deflate(body) };
    const bytes = encodeAnswer(answer, request, 1_790_000_000_000, '10.1.2.3');
    for (const size of [1, 100, 100_000]) {
      const reader = new HttpResponseReader();
      const got = must(inPieces(part => reader.push(part), bytes, size)!);
      expect(got.body).toEqual(body);
      expect(got.headers.get('content-encoding')).toBe(encoding);
      expect(got.headers.get('x-your-address-is')).toBe('10.1.2.3');
      expect(parseHttpTime(got.headers.get('date')!)).toBe(1_790_000_000_000);
    }
  });

  test('an old asker for .z gets deflate, one for plain gets identity', () => {
    const answer = { status: 200, reason: 'OK', body, deflated: deflate(body) };
    const ask = (path: string) => must(new HttpRequestReader().push(utf8(`GET ${path} HTTP/1.0\r\n\r\n`))!);
    expect(fromUtf8(encodeAnswer(answer, ask('/a.z'), 0).subarray(0, 300))).toContain('Encoding: deflate');
    expect(fromUtf8(encodeAnswer(answer, ask('/a'), 0).subarray(0, 300))).toContain('Encoding: identity');
  });

  test('an answer without length ends with its stream', () => {
    const reader = new HttpResponseReader();
    expect(reader.push(concatBytes(utf8('HTTP/1.0 200 OK\r\n\r\n'), body))).toBeUndefined();
    expect(must(reader.end()).body).toEqual(body);
    expect(new HttpResponseReader().end()).toMatchObject({ fault: { code: 'HTTP_CUT_SHORT' } });
    const cut = new HttpResponseReader();
    cut.push(utf8('HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nabc'));
    expect(cut.end()).toMatchObject({ fault: { code: 'HTTP_CUT_SHORT' } });
  });

  test('gzip is read too, and several members; bombs, however they are packed, and what is cut are refused', () => {
    const answer = (encoding: string, bytes: Uint8Array, max?: number) => {
      const reader = new HttpResponseReader(max);
      reader.push(concatBytes(utf8(`HTTP/1.0 200 OK\r\nContent-Encoding: ${encoding}\r\n\r\n`), bytes));
      return reader.end();
    };
    expect(must(answer('gzip', gzipSync(body))).body).toEqual(body);
    const bomb = deflateSync(Buffer.alloc(1_000_000));
    expect(answer('deflate', bomb, 100_000)).toMatchObject({ fault: { code: 'HTTP_BAD_ENCODING' } });
    const bombs = concatBytes(...Array(11).fill(deflateSync(Buffer.alloc(10_000))));
    expect(answer('deflate', bombs, 100_000)).toMatchObject({ fault: { code: 'HTTP_BAD_ENCODING' } });
    // C tor's factor of 25, above 64 KiB
    expect(answer('deflate', deflateSync(Buffer.alloc(60_000)))).toMatchObject({ ok: true });
    expect(answer('deflate', deflateSync(Buffer.alloc(70_000)))).toMatchObject({
      fault: { code: 'HTTP_BAD_ENCODING' },
    });
    const empty = concatBytes(...Array(packedMembersMax + 1).fill(deflateSync('')));
    expect(answer('deflate', empty)).toMatchObject({ fault: { code: 'HTTP_BAD_ENCODING' } });
    const halves = concatBytes(deflateSync(body.subarray(0, 9)), deflateSync(body.subarray(9)));
    expect(must(answer('deflate', halves)).body).toEqual(body);
    expect(answer('deflate', deflateSync(body).subarray(0, 30))).toMatchObject({ ok: false });
    expect(must(answer('br', body)).body).toEqual(body);
    expect(answer('identity', body, 10)).toMatchObject({ ok: true });
    const long = new HttpResponseReader(10);
    expect(long.push(new Uint8Array(httpHeadBytesMax + 11))).toMatchObject({
      fault: { code: 'HTTP_TOO_LARGE' },
    });
  });

  test('heads and uploads have caps', () => {
    const reader = new HttpRequestReader();
    expect(reader.push(utf8(`GET /${'a'.repeat(httpHeadBytesMax + 10)}`))).toMatchObject({
      fault: { code: 'HTTP_TOO_LARGE' },
    });
    const upload = `POST /tor/ HTTP/1.0\r\nContent-Length: ${directoryUploadBytesMax + 1}\r\n\r\n`;
    expect(new HttpRequestReader().push(utf8(upload))).toMatchObject({ fault: { code: 'HTTP_TOO_LARGE' } });
    for (const bad of ['PUT / HTTP/1.0', 'GET x HTTP/1.0', 'GET / HTTP/2'])
      expect(new HttpRequestReader().push(utf8(`${bad}\r\n\r\n`)), bad).toMatchObject({
        fault: { code: 'HTTP_MALFORMED' },
      });
  });

  test('an answer without body says so', () => {
    const text = fromUtf8(encodeAnswer(plainAnswer(404), undefined, 0));
    expect(text).toMatch(/^HTTP\/1\.0 404 Not found\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n/);
    expect(text.endsWith('\r\n\r\n')).toBe(true);
  });

  test('no bytes make a reader throw', () => {
    const request = encodeRequest('POST', '/tor/', 'h', { body: utf8('x') });
    const answer = encodeAnswer({ ...plainAnswer(200), body, deflated: deflate(body) }, undefined, 0);
    for (const sample of [request, answer])
      fc.assert(
        fc.property(fc.nat(sample.length - 1), fc.uint8Array({ maxLength: 40 }), (at, junk) => {
          const bytes = sample.slice();
          bytes.set(junk.subarray(0, bytes.length - at), at);
          new HttpRequestReader().push(bytes);
          const reader = new HttpResponseReader();
          reader.push(bytes);
          reader.end();
        }),
        { numRuns: 500 },
      );
  });

  test('times agree with the platform over four centuries', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 12_600_000_000 }), seconds => {
        const text = new Date(seconds * 1000).toUTCString();
        expect(formatHttpTime(seconds * 1000)).toBe(text);
        expect(parseHttpTime(text)).toBe(seconds * 1000);
      }),
    );
    for (const bad of ['', 'Thu, 32 Jan 1970 00:00:00 GMT', 'Thu, 01 Foo 1970 00:00:00 GMT', 'now'])
      expect(parseHttpTime(bad)).toBeUndefined();
  });
});

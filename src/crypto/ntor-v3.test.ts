import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { utf8 } from '../base/bytes.ts';
import { fail, ok } from '../base/fault.ts';
import type { Entropy } from '../ports.ts';
import { type NtorV3ClientState, ntorV3ClientFinish, ntorV3ClientStart, ntorV3Server } from './ntor-v3.ts';
import { generateX25519 } from './x25519.ts';

const entropy: Entropy = { bytes: length => new Uint8Array(randomBytes(length)) };
const identity = entropy.bytes(32);
const onionKey = generateX25519(entropy);
const olderKey = generateX25519(entropy);
const relay = { identity, onionKey: onionKey.publicKey };
const server = { identity, onionKeys: [olderKey, onionKey] };
const bytesMax = (maxLength: number) => fc.uint8Array({ maxLength });

function start(message = utf8('asked')): NtorV3ClientState {
  const started = ntorV3ClientStart(entropy, relay, message);
  if (!started.ok) throw new Error(started.fault.code);
  return started.value;
}

function serve(request: Uint8Array, answer = utf8('granted')) {
  const heard: Uint8Array[] = [];
  const served = ntorV3Server(entropy, server, request, message => {
    heard.push(message);
    return ok(answer);
  });
  return { heard, served, code: served.ok ? 'served' : served.fault.code };
}

test('client and relay agree on the keys and hear each other, whatever they say', () => {
  fc.assert(
    fc.property(bytesMax(300), bytesMax(300), (asked, granted) => {
      const state = start(asked);
      expect(state.request.length).toBe(128 + asked.length);
      const { heard, served } = serve(state.request, granted);
      if (!served.ok) throw new Error(served.fault.code);
      expect(heard).toEqual([asked]);
      expect(served.value.reply.length).toBe(64 + granted.length);
      expect(ntorV3ClientFinish(state, served.value.reply)).toEqual({
        ok: true,
        value: { keys: served.value.keys, message: granted },
      });
    }),
    { numRuns: 30 },
  );
});

test('one changed bit anywhere in the request is noticed before the relay answers it', () => {
  const { request } = start();
  for (let at = 0; at < request.length; at++) {
    const changed = request.slice();
    changed[at] ^= 1;
    const { heard, code } = serve(changed);
    expect(heard).toEqual([]);
    expect(code).toBe(at < 64 ? 'NTOR_NOT_OUR_KEY' : 'NTOR_BAD_MAC');
  }
});

test('one changed bit anywhere in the reply is noticed', () => {
  const state = start();
  const { served } = serve(state.request);
  if (!served.ok) throw new Error(served.fault.code);
  for (let at = 0; at < served.value.reply.length; at++) {
    const changed = served.value.reply.slice();
    changed[at] ^= 1;
    expect(ntorV3ClientFinish(state, changed)).toEqual({ ok: false, fault: { code: 'NTOR_BAD_AUTH' } });
  }
});

test('a request or reply of a bad length or point is refused', () => {
  const state = start();
  const { request } = state;
  expect(serve(request.subarray(0, 127)).code).toBe('NTOR_BAD_LENGTH');
  expect(serve(new Uint8Array(0)).code).toBe('NTOR_BAD_LENGTH');
  expect(serve(request.subarray(0, 128)).code).toBe('NTOR_BAD_MAC');
  expect(serve(request.slice().fill(0, 64, 96)).code).toBe('NTOR_BAD_POINT');
  const finish = (reply: Uint8Array) => {
    const finished = ntorV3ClientFinish(state, reply);
    return finished.ok ? 'finished' : finished.fault.code;
  };
  expect(finish(new Uint8Array(63))).toBe('NTOR_BAD_LENGTH');
  expect(finish(new Uint8Array(64))).toBe('NTOR_BAD_POINT');
  const noKey = ntorV3ClientStart(entropy, { identity, onionKey: new Uint8Array(32) }, utf8(''));
  expect(noKey).toEqual({ ok: false, fault: { code: 'NTOR_BAD_POINT' } });
});

test('a handshake for another use is refused', () => {
  const { request } = start();
  const other = ntorV3Server(entropy, server, request, () => ok(utf8('')), utf8('another use'));
  expect(other).toEqual({ ok: false, fault: { code: 'NTOR_BAD_MAC' } });
});

test('a relay that cannot grant what is asked ends the handshake', () => {
  const refused = ntorV3Server(entropy, server, start().request, () => fail('EXTENSIONS_MALFORMED'));
  expect(refused).toEqual({ ok: false, fault: { code: 'EXTENSIONS_MALFORMED' } });
});

import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import type { Entropy } from '../ports.ts';
import { ntorClientFinish, ntorClientRequest, ntorClientStart, ntorServer } from './ntor.ts';
import { generateX25519 } from './x25519.ts';

const entropy: Entropy = { bytes: length => new Uint8Array(randomBytes(length)) };
const relayId = entropy.bytes(20);
const onionKey = generateX25519(entropy);
const olderKey = generateX25519(entropy);

function handshake() {
  const state = ntorClientStart(entropy, relayId, onionKey.publicKey);
  const served = ntorServer(entropy, relayId, [olderKey, onionKey], ntorClientRequest(state));
  if (!served.ok) throw new Error(served.fault.code);
  return { state, ...served.value };
}

test('client and relay agree on the keys', () => {
  const { state, reply, keys } = handshake();
  expect(ntorClientFinish(state, reply)).toEqual({ ok: true, value: keys });
});

test('one changed bit anywhere in the reply is noticed', () => {
  const { state, reply } = handshake();
  for (let at = 0; at < reply.length; at++) {
    const changed = reply.slice();
    changed[at] ^= 1;
    expect(ntorClientFinish(state, changed).ok).toBe(false);
  }
});

test('a request for another relay or key, of a bad length or point is refused', () => {
  const request = ntorClientRequest(ntorClientStart(entropy, relayId, onionKey.publicKey));
  const refused = (bytes: Uint8Array) => {
    const served = ntorServer(entropy, relayId, [onionKey], bytes);
    return served.ok ? 'served' : served.fault.code;
  };
  expect(refused(request)).toBe('served');
  expect(refused(request.subarray(1))).toBe('NTOR_BAD_LENGTH');
  const otherRelay = request.slice();
  otherRelay[0] ^= 1;
  expect(refused(otherRelay)).toBe('NTOR_NOT_OUR_KEY');
  const zeroPoint = request.slice().fill(0, 52);
  expect(refused(zeroPoint)).toBe('NTOR_BAD_POINT');
});

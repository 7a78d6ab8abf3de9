import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../base/bytes.ts';
import { formatIp } from '../base/ip.ts';
import {
  authChallengeMessage,
  authenticateMessage,
  certsMessage,
  create2Message,
  decodeCreate2,
  decodeCreated2,
  decodeCreatedFast,
  decodeDestroy,
  decodeNetinfo,
  decodeVersions,
  encodeCreate2,
  encodeCreated2,
  encodeCreatedFast,
  encodeDestroy,
  encodeNetinfo,
  encodeVersions,
} from './link-messages.ts';

const bytes = (maxLength: number) => fc.uint8Array({ maxLength });
const exactly = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const ip = fc.oneof(exactly(4), exactly(16)).map(formatIp);

describe('link messages', () => {
  it('reads what it wrote', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(65_535), { maxLength: 9 }), versions => {
        expect(decodeVersions(encodeVersions(versions))).toEqual(versions);
      }),
    );
    const certificates = fc.array(fc.record({ type: fc.nat(255), certificate: bytes(90) }), { maxLength: 6 });
    fc.assert(
      fc.property(certificates, certificates => {
        expect(certsMessage.decode(certsMessage.encode({ certificates }))).toEqual({ certificates });
      }),
    );
    fc.assert(
      fc.property(exactly(32), fc.array(fc.nat(65_535)), (challenge, methods) => {
        const message = { challenge, methods };
        expect(authChallengeMessage.decode(authChallengeMessage.encode(message))).toEqual(message);
      }),
    );
    fc.assert(
      fc.property(fc.nat(65_535), bytes(400), (method, authentication) => {
        const message = { method, authentication };
        expect(authenticateMessage.decode(authenticateMessage.encode(message))).toEqual(message);
      }),
    );
    fc.assert(
      fc.property(fc.nat(0xffffffff), ip, fc.array(ip, { maxLength: 4 }), (time, other, own) => {
        const payload = encodeNetinfo({ time, other, own });
        expect(payload.length).toBe(509);
        expect(decodeNetinfo(payload)).toEqual({ time, other, own });
      }),
    );
    fc.assert(
      fc.property(fc.nat(65_535), bytes(505), (type, handshake) => {
        const payload = encodeCreate2(type, handshake);
        expect(decodeCreate2(payload, 0)).toEqual({ handshakeType: type, handshake });
        expect(decodeCreated2(encodeCreated2(handshake), 0)).toEqual(handshake);
      }),
    );
    fc.assert(
      fc.property(exactly(20), exactly(20), (y, verify) => {
        expect(decodeCreatedFast(encodeCreatedFast(y, verify), 0)).toEqual({ y, verify });
      }),
    );
    expect(decodeDestroy(encodeDestroy(5), 0)).toBe(5);
  });

  it('is written as the specification draws it', () => {
    expect(toHex(encodeVersions([3, 4, 5]))).toBe('000300040005');
    const netinfo = encodeNetinfo({ time: 1, other: '127.0.0.1', own: ['10.0.0.2', '::1'] });
    expect(toHex(netinfo).replace(/(00)+$/, '')).toBe(
      `00000001${'04047f000001'}02${'04040a000002'}${'061000000000000000000000000000000001'}`,
    );
    expect(toHex(create2Message.encode({ handshakeType: 2, handshake: Uint8Array.of(1, 2) }))).toBe(
      '000200020102',
    );
  });

  it('passes over own NETINFO addresses of unknown kinds, but not over the address of the peer', () => {
    const own = `02${'0003616263'}${'04047f000001'}`;
    const [known, unknown] = [fromHex(`0000000104040a000001${own}`), fromHex(`00000001f00161${own}`)];
    expect(known && decodeNetinfo(known)).toEqual({ time: 1, other: '10.0.0.1', own: ['127.0.0.1'] });
    expect(unknown && decodeNetinfo(unknown)).toBeUndefined();
  });

  it('refuses impossible lengths and never throws', () => {
    expect(decodeVersions(Uint8Array.of(0, 3, 0))).toBeUndefined();
    const overlong = new Uint8Array(509).fill(0xff);
    expect(decodeCreate2(overlong, 0)).toBeUndefined();
    // A CREATED2 longer than its cell was one of C tor's security faults of 2026.
    expect(decodeCreated2(overlong, 0)).toBeUndefined();
    // A byte more than EXTENDED2 has room for.
    for (const [length, read] of [
      [496, true],
      [497, false],
      [507, false],
    ] as const)
      expect(decodeCreated2(Uint8Array.of(length >> 8, length & 0xff, ...overlong), 0) !== undefined).toBe(
        read,
      );
    expect(decodeNetinfo(overlong)).toBeUndefined();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 520 }), bytes => {
        decodeVersions(bytes);
        certsMessage.decodePadded(bytes);
        authChallengeMessage.decodePadded(bytes);
        authenticateMessage.decodePadded(bytes);
        decodeNetinfo(bytes);
        decodeCreate2(bytes, 0);
        decodeCreated2(bytes, 0);
        decodeCreatedFast(bytes, 0);
      }),
    );
  });
});

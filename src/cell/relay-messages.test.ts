import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex, utf8 } from '../base/bytes.ts';
import { formatIp } from '../base/ip.ts';
import type { Entropy, ResolvedAddress } from '../ports.ts';
import {
  bodyLengthOf,
  bodyOf,
  digestOf,
  recognisedOf,
  relayCommandOf,
  setDigest,
  streamIdOf,
  writeRelayCell,
} from './relay-cell.ts';
import {
  decodeBegin,
  decodeConnected,
  decodeEnd,
  decodeExtend2,
  decodeExtended2,
  decodeResolve,
  decodeResolved,
  decodeSendme,
  decodeXoff,
  decodeXon,
  encodeBegin,
  encodeConnected,
  encodeEnd,
  encodeExtend2,
  encodeExtended2,
  encodeResolve,
  encodeResolved,
  encodeSendme,
  encodeXoff,
  encodeXon,
  truncatedMessage,
} from './relay-messages.ts';

const hex = (text: string) => fromHex(text) ?? new Uint8Array(0);
const exactly = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const ip4 = exactly(4)
  .filter(ip => ip.some(byte => byte !== 0))
  .map(formatIp);
const ip6 = exactly(16).map(formatIp);
const ip = fc.oneof(ip4, ip6);
const port = fc.integer({ min: 1, max: 65_535 });
const name = fc.stringMatching(/^[a-z0-9.-]{1,60}$/);
const ones: Entropy = { bytes: length => new Uint8Array(length).fill(1) };

describe('relay messages', () => {
  it('reads XOFF and XON as written, of version 0 alone', () => {
    expect(toHex(encodeXoff())).toBe('00');
    expect([decodeXoff(hex('00')), decodeXoff(hex('01')), decodeXoff(hex(''))]).toEqual([true, false, false]);
    expect(toHex(encodeXon(1_000))).toBe('00000003e8');
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), rate => {
        expect(decodeXon(encodeXon(rate))).toBe(rate);
      }),
    );
    for (const text of ['', '00', '00000003', '01000003e8']) expect(decodeXon(hex(text))).toBeUndefined();
  });

  it('reads BEGIN, CONNECTED and END as written', () => {
    fc.assert(
      fc.property(fc.oneof(name, ip), port, fc.nat(7), (host, port, flags) => {
        const message = { host, port, flags };
        expect(decodeBegin(encodeBegin(message))).toEqual(message);
      }),
    );
    fc.assert(
      fc.property(ip, fc.nat(0xffffffff), (address, ttlSeconds) => {
        expect(decodeConnected(encodeConnected({ address, ttlSeconds }))).toEqual({ address, ttlSeconds });
        const end = { reason: 4, address, ttlSeconds };
        expect(decodeEnd(encodeEnd(end))).toEqual(end);
      }),
    );
    expect(decodeConnected(new Uint8Array(0))).toEqual({ address: undefined, ttlSeconds: 0 });
    expect(decodeEnd(encodeEnd({ reason: 6 }))).toEqual({ reason: 6 });
    expect(decodeEnd(Uint8Array.of(4, 1, 2, 3, 4))).toEqual({ reason: 4, address: '1.2.3.4' });
    expect(decodeEnd(Uint8Array.of(4, ...new Uint8Array(15), 1))).toEqual({ reason: 4, address: '::1' });
    expect(decodeEnd(new Uint8Array(11).fill(4))).toEqual({ reason: 4 });
  });

  it('reads EXTEND2, EXTENDED2, RESOLVE, RESOLVED, SENDME and TRUNCATED as written', () => {
    const endpoint = (host: fc.Arbitrary<string>) => fc.record({ host, port });
    const somewhere = (bytes: Uint8Array) => bytes.some(byte => byte !== 0);
    const target = fc.record({
      ipv4: endpoint(exactly(4).filter(somewhere).map(formatIp)),
      ipv6: fc.option(endpoint(ip6), { nil: undefined }),
      rsaId: exactly(20).filter(somewhere),
      ed25519: fc.option(exactly(32).filter(somewhere), { nil: undefined }),
    });
    fc.assert(
      fc.property(
        target,
        fc.integer({ min: 3, max: 65_535 }),
        fc.uint8Array({ maxLength: 135 }),
        (target, handshakeType, handshake) => {
          const message = { target, handshakeType, handshake };
          expect(decodeExtend2(encodeExtend2(message))).toEqual(message);
          expect(decodeExtended2(encodeExtended2(handshake))).toEqual(handshake);
        },
      ),
    );
    fc.assert(
      fc.property(name, text => {
        expect(decodeResolve(encodeResolve(text))).toBe(text);
      }),
    );
    const address: fc.Arbitrary<ResolvedAddress> = fc.oneof(
      fc.record({
        kind: fc.constant('ipv4' as const),
        value: exactly(4).map(formatIp),
        ttlSeconds: fc.nat(),
      }),
      fc.record({ kind: fc.constant('ipv6' as const), value: ip6, ttlSeconds: fc.nat() }),
      fc.record({ kind: fc.constant('name' as const), value: name, ttlSeconds: fc.nat() }),
    );
    const error = fc.constantFrom('transient' as const, 'permanent' as const, undefined);
    fc.assert(
      fc.property(fc.array(address, { maxLength: 6 }), error, (addresses, error) => {
        expect(decodeResolved(encodeResolved({ addresses, error }))).toEqual({ addresses, error });
      }),
    );
    fc.assert(
      fc.property(exactly(20), digest => {
        expect(decodeSendme(encodeSendme(digest))).toEqual(digest);
      }),
    );
    expect(truncatedMessage.decodePadded(truncatedMessage.encode({ reason: 8 }))).toEqual({ reason: 8 });
  });

  it('is written as the specification draws it', () => {
    expect(toHex(encodeSendme(new Uint8Array(20).fill(0xab)))).toBe(`010014${'ab'.repeat(20)}`);
    expect(toHex(encodeConnected({ address: '1.2.3.4', ttlSeconds: 60 }))).toBe('010203040000003c');
    expect(toHex(encodeConnected({ address: '::1', ttlSeconds: 60 }))).toBe(
      `00000000${'06'}${'0'.repeat(31)}1${'0000003c'}`,
    );
    expect(toHex(encodeBegin({ host: '::1', port: 80, flags: 1 }))).toBe(
      `${toHex(utf8('[::1]:80\0'))}00000001`,
    );
    const extend = encodeExtend2({
      target: {
        ipv4: { host: '127.0.0.1', port: 9001 },
        ipv6: undefined,
        rsaId: new Uint8Array(20).fill(0xaa),
        ed25519: undefined,
      },
      handshakeType: 2,
      handshake: Uint8Array.of(1),
    });
    expect(toHex(extend)).toBe(`02${'0006'}7f0000012329${'0214'}${'aa'.repeat(20)}0002000101`);
  });

  it.each([
    '',
    'host',
    'host:80',
    'host:0\0',
    'host:65536\0',
    ':80\0',
    'a b:80\0',
    '[1.2.3.4]:80\0',
    '::1:80\0',
  ])('refuses BEGIN %j', text => expect(decodeBegin(utf8(text))).toBeUndefined());

  it('refuses END without a reason and SENDME without version 1', () => {
    expect(decodeEnd(new Uint8Array(0))).toBeUndefined();
    expect(truncatedMessage.decodePadded(new Uint8Array(0))).toBeUndefined();
    expect(decodeSendme(new Uint8Array(0))).toBeUndefined();
    expect(decodeSendme(Uint8Array.of(0, 0, 20, ...new Uint8Array(20)))).toBeUndefined();
    expect(decodeSendme(Uint8Array.of(1, 0, 19, ...new Uint8Array(19)))).toBeUndefined();
  });

  it('wants exactly one RSA identity and an address in EXTEND2, and passes over unknown specifiers', () => {
    const rsa = `0214${'aa'.repeat(20)}`;
    const ipv4 = '00067f0000012329';
    const decode = (hex: string, handshake = '00090000') => {
      const body = fromHex(`${hex}${handshake}`);
      return body && decodeExtend2(body);
    };
    expect(decode(`02${ipv4}${rsa}`)).toBeDefined();
    expect(decode(`03${ipv4}${'ff0100'}${rsa}`)).toBeDefined();
    expect(decode(`01${ipv4}`)).toBeUndefined();
    expect(decode(`01${rsa}`)).toBeUndefined();
    expect(decode(`03${ipv4}${rsa}${rsa}`)).toBeUndefined();
    expect(decode(`02${'00057f00000123'}${rsa}`)).toBeUndefined();
    expect(decode(`02${'00067f0000010000'}${rsa}`)).toBeUndefined();
    expect(decode(`02${'0006000000002329'}${rsa}`)).toBeUndefined();
    expect(decode(`02${ipv4}0214${'00'.repeat(20)}`)).toBeUndefined();
    expect(decode(`03${ipv4}${rsa}0320${'00'.repeat(32)}`)?.target.ed25519).toBeUndefined();
    // TAP, CREATE_FAST, and ntor of another length than 84.
    for (const refused of ['00000000', '00010000', '00020000'])
      expect(decode(`02${ipv4}${rsa}`, refused)).toBeUndefined();
  });

  it('never throws on any body', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 498 }), body => {
        for (const decode of [decodeBegin, decodeConnected, decodeEnd, decodeExtend2, decodeExtended2])
          decode(body);
        for (const decode of [decodeResolve, decodeResolved, decodeSendme]) decode(body);
      }),
    );
  });
});

describe('relay cell', () => {
  it('reads its header where it was written', () => {
    fc.assert(
      fc.property(
        fc.nat(255),
        fc.nat(65_535),
        fc.uint8Array({ maxLength: 498 }),
        fc.nat(5),
        (command, id, body, at) => {
          const bytes = new Uint8Array(520).fill(0xee);
          writeRelayCell(bytes, at, command, id, body, ones);
          expect(relayCommandOf(bytes, at)).toBe(command);
          expect(streamIdOf(bytes, at)).toBe(id);
          expect(recognisedOf(bytes, at)).toBe(0);
          expect(bodyLengthOf(bytes, at)).toBe(body.length);
          expect(bodyOf(bytes, at)).toEqual(body);
          setDigest(bytes, at, 0xfedcba98);
          expect(digestOf(bytes, at)).toBe(0xfedcba98);
          const padding = bytes.subarray(at + 11 + body.length, at + 509);
          expect([...padding.subarray(0, 4)].every(byte => byte === 0)).toBe(true);
          expect([...padding.subarray(4)].every(byte => byte === 1)).toBe(true);
          expect(bytes[at + 509]).toBe(0xee);
        },
      ),
    );
  });

  it('gives no body for an impossible length', () => {
    const bytes = new Uint8Array(509);
    bytes[9] = 0x01;
    bytes[10] = 0xf3;
    expect(bodyLengthOf(bytes, 0)).toBe(499);
    expect(bodyOf(bytes, 0)).toBeUndefined();
  });
});

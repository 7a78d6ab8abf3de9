import { ByteReader, ByteWriter } from '../base/bytes.ts';
import { formatIp, parseIp } from '../base/ip.ts';
import { relayBodyBytesMax } from '../base/limits.ts';
import {
  countedList,
  fixedBytes,
  type Holds,
  restList,
  sizedBytes,
  struct,
  u8,
  u16,
  u32,
} from '../base/struct.ts';
import { addressType } from './commands.ts';
import { cellPayloadBytes } from './link-codec.ts';

/** Payloads of the cells between two neighbours: the link handshake, and the making and breaking of circuits. */

/** spec: tor-spec/negotiating-channels (VERSIONS). */
const versionsBody = struct({ versions: restList(u16) });

export function encodeVersions(versions: readonly number[]): Uint8Array {
  return versionsBody.encode({ versions });
}

export function decodeVersions(payload: Uint8Array): readonly number[] | undefined {
  return versionsBody.decode(payload)?.versions;
}

/** Certificates with their types; bytes behind the last one are ignored. spec: tor-spec/negotiating-channels (CERTS) */
export const certsMessage = struct({
  certificates: countedList(u8, struct({ type: u8, certificate: sizedBytes(u16) })),
});

/** spec: tor-spec/negotiating-channels (AUTH_CHALLENGE) */
export const authChallengeMessage = struct({ challenge: fixedBytes(32), methods: countedList(u16, u16) });

/** spec: tor-spec/negotiating-channels (AUTHENTICATE) */
export const authenticateMessage = struct({ method: u16, authentication: sizedBytes(u16) });

/** Types of address that are not known have any length. spec: tor-spec/negotiating-channels (NETINFO) */
const netinfoAddress = struct({ type: u8, value: sizedBytes(u8) });
const netinfoBody = struct({ time: u32, other: netinfoAddress, own: countedList(u8, netinfoAddress) });

export interface NetinfoMessage {
  /** Seconds since 1970; 0 from a client. */
  readonly time: number;
  /** The peer's address as we see it, IP text. */
  readonly other: string;
  /** Our own addresses, IP texts, of the kinds that are known; none from a client. */
  readonly own: readonly string[];
}

/** A payload of 509 bytes. */
export function encodeNetinfo(message: NetinfoMessage): Uint8Array {
  const address = (text: string): Holds<typeof netinfoAddress> => {
    const value = parseIp(text) ?? new Uint8Array(4);
    return { type: value.length === 4 ? addressType.ipv4 : addressType.ipv6, value };
  };
  const own = message.own.map(address);
  return padPayload(netinfoBody.encode({ time: message.time, other: address(message.other), own }));
}

export function decodeNetinfo(payload: Uint8Array): NetinfoMessage | undefined {
  const body = netinfoBody.decodePadded(payload);
  if (body === undefined) return undefined;
  const lengthOf = (type: number) =>
    type === addressType.ipv4 ? 4 : type === addressType.ipv6 ? 16 : undefined;
  const known = body.own.filter(({ type }) => lengthOf(type) !== undefined);
  if ([body.other, ...known].some(({ type, value }) => value.length !== lengthOf(type))) return undefined;
  return {
    time: body.time,
    other: formatIp(body.other.value),
    own: known.map(({ value }) => formatIp(value)),
  };
}

/** spec: tor-spec/create-created-cells (CREATE2) */
export const create2Message = struct({
  handshakeType: u16,
  handshake: sizedBytes(u16, cellPayloadBytes - 4),
});
/**
 * As long as EXTENDED2 can pass it on, as C tor limits it: what is longer no handshake has sent.
 * spec: tor-spec/create-created-cells (CREATED2)
 */
export const created2Message = struct({ handshake: sizedBytes(u16, relayBodyBytesMax - 2) });

export function encodeCreate2(type: number, handshake: Uint8Array): Uint8Array {
  return padPayload(create2Message.encode({ handshakeType: type, handshake }));
}

export function decodeCreate2(bytes: Uint8Array, at: number): Holds<typeof create2Message> | undefined {
  return create2Message.decodePadded(bytes.subarray(at, at + cellPayloadBytes));
}

export function encodeCreated2(handshake: Uint8Array): Uint8Array {
  return padPayload(created2Message.encode({ handshake }));
}

/** The handshake reply, or undefined. */
export function decodeCreated2(bytes: Uint8Array, at: number): Uint8Array | undefined {
  return created2Message.decodePadded(bytes.subarray(at, at + cellPayloadBytes))?.handshake;
}

/** CREATE_FAST: 20 random bytes. spec: tor-spec/create-created-cells */
export function encodeCreateFast(x: Uint8Array): Uint8Array {
  return padPayload(x);
}

export function decodeCreateFast(bytes: Uint8Array, at: number): Uint8Array {
  return bytes.slice(at, at + 20);
}

/** CREATED_FAST: the relay's 20 random bytes, then 20 bytes that prove it knows the keys. */
export function encodeCreatedFast(y: Uint8Array, verify: Uint8Array): Uint8Array {
  return padPayload(new ByteWriter().bytes(y).bytes(verify).finish());
}

export function decodeCreatedFast(bytes: Uint8Array, at: number): { y: Uint8Array; verify: Uint8Array } {
  const reader = new ByteReader(bytes.subarray(at, at + cellPayloadBytes));
  return { y: reader.bytes(20).slice(), verify: reader.bytes(20).slice() };
}

/** DESTROY: one byte of reason. spec: tor-spec/tearing-down-circuits */
export function encodeDestroy(reason: number): Uint8Array {
  return padPayload(Uint8Array.of(reason));
}

export function decodeDestroy(bytes: Uint8Array, at: number): number {
  return bytes[at];
}

/** Zero bytes up to a fixed cell's payload. spec: tor-spec/cell-packet-format */
export function padPayload(body: Uint8Array): Uint8Array {
  const payload = new Uint8Array(cellPayloadBytes);
  payload.set(body);
  return payload;
}

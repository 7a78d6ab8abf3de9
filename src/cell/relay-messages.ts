import { ByteReader, ByteWriter, concatBytes, fromUtf8, utf8 } from '../base/bytes.ts';
import { formatIp, parseIp, parseIpv6 } from '../base/ip.ts';
import { hostNameBytesMax, relayBodyBytesMax } from '../base/limits.ts';
import { type Holds, restList, sizedBytes, struct, u8, u16, u32 } from '../base/struct.ts';
import { ntorRequestBytes } from '../crypto/ntor.ts';
import type { ResolvedAddress } from '../ports.ts';
import { addressType, handshakeType } from './commands.ts';
import { decodeLinkTarget, encodeLinkTarget, type LinkTarget, linkSpecifiers } from './link-specifier.ts';

/** Bodies of relay cells. Decoders give undefined for a body that breaks the protocol. */

/** spec: tor-spec/opening-streams: flags of BEGIN */
export const beginFlag = { ipv6Okay: 1, ipv4NotOkay: 2, ipv6Preferred: 4 } as const;

export interface BeginMessage {
  /** A name, or an IP literal without brackets. */
  readonly host: string;
  readonly port: number;
  readonly flags: number;
}

/** spec: tor-spec/opening-streams (BEGIN): "host:port" NUL, then the flags unless they are 0. */
export function encodeBegin(message: BeginMessage): Uint8Array {
  const host = message.host.includes(':') ? `[${message.host}]` : message.host;
  const writer = new ByteWriter().bytes(utf8(`${host}:${message.port}\0`));
  if (message.flags !== 0) writer.u32(message.flags);
  return writer.finish();
}

export function decodeBegin(body: Uint8Array): BeginMessage | undefined {
  const end = body.indexOf(0);
  if (end < 0) return undefined;
  const match = /^(\[[0-9a-fA-F:.]+\]|[^:[\]]+):([0-9]{1,5})$/.exec(fromUtf8(body.subarray(0, end)));
  if (match === null) return undefined;
  const host = match[1].startsWith('[') ? literal6(match[1]) : match[1];
  const port = Number(match[2]);
  if (host === undefined || !isHostText(host) || port < 1 || port > 65_535) return undefined;
  // spec: tor-spec/opening-streams: flags may be absent, then they are 0.
  const flags = body.length - end - 1 >= 4 ? new ByteReader(body.subarray(end + 1)).u32() : 0;
  return { host, port, flags };
}

function literal6(text: string): string | undefined {
  const bytes = parseIpv6(text);
  return bytes === undefined ? undefined : formatIp(bytes);
}

/** Printable ASCII without spaces, short enough for DNS. Whether it names anything is for the resolver. */
function isHostText(host: string): boolean {
  return host.length > 0 && host.length <= hostNameBytesMax && /^[\x21-\x7e]+$/.test(host);
}

export interface ConnectedMessage {
  /** The address the exit connected to, IP text; undefined in the empty answer to BEGIN_DIR. */
  readonly address: string | undefined;
  readonly ttlSeconds: number;
}

/** spec: tor-spec/opening-streams (CONNECTED) */
export function encodeConnected(message: ConnectedMessage): Uint8Array {
  const ip = message.address === undefined ? undefined : parseIp(message.address);
  if (ip === undefined) return new Uint8Array(0);
  const writer = new ByteWriter();
  if (ip.length === 16) writer.u32(0).u8(addressType.ipv6);
  return writer.bytes(ip).u32(message.ttlSeconds).finish();
}

export function decodeConnected(body: Uint8Array): ConnectedMessage | undefined {
  if (body.length === 0) return { address: undefined, ttlSeconds: 0 };
  const reader = new ByteReader(body);
  const ipv4 = reader.bytes(4);
  if (ipv4.every(byte => byte === 0)) {
    const type = reader.u8();
    const connected = { address: formatIp(reader.bytes(16)), ttlSeconds: reader.u32() };
    return reader.short || type !== addressType.ipv6 ? undefined : connected;
  }
  // spec: tor-spec/opening-streams: a CONNECTED of four bytes has no TTL.
  const ttlSeconds = reader.remaining >= 4 ? reader.u32() : 0;
  return reader.short ? undefined : { address: formatIp(ipv4), ttlSeconds };
}

export interface EndMessage {
  readonly reason: number;
  /** With EXITPOLICY: the address that was refused, IP text. */
  readonly address?: string;
  readonly ttlSeconds?: number;
}

/** spec: tor-spec/closing-streams (END) */
export function encodeEnd(message: EndMessage): Uint8Array {
  const writer = new ByteWriter().u8(message.reason);
  const ip = message.address === undefined ? undefined : parseIp(message.address);
  if (ip !== undefined) writer.bytes(ip).u32(message.ttlSeconds ?? 0);
  return writer.finish();
}

/** What may stand behind a reason: an address, and for how long it is one. By their lengths together, as C tor tells them apart. */
const refusedBytes: ReadonlyMap<number, readonly [ip: number, ttl: number]> = new Map([
  [4, [4, 0]],
  [8, [4, 4]],
  [16, [16, 0]],
  [20, [16, 4]],
]);

/** A body without a reason is illegal: C tor closes the circuit for it since 0.4.9.7. */
export function decodeEnd(body: Uint8Array): EndMessage | undefined {
  if (body.length === 0) return undefined;
  const [ipBytes, ttlBytes] = refusedBytes.get(body.length - 1) ?? [0, 0];
  if (ipBytes === 0) return { reason: body[0] };
  const reader = new ByteReader(body.subarray(1));
  const address = formatIp(reader.bytes(ipBytes));
  return ttlBytes === 0
    ? { reason: body[0], address }
    : { reason: body[0], address, ttlSeconds: reader.u32() };
}

const extend2Body = struct({
  specifiers: linkSpecifiers,
  handshakeType: u16,
  handshake: sizedBytes(u16, relayBodyBytesMax),
});

export interface Extend2Message {
  readonly target: LinkTarget;
  readonly handshakeType: number;
  readonly handshake: Uint8Array;
}

/** spec: tor-spec/create-created-cells (EXTEND2) */
export function encodeExtend2(message: Extend2Message): Uint8Array {
  const { handshakeType, handshake } = message;
  return extend2Body.encode({ specifiers: encodeLinkTarget(message.target), handshakeType, handshake });
}

export function decodeExtend2(body: Uint8Array): Extend2Message | undefined {
  const parsed = extend2Body.decodePadded(body);
  const target = parsed && decodeLinkTarget(parsed.specifiers);
  if (parsed === undefined || target === undefined || !mayExtend(parsed)) return undefined;
  return { target, handshakeType: parsed.handshakeType, handshake: parsed.handshake };
}

/** A relay passes on handshakes that it does not know, but none that no relay takes there. */
function mayExtend({ handshakeType: type, handshake }: Holds<typeof extend2Body>): boolean {
  if (type === handshakeType.ntor) return handshake.length === ntorRequestBytes;
  return type !== handshakeType.tap && type !== handshakeType.fast;
}

const extended2Body = struct({ handshake: sizedBytes(u16, relayBodyBytesMax - 2) });

/** spec: tor-spec/create-created-cells (EXTENDED2) */
export function encodeExtended2(handshake: Uint8Array): Uint8Array {
  return extended2Body.encode({ handshake });
}

/** The handshake reply, or undefined. */
export function decodeExtended2(body: Uint8Array): Uint8Array | undefined {
  return extended2Body.decodePadded(body)?.handshake;
}

/** spec: tor-spec/remote-hostname-lookup (RESOLVE): name NUL. */
export function encodeResolve(name: string): Uint8Array {
  return utf8(`${name}\0`);
}

/** Without its NUL a name ends with the body, as for C tor. */
export function decodeResolve(body: Uint8Array): string | undefined {
  const end = body.indexOf(0);
  const name = fromUtf8(body.subarray(0, end < 0 ? body.length : end));
  return isHostText(name) ? name : undefined;
}

const resolvedAnswer = struct({ type: u8, value: sizedBytes(u8, 255), ttlSeconds: u32 });
const resolvedBody = struct({ answers: restList(resolvedAnswer) });

export interface ResolvedMessage {
  readonly addresses: readonly ResolvedAddress[];
  /** Set when the exit could not tell; transient errors are worth another try. */
  readonly error: 'transient' | 'permanent' | undefined;
}

/** spec: tor-spec/remote-hostname-lookup (RESOLVED). Answers beyond one cell are left out. */
export function encodeResolved(message: ResolvedMessage): Uint8Array {
  const answers: Holds<typeof resolvedAnswer>[] = message.addresses.map(each => {
    const ip = each.kind === 'name' ? undefined : parseIp(each.value);
    const type =
      ip === undefined ? addressType.hostname : ip.length === 4 ? addressType.ipv4 : addressType.ipv6;
    return { type, value: ip ?? utf8(each.value), ttlSeconds: each.ttlSeconds };
  });
  if (message.error !== undefined) {
    const type = message.error === 'transient' ? addressType.errorTransient : addressType.errorPermanent;
    answers.push({ type, value: utf8('Error resolving hostname'), ttlSeconds: 0 });
  }
  const parts: Uint8Array[] = [];
  let length = 0;
  for (const answer of answers) {
    const part = resolvedAnswer.encode(answer);
    if (length + part.length > relayBodyBytesMax) break;
    parts.push(part);
    length += part.length;
  }
  return concatBytes(...parts);
}

export function decodeResolved(body: Uint8Array): ResolvedMessage | undefined {
  const parsed = resolvedBody.decode(body);
  if (parsed === undefined) return undefined;
  const addresses: ResolvedAddress[] = [];
  let error: ResolvedMessage['error'];
  for (const { type, value, ttlSeconds } of parsed.answers) {
    if (type === addressType.ipv4 && value.length === 4) {
      addresses.push({ kind: 'ipv4', value: formatIp(value), ttlSeconds });
    } else if (type === addressType.ipv6 && value.length === 16) {
      addresses.push({ kind: 'ipv6', value: formatIp(value), ttlSeconds });
    } else if (type === addressType.hostname && value.length > 0) {
      addresses.push({ kind: 'name', value: fromUtf8(value), ttlSeconds });
    } else if (type === addressType.errorTransient) {
      error = 'transient';
    } else if (type === addressType.errorPermanent) {
      error = 'permanent';
    }
  }
  return { addresses, error };
}

const sendmeV1 = struct({ version: u8, digest: sizedBytes(u16, relayBodyBytesMax) });

/** A circuit SENDME: version 1 with the digest of the cell that it answers. spec: tor-spec/flow-control */
export function encodeSendme(digest: Uint8Array): Uint8Array {
  return sendmeV1.encode({ version: 1, digest });
}

/** The digest that a version 1 SENDME carries; undefined for any other version: those are not accepted. */
export function decodeSendme(body: Uint8Array): Uint8Array | undefined {
  const parsed = sendmeV1.decodePadded(body);
  // spec: tor-spec/flow-control: version 1 has a digest of 20 bytes.
  return parsed?.version === 1 && parsed.digest.length === 20 ? parsed.digest : undefined;
}

const xoffBody = struct({ version: u8 });
const xonBody = struct({ version: u8, kilobytesPerSecond: u32 });
/** Of XOFF and XON. */
const signalVersion = 0;

/** Stop sending on this stream. spec: proposal 324, 4.1 */
export function encodeXoff(): Uint8Array {
  return xoffBody.encode({ version: signalVersion });
}

/** False for another version. */
export function decodeXoff(body: Uint8Array): boolean {
  return xoffBody.decodePadded(body)?.version === signalVersion;
}

/** Send on, at this rate of 1,000 bytes a second; 0: as fast as may be. spec: proposal 324, 4.1 */
export function encodeXon(kilobytesPerSecond: number): Uint8Array {
  return xonBody.encode({ version: signalVersion, kilobytesPerSecond });
}

/** The rate; undefined for another version. */
export function decodeXon(body: Uint8Array): number | undefined {
  const parsed = xonBody.decodePadded(body);
  return parsed?.version === signalVersion ? parsed.kilobytesPerSecond : undefined;
}

/** TRUNCATED: one byte of reason. spec: tor-spec/tearing-down-circuits */
export const truncatedMessage = struct({ reason: u8 });

import { concatBytes, utf8 } from '../base/bytes.ts';
import { formatIp, parseIp } from '../base/ip.ts';

/**
 * The server's side of SOCKS5 (RFC 1928, RFC 1929) with Tor's extensions, as a machine: bytes in, events out.
 * spec: tor-spec/socks-extensions
 */

export type SocksRequestKind = 'connect' | 'resolve' | 'resolve-ptr';

/** What the program behind the connection asks for. */
export interface SocksRequest {
  readonly kind: SocksRequestKind;
  readonly hostKind: 'ipv4' | 'ipv6' | 'name';
  /** An IP literal (IPv6 without brackets) or a name, never empty. */
  readonly host: string;
  /** 0 for the two resolve kinds. */
  readonly port: number;
  /** Requests with different tokens never share a circuit; undefined: no user and password were given. */
  readonly isolation: SocksIsolation | undefined;
}

export interface SocksIsolation {
  readonly user: string;
  readonly password: string;
}

export type SocksEvent =
  /** Send these bytes to the program. */
  | { readonly kind: 'send'; readonly bytes: Uint8Array }
  | { readonly kind: 'request'; readonly request: SocksRequest }
  /** Bytes of the program for the far side; may come before the request was answered. A view: valid during the call. */
  | { readonly kind: 'data'; readonly bytes: Uint8Array }
  /** Nothing more can come of this connection: close it once `send` is written. */
  | { readonly kind: 'close'; readonly why: SocksFault };

export type SocksFault =
  | 'SOCKS_VERSION'
  | 'SOCKS_HTTP'
  | 'SOCKS_NO_METHOD'
  | 'SOCKS_MALFORMED'
  | 'SOCKS_COMMAND';

/** RFC 1928, section 6. */
export const socksReply = {
  succeeded: 0,
  generalFailure: 1,
  notAllowed: 2,
  networkUnreachable: 3,
  hostUnreachable: 4,
  connectionRefused: 5,
  ttlExpired: 6,
  commandNotSupported: 7,
  addressTypeNotSupported: 8,
} as const;

export type SocksReplyName = keyof typeof socksReply;

const version5 = 5;
const methodNone = 0;
const methodPassword = 2;
const methodRefused = 0xff;
const addressType = { ipv4: 1, name: 3, ipv6: 4 } as const;
const commandKinds = new Map<number, SocksRequestKind>([
  [0x01, 'connect'],
  [0xf0, 'resolve'],
  [0xf1, 'resolve-ptr'],
]);

const httpHint = utf8(
  'HTTP/1.0 501 This is a SOCKS5 proxy\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n' +
    'This port speaks SOCKS5, not HTTP. Try: curl --socks5-hostname HOST:PORT URL\n',
);

type State = 'greeting' | 'password' | 'request' | 'data' | 'closed';

/** What a step found at the head of the buffer: how many bytes it used, or that it needs more. */
type Step = { readonly used: number; readonly events: readonly SocksEvent[] } | undefined;

/** One SOCKS connection. */
export class Socks5Server {
  #state: State = 'greeting';
  #buffer: Uint8Array = new Uint8Array(0);
  #isolation: SocksIsolation | undefined;

  /** True once a request was read: what follows is data. */
  get requested(): boolean {
    return this.#state === 'data';
  }

  /** Takes bytes of the program, split in any way. */
  push(bytes: Uint8Array): readonly SocksEvent[] {
    if (this.#state === 'closed' || bytes.length === 0) return [];
    if (this.#state === 'data') return [{ kind: 'data', bytes }];
    this.#buffer = concatBytes(this.#buffer, bytes);
    const events: SocksEvent[] = [];
    for (;;) {
      const step = this.#step();
      if (step === undefined) break;
      this.#buffer = this.#buffer.subarray(step.used);
      events.push(...step.events);
    }
    return events;
  }

  #step(): Step {
    if (this.#buffer.length === 0) return undefined;
    switch (this.#state) {
      case 'greeting':
        return this.#greeting();
      case 'password':
        return this.#password();
      case 'request':
        return this.#request();
      case 'data': {
        const bytes = this.#buffer;
        return { used: bytes.length, events: [{ kind: 'data', bytes }] };
      }
      case 'closed':
        return undefined;
    }
  }

  #greeting(): Step {
    const bytes = this.#buffer;
    if (bytes[0] !== version5) {
      const isLetter = bytes[0] >= 0x41 && bytes[0] <= 0x5a;
      return isLetter ? this.#close('SOCKS_HTTP', httpHint) : this.#close('SOCKS_VERSION');
    }
    if (bytes.length < 2 || bytes.length < 2 + bytes[1]) return undefined;
    const used = 2 + bytes[1];
    const methods = bytes.subarray(2, used);
    // spec: tor-spec/socks-extensions: user and password win where both are offered, since they ask for isolation
    if (methods.includes(methodPassword)) {
      this.#state = 'password';
      return { used, events: [{ kind: 'send', bytes: Uint8Array.of(version5, methodPassword) }] };
    }
    if (methods.includes(methodNone)) {
      this.#state = 'request';
      return { used, events: [{ kind: 'send', bytes: Uint8Array.of(version5, methodNone) }] };
    }
    return this.#close('SOCKS_NO_METHOD', Uint8Array.of(version5, methodRefused));
  }

  /** RFC 1929; every user and password is accepted, they name what to isolate. */
  #password(): Step {
    const bytes = this.#buffer;
    if (bytes[0] !== 1) return this.#close('SOCKS_MALFORMED', Uint8Array.of(1, 1));
    if (bytes.length < 2) return undefined;
    const passwordAt = 2 + bytes[1];
    if (bytes.length < passwordAt + 1) return undefined;
    const used = passwordAt + 1 + bytes[passwordAt];
    if (bytes.length < used) return undefined;
    this.#isolation = {
      user: latin1(bytes.subarray(2, passwordAt)),
      password: latin1(bytes.subarray(passwordAt + 1, used)),
    };
    this.#state = 'request';
    return { used, events: [{ kind: 'send', bytes: Uint8Array.of(1, 0) }] };
  }

  #request(): Step {
    const bytes = this.#buffer;
    if (bytes[0] !== version5) return this.#refuse('SOCKS_MALFORMED', 'generalFailure');
    if (bytes.length < 4) return undefined;
    const kind = commandKinds.get(bytes[1]);
    if (kind === undefined) return this.#refuse('SOCKS_COMMAND', 'commandNotSupported');
    const address = readAddress(bytes);
    if (address === 'unknown') return this.#refuse('SOCKS_MALFORMED', 'addressTypeNotSupported');
    if (address === undefined || bytes.length < address.end + 2) return undefined;
    const port = bytes[address.end] * 256 + bytes[address.end + 1];
    const host = normalizeHost(kind, address.host, address.hostKind);
    if (host === undefined || (kind === 'connect' && port === 0)) {
      return this.#refuse('SOCKS_MALFORMED', 'generalFailure');
    }
    this.#state = 'data';
    const isolation = this.#isolation;
    const request = { kind, ...host, port: kind === 'connect' ? port : 0, isolation };
    return { used: address.end + 2, events: [{ kind: 'request', request }] };
  }

  #refuse(why: SocksFault, reply: SocksReplyName): Step {
    return this.#close(why, encodeSocksReply(reply));
  }

  #close(why: SocksFault, bytes?: Uint8Array): Step {
    this.#state = 'closed';
    const close = { kind: 'close', why } as const;
    const events: SocksEvent[] = bytes === undefined ? [close] : [{ kind: 'send', bytes }, close];
    return { used: this.#buffer.length, events };
  }
}

interface RawAddress {
  readonly hostKind: SocksRequest['hostKind'];
  readonly host: string;
  readonly end: number;
}

/** The address of a request whose first four bytes are there; undefined: not all of it has come. */
function readAddress(bytes: Uint8Array): RawAddress | 'unknown' | undefined {
  switch (bytes[3]) {
    case addressType.ipv4:
      if (bytes.length < 8) return undefined;
      return { hostKind: 'ipv4', host: bytes.subarray(4, 8).join('.'), end: 8 };
    case addressType.ipv6:
      if (bytes.length < 20) return undefined;
      return { hostKind: 'ipv6', host: formatIp(bytes.subarray(4, 20)), end: 20 };
    case addressType.name: {
      if (bytes.length < 5 || bytes.length < 5 + bytes[4]) return undefined;
      return { hostKind: 'name', host: latin1(bytes.subarray(5, 5 + bytes[4])), end: 5 + bytes[4] };
    }
    default:
      return 'unknown';
  }
}

/** Names that spell an address become that address, as programs behind torsocks send them so. */
function normalizeHost(
  kind: SocksRequestKind,
  host: string,
  hostKind: SocksRequest['hostKind'],
): { host: string; hostKind: SocksRequest['hostKind'] } | undefined {
  if (hostKind === 'name') {
    const bare = host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
    const ip = parseIp(bare);
    if (ip?.length === 4) return { hostKind: 'ipv4', host: ip.join('.') };
    if (ip?.length === 16) return { hostKind: 'ipv6', host: formatIp(ip) };
    // A name travels in BEGIN as "host:port" closed by a zero byte, so neither may be part of it.
    if (kind === 'resolve-ptr' || !/^[A-Za-z0-9._-]{1,253}$/.test(host)) return undefined;
  }
  return { host, hostKind };
}

/** The reply to a CONNECT; Tor reports no bound address. */
export function encodeSocksReply(reply: SocksReplyName): Uint8Array {
  return Uint8Array.of(version5, socksReply[reply], 0, addressType.ipv4, 0, 0, 0, 0, 0, 0);
}

/** The reply to RESOLVE (an address) or RESOLVE_PTR (a name). */
export function encodeSocksResolved(kind: 'ipv4' | 'ipv6' | 'name', value: string): Uint8Array {
  if (kind === 'name') {
    const name = utf8(value).subarray(0, 255);
    const head = Uint8Array.of(version5, socksReply.succeeded, 0, addressType.name, name.length);
    return concatBytes(head, name, Uint8Array.of(0, 0));
  }
  const ip = parseIp(value);
  if (ip === undefined || ip.length !== (kind === 'ipv4' ? 4 : 16))
    return encodeSocksReply('hostUnreachable');
  const head = Uint8Array.of(version5, socksReply.succeeded, 0, addressType[kind]);
  return concatBytes(head, ip, Uint8Array.of(0, 0));
}

/** RELAY_END reason to SOCKS reply. spec: tor-spec/closing-streams; the mapping is C tor's. */
export function socksReplyForEnd(reason: number): SocksReplyName {
  switch (reason) {
    case 2: // RESOLVEFAILED
    case 8: // NOROUTE
      return 'hostUnreachable';
    case 3: // CONNECTREFUSED
    case 6: // DONE, before anything was connected
    case 12: // CONNRESET
      return 'connectionRefused';
    case 4: // EXITPOLICY
      return 'notAllowed';
    case 7: // TIMEOUT
      return 'ttlExpired';
    default:
      return 'generalFailure';
  }
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}

/**
 * HTTP as Tor's directory protocol uses it, over BEGIN_DIR streams and plain directory ports: one request, one answer,
 * then the stream ends. Bytes in, messages out; both ends cap what they hold. spec: dir-spec/general-use-http-urls
 */
import { deflateSync, gunzipSync, inflateSync } from 'node:zlib';
import { concatBytes, utf8 } from '../base/bytes.ts';
import { type Fault, fail, ok, type Result } from '../base/fault.ts';
import {
  directoryResponseBytesMax,
  directoryUploadBytesMax,
  httpHeadBytesMax,
  packedMembersMax,
  unpackedFactorMax,
  unpackedUncheckedBytes,
} from '../base/limits.ts';
import { formatHttpTime, parseHttpTime } from './calendar.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'POST';
  /** Starts with `/`; as sent, `.z` included. */
  readonly path: string;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
}

export interface HttpResponse {
  readonly status: number;
  readonly reason: string;
  readonly headers: ReadonlyMap<string, string>;
  /** Decompressed. */
  readonly body: Uint8Array;
}

export type HttpFault = Fault<'HTTP_MALFORMED' | 'HTTP_TOO_LARGE' | 'HTTP_BAD_ENCODING' | 'HTTP_CUT_SHORT'>;

const noBytes = new Uint8Array();

const headEnding = Buffer.from('\r\n\r\n');

/** Collects bytes until a message is whole; both readers below share it. What comes in small pieces costs no more than at once. */
class MessageBuffer {
  #bytes: Uint8Array = noBytes;
  #length = 0;
  /** No head ends before here. */
  #searched = 0;
  #head: readonly string[] | undefined;
  #headEnd = 0;

  get length(): number {
    return this.#length;
  }

  /** Copies: the caller's bytes live only during the call. */
  push(bytes: Uint8Array): void {
    const length = this.#length + bytes.length;
    if (length > this.#bytes.length) {
      const before = this.#bytes;
      this.#bytes = new Uint8Array(Math.max(length, 2 * before.length));
      this.#bytes.set(before.subarray(0, this.#length));
    }
    this.#bytes.set(bytes, this.#length);
    this.#length = length;
  }

  /** The lines before the body once they are all here; undefined: not yet. */
  head(): readonly string[] | 'too-large' | undefined {
    if (this.#head !== undefined) return this.#head;
    const windowBytes = Math.min(this.#length, httpHeadBytesMax + headEnding.length);
    const window = Buffer.from(this.#bytes.buffer, 0, windowBytes);
    const end = window.indexOf(headEnding, this.#searched);
    this.#searched = Math.max(0, window.length - headEnding.length + 1);
    if (end < 0) return this.#length > httpHeadBytesMax ? 'too-large' : undefined;
    this.#head = window.toString('latin1', 0, end).split('\r\n');
    this.#headEnd = end + headEnding.length;
    return this.#head;
  }

  get bodyLength(): number {
    return this.#length - this.#headEnd;
  }

  body(length = this.bodyLength): Uint8Array {
    return this.#bytes.subarray(this.#headEnd, this.#headEnd + length);
  }
}

/** All of a request but its body, and how long that will be. */
type RequestHead = Omit<HttpRequest, 'body'> & { readonly length: number };

/** Reads one request; what follows it is ignored, since no answer would be read twice. */
export class HttpRequestReader {
  readonly #buffer = new MessageBuffer();
  readonly #uploadBytesMax: number;
  /** Read once: it may have thousands of lines, and its body may come byte by byte. */
  #head: Result<RequestHead, HttpFault> | undefined;

  /** @param uploadBytesMax cap on the body of a POST. */
  constructor(uploadBytesMax: number = directoryUploadBytesMax) {
    this.#uploadBytesMax = uploadBytesMax;
  }

  /** The request once whole, a fault, or undefined while more bytes are needed. */
  push(bytes: Uint8Array): Result<HttpRequest, HttpFault> | undefined {
    this.#buffer.push(bytes);
    if (this.#buffer.length > httpHeadBytesMax + this.#uploadBytesMax) return fail('HTTP_TOO_LARGE');
    this.#head ??= this.#readHead();
    if (this.#head === undefined || !this.#head.ok) return this.#head;
    const { length, ...request } = this.#head.value;
    if (this.#buffer.bodyLength < length) return undefined;
    return ok({ ...request, body: this.#buffer.body(length).slice() });
  }

  #readHead(): Result<RequestHead, HttpFault> | undefined {
    const head = this.#buffer.head();
    if (head === undefined) return undefined;
    if (head === 'too-large') return fail('HTTP_TOO_LARGE', 'head');
    const match = /^(GET|POST) (\/[\x21-\x7e]*) HTTP\/1\.[01]$/.exec(head[0]);
    const headers = parseHeaders(head);
    if (match === null) return fail('HTTP_MALFORMED', 'request line');
    const length = match[1] === 'GET' ? 0 : contentLength(headers);
    if (length === undefined) return fail('HTTP_MALFORMED', 'content-length');
    if (length > this.#uploadBytesMax) return fail('HTTP_TOO_LARGE', 'upload');
    return ok({ method: match[1] as 'GET' | 'POST', path: match[2], headers, length });
  }
}

/** Reads one answer: to its Content-Length, or to the end of the stream where it has none. */
export class HttpResponseReader {
  readonly #buffer = new MessageBuffer();
  readonly #bodyBytesMax: number;

  /** @param bodyBytesMax cap on the body, before and after decompression. */
  constructor(bodyBytesMax: number = directoryResponseBytesMax) {
    this.#bodyBytesMax = bodyBytesMax;
  }

  push(bytes: Uint8Array): Result<HttpResponse, HttpFault> | undefined {
    this.#buffer.push(bytes);
    if (this.#buffer.length > httpHeadBytesMax + this.#bodyBytesMax) return fail('HTTP_TOO_LARGE');
    return this.#answer(false);
  }

  /** The stream ended: whatever is here must be the whole answer. */
  end(): Result<HttpResponse, HttpFault> {
    return this.#answer(true) ?? fail('HTTP_CUT_SHORT');
  }

  #answer(ended: boolean): Result<HttpResponse, HttpFault> | undefined {
    const head = this.#buffer.head();
    if (head === undefined) return undefined;
    if (head === 'too-large') return fail('HTTP_TOO_LARGE', 'head');
    const match = /^HTTP\/1\.[01] ([1-5][0-9]{2})(?: ([\x20-\x7e]{0,200}))?$/.exec(head[0]);
    const headers = parseHeaders(head);
    if (match === null) return fail('HTTP_MALFORMED', 'status line');
    const length = headers.has('content-length') ? contentLength(headers) : undefined;
    if (headers.has('content-length') && length === undefined)
      return fail('HTTP_MALFORMED', 'content-length');
    if (length !== undefined && length > this.#bodyBytesMax) return fail('HTTP_TOO_LARGE', 'body');
    if (length === undefined ? !ended : this.#buffer.bodyLength < length) return undefined;
    const body = decodeBody(headers.get('content-encoding'), this.#buffer.body(length), this.#bodyBytesMax);
    if (!body.ok) return body;
    return ok({ status: Number(match[1]), reason: match[2] ?? '', headers, body: body.value });
  }
}

/** The first of a name counts; lines that are no headers are passed over, as C tor does. */
function parseHeaders(lines: readonly string[]): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  for (const line of lines.slice(1)) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(colon, 0)).toLowerCase();
    if (!headers.has(name)) headers.set(name, line.slice(colon + 1).trim());
  }
  return headers;
}

function contentLength(headers: ReadonlyMap<string, string>): number | undefined {
  const text = headers.get('content-length') ?? '';
  return /^[0-9]{1,9}$/.test(text) ? Number(text) : undefined;
}

/** What unpacks it, by how it begins: zlib's two bytes are a method and a checksum, gzip's are its name. */
function unpackerOf(bytes: Uint8Array): typeof inflateSync | undefined {
  const head = bytes.length < 2 ? 0 : (bytes[0] << 8) | bytes[1];
  if (head === 0x1f8b) return gunzipSync;
  return (head & 0x0f00) === 0x0800 && head % 31 === 0 ? inflateSync : undefined;
}

/**
 * As C tor has it: what is said to be packed, in whatever way, is packed as it begins, or not at all; several members of one
 * kind may follow each other, and nothing else.
 */
function decodeBody(
  encoding: string | undefined,
  bytes: Uint8Array,
  bytesMax: number,
): Result<Uint8Array, HttpFault> {
  const unpacker = (encoding ?? 'identity').toLowerCase() === 'identity' ? undefined : unpackerOf(bytes);
  if (unpacker === undefined) return ok(bytes.slice());
  const members: Uint8Array[] = [];
  // A few bytes that unpack to very many are there to fill memory.
  const most = Math.min(bytesMax, Math.max(unpackedUncheckedBytes, unpackedFactorMax * bytes.length));
  let left = most;
  for (let rest = bytes; rest.length > 0; ) {
    if (unpackerOf(rest) !== unpacker) return fail('HTTP_BAD_ENCODING', 'bytes behind the end');
    if (members.length === packedMembersMax) return fail('HTTP_BAD_ENCODING', 'too many members');
    const member = unpacked(unpacker, rest, left);
    if (member === undefined) return fail('HTTP_BAD_ENCODING', `unreadable, or over ${most} bytes`);
    members.push(member.bytes);
    left -= member.bytes.length;
    rest = rest.subarray(member.packedBytes);
  }
  return ok(concatBytes(...members));
}

/** The first member of `bytes`; undefined: it is cut, wrong or too long. */
function unpacked(
  unpacker: typeof inflateSync,
  bytes: Uint8Array,
  bytesMax: number,
): { readonly bytes: Uint8Array; readonly packedBytes: number } | undefined {
  try {
    const options = { maxOutputLength: Math.max(bytesMax, 1), info: true };
    const { buffer, engine } = unpacker(bytes, options) as unknown as {
      buffer: Uint8Array;
      engine: { bytesWritten: number };
    };
    return { bytes: buffer, packedBytes: engine.bytesWritten };
  } catch {
    return undefined;
  }
}

/** @param host whom we ask, for the Host header. */
export function encodeRequest(
  method: 'GET' | 'POST',
  path: string,
  host: string,
  extra: { readonly ifModifiedSinceMs?: number; readonly body?: Uint8Array } = {},
): Uint8Array {
  const lines = [`${method} ${path} HTTP/1.0`, `Host: ${host}`];
  if (method === 'GET') lines.push('Accept-Encoding: deflate, identity');
  if (extra.ifModifiedSinceMs !== undefined)
    lines.push(`If-Modified-Since: ${formatHttpTime(extra.ifModifiedSinceMs)}`);
  const body = extra.body ?? noBytes;
  if (method === 'POST') lines.push(`Content-Length: ${body.length}`);
  return concatBytes(utf8(`${lines.join('\r\n')}\r\n\r\n`), body);
}

/** What a server says, before it is put on the wire for one asker. */
export interface DirectoryAnswer {
  readonly status: number;
  readonly reason: string;
  readonly body: Uint8Array;
  /** `body` as a zlib stream, made once for all who ask; absent: not worth compressing. */
  readonly deflated?: Uint8Array;
  /** Both are at hand anyway, however many ask. */
  readonly shared?: boolean;
  readonly contentType?: string;
  readonly lastModifiedMs?: number;
  readonly expiresMs?: number;
}

const reasons: Readonly<Record<number, string>> = {
  200: 'OK',
  304: 'Not modified',
  400: 'Bad request',
  404: 'Not found',
  413: 'Too large',
  503: 'Directory busy, try again later',
};

export function plainAnswer(status: number, reason = reasons[status] ?? 'Answer'): DirectoryAnswer {
  return { status, reason, body: noBytes };
}

export function deflate(body: Uint8Array): Uint8Array {
  return new Uint8Array(deflateSync(body));
}

/** An answer as it goes out, its body not copied. */
export interface EncodedAnswer {
  readonly head: Uint8Array;
  readonly body: Uint8Array;
  readonly shared: boolean;
}

/**
 * The bytes of an answer. Compressed when the asker takes deflate, or asked for a `.z` path and says nothing at all.
 * @param asker IP text of who asks, told back so that relays learn their address; undefined over BEGIN_DIR.
 */
export function answerParts(
  answer: DirectoryAnswer,
  request: HttpRequest | undefined,
  wallMs: number,
  asker?: string,
): EncodedAnswer {
  const accepted = request?.headers.get('accept-encoding');
  const wantsDeflate =
    accepted === undefined
      ? (request?.path.endsWith('.z') ?? false)
      : accepted.split(',').some(each => each.trim().toLowerCase() === 'deflate');
  const compressed = wantsDeflate ? answer.deflated : undefined;
  const body = compressed ?? answer.body;
  const lines = [`HTTP/1.0 ${answer.status} ${answer.reason}`, `Date: ${formatHttpTime(wallMs)}`];
  lines.push(`Content-Type: ${answer.contentType ?? 'text/plain'}`);
  if (asker !== undefined) lines.push(`X-Your-Address-Is: ${asker}`);
  lines.push(`Content-Encoding: ${compressed === undefined ? 'identity' : 'deflate'}`);
  lines.push(`Content-Length: ${body.length}`);
  if (answer.lastModifiedMs !== undefined)
    lines.push(`Last-Modified: ${formatHttpTime(answer.lastModifiedMs)}`);
  if (answer.expiresMs !== undefined) lines.push(`Expires: ${formatHttpTime(answer.expiresMs)}`);
  return { head: utf8(`${lines.join('\r\n')}\r\n\r\n`), body, shared: answer.shared ?? false };
}

/** The same in one. */
export function encodeAnswer(...what: Parameters<typeof answerParts>): Uint8Array {
  const { head, body } = answerParts(...what);
  return concatBytes(head, body);
}

/** True when the asker holds all that is newer than `lastModifiedMs`. */
export function notModifiedSince(request: HttpRequest, lastModifiedMs: number): boolean {
  const since = parseHttpTime(request.headers.get('if-modified-since') ?? '');
  return since !== undefined && since >= lastModifiedMs;
}

/**
 * Tor's document meta-format: lines of a keyword and arguments, each perhaps followed by a PEM-like object. One linear
 * scan, no backtracking. Text is latin1, so that its characters are the document's bytes and digests come out right
 * whatever a relay put into `contact`. spec: dir-spec/netdoc
 */
import { fromBase64 } from '../base/bytes.ts';
import { type Fault, fail, ok, type Result } from '../base/fault.ts';
import { documentLinesMax } from '../base/limits.ts';

export interface DocumentObject {
  /** `RSA PUBLIC KEY`, `SIGNATURE`, `ED25519 CERT` … */
  readonly label: string;
  readonly bytes: Uint8Array;
}

export interface DocumentLine {
  readonly keyword: string;
  /** All after the keyword and one space. */
  readonly rest: string;
  readonly object: DocumentObject | undefined;
  /** Where the line starts in the text. */
  readonly start: number;
  /** Behind the newline of the line itself, before its object. */
  readonly lineEnd: number;
  /** Behind the line and its object. */
  readonly end: number;
}

export type DocumentFault = Fault<'DOCUMENT_TOO_LARGE' | 'DOCUMENT_BAD_LINE' | 'DOCUMENT_BAD_OBJECT'>;

/** A certificate or a 4096-bit signature needs less than 1 KB; lines of base64 beyond that are hostile. */
const objectCharactersMax = 8_192;

export function documentText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}

export function documentBytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'));
}

/** @param charactersMax cap on the whole document. */
export function parseLines(text: string, charactersMax: number): Result<DocumentLine[], DocumentFault> {
  if (text.length > charactersMax) return fail('DOCUMENT_TOO_LARGE', `over ${charactersMax} bytes`);
  const lines: DocumentLine[] = [];
  let at = skipWhite(text, 0);
  while (at < text.length) {
    const line = lineAt(text, at);
    if (!line.ok) return line;
    if (lines.length === documentLinesMax)
      return fail('DOCUMENT_TOO_LARGE', `over ${documentLinesMax} lines`);
    lines.push(line.value);
    at = skipWhite(text, line.value.end);
  }
  return ok(lines);
}

/** The line that starts at `at`, with its object. */
export function lineAt(text: string, at: number): Result<DocumentLine, DocumentFault> {
  const newline = text.indexOf('\n', at);
  if (newline < 0) return fail('DOCUMENT_BAD_LINE', 'no newline at the end');
  let from = at;
  if (text.startsWith('opt ', from)) from += 4;
  let keywordEnd = from;
  while (keywordEnd < newline && !isWhite(text.charCodeAt(keywordEnd))) keywordEnd++;
  // An annotation is about a document, and an object belongs to a line: neither is one.
  if (keywordEnd === from || text[from] === '@' || text.startsWith('-----BEGIN ', from))
    return fail('DOCUMENT_BAD_LINE', 'no keyword');
  const rest = text.slice(Math.min(keywordEnd + 1, newline), newline);
  if (text.slice(from, newline).includes('\0')) return fail('DOCUMENT_BAD_LINE', 'a NUL');
  const lineEnd = newline + 1;
  const line = { keyword: text.slice(from, keywordEnd), rest, start: at, lineEnd };
  if (!text.startsWith('-----BEGIN ', lineEnd)) return ok({ ...line, object: undefined, end: lineEnd });
  const object = objectAt(text, lineEnd);
  return object.ok ? ok({ ...line, object: object.value.object, end: object.value.end }) : object;
}

function objectAt(text: string, at: number): Result<{ object: DocumentObject; end: number }, DocumentFault> {
  const headEnd = text.indexOf('\n', at);
  const head = headEnd < 0 || headEnd - at > 100 ? '' : text.slice(at, headEnd);
  if (!head.endsWith('-----') || head.length < 17) return fail('DOCUMENT_BAD_OBJECT', 'bad BEGIN');
  const label = head.slice(11, -5);
  const tail = `-----END ${label}-----\n`;
  const window = text.slice(headEnd + 1, headEnd + 1 + objectCharactersMax + tail.length);
  const tailAt = window.indexOf('-----END ');
  if (tailAt < 0 || !window.startsWith(tail, tailAt)) return fail('DOCUMENT_BAD_OBJECT', 'bad END');
  const bytes = fromBase64(window.slice(0, tailAt).replaceAll('\n', ''));
  if (bytes === undefined) return fail('DOCUMENT_BAD_OBJECT', 'bad base64');
  return ok({ object: { label, bytes }, end: headEnd + 1 + tailAt + tail.length });
}

/** Of the document's text, what stands before a line and says nothing. */
function skipWhite(text: string, at: number): number {
  while (at < text.length && (isWhite(text.charCodeAt(at)) || text[at] === '\n')) at++;
  return at;
}

/** A space or a tab. */
function isWhite(code: number): boolean {
  return code === 32 || code === 9;
}

/** Arguments between single or repeated spaces. */
export function argumentsOf(line: DocumentLine): string[] {
  return line.rest.split(/[ \t]+/).filter(each => each !== '');
}

/** Lines found by keyword, for documents whose order is free. */
export class LineIndex {
  readonly #byKeyword = new Map<string, DocumentLine[]>();

  constructor(lines: readonly DocumentLine[]) {
    for (const line of lines) {
      const same = this.#byKeyword.get(line.keyword);
      if (same === undefined) this.#byKeyword.set(line.keyword, [line]);
      else same.push(line);
    }
  }

  all(keyword: string): readonly DocumentLine[] {
    return this.#byKeyword.get(keyword) ?? [];
  }

  /** The line when it stands exactly once. */
  one(keyword: string): DocumentLine | undefined {
    const lines = this.all(keyword);
    return lines.length === 1 ? lines[0] : undefined;
  }

  /** True when a keyword that may stand at most once stands more often. */
  repeats(keywords: readonly string[]): string | undefined {
    return keywords.find(keyword => this.all(keyword).length > 1);
  }
}

/** Base64 of `bytes` between BEGIN and END, 64 characters a line, as Tor writes objects. */
export function formatObject(label: string, bytes: Uint8Array): string {
  const base64 = Buffer.from(bytes).toString('base64');
  const lines: string[] = [];
  for (let at = 0; at < base64.length; at += 64) lines.push(base64.slice(at, at + 64));
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

import { toHex } from '../src/base/bytes.ts';
import { type Fault, fail, ok, type Result } from '../src/base/fault.ts';
import {
  type AuthorityCertificate,
  parseAuthorityCertificate,
} from '../src/directory/authority-certificate.ts';
import { formatDocumentTime } from '../src/directory/calendar.ts';
import { parseConsensus } from '../src/directory/consensus.ts';
import { verifyConsensus } from '../src/directory/consensus-verify.ts';
import { parseServerDescriptor } from '../src/directory/descriptor.ts';
import { lineAt } from '../src/directory/document-lines.ts';
import { parseMicrodescriptor } from '../src/directory/microdescriptor.ts';
import { parseVote } from '../src/directory/vote.ts';
import { fieldRules } from './document-fields.ts';

/** What was found of one document of a file. */
export interface CheckedDocument {
  /** `server descriptor`, `consensus` … */
  readonly kind: string;
  /** Whose it is, or which. */
  readonly name: string;
  /** The line of the file that it starts at, from 1. */
  readonly line: number;
  /** Why C tor would refuse it, or nothing. */
  readonly fault: DocumentVerdict | undefined;
  /** What is worth knowing of one that is well formed. */
  readonly notes: readonly string[];
}

export interface DocumentVerdict {
  readonly code: string;
  /** The keyword that is wrong or missing; undefined when the lines themselves are malformed. */
  readonly field: string | undefined;
  /** The line of the file where that stands, from 1; undefined: it is missing. */
  readonly line: number | undefined;
  /** What is wrong, in words. */
  readonly problem: string;
  /** What the field has to be. */
  readonly rule: string | undefined;
}

interface Kind {
  readonly name: string;
  /** First keyword of each document. */
  readonly start: string;
  read(text: string, given: Given): Result<{ readonly name: string; readonly notes: readonly string[] }>;
}

/** What documents are held against. */
export interface Given {
  readonly wallMs: number;
  /** Whoever has one of these should have signed a consensus. */
  readonly certificates: readonly AuthorityCertificate[];
}

const certificateStart = 'dir-key-certificate-version';
const valueCharactersMax = 80;
const dayMs = 86_400_000;

const kinds: readonly Kind[] = [
  {
    name: 'server descriptor',
    start: 'router',
    read: (text, { wallMs }) =>
      mapped(parseServerDescriptor(text, wallMs), ({ nickname, publishedMs }) => ({
        name: nickname,
        notes:
          publishedMs < wallMs - dayMs
            ? [`published ${formatDocumentTime(publishedMs)}: authorities take those of the last day alone`]
            : publishedMs > wallMs + dayMs / 2
              ? [`published ${formatDocumentTime(publishedMs)}, which is to come: authorities refuse it`]
              : [],
      })),
  },
  {
    name: 'microdescriptor',
    start: 'onion-key',
    read: text => mapped(parseMicrodescriptor(text), ({ digest }) => ({ name: toHex(digest), notes: [] })),
  },
  {
    name: 'key certificate',
    start: certificateStart,
    read: (text, { wallMs }) =>
      mapped(parseAuthorityCertificate(text), ({ v3Ident, expiresMs }) => ({
        name: toHex(v3Ident).toUpperCase(),
        notes: expiresMs < wallMs ? [`dir-key-expires ${formatDocumentTime(expiresMs)} is over`] : [],
      })),
  },
];

const statusStart = 'network-status-version';
const vote: Kind = {
  name: 'vote',
  start: statusStart,
  read: text => mapped(parseVote(text), ({ authority }) => ({ name: authority.nickname, notes: [] })),
};
const consensus: Kind = { name: 'consensus', start: statusStart, read: readConsensus };

function readConsensus(text: string, { wallMs, certificates }: Given): ReturnType<Kind['read']> {
  const parsed = parseConsensus(text);
  if (!parsed.ok) return parsed;
  const { flavor, relays, signatures, validAfterMs, validUntilMs } = parsed.value;
  const notes = [`${relays.length} relays, ${signatures.length} signatures`];
  if (validUntilMs < wallMs) notes.push(`valid-until ${formatDocumentTime(validUntilMs)} is over`);
  if (validAfterMs > wallMs) notes.push(`valid-after ${formatDocumentTime(validAfterMs)} is to come`);
  if (certificates.length === 0) notes.push('no signature was verified: name a file of key certificates too');
  else {
    const signers = certificates.map(({ v3Ident }) => ({ v3Ident }));
    const verified = verifyConsensus(parsed.value, signers, certificates, validAfterMs);
    if (!verified.ok)
      return fail(verified.fault.code, `directory-signature: good ones are ${verified.fault.detail}`);
    notes.push(`${verified.value.length} of these signatures verified`);
  }
  return ok({ name: flavor, notes });
}

/**
 * Checks each document of a file by the rules of dir-spec, which C tor applies. Undefined: the file holds none of Tor's
 * documents.
 */
export function checkDocuments(text: string, given: Given): readonly CheckedDocument[] | undefined {
  const kind = kindOf(text);
  return kind === undefined
    ? undefined
    : cut(text, kind.start).map(({ from, to }) => check(kind, text, from, to, given));
}

/** The good key certificates of a file. */
export function certificatesIn(text: string): readonly AuthorityCertificate[] {
  if (kindOf(text)?.start !== certificateStart) return [];
  return cut(text, certificateStart).flatMap(({ from, to }) => {
    const parsed = parseAuthorityCertificate(text.slice(from, to));
    return parsed.ok ? [parsed.value] : [];
  });
}

function kindOf(text: string): Kind | undefined {
  const [, first] = /^(?:@.*\n)*([^\s]*)/.exec(text) ?? [];
  if (first === statusStart) return /^vote-status vote$/m.test(text) ? vote : consensus;
  return kinds.find(({ start }) => start === first);
}

/** Where documents start and end: at the next, at annotations of a cache, at another kind. */
function cut(text: string, start: string): readonly { from: number; to: number }[] {
  if (start === statusStart) return [{ from: text.indexOf(start), to: text.length }];
  const starts = [...text.matchAll(new RegExp(`^(?:${start}(?=[ \\n])|@|extra-info )`, 'gm'))];
  return starts.flatMap(({ index, 0: word }, at) =>
    word === start ? [{ from: index, to: starts[at + 1]?.index ?? text.length }] : [],
  );
}

function check(kind: Kind, text: string, from: number, to: number, given: Given): CheckedDocument {
  const own = text.slice(from, to);
  const before = linesBefore(text, from);
  const read = kind.read(own, given);
  const document = { kind: kind.name, line: before + 1 };
  if (read.ok) return { ...document, ...read.value, fault: undefined };
  const [, named = ''] = own.split('\n', 1)[0].split(' ');
  const name = kind.start === 'router' ? named : '';
  return { ...document, name, notes: [], fault: verdict(own, before, read.fault) };
}

function verdict(text: string, before: number, { code, detail = '' }: Fault): DocumentVerdict {
  const malformed = malformedLine(text);
  if (malformed !== undefined)
    return { code, field: undefined, line: before + malformed, problem: detail, rule: undefined };
  const [, field, router] = /^([a-z0-9-]+)(?:.* of router (\w+))?/.exec(detail) ?? [];
  const at = field === undefined ? undefined : lineOf(text, field, router, detail.includes('stands twice'));
  const rule = field === undefined ? undefined : fieldRules[field];
  if (at === undefined)
    return {
      code,
      field,
      line: undefined,
      problem: field === undefined ? detail : `${field} is missing`,
      rule,
    };
  return { code, field, line: before + at, problem: problemOf(code, detail, text.split('\n')[at - 1]), rule };
}

/** Faults name a field, some of them what is wrong with it too. */
function problemOf(code: string, detail: string, line: string): string {
  if (!/^[a-z0-9-]+( of router \w+)?$/.test(detail)) return detail;
  if (code.endsWith('_BAD_SIGNATURE')) return `${detail} does not verify`;
  const value = line.slice(line.indexOf(' ') + 1, valueCharactersMax);
  return line.includes(' ') ? `${detail} is "${value}"` : `${detail} is malformed`;
}

/** The first line, from 1, that is none of the meta-format. */
function malformedLine(text: string): number | undefined {
  for (let at = 0; at < text.length; ) {
    const line = lineAt(text, at);
    if (!line.ok) return linesBefore(text, at) + 1;
    at = line.value.end;
  }
  return undefined;
}

/** Where a field stands: of that router, if one is named, and the second time if `again`. */
function lineOf(text: string, field: string, router: string | undefined, again: boolean): number | undefined {
  const lines = text.split('\n');
  const from = router === undefined ? 0 : lines.findIndex(line => line.startsWith(`r ${router} `));
  const is = (line: string): boolean => line === field || line.startsWith(`${field} `);
  const first = lines.findIndex((line, at) => at >= from && is(line));
  const found = again ? lines.findIndex((line, at) => at > first && is(line)) : first;
  const next = lines.findIndex((line, at) => at > from && line.startsWith('r '));
  return found < 0 || (router !== undefined && next >= 0 && found >= next) ? undefined : found + 1;
}

function linesBefore(text: string, at: number): number {
  return text.slice(0, at).split('\n').length - 1;
}

function mapped<T, U>(result: Result<T>, to: (value: T) => U): Result<U> {
  return result.ok ? ok(to(result.value)) : result;
}

import { constants, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { concatBytes, utf8 } from '../../src/base/bytes.ts';
import type { FalseAnswer } from './false-network.fixture.ts';

/** How a directory may pack a document, right and wrong. */
export interface PackedTwin {
  /** Also the verdict's place in the captured ones. */
  readonly name: string;
  answer(text: string): FalseAnswer;
}

const none = new Uint8Array(0);
const zeros = (length: number) => new Uint8Array(length);
const packed = (text: string | Uint8Array, options = {}) => new Uint8Array(deflateSync(text, options));

function answer(
  encoding: string | undefined,
  body: Uint8Array,
  length: number | string | undefined = body.length,
) {
  const said = [
    '200 OK',
    ...(encoding === undefined ? [] : [`Content-Encoding: ${encoding}`]),
    ...(length === undefined ? [] : [`Content-Length: ${length}`]),
  ];
  return { head: said.map(line => `${line}\r\n`).join(''), body };
}

type Pack = (text: string) => Uint8Array;

/** Body and label. */
const twin = (name: string, encoding: string | undefined, pack: Pack): PackedTwin => ({
  name,
  answer: text => answer(encoding, pack(text)),
});
const headed = (name: string, made: (body: Uint8Array) => FalseAnswer): PackedTwin => ({
  name,
  answer: text => made(utf8(text)),
});

const plain: Pack = text => utf8(text);
const zlib: Pack = text => packed(text);
const gzip: Pack = text => new Uint8Array(gzipSync(text));
const raw: Pack = text => new Uint8Array(deflateRawSync(text));
const then =
  (pack: Pack, ...more: readonly Uint8Array[]): Pack =>
  text =>
    concatBytes(pack(text), ...more);
const cut =
  (pack: Pack, end: number): Pack =>
  text =>
    pack(text).slice(0, end);
const changed =
  (pack: Pack, at: number, value: number): Pack =>
  text => {
    const bytes = pack(text);
    bytes[at < 0 ? bytes.length + at : at] ^= value;
    return bytes;
  };
const halves =
  (one: Pack, other: Pack): Pack =>
  text =>
    concatBytes(one(text.slice(0, text.length / 2)), other(text.slice(text.length / 2)));
const bombBytes = 30_000_000;

const labels: readonly PackedTwin[] = (
  [
    ['plain text', plain],
    ['zlib', zlib],
    ['gzip', gzip],
    ['deflate without zlib', raw],
  ] as const
).flatMap(([what, pack]) =>
  [
    undefined,
    'identity',
    'deflate',
    'gzip',
    'x-zstd',
    'x-tor-lzma',
    'br',
    'DEFLATE',
    'deflate, identity',
  ].map(label => twin(`${what} said to be ${label ?? 'nothing'}`, label, pack)),
);

const members: readonly PackedTwin[] = (
  [
    ['two members', halves(zlib, zlib)],
    ['three members', halves(zlib, halves(zlib, zlib))],
    ['a member, then one of gzip', halves(zlib, gzip)],
    ['a member, then plain text', halves(zlib, plain)],
    ['an empty member behind it', then(zlib, packed(''))],
    ['an empty member before it', text => concatBytes(packed(''), zlib(text))],
    ['half a member behind it', then(zlib, packed('naulon'.repeat(99)).slice(0, 9))],
    ['a zero behind it', then(zlib, zeros(1))],
    ['two zeros behind it', then(zlib, zeros(2))],
    ['garbage behind it', then(zlib, new Uint8Array(20).fill(0xa5))],
    ['a last byte missing', cut(zlib, -1)],
    ['its checksum missing', cut(zlib, -4)],
    ['its end missing', cut(zlib, -40)],
    ['its second half missing', text => zlib(text).slice(0, zlib(text).length / 2)],
    ['its head alone', cut(zlib, 2)],
    ['its first byte alone', cut(zlib, 1)],
    ['nothing', () => none],
    ['a member of nothing', () => packed('')],
    ['no last block', text => packed(text, { finishFlush: constants.Z_SYNC_FLUSH })],
    ['a wrong checksum', changed(zlib, -1, 1)],
    ['a wrong head', changed(zlib, 1, 1)],
    ['another method in its head', changed(zlib, 0, 7)],
    ['a dictionary asked for', text => packed(text, { dictionary: utf8('consensus') })],
    ['a wrong bit in the middle', text => changed(zlib, zlib(text).length >> 1, 0x10)(text)],
    ['a reserved kind of block', changed(zlib, 2, 6)],
    ['blocks that pack nothing', text => packed(text, { level: 0 })],
    ['a window of 512 bytes', text => packed(text, { windowBits: 9 })],
    ['30 MB of zeros behind its end', then(zlib, packed(zeros(bombBytes)))],
    ['30 MB of zeros inside', text => packed(concatBytes(utf8(text), zeros(bombBytes)))],
    ['30 MB of zeros alone', () => packed(zeros(bombBytes))],
    ['300 kB of zeros inside', text => packed(concatBytes(utf8(text), zeros(300_000)))],
    [
      '30 MB of zeros in members of 1 MB',
      then(zlib, ...Array<Uint8Array>(30).fill(packed(zeros(1_000_000)))),
    ],
    ['2,000 empty members behind it', then(zlib, ...Array<Uint8Array>(2_000).fill(packed('')))],
  ] as readonly (readonly [string, Pack])[]
).map(([name, pack]) => twin(`zlib, ${name}`, 'deflate', pack));

const heads: readonly PackedTwin[] = [
  headed('a length too long', body => answer('identity', body, body.length + 1)),
  headed('a length too short', body => answer('identity', body, body.length - 1)),
  headed('no length', body => ({ head: '200 OK\r\n', body })),
  headed('a length below 0', body => answer('identity', body, -1)),
  headed('a length of words', body => answer('identity', body, 'long')),
  headed('a length of 10 GB', body => answer('identity', body, 10_000_000_000)),
  headed('two lengths', body => answer('identity', body, `${body.length}\r\nContent-Length: 9`)),
  headed('a status of 404', body => ({ ...answer('identity', body), head: '404 Not found\r\n' })),
  headed('a status of 304', body => ({ ...answer('identity', body), head: '304 Not modified\r\n' })),
  headed('a status of 503', body => ({ ...answer('identity', body), head: '503 Busy\r\n' })),
  headed('a status of 999', body => ({ ...answer('identity', body), head: '999 Odd\r\n' })),
  headed('a status of words', body => ({ ...answer('identity', body), head: 'OK\r\n' })),
  headed('a status without a reason', body => ({ ...answer('identity', body), head: '200\r\n' })),
  headed('a header without a colon', body => ({ head: '200 OK\r\nnaulon\r\n', body })),
  headed('a header of no name', body => ({ head: '200 OK\r\n: naulon\r\n', body })),
  headed('200 headers', body => ({ head: `200 OK\r\n${'X-Naulon: 1\r\n'.repeat(200)}`, body })),
  headed('a header of 9,000 characters', body => ({
    head: `200 OK\r\nX-Naulon: ${'x'.repeat(9_000)}\r\n`,
    body,
  })),
];

export const packedTwins: readonly PackedTwin[] = [...labels, ...members, ...heads];

import { concatBytes } from '../../src/base/bytes.ts';
import type { Dice } from './dice.ts';

/** What inputs are made of. */
export interface Material {
  /** Inputs that have shown something new, seeds included. */
  readonly pool: readonly Uint8Array[];
  readonly words: readonly Uint8Array[];
  readonly bytesMax: number;
}

type Change = (input: Uint8Array, dice: Dice, material: Material) => Uint8Array;

const edges = [0, 1, 2, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 254, 255];
const wideEdges = [0, 1, 255, 256, 498, 499, 509, 16_384, 16_385, 32_767, 32_768, 65_535];
const newline = 10;
/** Longest stretch that is said over and over again. */
const repeatBytesMax = 64;

/** One input of the pool, changed in one to several ways. */
export function mutate(dice: Dice, material: Material): Uint8Array {
  let input = dice.pick(material.pool);
  for (let changes = 1 + dice.short(6); changes > 0; changes--)
    input = dice.pick(byteChanges)(input, dice, material);
  return input.length > material.bytesMax ? input.subarray(0, material.bytesMax) : input;
}

/** Each is there as often as it is to be tried. */
const byteChanges: readonly Change[] = [
  (input, dice) => set(input, dice, byte => byte ^ (1 << dice.below(8))),
  (input, dice) => set(input, dice, () => dice.below(256)),
  (input, dice) => set(input, dice, () => dice.pick(edges)),
  (input, dice) => set(input, dice, byte => byte + dice.below(9) - 4),
  (input, dice) => put(input, dice, wide(dice.pick(wideEdges))),
  (input, dice) => put(input, dice, dice.bytes(1 + dice.short(32))),
  (input, dice, { words }) => put(input, dice, word(dice, words)),
  (input, dice, { words }) => insert(input, dice, word(dice, words)),
  (input, dice) => insert(input, dice, dice.bytes(1 + dice.short(64))),
  (input, dice) => insert(input, dice, stretch(input, dice)),
  (input, dice, { pool }) => insert(input, dice, stretch(dice.pick(pool), dice)),
  (input, dice, { pool }) => splice(input, dice, dice.pick(pool)),
  (input, dice) => cut(input, dice),
  (input, dice) => input.subarray(0, dice.below(input.length + 1)),
  (input, dice, { bytesMax }) => repeat(input, dice, bytesMax),
  moveLine,
  moveLine,
  dropLine,
  setNumber,
  setNumber,
];

function set(input: Uint8Array, dice: Dice, change: (byte: number) => number): Uint8Array {
  if (input.length === 0) return input;
  const changed = input.slice();
  const at = dice.below(input.length);
  changed[at] = change(input[at]);
  return changed;
}

function put(input: Uint8Array, dice: Dice, bytes: Uint8Array): Uint8Array {
  const at = dice.below(input.length + 1);
  return concatBytes(input.subarray(0, at), bytes, input.subarray(at + bytes.length));
}

function insert(input: Uint8Array, dice: Dice, bytes: Uint8Array): Uint8Array {
  const at = dice.below(input.length + 1);
  return concatBytes(input.subarray(0, at), bytes, input.subarray(at));
}

function cut(input: Uint8Array, dice: Dice): Uint8Array {
  const at = dice.below(input.length + 1);
  return concatBytes(input.subarray(0, at), input.subarray(at + 1 + dice.short(input.length - at)));
}

/** The head of one, the tail of the other. */
function splice(input: Uint8Array, dice: Dice, other: Uint8Array): Uint8Array {
  return concatBytes(
    input.subarray(0, dice.below(input.length + 1)),
    other.subarray(dice.below(other.length + 1)),
  );
}

/** A short stretch many times over, up to the longest input: what takes long when there is much of it. */
function repeat(input: Uint8Array, dice: Dice, bytesMax: number): Uint8Array {
  const piece = stretch(input, dice).subarray(0, repeatBytesMax);
  const room = Math.max(0, bytesMax - input.length);
  const most = Math.floor(room / Math.max(1, piece.length));
  const times = dice.oneIn(3) ? most : Math.min(most, dice.short(64));
  const bytes = new Uint8Array(times * piece.length);
  for (let at = 0; at < bytes.length; at += piece.length) bytes.set(piece, at);
  return insert(input, dice, bytes);
}

function stretch(input: Uint8Array, dice: Dice): Uint8Array {
  const at = dice.below(input.length + 1);
  return input.subarray(at, at + 1 + dice.short(input.length - at));
}

function word(dice: Dice, words: readonly Uint8Array[]): Uint8Array {
  return words.length === 0 ? dice.bytes(4) : dice.pick(words);
}

function wide(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 0xff);
}

/** A line in which some byte lies, with its newline. */
function lineAround(input: Uint8Array, dice: Dice): readonly [start: number, end: number] {
  const at = dice.below(input.length + 1);
  const start = at === 0 ? 0 : input.lastIndexOf(newline, at - 1) + 1;
  const end = input.indexOf(newline, at) + 1;
  return [start, end === 0 ? input.length : end];
}

/** Once more, at another place. */
function moveLine(input: Uint8Array, dice: Dice, { pool }: Material): Uint8Array {
  const from = dice.oneIn(3) ? dice.pick(pool) : input;
  const line = from.subarray(...lineAround(from, dice));
  const [at] = lineAround(input, dice);
  return concatBytes(input.subarray(0, at), line, input.subarray(at));
}

function dropLine(input: Uint8Array, dice: Dice): Uint8Array {
  const [start, end] = lineAround(input, dice);
  return concatBytes(input.subarray(0, start), input.subarray(end));
}

const numbers = [
  '0',
  '-1',
  '00',
  '+1',
  '1.5',
  '255',
  '65536',
  '2147483648',
  '4294967296',
  '9007199254740993',
  '18446744073709551616',
  '1e9',
  '0x10',
  '99999999999999999999999999',
].map(text => new Uint8Array(Buffer.from(text)));

const isDigit = (byte: number): boolean => byte >= 48 && byte <= 57;

/** Another number in the place of one. */
function setNumber(input: Uint8Array, dice: Dice): Uint8Array {
  let start = dice.below(input.length + 1);
  while (start < input.length && !isDigit(input[start])) start++;
  let end = start;
  while (end < input.length && isDigit(input[end])) end++;
  return concatBytes(input.subarray(0, start), dice.pick(numbers), input.subarray(end));
}

// AssemblyScript, compiled by `npm run build:kernels`. All addresses are bytes of the shared memory; a run is `count`
// payloads of 509 bytes, `stride` bytes apart, the first at `at`.

const payload: usize = 509;
/** Bytes 0 to 255 of the memory are the kernels' own. */
const sealed: usize = 0;

/** Exclusive-ors the run with key stream, 509 bytes of it a cell. */
export function xorCells(at: usize, stride: usize, count: u32, stream: usize): void {
  for (; count > 0; count--) {
    let to = at;
    for (const end = at + 496; to < end; to += 16, stream += 16) {
      v128.store(to, v128.xor(v128.load(to), v128.load(stream)));
    }
    store<u64>(to, load<u64>(to) ^ load<u64>(stream));
    store<u32>(to, load<u32>(to, 8) ^ load<u32>(stream, 8), 8);
    store<u8>(to, load<u8>(to, 12) ^ load<u8>(stream, 12), 12);
    stream += 13;
    at += stride;
  }
}

/** Copies the run to `to`, close together, each with its digest field zero: what a running digest takes in. */
export function gatherForDigest(at: usize, stride: usize, count: u32, to: usize): void {
  for (; count > 0; count--) {
    memory.copy(to, at, payload);
    store<u32>(to, 0, 5);
    at += stride;
    to += payload;
  }
}

/** Cells from the first on whose recognised field is not zero. */
export function countForeign(at: usize, stride: usize, count: u32): u32 {
  let foreign: u32 = 0;
  for (; foreign < count && load<u16>(at, 1) > 0; foreign++) at += stride;
  return foreign;
}

/** Copies the run's payloads to `to`, `toStride` apart, each behind a head of `headBytes`, 3 to 8: `first`, then `rest`. */
export function moveCells(
  at: usize,
  stride: usize,
  count: u32,
  to: usize,
  toStride: usize,
  headBytes: usize,
  first: u32,
  rest: u32,
): void {
  for (; count > 0; count--) {
    store<u32>(to, first);
    store<u32>(to, rest, 4);
    memory.copy(to + headBytes, at, payload);
    at += stride;
    to += toStride;
  }
}

/**
 * State of a running SHA-1, 96 bytes: five words, four bytes of nothing, its length so far in bytes, and the 64 bytes of a
 * block that is not full yet.
 */
const lengthAt: usize = 24;
const blockAt: usize = 32;
/** Here a digest is finished without touching its state: 20 bytes of words, then two blocks. */
const finishWords: usize = 32;
const finishBlocks: usize = 64;

/** Takes `count` blocks of 64 bytes into the five words at `words`. Source: FIPS 180-4, 6.1.2, its rounds written out */
function digestBlocks(words: usize, at: usize, count: u32): void {
  let h0 = load<u32>(words);
  let h1 = load<u32>(words, 4);
  let h2 = load<u32>(words, 8);
  let h3 = load<u32>(words, 12);
  let h4 = load<u32>(words, 16);
  for (; count > 0; count--, at += 64) {
    let a = h0;
    let b = h1;
    let c = h2;
    let d = h3;
    let e = h4;
    let w0 = bswap<u32>(load<u32>(at, 0));
    let w1 = bswap<u32>(load<u32>(at, 4));
    let w2 = bswap<u32>(load<u32>(at, 8));
    let w3 = bswap<u32>(load<u32>(at, 12));
    let w4 = bswap<u32>(load<u32>(at, 16));
    let w5 = bswap<u32>(load<u32>(at, 20));
    let w6 = bswap<u32>(load<u32>(at, 24));
    let w7 = bswap<u32>(load<u32>(at, 28));
    let w8 = bswap<u32>(load<u32>(at, 32));
    let w9 = bswap<u32>(load<u32>(at, 36));
    let w10 = bswap<u32>(load<u32>(at, 40));
    let w11 = bswap<u32>(load<u32>(at, 44));
    let w12 = bswap<u32>(load<u32>(at, 48));
    let w13 = bswap<u32>(load<u32>(at, 52));
    let w14 = bswap<u32>(load<u32>(at, 56));
    let w15 = bswap<u32>(load<u32>(at, 60));
    e += rotl<u32>(a, 5) + (d ^ (b & (c ^ d))) + 0x5a827999 + w0;
    b = rotl<u32>(b, 30);
    d += rotl<u32>(e, 5) + (c ^ (a & (b ^ c))) + 0x5a827999 + w1;
    a = rotl<u32>(a, 30);
    c += rotl<u32>(d, 5) + (b ^ (e & (a ^ b))) + 0x5a827999 + w2;
    e = rotl<u32>(e, 30);
    b += rotl<u32>(c, 5) + (a ^ (d & (e ^ a))) + 0x5a827999 + w3;
    d = rotl<u32>(d, 30);
    a += rotl<u32>(b, 5) + (e ^ (c & (d ^ e))) + 0x5a827999 + w4;
    c = rotl<u32>(c, 30);
    e += rotl<u32>(a, 5) + (d ^ (b & (c ^ d))) + 0x5a827999 + w5;
    b = rotl<u32>(b, 30);
    d += rotl<u32>(e, 5) + (c ^ (a & (b ^ c))) + 0x5a827999 + w6;
    a = rotl<u32>(a, 30);
    c += rotl<u32>(d, 5) + (b ^ (e & (a ^ b))) + 0x5a827999 + w7;
    e = rotl<u32>(e, 30);
    b += rotl<u32>(c, 5) + (a ^ (d & (e ^ a))) + 0x5a827999 + w8;
    d = rotl<u32>(d, 30);
    a += rotl<u32>(b, 5) + (e ^ (c & (d ^ e))) + 0x5a827999 + w9;
    c = rotl<u32>(c, 30);
    e += rotl<u32>(a, 5) + (d ^ (b & (c ^ d))) + 0x5a827999 + w10;
    b = rotl<u32>(b, 30);
    d += rotl<u32>(e, 5) + (c ^ (a & (b ^ c))) + 0x5a827999 + w11;
    a = rotl<u32>(a, 30);
    c += rotl<u32>(d, 5) + (b ^ (e & (a ^ b))) + 0x5a827999 + w12;
    e = rotl<u32>(e, 30);
    b += rotl<u32>(c, 5) + (a ^ (d & (e ^ a))) + 0x5a827999 + w13;
    d = rotl<u32>(d, 30);
    a += rotl<u32>(b, 5) + (e ^ (c & (d ^ e))) + 0x5a827999 + w14;
    c = rotl<u32>(c, 30);
    e += rotl<u32>(a, 5) + (d ^ (b & (c ^ d))) + 0x5a827999 + w15;
    b = rotl<u32>(b, 30);
    w0 = rotl<u32>(w13 ^ w8 ^ w2 ^ w0, 1);
    d += rotl<u32>(e, 5) + (c ^ (a & (b ^ c))) + 0x5a827999 + w0;
    a = rotl<u32>(a, 30);
    w1 = rotl<u32>(w14 ^ w9 ^ w3 ^ w1, 1);
    c += rotl<u32>(d, 5) + (b ^ (e & (a ^ b))) + 0x5a827999 + w1;
    e = rotl<u32>(e, 30);
    w2 = rotl<u32>(w15 ^ w10 ^ w4 ^ w2, 1);
    b += rotl<u32>(c, 5) + (a ^ (d & (e ^ a))) + 0x5a827999 + w2;
    d = rotl<u32>(d, 30);
    w3 = rotl<u32>(w0 ^ w11 ^ w5 ^ w3, 1);
    a += rotl<u32>(b, 5) + (e ^ (c & (d ^ e))) + 0x5a827999 + w3;
    c = rotl<u32>(c, 30);
    w4 = rotl<u32>(w1 ^ w12 ^ w6 ^ w4, 1);
    e += rotl<u32>(a, 5) + (b ^ c ^ d) + 0x6ed9eba1 + w4;
    b = rotl<u32>(b, 30);
    w5 = rotl<u32>(w2 ^ w13 ^ w7 ^ w5, 1);
    d += rotl<u32>(e, 5) + (a ^ b ^ c) + 0x6ed9eba1 + w5;
    a = rotl<u32>(a, 30);
    w6 = rotl<u32>(w3 ^ w14 ^ w8 ^ w6, 1);
    c += rotl<u32>(d, 5) + (e ^ a ^ b) + 0x6ed9eba1 + w6;
    e = rotl<u32>(e, 30);
    w7 = rotl<u32>(w4 ^ w15 ^ w9 ^ w7, 1);
    b += rotl<u32>(c, 5) + (d ^ e ^ a) + 0x6ed9eba1 + w7;
    d = rotl<u32>(d, 30);
    w8 = rotl<u32>(w5 ^ w0 ^ w10 ^ w8, 1);
    a += rotl<u32>(b, 5) + (c ^ d ^ e) + 0x6ed9eba1 + w8;
    c = rotl<u32>(c, 30);
    w9 = rotl<u32>(w6 ^ w1 ^ w11 ^ w9, 1);
    e += rotl<u32>(a, 5) + (b ^ c ^ d) + 0x6ed9eba1 + w9;
    b = rotl<u32>(b, 30);
    w10 = rotl<u32>(w7 ^ w2 ^ w12 ^ w10, 1);
    d += rotl<u32>(e, 5) + (a ^ b ^ c) + 0x6ed9eba1 + w10;
    a = rotl<u32>(a, 30);
    w11 = rotl<u32>(w8 ^ w3 ^ w13 ^ w11, 1);
    c += rotl<u32>(d, 5) + (e ^ a ^ b) + 0x6ed9eba1 + w11;
    e = rotl<u32>(e, 30);
    w12 = rotl<u32>(w9 ^ w4 ^ w14 ^ w12, 1);
    b += rotl<u32>(c, 5) + (d ^ e ^ a) + 0x6ed9eba1 + w12;
    d = rotl<u32>(d, 30);
    w13 = rotl<u32>(w10 ^ w5 ^ w15 ^ w13, 1);
    a += rotl<u32>(b, 5) + (c ^ d ^ e) + 0x6ed9eba1 + w13;
    c = rotl<u32>(c, 30);
    w14 = rotl<u32>(w11 ^ w6 ^ w0 ^ w14, 1);
    e += rotl<u32>(a, 5) + (b ^ c ^ d) + 0x6ed9eba1 + w14;
    b = rotl<u32>(b, 30);
    w15 = rotl<u32>(w12 ^ w7 ^ w1 ^ w15, 1);
    d += rotl<u32>(e, 5) + (a ^ b ^ c) + 0x6ed9eba1 + w15;
    a = rotl<u32>(a, 30);
    w0 = rotl<u32>(w13 ^ w8 ^ w2 ^ w0, 1);
    c += rotl<u32>(d, 5) + (e ^ a ^ b) + 0x6ed9eba1 + w0;
    e = rotl<u32>(e, 30);
    w1 = rotl<u32>(w14 ^ w9 ^ w3 ^ w1, 1);
    b += rotl<u32>(c, 5) + (d ^ e ^ a) + 0x6ed9eba1 + w1;
    d = rotl<u32>(d, 30);
    w2 = rotl<u32>(w15 ^ w10 ^ w4 ^ w2, 1);
    a += rotl<u32>(b, 5) + (c ^ d ^ e) + 0x6ed9eba1 + w2;
    c = rotl<u32>(c, 30);
    w3 = rotl<u32>(w0 ^ w11 ^ w5 ^ w3, 1);
    e += rotl<u32>(a, 5) + (b ^ c ^ d) + 0x6ed9eba1 + w3;
    b = rotl<u32>(b, 30);
    w4 = rotl<u32>(w1 ^ w12 ^ w6 ^ w4, 1);
    d += rotl<u32>(e, 5) + (a ^ b ^ c) + 0x6ed9eba1 + w4;
    a = rotl<u32>(a, 30);
    w5 = rotl<u32>(w2 ^ w13 ^ w7 ^ w5, 1);
    c += rotl<u32>(d, 5) + (e ^ a ^ b) + 0x6ed9eba1 + w5;
    e = rotl<u32>(e, 30);
    w6 = rotl<u32>(w3 ^ w14 ^ w8 ^ w6, 1);
    b += rotl<u32>(c, 5) + (d ^ e ^ a) + 0x6ed9eba1 + w6;
    d = rotl<u32>(d, 30);
    w7 = rotl<u32>(w4 ^ w15 ^ w9 ^ w7, 1);
    a += rotl<u32>(b, 5) + (c ^ d ^ e) + 0x6ed9eba1 + w7;
    c = rotl<u32>(c, 30);
    w8 = rotl<u32>(w5 ^ w0 ^ w10 ^ w8, 1);
    e += rotl<u32>(a, 5) + ((b & c) | (d & (b | c))) + 0x8f1bbcdc + w8;
    b = rotl<u32>(b, 30);
    w9 = rotl<u32>(w6 ^ w1 ^ w11 ^ w9, 1);
    d += rotl<u32>(e, 5) + ((a & b) | (c & (a | b))) + 0x8f1bbcdc + w9;
    a = rotl<u32>(a, 30);
    w10 = rotl<u32>(w7 ^ w2 ^ w12 ^ w10, 1);
    c += rotl<u32>(d, 5) + ((e & a) | (b & (e | a))) + 0x8f1bbcdc + w10;
    e = rotl<u32>(e, 30);
    w11 = rotl<u32>(w8 ^ w3 ^ w13 ^ w11, 1);
    b += rotl<u32>(c, 5) + ((d & e) | (a & (d | e))) + 0x8f1bbcdc + w11;
    d = rotl<u32>(d, 30);
    w12 = rotl<u32>(w9 ^ w4 ^ w14 ^ w12, 1);
    a += rotl<u32>(b, 5) + ((c & d) | (e & (c | d))) + 0x8f1bbcdc + w12;
    c = rotl<u32>(c, 30);
    w13 = rotl<u32>(w10 ^ w5 ^ w15 ^ w13, 1);
    e += rotl<u32>(a, 5) + ((b & c) | (d & (b | c))) + 0x8f1bbcdc + w13;
    b = rotl<u32>(b, 30);
    w14 = rotl<u32>(w11 ^ w6 ^ w0 ^ w14, 1);
    d += rotl<u32>(e, 5) + ((a & b) | (c & (a | b))) + 0x8f1bbcdc + w14;
    a = rotl<u32>(a, 30);
    w15 = rotl<u32>(w12 ^ w7 ^ w1 ^ w15, 1);
    c += rotl<u32>(d, 5) + ((e & a) | (b & (e | a))) + 0x8f1bbcdc + w15;
    e = rotl<u32>(e, 30);
    w0 = rotl<u32>(w13 ^ w8 ^ w2 ^ w0, 1);
    b += rotl<u32>(c, 5) + ((d & e) | (a & (d | e))) + 0x8f1bbcdc + w0;
    d = rotl<u32>(d, 30);
    w1 = rotl<u32>(w14 ^ w9 ^ w3 ^ w1, 1);
    a += rotl<u32>(b, 5) + ((c & d) | (e & (c | d))) + 0x8f1bbcdc + w1;
    c = rotl<u32>(c, 30);
    w2 = rotl<u32>(w15 ^ w10 ^ w4 ^ w2, 1);
    e += rotl<u32>(a, 5) + ((b & c) | (d & (b | c))) + 0x8f1bbcdc + w2;
    b = rotl<u32>(b, 30);
    w3 = rotl<u32>(w0 ^ w11 ^ w5 ^ w3, 1);
    d += rotl<u32>(e, 5) + ((a & b) | (c & (a | b))) + 0x8f1bbcdc + w3;
    a = rotl<u32>(a, 30);
    w4 = rotl<u32>(w1 ^ w12 ^ w6 ^ w4, 1);
    c += rotl<u32>(d, 5) + ((e & a) | (b & (e | a))) + 0x8f1bbcdc + w4;
    e = rotl<u32>(e, 30);
    w5 = rotl<u32>(w2 ^ w13 ^ w7 ^ w5, 1);
    b += rotl<u32>(c, 5) + ((d & e) | (a & (d | e))) + 0x8f1bbcdc + w5;
    d = rotl<u32>(d, 30);
    w6 = rotl<u32>(w3 ^ w14 ^ w8 ^ w6, 1);
    a += rotl<u32>(b, 5) + ((c & d) | (e & (c | d))) + 0x8f1bbcdc + w6;
    c = rotl<u32>(c, 30);
    w7 = rotl<u32>(w4 ^ w15 ^ w9 ^ w7, 1);
    e += rotl<u32>(a, 5) + ((b & c) | (d & (b | c))) + 0x8f1bbcdc + w7;
    b = rotl<u32>(b, 30);
    w8 = rotl<u32>(w5 ^ w0 ^ w10 ^ w8, 1);
    d += rotl<u32>(e, 5) + ((a & b) | (c & (a | b))) + 0x8f1bbcdc + w8;
    a = rotl<u32>(a, 30);
    w9 = rotl<u32>(w6 ^ w1 ^ w11 ^ w9, 1);
    c += rotl<u32>(d, 5) + ((e & a) | (b & (e | a))) + 0x8f1bbcdc + w9;
    e = rotl<u32>(e, 30);
    w10 = rotl<u32>(w7 ^ w2 ^ w12 ^ w10, 1);
    b += rotl<u32>(c, 5) + ((d & e) | (a & (d | e))) + 0x8f1bbcdc + w10;
    d = rotl<u32>(d, 30);
    w11 = rotl<u32>(w8 ^ w3 ^ w13 ^ w11, 1);
    a += rotl<u32>(b, 5) + ((c & d) | (e & (c | d))) + 0x8f1bbcdc + w11;
    c = rotl<u32>(c, 30);
    w12 = rotl<u32>(w9 ^ w4 ^ w14 ^ w12, 1);
    e += rotl<u32>(a, 5) + (b ^ c ^ d) + 0xca62c1d6 + w12;
    b = rotl<u32>(b, 30);
    w13 = rotl<u32>(w10 ^ w5 ^ w15 ^ w13, 1);
    d += rotl<u32>(e, 5) + (a ^ b ^ c) + 0xca62c1d6 + w13;
    a = rotl<u32>(a, 30);
    w14 = rotl<u32>(w11 ^ w6 ^ w0 ^ w14, 1);
    c += rotl<u32>(d, 5) + (e ^ a ^ b) + 0xca62c1d6 + w14;
    e = rotl<u32>(e, 30);
    w15 = rotl<u32>(w12 ^ w7 ^ w1 ^ w15, 1);
    b += rotl<u32>(c, 5) + (d ^ e ^ a) + 0xca62c1d6 + w15;
    d = rotl<u32>(d, 30);
    w0 = rotl<u32>(w13 ^ w8 ^ w2 ^ w0, 1);
    a += rotl<u32>(b, 5) + (c ^ d ^ e) + 0xca62c1d6 + w0;
    c = rotl<u32>(c, 30);
    w1 = rotl<u32>(w14 ^ w9 ^ w3 ^ w1, 1);
    e += rotl<u32>(a, 5) + (b ^ c ^ d) + 0xca62c1d6 + w1;
    b = rotl<u32>(b, 30);
    w2 = rotl<u32>(w15 ^ w10 ^ w4 ^ w2, 1);
    d += rotl<u32>(e, 5) + (a ^ b ^ c) + 0xca62c1d6 + w2;
    a = rotl<u32>(a, 30);
    w3 = rotl<u32>(w0 ^ w11 ^ w5 ^ w3, 1);
    c += rotl<u32>(d, 5) + (e ^ a ^ b) + 0xca62c1d6 + w3;
    e = rotl<u32>(e, 30);
    w4 = rotl<u32>(w1 ^ w12 ^ w6 ^ w4, 1);
    b += rotl<u32>(c, 5) + (d ^ e ^ a) + 0xca62c1d6 + w4;
    d = rotl<u32>(d, 30);
    w5 = rotl<u32>(w2 ^ w13 ^ w7 ^ w5, 1);
    a += rotl<u32>(b, 5) + (c ^ d ^ e) + 0xca62c1d6 + w5;
    c = rotl<u32>(c, 30);
    w6 = rotl<u32>(w3 ^ w14 ^ w8 ^ w6, 1);
    e += rotl<u32>(a, 5) + (b ^ c ^ d) + 0xca62c1d6 + w6;
    b = rotl<u32>(b, 30);
    w7 = rotl<u32>(w4 ^ w15 ^ w9 ^ w7, 1);
    d += rotl<u32>(e, 5) + (a ^ b ^ c) + 0xca62c1d6 + w7;
    a = rotl<u32>(a, 30);
    w8 = rotl<u32>(w5 ^ w0 ^ w10 ^ w8, 1);
    c += rotl<u32>(d, 5) + (e ^ a ^ b) + 0xca62c1d6 + w8;
    e = rotl<u32>(e, 30);
    w9 = rotl<u32>(w6 ^ w1 ^ w11 ^ w9, 1);
    b += rotl<u32>(c, 5) + (d ^ e ^ a) + 0xca62c1d6 + w9;
    d = rotl<u32>(d, 30);
    w10 = rotl<u32>(w7 ^ w2 ^ w12 ^ w10, 1);
    a += rotl<u32>(b, 5) + (c ^ d ^ e) + 0xca62c1d6 + w10;
    c = rotl<u32>(c, 30);
    w11 = rotl<u32>(w8 ^ w3 ^ w13 ^ w11, 1);
    e += rotl<u32>(a, 5) + (b ^ c ^ d) + 0xca62c1d6 + w11;
    b = rotl<u32>(b, 30);
    w12 = rotl<u32>(w9 ^ w4 ^ w14 ^ w12, 1);
    d += rotl<u32>(e, 5) + (a ^ b ^ c) + 0xca62c1d6 + w12;
    a = rotl<u32>(a, 30);
    w13 = rotl<u32>(w10 ^ w5 ^ w15 ^ w13, 1);
    c += rotl<u32>(d, 5) + (e ^ a ^ b) + 0xca62c1d6 + w13;
    e = rotl<u32>(e, 30);
    w14 = rotl<u32>(w11 ^ w6 ^ w0 ^ w14, 1);
    b += rotl<u32>(c, 5) + (d ^ e ^ a) + 0xca62c1d6 + w14;
    d = rotl<u32>(d, 30);
    w15 = rotl<u32>(w12 ^ w7 ^ w1 ^ w15, 1);
    a += rotl<u32>(b, 5) + (c ^ d ^ e) + 0xca62c1d6 + w15;
    c = rotl<u32>(c, 30);
    h0 += a;
    h1 += b;
    h2 += c;
    h3 += d;
    h4 += e;
  }
  store<u32>(words, h0);
  store<u32>(words, h1, 4);
  store<u32>(words, h2, 8);
  store<u32>(words, h3, 12);
  store<u32>(words, h4, 16);
}

/** Takes bytes into the digest. */
export function digestBytes(state: usize, at: usize, length: usize): void {
  const before = load<u64>(state, lengthAt);
  store<u64>(state, before + length, lengthAt);
  const used = <usize>(before & 63);
  const first = min<usize>(64 - used, length);
  if (used > 0) {
    memory.copy(state + blockAt + used, at, first);
    if (used + first < 64) return;
    digestBlocks(state, state + blockAt, 1);
    at += first;
    length -= first;
  }
  const blocks = <u32>(length >> 6);
  digestBlocks(state, at, blocks);
  memory.copy(state + blockAt, at + ((<usize>blocks) << 6), length & 63);
}

/** Writes what the digest is now, 20 bytes, to `to`; the state stays. */
export function digestNow(state: usize, to: usize): void {
  const length = load<u64>(state, lengthAt);
  const used = <usize>(length & 63);
  const blocks: u32 = used < 56 ? 1 : 2;
  const end = finishBlocks + ((<usize>blocks) << 6);
  memory.copy(finishWords, state, 20);
  memory.copy(finishBlocks, state + blockAt, used);
  memory.fill(finishBlocks + used, 0, end - finishBlocks - used);
  store<u8>(finishBlocks + used, 0x80);
  store<u64>(end - 8, bswap<u64>(length << 3));
  digestBlocks(finishWords, finishBlocks, blocks);
  for (let i: usize = 0; i < 20; i += 4) store<u32>(to + i, bswap<u32>(load<u32>(finishWords + i)));
}

/** Takes each cell of a run into the digest, its digest field as zeros, then writes the first four bytes of the digest there. */
export function sealCells(state: usize, at: usize, stride: usize, count: u32): void {
  for (; count > 0; count--) {
    store<u32>(at, 0, 5);
    digestBytes(state, at, payload);
    digestNow(state, sealed);
    store<u32>(at, load<u32>(sealed), 5);
    at += stride;
  }
}

/** Copies the bodies of full DATA cells of one stream, from the first cell on, to `to`, close together. Returns how many. */
export function takeData(at: usize, stride: usize, count: u32, to: usize): u32 {
  const stream = load<u16>(at, 3);
  let taken: u32 = 0;
  for (; taken < count; taken++, at += stride, to += 498) {
    if (load<u8>(at) != 2 || load<u16>(at, 3) != stream || load<u16>(at, 9) != bswap<u16>(498)) break;
    memory.copy(to, at + 11, 498);
  }
  return taken;
}

/** Cells from the first on whose heads, of `headBytes`, are the same; a head begins that far before its payload. */
export function countSame(at: usize, stride: usize, count: u32, headBytes: usize): u32 {
  let same: u32 = 1;
  for (let head = at - headBytes + stride; same < count; same++, head += stride) {
    for (let i: usize = 0; i < headBytes; i++) {
      if (load<u8>(head + i) != load<u8>(at - headBytes + i)) return same;
    }
  }
  return same;
}

/** Makes `count` full DATA cells of a stream from the bytes at `from`, 509 bytes apart at `to`, digest fields zero. */
export function packData(from: usize, to: usize, count: u32, stream: u32): void {
  for (; count > 0; count--) {
    store<u64>(to, 0);
    store<u8>(to, 2);
    store<u16>(to, bswap<u16>(<u16>stream), 3);
    store<u8>(to, 0, 8);
    store<u16>(to, bswap<u16>(498), 9);
    memory.copy(to + 11, from, 498);
    from += 498;
    to += payload;
  }
}

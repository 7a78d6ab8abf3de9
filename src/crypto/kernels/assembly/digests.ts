// AssemblyScript, compiled by `npm run build:kernels`. All addresses are bytes of the shared memory. SHA-1: FIPS 180-4, 6.1.2.

/**
 * State of a running SHA-1, 96 bytes: five words, four bytes of nothing, its length so far in bytes, and the 64 bytes of a
 * block that is not full yet.
 */
const lengthAt: usize = 24;
const blockAt: usize = 32;

const payload: usize = 509;
/** Where a cell has its digest. */
const digestAt: usize = 5;
/** The first words of so many digests are found at a time, each in a lane of a vector. */
const lanes: usize = 4;

// Bytes 0 to 255 of the memory and 1,024 to 4,095 are the kernels' own.
/** Here a digest is finished without touching its state: 20 bytes of words, then two blocks. */
const finishWords: usize = 0;
const finishBlocks: usize = 32;
/** The 80 words of a block; behind them the same with the rounds' constants added. */
const words: usize = 1_024;
const added: usize = 320;
/** The 80 words of a block of each lane. */
const laneWords: usize = 1_664;
/** The five words of each lane's state. */
const laneStates: usize = 2_944;
/** Two blocks for each lane, padded. */
const laneBlocks: usize = 3_072;
/** A block that begins in one cell and ends in the next, and room for what a copy takes along. */
const joint: usize = 3_584;

const block: usize = 64;

// @ts-ignore
@inline
function copyBlock(to: usize, from: usize): void {
  v128.store(to, v128.load(from));
  v128.store(to, v128.load(from, 16), 16);
  v128.store(to, v128.load(from, 32), 32);
  v128.store(to, v128.load(from, 48), 48);
}

// @ts-ignore
@inline
function swapWords(x: v128): v128 {
  return i8x16.shuffle(x, x, 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);
}

// @ts-ignore
@inline
function rotate(x: v128, by: i32): v128 {
  return v128.or(i32x4.shl(x, by), i32x4.shr_u(x, 32 - by));
}

// @ts-ignore
@inline
function keepWords(to: usize, four: v128, constant: i32): v128 {
  v128.store(to, four);
  v128.store(to + added, i32x4.add(four, i32x4.splat(constant)));
  return four;
}

/** The words 16 to 31, four at a time: the last of them needs the first. */
// @ts-ignore
@inline
function mixNear(to: usize, before: v128, near: v128, constant: i32): v128 {
  const far = v128.load(to - 64);
  const none = i32x4.splat(0);
  const mixed = v128.xor(
    v128.xor(far, i32x4.shuffle(far, v128.load(to - 48), 2, 3, 4, 5)),
    v128.xor(before, i32x4.shuffle(near, none, 1, 2, 3, 4)),
  );
  const four = rotate(mixed, 1);
  return keepWords(to, v128.xor(four, rotate(i32x4.shuffle(four, none, 4, 4, 4, 0), 1)), constant);
}

/** The words from the 32nd on, four at a time, by the same rule applied twice. */
// @ts-ignore
@inline
function mixFar(to: usize, before: v128, near: v128, constant: i32): v128 {
  const far = v128.xor(v128.load(to - 128), v128.xor(v128.load(to - 112), v128.load(to - 64)));
  return keepWords(to, rotate(v128.xor(far, i32x4.shuffle(before, near, 2, 3, 4, 5)), 2), constant);
}

/** Takes `count` blocks of 64 bytes into the five words at `state`. Each round adds last what the round before it made. */
function digestBlocks(state: usize, from: usize, count: u32): void {
  let h0 = load<u32>(state);
  let h1 = load<u32>(state, 4);
  let h2 = load<u32>(state, 8);
  let h3 = load<u32>(state, 12);
  let h4 = load<u32>(state, 16);
  for (; count > 0; count--, from += block) {
    let a = h0;
    let b = h1;
    let c = h2;
    let d = h3;
    let e = h4;
    let at = words + added;
    let even = keepWords(words, swapWords(v128.load(from, 0)), 0x5a827999);
    let odd = keepWords(words + 16, swapWords(v128.load(from, 16)), 0x5a827999);
    even = keepWords(words + 32, swapWords(v128.load(from, 32)), 0x5a827999);
    odd = keepWords(words + 48, swapWords(v128.load(from, 48)), 0x5a827999);
    even = mixNear(words + 64, even, odd, 0x5a827999);
    for (const end = at + 80; at < end; at += 20) {
      e += load<u32>(at, 0) + (d ^ (b & (c ^ d)));
      b = rotl<u32>(b, 30);
      e += rotl<u32>(a, 5);
      d += load<u32>(at, 4) + (c ^ (a & (b ^ c)));
      a = rotl<u32>(a, 30);
      d += rotl<u32>(e, 5);
      c += load<u32>(at, 8) + (b ^ (e & (a ^ b)));
      e = rotl<u32>(e, 30);
      c += rotl<u32>(d, 5);
      b += load<u32>(at, 12) + (a ^ (d & (e ^ a)));
      d = rotl<u32>(d, 30);
      b += rotl<u32>(c, 5);
      a += load<u32>(at, 16) + (e ^ (c & (d ^ e)));
      c = rotl<u32>(c, 30);
      a += rotl<u32>(b, 5);
    }
    odd = mixNear(words + 80, odd, even, 0x6ed9eba1);
    even = mixNear(words + 96, even, odd, 0x6ed9eba1);
    odd = mixNear(words + 112, odd, even, 0x6ed9eba1);
    even = mixFar(words + 128, even, odd, 0x6ed9eba1);
    odd = mixFar(words + 144, odd, even, 0x6ed9eba1);
    for (const end = at + 80; at < end; at += 20) {
      e += load<u32>(at, 0) + (b ^ c ^ d);
      b = rotl<u32>(b, 30);
      e += rotl<u32>(a, 5);
      d += load<u32>(at, 4) + (a ^ b ^ c);
      a = rotl<u32>(a, 30);
      d += rotl<u32>(e, 5);
      c += load<u32>(at, 8) + (e ^ a ^ b);
      e = rotl<u32>(e, 30);
      c += rotl<u32>(d, 5);
      b += load<u32>(at, 12) + (d ^ e ^ a);
      d = rotl<u32>(d, 30);
      b += rotl<u32>(c, 5);
      a += load<u32>(at, 16) + (c ^ d ^ e);
      c = rotl<u32>(c, 30);
      a += rotl<u32>(b, 5);
    }
    even = mixFar(words + 160, even, odd, 0x8f1bbcdc);
    odd = mixFar(words + 176, odd, even, 0x8f1bbcdc);
    even = mixFar(words + 192, even, odd, 0x8f1bbcdc);
    odd = mixFar(words + 208, odd, even, 0x8f1bbcdc);
    even = mixFar(words + 224, even, odd, 0x8f1bbcdc);
    for (const end = at + 80; at < end; at += 20) {
      e += load<u32>(at, 0) + ((b & c) | (d & (b | c)));
      b = rotl<u32>(b, 30);
      e += rotl<u32>(a, 5);
      d += load<u32>(at, 4) + ((a & b) | (c & (a | b)));
      a = rotl<u32>(a, 30);
      d += rotl<u32>(e, 5);
      c += load<u32>(at, 8) + ((e & a) | (b & (e | a)));
      e = rotl<u32>(e, 30);
      c += rotl<u32>(d, 5);
      b += load<u32>(at, 12) + ((d & e) | (a & (d | e)));
      d = rotl<u32>(d, 30);
      b += rotl<u32>(c, 5);
      a += load<u32>(at, 16) + ((c & d) | (e & (c | d)));
      c = rotl<u32>(c, 30);
      a += rotl<u32>(b, 5);
    }
    odd = mixFar(words + 240, odd, even, 0xca62c1d6);
    even = mixFar(words + 256, even, odd, 0xca62c1d6);
    odd = mixFar(words + 272, odd, even, 0xca62c1d6);
    even = mixFar(words + 288, even, odd, 0xca62c1d6);
    odd = mixFar(words + 304, odd, even, 0xca62c1d6);
    for (const end = at + 80; at < end; at += 20) {
      e += load<u32>(at, 0) + (b ^ c ^ d);
      b = rotl<u32>(b, 30);
      e += rotl<u32>(a, 5);
      d += load<u32>(at, 4) + (a ^ b ^ c);
      a = rotl<u32>(a, 30);
      d += rotl<u32>(e, 5);
      c += load<u32>(at, 8) + (e ^ a ^ b);
      e = rotl<u32>(e, 30);
      c += rotl<u32>(d, 5);
      b += load<u32>(at, 12) + (d ^ e ^ a);
      d = rotl<u32>(d, 30);
      b += rotl<u32>(c, 5);
      a += load<u32>(at, 16) + (c ^ d ^ e);
      c = rotl<u32>(c, 30);
      a += rotl<u32>(b, 5);
    }
    h0 += a;
    h1 += b;
    h2 += c;
    h3 += d;
    h4 += e;
  }
  store<u32>(state, h0);
  store<u32>(state, h1, 4);
  store<u32>(state, h2, 8);
  store<u32>(state, h3, 12);
  store<u32>(state, h4, 16);
}

// @ts-ignore
@inline
function step(a: v128, f: v128, e: v128, word: v128, constant: i32): v128 {
  return i32x4.add(rotate(a, 5), i32x4.add(f, i32x4.add(e, i32x4.add(word, i32x4.splat(constant)))));
}

/** Four words of each lane's block, turned into four vectors of a word of each lane. */
function turnWords(from: usize, to: usize): void {
  const row0 = swapWords(v128.load(from));
  const row1 = swapWords(v128.load(from, 128));
  const row2 = swapWords(v128.load(from, 256));
  const row3 = swapWords(v128.load(from, 384));
  const low01 = i32x4.shuffle(row0, row1, 0, 4, 1, 5);
  const low23 = i32x4.shuffle(row2, row3, 0, 4, 1, 5);
  const high01 = i32x4.shuffle(row0, row1, 2, 6, 3, 7);
  const high23 = i32x4.shuffle(row2, row3, 2, 6, 3, 7);
  v128.store(to, i32x4.shuffle(low01, low23, 0, 1, 4, 5));
  v128.store(to, i32x4.shuffle(low01, low23, 2, 3, 6, 7), 16);
  v128.store(to, i32x4.shuffle(high01, high23, 0, 1, 4, 5), 32);
  v128.store(to, i32x4.shuffle(high01, high23, 2, 3, 6, 7), 48);
}

/** Takes a block of each lane, 128 bytes apart, into the lanes' states. */
function digestLanes(from: usize): void {
  for (let i: usize = 0; i < block; i += 16) turnWords(from + i, laneWords + (i << 2));
  for (let at = laneWords, end = laneWords + 1_024; at < end; at += 16) {
    const far = v128.xor(v128.load(at), v128.load(at, 32));
    v128.store(at, rotate(v128.xor(far, v128.xor(v128.load(at, 128), v128.load(at, 208))), 1), 256);
  }
  const h0 = v128.load(laneStates);
  const h1 = v128.load(laneStates, 16);
  const h2 = v128.load(laneStates, 32);
  const h3 = v128.load(laneStates, 48);
  const h4 = v128.load(laneStates, 64);
  let a = h0;
  let b = h1;
  let c = h2;
  let d = h3;
  let e = h4;
  let at = laneWords;
  for (const end = at + 320; at < end; at += 80) {
    e = step(a, v128.xor(d, v128.and(b, v128.xor(c, d))), e, v128.load(at, 0), 0x5a827999);
    b = rotate(b, 30);
    d = step(e, v128.xor(c, v128.and(a, v128.xor(b, c))), d, v128.load(at, 16), 0x5a827999);
    a = rotate(a, 30);
    c = step(d, v128.xor(b, v128.and(e, v128.xor(a, b))), c, v128.load(at, 32), 0x5a827999);
    e = rotate(e, 30);
    b = step(c, v128.xor(a, v128.and(d, v128.xor(e, a))), b, v128.load(at, 48), 0x5a827999);
    d = rotate(d, 30);
    a = step(b, v128.xor(e, v128.and(c, v128.xor(d, e))), a, v128.load(at, 64), 0x5a827999);
    c = rotate(c, 30);
  }
  for (const end = at + 320; at < end; at += 80) {
    e = step(a, v128.xor(b, v128.xor(c, d)), e, v128.load(at, 0), 0x6ed9eba1);
    b = rotate(b, 30);
    d = step(e, v128.xor(a, v128.xor(b, c)), d, v128.load(at, 16), 0x6ed9eba1);
    a = rotate(a, 30);
    c = step(d, v128.xor(e, v128.xor(a, b)), c, v128.load(at, 32), 0x6ed9eba1);
    e = rotate(e, 30);
    b = step(c, v128.xor(d, v128.xor(e, a)), b, v128.load(at, 48), 0x6ed9eba1);
    d = rotate(d, 30);
    a = step(b, v128.xor(c, v128.xor(d, e)), a, v128.load(at, 64), 0x6ed9eba1);
    c = rotate(c, 30);
  }
  for (const end = at + 320; at < end; at += 80) {
    e = step(a, v128.or(v128.and(b, c), v128.and(d, v128.or(b, c))), e, v128.load(at, 0), 0x8f1bbcdc);
    b = rotate(b, 30);
    d = step(e, v128.or(v128.and(a, b), v128.and(c, v128.or(a, b))), d, v128.load(at, 16), 0x8f1bbcdc);
    a = rotate(a, 30);
    c = step(d, v128.or(v128.and(e, a), v128.and(b, v128.or(e, a))), c, v128.load(at, 32), 0x8f1bbcdc);
    e = rotate(e, 30);
    b = step(c, v128.or(v128.and(d, e), v128.and(a, v128.or(d, e))), b, v128.load(at, 48), 0x8f1bbcdc);
    d = rotate(d, 30);
    a = step(b, v128.or(v128.and(c, d), v128.and(e, v128.or(c, d))), a, v128.load(at, 64), 0x8f1bbcdc);
    c = rotate(c, 30);
  }
  for (const end = at + 320; at < end; at += 80) {
    e = step(a, v128.xor(b, v128.xor(c, d)), e, v128.load(at, 0), 0xca62c1d6);
    b = rotate(b, 30);
    d = step(e, v128.xor(a, v128.xor(b, c)), d, v128.load(at, 16), 0xca62c1d6);
    a = rotate(a, 30);
    c = step(d, v128.xor(e, v128.xor(a, b)), c, v128.load(at, 32), 0xca62c1d6);
    e = rotate(e, 30);
    b = step(c, v128.xor(d, v128.xor(e, a)), b, v128.load(at, 48), 0xca62c1d6);
    d = rotate(d, 30);
    a = step(b, v128.xor(c, v128.xor(d, e)), a, v128.load(at, 64), 0xca62c1d6);
    c = rotate(c, 30);
  }
  v128.store(laneStates, i32x4.add(h0, a));
  v128.store(laneStates, i32x4.add(h1, b), 16);
  v128.store(laneStates, i32x4.add(h2, c), 32);
  v128.store(laneStates, i32x4.add(h3, d), 48);
  v128.store(laneStates, i32x4.add(h4, e), 64);
}

/** Takes bytes into the digest. */
export function digestBytes(state: usize, at: usize, length: usize): void {
  const before = load<u64>(state, lengthAt);
  store<u64>(state, before + length, lengthAt);
  const used = <usize>(before & 63);
  const first = min<usize>(block - used, length);
  if (used > 0) {
    memory.copy(state + blockAt + used, at, first);
    if (used + first < block) return;
    digestBlocks(state, state + blockAt, 1);
    at += first;
    length -= first;
  }
  const blocks = <u32>(length >> 6);
  digestBlocks(state, at, blocks);
  memory.copy(state + blockAt, at + ((<usize>blocks) << 6), length & 63);
}

/** Writes the end of a message of `length` bytes, all but its last block already taken in, to `to`, padded. Returns its blocks. */
function pad(to: usize, last: usize, length: u64): usize {
  const used = <usize>(length & 63);
  const end = i8x16.splat(<i8>used);
  let index = i8x16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  for (let i: usize = 0; i < 2 * block; i += 16) {
    const kept = v128.and(v128.load(last + (i & 63)), i8x16.lt_u(index, end));
    v128.store(to + i, v128.or(kept, v128.and(i8x16.eq(index, end), i8x16.splat(<i8>0x80))));
    index = i8x16.add(index, i8x16.splat(16));
  }
  const blocks: usize = used < 56 ? 1 : 2;
  store<u64>(to + (blocks << 6) - 8, bswap<u64>(length << 3));
  return blocks;
}

/** Writes what the digest is now, 20 bytes, to `to`; the state stays. */
export function digestNow(state: usize, to: usize): void {
  const blocks = pad(finishBlocks, state + blockAt, load<u64>(state, lengthAt));
  memory.copy(finishWords, state, 20);
  digestBlocks(finishWords, finishBlocks, <u32>blocks);
  for (let i: usize = 0; i < 20; i += 4) store<u32>(to + i, bswap<u32>(load<u32>(finishWords + i)));
}

/** Writes the digests that the lanes come to into the first `count` of four cells. `long`: a bit for each that has two blocks. */
function sealLanes(at: usize, stride: usize, count: usize, long: u32): void {
  digestLanes(laneBlocks);
  for (let lane: usize = 0; lane < count; lane++) {
    store<u32>(at + lane * stride, bswap<u32>(load<u32>(laneStates + (lane << 2))), digestAt);
  }
  if (long == 0) return;
  digestLanes(laneBlocks + block);
  for (let lane: usize = 0; lane < count; lane++) {
    if ((long >> <u32>lane) & 1) store<u32>(at + lane * stride, bswap<u32>(load<u32>(laneStates + (lane << 2))), digestAt);
  }
}

/** Takes each cell of a run into the digest, its digest field as zeros, then writes the first four bytes of the digest there. */
export function sealCells(state: usize, at: usize, stride: usize, count: u32): void {
  let length = load<u64>(state, lengthAt);
  copyBlock(joint, state + blockAt);
  let lane: usize = 0;
  let long: u32 = 0;
  for (; count > 0; count--, at += stride) {
    store<u32>(at, 0, digestAt);
    const used = <usize>(length & 63);
    copyBlock(joint + used, at);
    digestBlocks(state, joint, 1);
    const rest = at + block - used;
    const blocks = (payload + used - block) >> 6;
    digestBlocks(state, rest, <u32>blocks);
    copyBlock(joint, rest + (blocks << 6));
    length += payload;
    for (let i: usize = 0; i < 5; i++) store<u32>(laneStates + (i << 4) + (lane << 2), load<u32>(state + (i << 2)));
    long |= <u32>(pad(laneBlocks + (lane << 7), joint, length) - 1) << <u32>lane;
    if (++lane == lanes || count == 1) {
      sealLanes(at - (lane - 1) * stride, stride, lane, long);
      lane = 0;
      long = 0;
    }
  }
  store<u64>(state, length, lengthAt);
  copyBlock(state + blockAt, joint);
}

// AssemblyScript, compiled by `npm run build:kernels`. All addresses are bytes of the shared memory.

/** Constants of the 64 rounds. Source: FIPS 180-4, 4.2.2 */
const constants: usize = memory.data<u32>([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01,
  0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
  0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
  0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08,
  0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
  0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
]);
const block: usize = 64;
const roundsBytes: usize = 256;
const wordBytes: usize = 32;

/** Spreads the 16 words at `rounds` to what the 64 rounds add, constants included. Source: FIPS 180-4, 6.2.2, step 1 */
function schedule(rounds: usize): void {
  for (let at = rounds, end = rounds + roundsBytes - block; at < end; at += 4) {
    const near = load<u32>(at, 4);
    const far = load<u32>(at, 56);
    const nearSigma = rotr<u32>(near, 7) ^ rotr<u32>(near, 18) ^ (near >>> 3);
    const farSigma = rotr<u32>(far, 17) ^ rotr<u32>(far, 19) ^ (far >>> 10);
    store<u32>(at, load<u32>(at) + load<u32>(at, 36) + nearSigma + farSigma, 64);
  }
  for (let i: usize = 0; i < roundsBytes; i += 4) {
    store<u32>(rounds + i, load<u32>(rounds + i) + load<u32>(constants + i));
  }
}

// @ts-ignore
@inline
function mixed(e: u32, f: u32, g: u32): u32 {
  return (rotr<u32>(e, 6) ^ rotr<u32>(e, 11) ^ rotr<u32>(e, 25)) + (g ^ (e & (f ^ g)));
}

// @ts-ignore
@inline
function majority(a: u32, b: u32, c: u32): u32 {
  return (rotr<u32>(a, 2) ^ rotr<u32>(a, 13) ^ rotr<u32>(a, 22)) + ((a & b) | (c & (a | b)));
}

/** Takes a block, spread at `rounds`, into the eight words at `state`. Source: FIPS 180-4, 6.2.2, steps 2 to 4 */
function digestBlock(state: usize, rounds: usize): void {
  let a = load<u32>(state);
  let b = load<u32>(state, 4);
  let c = load<u32>(state, 8);
  let d = load<u32>(state, 12);
  let e = load<u32>(state, 16);
  let f = load<u32>(state, 20);
  let g = load<u32>(state, 24);
  let h = load<u32>(state, 28);
  for (const end = rounds + roundsBytes; rounds < end; rounds += 32) {
    h += mixed(e, f, g) + load<u32>(rounds);
    d += h;
    h += majority(a, b, c);
    g += mixed(d, e, f) + load<u32>(rounds, 4);
    c += g;
    g += majority(h, a, b);
    f += mixed(c, d, e) + load<u32>(rounds, 8);
    b += f;
    f += majority(g, h, a);
    e += mixed(b, c, d) + load<u32>(rounds, 12);
    a += e;
    e += majority(f, g, h);
    d += mixed(a, b, c) + load<u32>(rounds, 16);
    h += d;
    d += majority(e, f, g);
    c += mixed(h, a, b) + load<u32>(rounds, 20);
    g += c;
    c += majority(d, e, f);
    b += mixed(g, h, a) + load<u32>(rounds, 24);
    f += b;
    b += majority(c, d, e);
    a += mixed(f, g, h) + load<u32>(rounds, 28);
    e += a;
    a += majority(b, c, d);
  }
  store<u32>(state, load<u32>(state) + a);
  store<u32>(state, load<u32>(state, 4) + b, 4);
  store<u32>(state, load<u32>(state, 8) + c, 8);
  store<u32>(state, load<u32>(state, 12) + d, 12);
  store<u32>(state, load<u32>(state, 16) + e, 16);
  store<u32>(state, load<u32>(state, 20) + f, 20);
  store<u32>(state, load<u32>(state, 24) + g, 24);
  store<u32>(state, load<u32>(state, 28) + h, 28);
}

/** Source: FIPS 180-4, 5.3.3 */
function begin(state: usize): void {
  store<u32>(state, 0x6a09e667);
  store<u32>(state, 0xbb67ae85, 4);
  store<u32>(state, 0x3c6ef372, 8);
  store<u32>(state, 0xa54ff53a, 12);
  store<u32>(state, 0x510e527f, 16);
  store<u32>(state, 0x9b05688c, 20);
  store<u32>(state, 0x1f83d9ab, 24);
  store<u32>(state, 0x5be0cd19, 28);
}

/** Copies `bytes` bytes, a multiple of four, each word of them the other way round. */
function copySwapped(from: usize, to: usize, bytes: usize): void {
  for (let i: usize = 0; i < bytes; i += 4) store<u32>(to + i, bswap<u32>(load<u32>(from + i)));
}

/**
 * At `at` are the two blocks of a padded message whose word of 32 bytes, `wordAt` bytes from there, ends in the first. Puts the
 * SHA-256 of the message in the word's place, `steps` times. Behind the blocks it needs 544 bytes.
 */
export function walkChain(at: usize, wordAt: usize, steps: u32): void {
  const first = at + 2 * block;
  const second = first + roundsBytes;
  const state = second + roundsBytes;
  copySwapped(at + block, second, block);
  schedule(second);
  for (; steps > 0; steps--) {
    copySwapped(at, first, block);
    schedule(first);
    begin(state);
    digestBlock(state, first);
    digestBlock(state, second);
    copySwapped(state, at + wordAt, wordBytes);
  }
}

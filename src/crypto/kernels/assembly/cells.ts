// AssemblyScript, compiled by `npm run build:kernels`. All addresses are bytes of the shared memory; a run is `count`
// payloads of 509 bytes, `stride` bytes apart, the first at `at`.

const payload: usize = 509;

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

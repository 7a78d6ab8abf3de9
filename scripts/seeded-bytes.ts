import { createCipheriv, createHash } from 'node:crypto';

/** What a test file is made of: the same bytes for the same seed, on every machine, without storing any. */
export interface SeededFile {
  readonly seed: string;
  readonly bytes: number;
}

const chunkBytes = 65_536;
/** A prime near 1 MiB: no multiple of what any cell, record or buffer holds. */
const periodBytes = 1_048_573;

/**
 * The file's bytes, in chunks: the first of the AES-128-CTR key stream under a key derived from the seed, over and over. Made
 * once, they cost a benchmark's server nothing while it serves.
 */
export function* seededChunks({ seed, bytes }: SeededFile): Generator<Buffer> {
  const key = createHash('sha256').update(`naulon test file ${seed}`).digest().subarray(0, 16);
  const period = createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(periodBytes));
  for (let from = 0; from < bytes; ) {
    const at = from % periodBytes;
    const length = Math.min(chunkBytes, periodBytes - at, bytes - from);
    yield period.subarray(at, at + length);
    from += length;
  }
}

/** SHA-256 of the whole file, in hex; computed in slices, so that other work goes on meanwhile. */
export async function seededSha256(file: SeededFile): Promise<string> {
  const hash = createHash('sha256');
  let chunks = 0;
  for (const chunk of seededChunks(file)) {
    hash.update(chunk);
    if (++chunks % 64 === 0) await new Promise(setImmediate);
  }
  return hash.digest('hex');
}

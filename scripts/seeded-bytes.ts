import { createCipheriv, createHash } from 'node:crypto';

/** What a test file is made of: the same bytes for the same seed, on every machine, without storing any. */
export interface SeededFile {
  readonly seed: string;
  readonly bytes: number;
}

const chunkBytes = 65_536;

/** The file's bytes, in chunks: the AES-128-CTR key stream under a key derived from the seed. */
export function* seededChunks({ seed, bytes }: SeededFile): Generator<Buffer> {
  const key = createHash('sha256').update(`naulon test file ${seed}`).digest().subarray(0, 16);
  const stream = createCipheriv('aes-128-ctr', key, Buffer.alloc(16));
  const zeros = Buffer.alloc(chunkBytes);
  for (let left = bytes; left > 0; left -= chunkBytes)
    yield stream.update(left < chunkBytes ? zeros.subarray(0, left) : zeros);
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

import { toHex } from '../base/bytes.ts';
import { descriptorsMax } from '../base/limits.ts';
import { parseServerDescriptor, splitDescriptors } from './descriptor.ts';

interface Kept {
  readonly digest: string;
  readonly rsaId: string;
  readonly publishedMs: number;
  readonly text: string;
}

/** Verified server descriptors, found by digest or by the relay's identity (lower-case hex). */
export class DescriptorShelf {
  readonly #byDigest = new Map<string, Kept>();
  readonly #newest = new Map<string, Kept>();

  byDigest(digest: string): string | undefined {
    return this.#byDigest.get(digest)?.text;
  }

  byIdentity(rsaId: string): string | undefined {
    return this.#newest.get(rsaId)?.text;
  }

  *texts(): Iterable<string> {
    for (const kept of this.#newest.values()) yield kept.text;
  }

  /** Takes what verifies, and where `wanted` is given is wanted, by digest; says how many. */
  addAll(text: string, wanted: ReadonlySet<string> | undefined, wallMs: number): number {
    let added = 0;
    for (const piece of splitDescriptors(text, wanted?.size ?? descriptorsMax)) {
      const parsed = parseServerDescriptor(piece, wallMs);
      if (!parsed.ok || this.#byDigest.size >= descriptorsMax) continue;
      const digest = toHex(parsed.value.digest);
      if (wanted !== undefined && !wanted.has(digest)) continue;
      const rsaId = toHex(parsed.value.rsaId);
      const kept = { digest, rsaId, publishedMs: parsed.value.publishedMs, text: piece };
      this.#byDigest.set(digest, kept);
      const newest = this.#newest.get(rsaId);
      if (newest === undefined || newest.publishedMs <= kept.publishedMs) this.#newest.set(rsaId, kept);
      added += 1;
    }
    return added;
  }

  keepOnly(digests: ReadonlySet<string>): void {
    for (const digest of this.#byDigest.keys()) if (!digests.has(digest)) this.#byDigest.delete(digest);
    for (const [rsaId, kept] of this.#newest) if (!digests.has(kept.digest)) this.#newest.delete(rsaId);
  }
}

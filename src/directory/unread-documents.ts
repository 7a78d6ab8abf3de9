/**
 * Documents that were asked for in vain. Those wait behind all others, or the first few that nobody has, or that cannot be read,
 * would stand in every request and keep the rest out.
 */
export class UnreadDocuments {
  /** By digest: how often. */
  readonly #vain = new Map<string, number>();
  /** They came, and will never be other than they are. */
  readonly #unreadable = new Set<string>();

  /** The first to ask for, `max` at most. */
  first(missing: readonly string[], max: number): string[] {
    const times = (digest: string): number => this.#vain.get(digest) ?? 0;
    const left = missing.filter(digest => !this.#unreadable.has(digest));
    if (this.#vain.size > 0) left.sort((a, b) => times(a) - times(b));
    return left.slice(0, max);
  }

  /** An answer, or the lack of one, to the question for `wanted`. */
  answered(wanted: Iterable<string>, isHere: (digest: string) => boolean): void {
    for (const digest of wanted)
      if (isHere(digest)) this.#vain.delete(digest);
      else this.#vain.set(digest, (this.#vain.get(digest) ?? 0) + 1);
  }

  /** What has this digest cannot be read, whoever sends it. */
  unreadable(digest: string): void {
    this.#unreadable.add(digest);
  }

  keepOnly(listed: ReadonlySet<string>): void {
    for (const digest of this.#vain.keys()) if (!listed.has(digest)) this.#vain.delete(digest);
    for (const digest of this.#unreadable) if (!listed.has(digest)) this.#unreadable.delete(digest);
  }
}

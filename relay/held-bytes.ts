import { endReason } from '../src/cell/commands.ts';
import type { ExitStream } from '../src/stream/exit-stream.ts';

/**
 * What destinations have sent and circuits do not take yet: up to a read of the connection for each stream, however long its
 * client stands still. Where that is more than there is room for, the streams end that have waited longest.
 */
export class HeldBytes {
  /** True when so many bytes may be held now. */
  readonly #fits: (bytes: number) => boolean;
  /** Those that wait, what has taken nothing for the longest first. */
  readonly #held = new Map<ExitStream, number>();
  #bytes = 0;

  constructor(fits: (bytes: number) => boolean) {
    this.#fits = fits;
  }

  /** @param bytes that wait in the stream now; it has just taken, or been given, some. */
  holds(stream: ExitStream, bytes: number): void {
    this.#bytes += bytes - (this.#held.get(stream) ?? 0);
    this.#held.delete(stream);
    // One that ends says so from within the loop below.
    if (bytes === 0) return;
    this.#held.set(stream, bytes);
    while (!this.#fits(this.#bytes)) {
      const [longest] = this.#held.keys();
      if (longest === undefined) return;
      longest.end(endReason.resourceLimit);
    }
  }
}

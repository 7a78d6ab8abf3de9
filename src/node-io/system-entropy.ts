import { randomFillSync } from 'node:crypto';
import type { Entropy } from '../ports.ts';

const stockBytes = 8_192;

/** The random bytes of this machine. A stock serves small requests, since each call of OpenSSL costs about a microsecond. */
export class SystemEntropy implements Entropy {
  readonly #stock = new Uint8Array(stockBytes);
  #used = stockBytes;

  bytes(length: number): Uint8Array {
    if (length > stockBytes / 8) return randomFillSync(new Uint8Array(length));
    if (this.#used + length > stockBytes) {
      randomFillSync(this.#stock);
      this.#used = 0;
    }
    const end = this.#used + length;
    const taken = this.#stock.slice(this.#used, end);
    // What was handed out may become a key: no second copy stays behind.
    this.#stock.fill(0, this.#used, end);
    this.#used = end;
    return taken;
  }
}

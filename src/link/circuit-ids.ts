import { circuitsPerLinkMax } from '../base/limits.ts';
import type { Entropy } from '../ports.ts';
import type { LinkProtocol } from './link-faults.ts';

/** Which half of the ids a side may choose: those with the top bit set, those without, or any. */
export type IdHalf = 'high' | 'low' | 'any';

/**
 * The half that this side chooses from. Version 3 compares the RSA moduli of both identities: the larger takes the high
 * half; a side without an identity may choose any, and its peer chooses none. From version 4 on the initiator has the
 * high half. spec: tor-spec/circuit-management (choosing circuit IDs)
 */
export function ownHalf(
  protocol: LinkProtocol,
  initiator: boolean,
  ownModulus: Uint8Array | undefined,
  peerModulus: Uint8Array | undefined,
): IdHalf {
  if (protocol > 3) return initiator ? 'high' : 'low';
  if (ownModulus === undefined || peerModulus === undefined) return 'any';
  return Buffer.compare(ownModulus, peerModulus) > 0 ? 'high' : 'low';
}

/** The circuit ids in use on one link, of both sides. */
export class CircuitIds {
  readonly #used = new Set<number>();
  readonly #half: IdHalf;
  readonly #top: number;

  constructor(protocol: LinkProtocol, half: IdHalf) {
    this.#half = half;
    this.#top = protocol === 3 ? 0x8000 : 0x8000_0000;
  }

  get count(): number {
    return this.#used.size;
  }

  /** A fresh id of our half, or undefined when the link has as many circuits as it may. */
  allocate(entropy: Entropy): number | undefined {
    if (this.#used.size >= circuitsPerLinkMax) return undefined;
    for (let tries = 0; tries < 64; tries++) {
      const random = entropy.bytes(4);
      const low = (((random[0] << 24) | (random[1] << 16) | (random[2] << 8) | random[3]) >>> 0) % this.#top;
      const id = this.#half === 'low' ? low : low + this.#top;
      if (id !== 0 && !this.#used.has(id)) {
        this.#used.add(id);
        return id;
      }
    }
    return undefined;
  }

  /** Takes an id that the peer chose; false: it is in use, zero, of our half, or one too many. */
  accept(id: number): boolean {
    if (id === 0 || this.#used.has(id) || this.isOfOurHalf(id) || this.#used.size >= circuitsPerLinkMax)
      return false;
    this.#used.add(id);
    return true;
  }

  /** True for an id that is not the peer's to choose. */
  isOfOurHalf(id: number): boolean {
    const high = id >= this.#top;
    return this.#half === 'any' ? false : (this.#half === 'high') === high;
  }

  has(id: number): boolean {
    return this.#used.has(id);
  }

  release(id: number): void {
    this.#used.delete(id);
  }

  [Symbol.iterator](): Iterator<number> {
    return this.#used.values();
  }
}

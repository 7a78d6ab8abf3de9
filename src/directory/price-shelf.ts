import { toHex } from '../base/bytes.ts';
import type { Consensus } from './consensus.ts';
import type { ConsensusEntry } from './consensus-entry.ts';
import { parseServerDescriptor, splitDescriptors } from './descriptor.ts';
import { supportsProtocol } from './protocols.ts';
import type { RelayPrice } from './relay-info.ts';
import { paidProtocol } from './server-descriptor.ts';

interface Told {
  readonly price: RelayPrice;
  /** `valid-after` of the consensus that it was looked up for. */
  readonly forMs: number;
}

/** True for a relay that asks a price, whether or not its authorities say which. */
export function asksPrice(entry: ConsensusEntry): boolean {
  return supportsProtocol(entry.protocols, paidProtocol.name, paidProtocol.version);
}

/**
 * Prices as relays themselves state and sign them, for networks whose authorities do not pass price lines on: C tor
 * makes microdescriptors of the lines it knows. Looked up anew with each consensus.
 */
export class PriceShelf {
  /** By RSA identity in hex. */
  readonly #told = new Map<string, Told>();

  priceOf(entry: ConsensusEntry): RelayPrice | undefined {
    return this.#told.get(toHex(entry.rsaId))?.price;
  }

  /** Identities (hex) of the relays among `entries` that were not looked up for this consensus. */
  missing(consensus: Consensus, entries: readonly ConsensusEntry[]): string[] {
    return entries
      .map(entry => toHex(entry.rsaId))
      .filter(rsaId => this.#told.get(rsaId)?.forMs !== consensus.validAfterMs);
  }

  /** Takes the descriptors of `wanted` relays that verify; says how many. Forgets relays that are not listed any more. */
  take(text: string, wanted: ReadonlySet<string>, consensus: Consensus, wallMs: number): number {
    let taken = 0;
    for (const piece of splitDescriptors(text, wanted.size)) {
      const parsed = parseServerDescriptor(piece, wallMs);
      if (!parsed.ok) continue;
      const rsaId = toHex(parsed.value.rsaId);
      if (!wanted.has(rsaId)) continue;
      const price = parsed.value.price ?? { priceMsatPer2Pow20: 0n, paySchemes: [] };
      this.#told.set(rsaId, { price, forMs: consensus.validAfterMs });
      taken += 1;
    }
    const listed = new Set(consensus.relays.map(entry => toHex(entry.rsaId)));
    for (const rsaId of this.#told.keys()) if (!listed.has(rsaId)) this.#told.delete(rsaId);
    return taken;
  }
}

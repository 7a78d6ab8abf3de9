import type { SeededEntropy } from './seeded-entropy.ts';

/** What a disk writes whole or not at all. */
export const sectorBytes = 512;

/** Shares of the sectors in a cache that a power cut finds on the disk already; one of them each time. */
const keptShares = [0, 0.5, 0.9, 1];

interface CachedWrite {
  readonly at: number;
  readonly bytes: Uint8Array;
}

/**
 * A file on a disk with a cache. What is written is read back at once, and durable once it is synced. When the power goes,
 * each sector is as some of the writes since left it, whatever came first: writes are lost, reordered and torn.
 */
export class SimDisk {
  #cached = new Uint8Array(sectorBytes);
  #durable = new Uint8Array(sectorBytes);
  #unsynced: CachedWrite[] = [];

  get length(): number {
    return this.#cached.length;
  }

  read(at: number, length: number): Uint8Array {
    return this.#cached.slice(at, at + length);
  }

  write(at: number, bytes: Uint8Array): void {
    const end = at + bytes.length;
    if (end > this.#cached.length) {
      this.#cached = grown(this.#cached, end);
      this.#durable = grown(this.#durable, end);
    }
    this.#cached.set(bytes, at);
    this.#unsynced.push({ at, bytes: bytes.slice() });
  }

  sync(): void {
    for (const { at, bytes } of this.#unsynced) this.#durable.set(bytes, at);
    this.#unsynced = [];
  }

  losePower(entropy: SeededEntropy): void {
    const kept = entropy.pick(keptShares);
    const lost = new Set<number>();
    for (const { at, bytes } of this.#unsynced) {
      for (let sector = Math.floor(at / sectorBytes); sector * sectorBytes < at + bytes.length; sector++) {
        // What a sector lost it does not get later.
        if (lost.has(sector) || !entropy.chance(kept)) lost.add(sector);
        else {
          const from = Math.max(at, sector * sectorBytes);
          const to = Math.min(at + bytes.length, (sector + 1) * sectorBytes);
          this.#durable.set(bytes.subarray(from - at, to - at), from);
        }
      }
    }
    this.#cached.set(this.#durable);
    this.#unsynced = [];
  }
}

function grown(bytes: Uint8Array, least: number): Uint8Array<ArrayBuffer> {
  const sectors = Math.max(Math.ceil(least / sectorBytes), (2 * bytes.length) / sectorBytes);
  const larger = new Uint8Array(sectors * sectorBytes);
  larger.set(bytes);
  return larger;
}

import { expect, it } from 'vitest';
import { SeededEntropy } from './seeded-entropy.ts';
import { SimDisk, sectorBytes } from './sim-disk.ts';

it('keeps what was synced, and of the rest any sectors at all', () => {
  const seen = new Set<string>();
  for (let seed = 0; seed < 300; seed++) {
    const disk = new SimDisk();
    disk.write(0, new Uint8Array(3 * sectorBytes).fill(1));
    disk.sync();
    disk.write(0, new Uint8Array(3 * sectorBytes).fill(2));
    expect(disk.read(sectorBytes, 1)).toEqual(Uint8Array.of(2));
    disk.losePower(new SeededEntropy(seed));
    const sectors = [0, 1, 2].map(sector => disk.read(sector * sectorBytes, sectorBytes));
    expect(sectors.every(bytes => bytes.every(byte => byte === bytes[0]))).toBe(true);
    seen.add(sectors.map(([byte]) => byte).join(''));
  }
  expect(seen.size).toBe(8);
});

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { Failure } from './hunt.ts';
import type { PlantOrder } from './plant-child.ts';
import { type PlantedFault, plantedFaults } from './planted-faults.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const casesMax = 60_000;

async function huntFor(fault: PlantedFault): Promise<Failure | null> {
  const child = `${root}dist/scripts/fuzz/plant-child.js`;
  const order: PlantOrder = [fault, casesMax];
  const { stdout } = await promisify(execFile)(process.execPath, [child, JSON.stringify(order)], {
    maxBuffer: 64 * 1024 * 1024,
  });
  return JSON.parse(stdout) as Failure | null;
}

describe('planted faults', () => {
  it.each(plantedFaults)('$name: has its one place', ({ file, find }) => {
    for (const path of [file, `dist/${file.replace(/\.ts$/, '.js')}`])
      expect(readFileSync(`${root}${path}`, 'utf8').split(find).length - 1, path).toBe(1);
  });

  it.each(plantedFaults)('$name: is found', { timeout: 120_000 }, async fault => {
    const failure = await huntFor(fault);
    expect(failure?.kind).toBe(fault.foundAs);
    expect(failure?.inputs.length).toBeGreaterThan(0);
  });
});

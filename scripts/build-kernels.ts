import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const folder = new URL('../src/crypto/kernels/', import.meta.url);
const compiledFile = fileURLToPath(new URL('kernels-wasm.ts', folder));

const sources = ['assembly/cells.ts', 'assembly/digests.ts', 'assembly/chains.ts'];
/** Their constants; digests.ts has what is below, and above them up to the areas, for itself (cell-memory.ts). */
const constantsAt = 256;

/** What the kernels' source compiles to, in base64. */
export async function compileKernels(): Promise<string> {
  const out = mkdtempSync(join(tmpdir(), 'naulon-kernels-'));
  try {
    const outFile = join(out, 'kernels.wasm');
    const { error, stderr } = await asc.main([
      ...sources.map(source => fileURLToPath(new URL(source, folder))),
      '-O3',
      ...['--runtime', 'stub', '--enable', 'simd', '--enable', 'bulk-memory'],
      ...['--importMemory', '--initialMemory', '1', '--noAssert', '--memoryBase', String(constantsAt)],
      ...['--outFile', outFile],
    ]);
    if (error) throw new Error(`${error.message}\n${stderr.toString()}`);
    return readFileSync(outFile).toString('base64');
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

/** The file that holds them. */
export function kernelsText(base64: string): string {
  const lines = base64.match(/.{1,96}/g) ?? [];
  return [
    '/** Compiled from assembly/ by `npm run build:kernels`; a test compares them. */',
    'export const kernelsBase64 =',
    `${lines.map(line => `  '${line}'`).join(' +\n')};`,
    '',
  ].join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  writeFileSync(compiledFile, kernelsText(await compileKernels()));

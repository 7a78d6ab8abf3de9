import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const folder = new URL('../src/crypto/kernels/', import.meta.url);
const compiledFile = fileURLToPath(new URL('kernels-wasm.ts', folder));

/** What the kernels' source compiles to, in base64. */
export async function compileKernels(): Promise<string> {
  const out = mkdtempSync(join(tmpdir(), 'naulon-kernels-'));
  try {
    const outFile = join(out, 'cells.wasm');
    const source = fileURLToPath(new URL('assembly/cells.ts', folder));
    const { error, stderr } = await asc.main([
      source,
      '-O3',
      ...['--runtime', 'stub', '--enable', 'simd', '--enable', 'bulk-memory'],
      ...['--importMemory', '--initialMemory', '1', '--noAssert', '--outFile', outFile],
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
    '/** Compiled from assembly/cells.ts by `npm run build:kernels`; a test compares them. */',
    'export const kernelsBase64 =',
    `${lines.map(line => `  '${line}'`).join(' +\n')};`,
    '',
  ].join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  writeFileSync(compiledFile, kernelsText(await compileKernels()));

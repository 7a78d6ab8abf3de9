import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const isModule = /(?<!\.d|\.test|\.fixture)\.[jt]s$/;

/** Modules whose paths begin so, below the root of the sources or of what is compiled of them. */
function modulesAt(beginning: string): string[] {
  const folder = dirname(beginning);
  return readdirSync(join(root, folder))
    .map(name => `${folder}/${name}`)
    .filter(path => path.startsWith(beginning) && isModule.test(path));
}

/** What stands between quotes in some modules: the words that they look for. */
export function sourceWords(sources: readonly string[]): Uint8Array[] {
  const words = new Set<string>();
  for (const module of sources.flatMap(modulesAt)) {
    const text = readFileSync(join(root, module), 'utf8');
    for (const [, word] of text.matchAll(/['"`]([^'"`$\\\n]{1,40})['"`]/g))
      if (!word.startsWith('.')) words.add(word);
  }
  return [...words].map(word => new Uint8Array(Buffer.from(word)));
}

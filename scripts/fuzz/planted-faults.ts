import type { FailureKind } from './hunt.ts';

/** One line of a decoder made wrong, to see that a hunt finds it: a fuzzer that finds nothing proves nothing otherwise. */
export interface PlantedFault {
  /** What is wrong then. */
  readonly name: string;
  readonly target: string;
  /** Path of the source below the project's root. */
  readonly file: string;
  /** Is there exactly once, in the source and in what is compiled of it. */
  readonly find: string;
  readonly replace: string;
  readonly foundAs: FailureKind;
  /** Whether coverage leads to it. */
  readonly guided: boolean;
}

export const plantedFaults: readonly PlantedFault[] = [
  {
    name: 'a reader of microdescriptors that throws for a price that is none',
    target: 'microdescriptor',
    file: 'src/directory/microdescriptor.ts',
    find: 'if (priceLine !== undefined && price === undefined)',
    replace:
      "if (priceLine !== undefined && price === undefined) throw new RangeError('price');\nif (priceLine !== undefined && price === undefined)",
    foundAs: 'crash',
    guided: true,
  },
  {
    name: 'a relay circuit that has no handler for a command of later versions',
    target: 'relay-cells',
    file: 'src/circuit/command-check.ts',
    find: 'if (rule === undefined)',
    replace: "if (rule === undefined) return 'legal'; if (false)",
    foundAs: 'crash',
    guided: false,
  },
  {
    name: 'a line reader that looks at all that is left before each line',
    target: 'microdescriptor',
    file: 'src/directory/document-lines.ts',
    find: 'const line = lineAt(text, at);',
    replace: "text.slice(at).split('\\n'); const line = lineAt(text, at);",
    foundAs: 'slow',
    guided: false,
  },
  {
    name: 'a SOCKS server that remembers whoever came',
    target: 'socks',
    file: 'src/socks/socks5.ts',
    find: "return this.#state === 'data';",
    replace:
      "globalThis.seen ??= []; globalThis.seen.push(new Uint8Array(4_096)); return this.#state === 'data';",
    foundAs: 'memory',
    guided: false,
  },
];

const root = new URL('../../', import.meta.url);

/** As the loader of plants wants it. */
export function hookData({ file, find, replace }: PlantedFault): {
  url: string;
  find: string;
  replace: string;
} {
  return { url: new URL(file.replace(/\.ts$/, '.js'), root).href, find, replace };
}

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { documentBytes, documentText } from '../../src/directory/document-lines.ts';
import { vectorsFolder } from './captured.fixture.ts';

/** Documents of a C tor network that lived for a minute, with the keys that sign twins of them. */
const documentNames = [
  'server-descriptor',
  'extra-info',
  'microdescriptors',
  'consensus',
  'consensus-microdesc',
  'key-certificate',
  'vote',
] as const;
export type DocumentName = (typeof documentNames)[number];

export interface CapturedDocuments {
  readonly texts: Readonly<Record<DocumentName, string>>;
  /** When they were taken, milliseconds since 1970. */
  readonly wallMs: number;
  readonly keys: {
    /** Of the relay that the server descriptor is of: PEM and expanded secret, hex. */
    readonly relayRsa: string;
    readonly relaySigning: string;
    readonly authoritySigning: string;
  };
}

const folder = join(vectorsFolder, 'documents');

export function readDocuments(): CapturedDocuments {
  const text = (name: string) => documentText(readFileSync(join(folder, `${name}.txt`)));
  const texts = Object.fromEntries(
    documentNames.map(name => [name, text(name)]),
  ) as CapturedDocuments['texts'];
  const rest = JSON.parse(readFileSync(join(folder, 'keys.json'), 'utf8')) as Omit<
    CapturedDocuments,
    'texts'
  >;
  return { texts, ...rest };
}

export function writeDocuments({ texts, ...rest }: CapturedDocuments): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const name of documentNames) writeFileSync(join(folder, `${name}.txt`), documentBytes(texts[name]));
  writeFileSync(join(folder, 'keys.json'), `${JSON.stringify(rest, null, 1)}\n`);
}

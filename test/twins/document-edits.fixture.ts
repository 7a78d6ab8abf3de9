import { before, type Edit, keywordsOf, replaced, twice, without } from './document-text.fixture.ts';

/** What may be wrong with any document. */

export interface DocumentTwin {
  readonly name: string;
  readonly edit: Edit;
  /** The signatures are made anew over what was changed, unless they are what is wrong. */
  readonly signed: boolean;
}

export const twin = (name: string, edit: Edit): DocumentTwin => ({ name, edit, signed: true });
export const unsigned = (name: string, edit: Edit): DocumentTwin => ({ name, edit, signed: false });

const longLine = 'x'.repeat(4_000);
/** Seconds of a document's time, moved. */
export function timeShifted(keyword: string, days: number): Edit {
  return text => {
    const found = new RegExp(`^${keyword} (.*)$`, 'm').exec(text)?.[1] ?? '';
    const time = new Date(Date.parse(`${found.replace(' ', 'T')}Z`) + days * 86_400_000);
    return replaced(keyword, `${keyword} ${time.toISOString().slice(0, 19).replace('T', ' ')}`)(text);
  };
}

/** What any document may suffer. `keyword` is one of its lines that says little. */
export function anyDocument(keyword: string): readonly DocumentTwin[] {
  return [
    twin('as it should be', text => text),
    twin('with an unknown line', before(keyword, 'naulon-unknown 1 2 3')),
    twin(
      'with an unknown line that has an object',
      before(keyword, 'naulon-unknown\n-----BEGIN THING-----\nAAAA\n-----END THING-----'),
    ),
    twin('with an unknown line twice', before(keyword, 'naulon-unknown 1\nnaulon-unknown 2')),
    twin('with a keyword alone', before(keyword, 'naulon-unknown')),
    twin('with a keyword of odd characters', before(keyword, 'naulon_unknown! 1')),
    twin('with an empty line', before(keyword, '')),
    twin('with a line of spaces', before(keyword, '   ')),
    twin('with a space before a keyword', before(keyword, ' naulon-unknown 1')),
    twin('with a tab behind a keyword', before(keyword, 'naulon-unknown\t1')),
    twin('with opt before a keyword', before(keyword, 'opt naulon-unknown 1')),
    twin('with an annotation inside', before(keyword, '@naulon-unknown 1')),
    twin('with an annotation first', text => `@downloaded-at 2026-01-01 00:00:00\n${text}`),
    twin('with a NUL', before(keyword, 'naulon-unknown 1\u00002')),
    twin('with a CR at the end of a line', before(keyword, 'naulon-unknown 1\r')),
    twin('with CRLF throughout', text => text.replaceAll('\n', '\r\n')),
    twin('with a line of 4,000 characters', before(keyword, `naulon-unknown ${longLine}`)),
    twin('with bytes above 127', before(keyword, 'naulon-unknown \u00e9\u00ff')),
    twin('with an object that does not end', before(keyword, 'naulon-unknown\n-----BEGIN THING-----\nAAAA')),
    twin(
      'with an object that ends as another',
      before(keyword, 'naulon-unknown\n-----BEGIN THING-----\nAAAA\n-----END OTHER-----'),
    ),
    twin(
      'with an object of bad base64',
      before(keyword, 'naulon-unknown\n-----BEGIN THING-----\n!!!!\n-----END THING-----'),
    ),
    twin(
      'with an object that has no line',
      before(keyword, '-----BEGIN THING-----\nAAAA\n-----END THING-----'),
    ),
    unsigned('without its last newline', text => text.slice(0, -1)),
    unsigned('cut in half', text => text.slice(0, text.length / 2)),
    unsigned('of nothing', () => ''),
    unsigned('with a line behind its end', text => `${text}naulon-unknown 1\n`),
    unsigned('changed after it was signed', before(keyword, 'naulon-unknown 1')),
  ];
}

/** Each line of a document left out, and there twice; but not those that sign it. */
export const eachLine = (text: string, ...signatures: readonly string[]): readonly DocumentTwin[] =>
  keywordsOf(text)
    .filter(keyword => !signatures.includes(keyword))
    .flatMap(keyword => [
      twin(`without ${keyword}`, without(keyword)),
      twin(`with ${keyword} twice`, twice(keyword)),
    ]);
export const lines = (keyword: string, changed: readonly string[]): readonly DocumentTwin[] =>
  changed.map(line => twin(`with the line: ${line.slice(0, 60)}`, replaced(keyword, line)));

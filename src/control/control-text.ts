/**
 * Words, quoted strings and pairs of the control protocol. Its text is bytes: here each character stands for one byte,
 * so that nothing is lost on the way. spec: control-spec 2.1, 2.4
 */

/** Bytes as text of the protocol. */
export function wireText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}

/** Text of the protocol as bytes. */
export function wireBytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'));
}

/** A string of ours, such as a path, as text of the protocol: in UTF-8. */
export function toWire(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** Text of the protocol, read as UTF-8. */
export function fromWire(text: string): string {
  return Buffer.from(text, 'latin1').toString('utf8');
}

/** What stands between blanks. */
export function wordsOf(text: string): string[] {
  return text.split(/[ \t]+/).filter(word => word !== '');
}

/** One argument of a command: a word, a quoted string, or a pair. */
export interface Argument {
  /** Of `key=value`; undefined for a word alone. */
  readonly key: string | undefined;
  /** The word, or the pair's value, without its quotes. */
  readonly value: string;
  readonly quoted: boolean;
}

const quotedString = /"((?:[^"\\]|\\.)*)"(?= |\t|$)/sy;
const plainWord = /[^ \t"]+/y;
const pairKey = /([^ \t"=]+)=/y;
const blank = /[ \t]*/y;

/** The arguments in order; undefined: quotes that do not match. In a quoted string a backslash stands before any character. */
export function parseArguments(text: string): readonly Argument[] | undefined {
  const found: Argument[] = [];
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match !== null) at += match[0].length;
    return match;
  };
  for (take(blank); at < text.length; take(blank)) {
    const key = take(pairKey)?.[1];
    const quoted = text[at] === '"';
    const value = quoted ? take(quotedString)?.[1].replace(/\\(.)/gs, '$1') : (take(plainWord)?.[0] ?? '');
    if (value === undefined || (text[at] === '"' && !quoted)) return undefined;
    found.push({ key, value, quoted });
  }
  return found;
}

const escapes: Readonly<Record<string, string>> = {
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '"': '\\"',
  '\\': '\\\\',
};

/** A quoted string as C tor writes it: what cannot be printed becomes an octal escape. spec: control-spec 2.1.1 */
export function quoteWire(text: string): string {
  const body = text.replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is escaped
    /[\x00-\x1f"\\\x7f-\xff]/g,
    each => escapes[each] ?? `\\${each.charCodeAt(0).toString(8).padStart(3, '0')}`,
  );
  return `"${body}"`;
}

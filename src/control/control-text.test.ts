import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeReply, type ReplyLine } from './control-reply.ts';
import { fromWire, parseArguments, quoteWire, toWire, wireBytes, wireText } from './control-text.ts';

describe('arguments', () => {
  it.each([
    ['', []],
    ['  one\ttwo ', [{ value: 'one' }, { value: 'two' }]],
    ['"a \\"b\\" \\\\c"', [{ value: 'a "b" \\c', quoted: true }]],
    [
      'A=1 B="2 3" C= D',
      [
        { key: 'A', value: '1' },
        { key: 'B', value: '2 3', quoted: true },
        { key: 'C', value: '' },
        { value: 'D' },
      ],
    ],
    ['.=1.2.3.4=5', [{ key: '.', value: '1.2.3.4=5' }]],
    ['=x', [{ value: '=x' }]],
  ])('%j', (text, expected) => {
    const filled = expected.map(each => ({ key: undefined, quoted: false, ...each }));
    expect(parseArguments(text)).toEqual(filled);
  });

  it.each(['"', '"abc', 'a"b"', 'A="1', 'A="1"2', '"a\\"', '"a""b"', 'A=1"'])('%j is none', text =>
    expect(parseArguments(text)).toBeUndefined(),
  );

  it('give back what was quoted', () => {
    const byte = fc.integer({ min: 0, max: 255 });
    const text = fc.array(byte).map(bytes => wireText(Uint8Array.from(bytes)));
    fc.assert(
      fc.property(fc.array(text), texts => {
        const quoted = texts.map(each => `"${each.replace(/["\\]/g, '\\$&')}"`).join(' ');
        expect(parseArguments(quoted)?.map(({ value }) => value)).toEqual(texts);
      }),
    );
  });

  it('never throw', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('"', '\\', ' ', '=', 'a', '\0') }),
        text => void parseArguments(text),
      ),
    );
  });
});

describe('text of ours', () => {
  it('is quoted so that every byte can be told again', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), text => {
        const quoted = quoteWire(toWire(text));
        expect(quoted).toMatch(/^"[\x20-\x7e]*"$/);
        const names: Record<string, string> = { n: '\n', r: '\r', t: '\t' };
        const read = quoted
          .slice(1, -1)
          .replace(/\\([0-7]{3}|.)/g, (_, code: string) =>
            code.length === 3 ? String.fromCharCode(Number.parseInt(code, 8)) : (names[code] ?? code),
          );
        expect(fromWire(read)).toBe(fromWire(toWire(text)));
      }),
    );
  });
});

describe('replies', () => {
  it('have a hyphen before further lines, a plus before data, and a space at the end', () => {
    const text = wireText(
      encodeReply([
        { code: 250, text: 'a=1' },
        { code: 250, text: 'b=', data: 'one\n.two\n\nthree' },
        { code: 250, text: 'c=', data: '' },
        { code: 250, text: 'O\r\nK' },
      ]),
    );
    expect(text).toBe('250-a=1\r\n250+b=\r\none\r\n..two\r\n\r\nthree\r\n.\r\n250+c=\r\n.\r\n250 O K\r\n');
  });

  it('are read again by whoever keeps the rules', () => {
    const plain = fc.stringMatching(/^[ -~]{0,20}$/);
    const data = fc
      .array(fc.constantFrom('', '.', '..', 'a', '.a'))
      .map(lines => lines.map(each => `${each}\n`).join(''));
    const replyLine = fc.record({
      code: fc.constant(250),
      text: plain,
      data: fc.option(data, { nil: undefined }),
    });
    fc.assert(
      fc.property(fc.array(replyLine), plain, (lines, last) => {
        const text = wireText(encodeReply([...lines, { code: 250, text: last }] as unknown as [ReplyLine]));
        expect(readReply(text)).toEqual([...lines, { code: 250, text: last, data: undefined }]);
        expect(wireBytes(text).length).toBe(text.length);
      }),
    );
  });
});

/** A reader of replies that knows nothing of the writer. spec: control-spec 2.3 */
function readReply(text: string): ReplyLine[] {
  const found: ReplyLine[] = [];
  const lines = text.split('\r\n');
  while (lines.length > 1) {
    const [, code, separator, rest] = /^(\d{3})([-+ ])(.*)$/s.exec(lines.shift() ?? '') ?? [];
    let data: string | undefined;
    if (separator === '+') {
      data = '';
      for (let next = lines.shift(); next !== '.'; next = lines.shift())
        data += `${next?.replace(/^\./, '')}\n`;
    }
    found.push({ code: Number(code), text: rest, data });
    if (separator === ' ' && lines.length > 1) throw new Error('lines after the last');
  }
  return found;
}

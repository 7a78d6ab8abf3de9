import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { controlCommandBytesMax } from '../base/limits.ts';
import { CommandReader, type ControlCommand } from './command-reader.ts';
import { wireBytes } from './control-text.ts';

function commandsIn(...pieces: readonly Uint8Array[]): (ControlCommand | 'too-long')[] {
  const reader = new CommandReader();
  const found: (ControlCommand | 'too-long')[] = [];
  for (const piece of pieces) {
    reader.push(piece);
    for (let next = reader.next(); next !== undefined; next = reader.next()) {
      found.push(next);
      if (next === 'too-long') return found;
    }
  }
  return found;
}

const line = fc.stringMatching(/^[\x20-\x7e\xa0-\xff]{0,30}$/);

describe('commands', () => {
  it.each([
    ['getinfo version\r\n', [{ keyword: 'GETINFO', rest: 'version', data: '' }]],
    ['GETINFO   a  b \n', [{ keyword: 'GETINFO', rest: 'a  b', data: '' }]],
    ['\r\n', [{ keyword: '', rest: '', data: '' }]],
    [
      '+LoadConf\r\nA 1\r\n..\r\n\r\n.B\r\n.\r\nQUIT\r\n',
      [
        { keyword: '+LOADCONF', rest: '', data: 'A 1\n.\n\nB\n' },
        { keyword: 'QUIT', rest: '', data: '' },
      ],
    ],
    ['GETINFO half', []],
    ['+LOADCONF\r\nhalf\r\n', []],
  ])('%j', (text, commands) => expect(commandsIn(wireBytes(text))).toEqual(commands));

  it('are the same however their bytes are split, and with LF alone', () => {
    const command = fc.tuple(fc.constantFrom('GETINFO', '+LOADCONF', ''), line, fc.array(line));
    fc.assert(
      fc.property(fc.array(command, { maxLength: 4 }), fc.constantFrom('\r\n', '\n'), (commands, end) => {
        const text = commands
          .map(([keyword, rest, lines]) => {
            const data = lines.map(each => (each.startsWith('.') ? `.${each}` : each));
            const more = keyword.startsWith('+') ? [...data, '.'] : [];
            return [`${keyword} ${rest}`, ...more].map(each => each + end).join('');
          })
          .join('');
        const bytes = wireBytes(text);
        const whole = commandsIn(bytes);
        expect(whole.length).toBe(commands.length);
        expect(commandsIn(...[...bytes].map(byte => Uint8Array.of(byte)))).toEqual(whole);
        const datas = commands.map(([keyword, , lines]) =>
          keyword.startsWith('+') ? lines.map(each => `${each}\n`).join('') : '',
        );
        expect(whole.map(each => each !== 'too-long' && each.data)).toEqual(datas);
      }),
    );
  });

  it('end at the cap, whether a line does not end or its data does not', () => {
    const lines = wireBytes(`+LOADCONF\r\n${'a b\r\n'.repeat(controlCommandBytesMax / 4)}`);
    for (const bytes of [new Uint8Array(controlCommandBytesMax + 1).fill(65), lines])
      expect(commandsIn(bytes)).toEqual(['too-long']);
    const most = `${'A'.repeat(controlCommandBytesMax - 1)}\r\n`;
    expect(commandsIn(wireBytes(most))).toHaveLength(1);
  });
});

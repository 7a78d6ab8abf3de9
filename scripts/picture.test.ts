import { describe, expect, it } from 'vitest';
import { screenOf, svgOf } from './picture.ts';

const textOf = (written: string) =>
  screenOf(written).map(row => Array.from(row, cell => cell?.character ?? ' ').join(''));

describe('a picture of a terminal', () => {
  it('shows what is left on the screen', () => {
    expect(textOf('one\r\ntwo\r\n')).toEqual(['one', 'two']);
    expect(textOf('50 %\r100 %')).toEqual(['100 %']);
    const redrawn =
      '\x1b[33m*\x1b[39m work\r\n  step\r\n\x1b[2K\x1b[1A\x1b[2K\x1b[1A\x1b[2K\x1b[G\x1b[32mv\x1b[39m done\r\n';
    expect(textOf(redrawn)).toEqual(['v done']);
  });

  it('keeps colours, weight and place', () => {
    const svg = svgOf(screenOf('\x1b[1mpaid\x1b[22m  \x1b[32ma > b & c\x1b[39m'));
    expect(svg).toMatch(/<text [^>]*font-weight="bold"[^>]*>paid<\/text>/);
    expect(svg).toMatch(/<text [^>]*fill="#7fcf8a"[^>]*>a &gt; b &amp; c<\/text>/);
  });
});

/** Draws docs/demo.svg, the README's picture, from a demo that it runs on a terminal of its own. `npm run picture`. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const columns = 112;
const fontSize = 14;
const lineHeight = 19;
/** Advance of a character of the fonts that are asked for, in shares of their size. */
const advance = 0.602;
const margin = 18;
const foreground = '#d6dae0';
const background = '#15181d';
/** What the demo uses of the colours of ECMA-48, 8.3.117 (SGR). */
const colours: Readonly<Record<number, string>> = {
  31: '#f0717a',
  32: '#7fcf8a',
  33: '#e2c069',
  90: '#7b828d',
};

interface Style {
  readonly colour: string;
  readonly bold: boolean;
}
interface Cell extends Style {
  readonly character: string;
}

const plain: Style = { colour: foreground, bold: false };

/** A control sequence, its parameters and its command; or a character. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the escape that begins a sequence
const written = /\u001b\[([\d;?]*)([A-Za-z])|[^\u001b]/gsu;

/** The screen as it stands when all of `text` has been written to a terminal. */
export function screenOf(text: string): Cell[][] {
  const rows: Cell[][] = [[]];
  let [row, column, style] = [0, 0, plain];
  for (const [part, parameters, command] of text.matchAll(written)) {
    if (command === undefined) {
      if (part === '\n') row += 1;
      else if (part === '\r') column = 0;
      else {
        rows[row][column] = { character: part, ...style };
        column += 1;
      }
      while (rows.length <= row) rows.push([]);
      continue;
    }
    const [number = 0] = parameters.split(';').map(Number);
    if (command === 'A') row = Math.max(0, row - (number || 1));
    else if (command === 'G') column = Math.max(0, number - 1);
    else if (command === 'K') rows[row].length = number === 2 ? 0 : Math.min(rows[row].length, column);
    else if (command === 'm') style = styled(style, number);
  }
  while (rows.at(-1)?.length === 0) rows.pop();
  return rows;
}

function styled(style: Style, code: number): Style {
  if (code === 0) return plain;
  if (code === 1) return { ...style, bold: true };
  if (code === 22) return { ...style, bold: false };
  return { ...style, colour: colours[code] ?? foreground };
}

/** Cells of one style that stand side by side. */
function runsOf(
  cells: readonly Cell[],
): { readonly at: number; readonly text: string; readonly style: Style }[] {
  const runs: { at: number; text: string; style: Style }[] = [];
  cells.forEach((cell, at) => {
    const last = runs.at(-1);
    const goesOn =
      last !== undefined &&
      last.at + last.text.length === at &&
      last.style.colour === cell.colour &&
      last.style.bold === cell.bold;
    if (goesOn) last.text += cell.character;
    else runs.push({ at, text: cell.character, style: cell });
  });
  return runs.filter(({ text }) => text.trim() !== '');
}

/** Every run of text is given its width, so that columns stand whatever font is there. */
export function svgOf(screen: readonly Cell[][]): string {
  const step = fontSize * advance;
  const round = (pixels: number) => Math.round(pixels * 100) / 100;
  const texts = screen.flatMap((cells, row) =>
    runsOf(cells).map(({ at, text, style }) => {
      const x = round(margin + at * step);
      const y = margin + fontSize + row * lineHeight;
      const bold = style.bold ? ' font-weight="bold"' : '';
      const width = round(text.length * step);
      return `<text x="${x}" y="${y}" textLength="${width}" fill="${style.colour}"${bold}>${escaped(text)}</text>`;
    }),
  );
  const width = Math.ceil(2 * margin + columns * step);
  const height = 2 * margin + screen.length * lineHeight;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">`,
    '<title>A run of naulon demo in a terminal</title>',
    `<rect width="100%" height="100%" rx="8" fill="${background}"/>`,
    `<g font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="${fontSize}" xml:space="preserve">`,
    ...texts,
    '</g>',
    '</svg>',
    '',
  ].join('\n');
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** All that a demo writes to a terminal, on a machine where bitcoind has not been fetched yet. */
function recordedDemo(): string {
  const folder = mkdtempSync(join(tmpdir(), 'naulon-'));
  try {
    const typed = `stty cols ${columns} rows 60; ./naulon demo`;
    const env = { ...process.env, XDG_CACHE_HOME: folder };
    return execFileSync('script', ['-qec', typed, join(folder, 'typescript')], { env, encoding: 'utf8' });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  mkdirSync('docs', { recursive: true });
  writeFileSync('docs/demo.svg', svgOf(screenOf(`$ ./naulon demo\r\n${recordedDemo()}`)));
}

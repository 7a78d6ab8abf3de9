import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Resvg } from '@resvg/resvg-js';
import { parse, View } from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';

const fontName = 'DejaVu Sans';
/** The fonts come as a package: a bare machine has none, and a plot without words says nothing. */
const fontFolder = join(
  dirname(createRequire(import.meta.url).resolve('dejavu-fonts-ttf/package.json')),
  'ttf',
);

/** Writes `path`.svg, `path`.png (twice the size) and `path`.vl.json, the specification that a notebook can draw again. */
export async function writePlot(spec: TopLevelSpec, path: string): Promise<void> {
  const view = new View(parse(compile({ ...spec, config: { font: fontName, ...spec.config } }).spec), {
    renderer: 'none',
  });
  const svg = await view.toSVG();
  view.finalize();
  const picture = new Resvg(svg, {
    fitTo: { mode: 'zoom', value: 2 },
    font: {
      loadSystemFonts: false,
      fontFiles: ['DejaVuSans.ttf', 'DejaVuSans-Bold.ttf'].map(file => join(fontFolder, file)),
      defaultFontFamily: fontName,
    },
  });
  writeFileSync(`${path}.svg`, svg);
  writeFileSync(`${path}.png`, picture.render().asPng());
  writeFileSync(`${path}.vl.json`, `${JSON.stringify(spec, null, 2)}\n`);
}

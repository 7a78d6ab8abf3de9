import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { grouped } from '../scripts/terminal.ts';
import { relayBodyBytesMax, streamWindowCells } from '../src/base/limits.ts';
import type { PathShape } from './shaped-path.ts';
import { cellBytes } from './window-prediction.ts';

/** A path between a client and an exit far away, through however many relays. */
export interface WideArea {
  /** There and back again, over all of its links. */
  readonly roundTripMs: number;
  /** Of each link, each way. */
  readonly bytesPerSecond: number;
  /** What delays it: our own links, or the kernel's tc netem. */
  readonly by: 'links' | 'netem';
}

export function describe({ roundTripMs, bytesPerSecond }: WideArea): string {
  const cells = Math.round((bytesPerSecond * roundTripMs) / 1_000 / cellBytes);
  return `an emulated path of ${roundTripMs} ms there and back and ${bytesPerSecond / 1e6} MB/s: ${grouped(cells)} cells under way`;
}

/** How, and what of Tor itself bounds a transfer over such a path. */
export function howEmulated({ roundTripMs, by }: WideArea, netemRefusal: string | undefined): string {
  const stream = (streamWindowCells * relayBodyBytesMax) / roundTripMs / 1_000;
  const netem =
    netemRefusal === undefined ? 'works here too (--netem)' : `cannot be used here (${netemRefusal})`;
  const how =
    by === 'netem'
      ? 'The path is emulated by tc netem, in a network namespace of its own, for the ports of relays alone.'
      : `The path is emulated in our own links: whoever is dialled delays both directions, and keeps each to the rate. tc netem ${netem}.`;
  return `${how} Circuits of one hop have fixed windows, as C tor's: ${streamWindowCells} cells of a stream are ${stream.toFixed(2)} MB/s at most.`;
}

/** One of the links of a path of so many hops: all are of one length. */
export function linkOf(
  { roundTripMs, bytesPerSecond }: Pick<WideArea, 'roundTripMs' | 'bytesPerSecond'>,
  hops: 1 | 3,
): PathShape {
  return { delayMs: roundTripMs / 2 / hops, bytesPerSecond };
}

/**
 * Writes the program that a network's nodes are run by. Relays in `oneHop` are as far from whoever dials them as a whole path is
 * long, all others a third of that.
 */
export function writeShapedProgram(dir: string, wide: WideArea, oneHop: readonly string[]): string {
  const file = join(dir, 'shaped-node.mjs');
  const [far, near] = [linkOf(wide, 1), linkOf(wide, 3)].map(shape => JSON.stringify(shape));
  const node = JSON.stringify(new URL('./shaped-node.js', import.meta.url));
  writeFileSync(
    file,
    `import { runShapedNode } from ${node};
const shapeOf = nickname => (${JSON.stringify(oneHop)}.includes(nickname) ? ${far} : ${near});
await runShapedNode(process.argv.slice(2), shapeOf);
process.exit();
`,
  );
  return file;
}

/** `300ms`, `0.3s`; undefined: not a time. */
export function parseRoundTripMs(text: string): number | undefined {
  const found = /^(\d+(?:\.\d+)?)\s*(ms|s)$/.exec(text);
  return found === null ? undefined : Number(found[1]) * (found[2] === 's' ? 1_000 : 1);
}

const bytesIn: Readonly<Record<string, number>> = { k: 1e3, M: 1e6, G: 1e9 };

/** `5MB/s`, `800 kB/s`, in powers of ten; undefined: not a rate. */
export function parseBytesPerSecond(text: string): number | undefined {
  const found = /^(\d+(?:\.\d+)?)\s*([kMG])B\/s$/.exec(text);
  return found === null ? undefined : Number(found[1]) * bytesIn[found[2]];
}

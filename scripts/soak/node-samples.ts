import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What one look at a node found. Delays are in milliseconds beyond the time that was asked for. */
export interface NodeSample {
  /** Milliseconds since 1970. */
  readonly atMs: number;
  /** Of which life of the node. */
  readonly pid: number;
  readonly rssBytes: number;
  /** The longest delay of the event loop since the last look. */
  readonly delayMaxMs: number;
  /** Of all delays of this life, but for its start. */
  readonly delayP99Ms: number;
}

const fileName = 'watch.ndjson';

export function samplesFile(nodeDir: string): string {
  return join(nodeDir, fileName);
}

/** Writes the program that a network's nodes are run by: ./naulon, under watch. */
export function writeWatchedProgram(dir: string): string {
  const file = join(dir, 'watched-node.mjs');
  const code = JSON.stringify(new URL('./watched-node.js', import.meta.url));
  writeFileSync(
    file,
    `import { runWatchedNode } from ${code};\nawait runWatchedNode(process.argv.slice(2));\nprocess.exit();\n`,
  );
  return file;
}

/** What a machine that has other work does to any process: `idle` is a node that does nothing, under the same watch. */
export const idleName = 'idle';

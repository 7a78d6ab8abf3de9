import { fromHex, toHex } from '../base/bytes.ts';
import { fail, ok, type Result } from '../base/fault.ts';
import { parseCount } from './endpoint-text.ts';

/** Measured bandwidths in kB/s by the hex of a relay's RSA identity. */
export interface BandwidthFile {
  /** Unix seconds. */
  readonly madeSeconds: number;
  readonly bandwidths: ReadonlyMap<string, number>;
}

const linesMax = 100_000;

/**
 * A v3bw file as bandwidth scanners write it: a timestamp, headers up to `=====`, then a line per relay with
 * `node_id=$HEX` and `bw=KBps`. Lines that say neither are passed over. spec: bandwidth-file-spec
 */
export function parseBandwidthFile(text: string): Result<BandwidthFile> {
  const lines = text.split('\n', linesMax + 1);
  if (lines.length > linesMax) return fail('BANDWIDTH_FILE_TOO_LARGE');
  const madeSeconds = parseCount(lines[0]?.trim());
  if (madeSeconds === undefined) return fail('BANDWIDTH_FILE_BAD', 'no timestamp in its first line');
  const bandwidths = new Map<string, number>();
  for (const line of lines.slice(1)) {
    const words = line.split(/[ \t]+/);
    const wordOf = (name: string): string | undefined =>
      words.find(word => word.startsWith(`${name}=`))?.slice(name.length + 1);
    const id = fromHex((wordOf('node_id') ?? '').replace(/^\$/, ''));
    const bandwidth = parseCount(wordOf('bw'));
    // spec: bandwidth-file-spec (vote=0): listed for diagnosis alone
    if (id?.length !== 20 || bandwidth === undefined || wordOf('vote') === '0') continue;
    bandwidths.set(toHex(id), Math.min(bandwidth, 0xffffffff));
  }
  return ok({ madeSeconds, bandwidths });
}

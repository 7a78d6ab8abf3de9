import { toHex } from '../src/base/bytes.ts';
import { type BandwidthFile, parseBandwidthFile } from '../src/directory/bandwidth-file.ts';

/** A measurement older than this says nothing. spec: bandwidth-file-spec (3 days) */
const measurementMsMax = 3 * 86_400_000;

/** What bandwidth scanners found out; empty until a v3bw file was read. */
export class MeasuredBandwidths {
  #file: BandwidthFile | undefined;

  /** The code of the fault when it is no such file; what was known before stays. */
  read(text: string): string | undefined {
    const parsed = parseBandwidthFile(text);
    if (!parsed.ok) return parsed.fault.code;
    this.#file = parsed.value;
    return undefined;
  }

  /** kB/s, if it was measured lately. */
  of(rsaId: Uint8Array, wallMs: number): number | undefined {
    if (this.#file === undefined || wallMs - this.#file.madeSeconds * 1_000 > measurementMsMax)
      return undefined;
    return this.#file.bandwidths.get(toHex(rsaId));
  }
}

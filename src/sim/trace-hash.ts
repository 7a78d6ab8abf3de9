import { createHash, type Hash } from 'node:crypto';
import { toHex, utf8 } from '../base/bytes.ts';

/** One record as text, for a person who looks for the first difference of two runs. */
export type TraceLine = (line: string) => void;

const headBytes = 28;
const bufferBytes = 65_536;
const noBytes = new Uint8Array(0);

/**
 * Folds everything that crosses a port into one SHA-256: who, what, when, two numbers, and the bytes. Two runs of one
 * seed must end in the same value; a difference means that something outside the simulation leaked in.
 */
export class TraceHash {
  records = 0;
  #hash: Hash = createHash('sha256');
  #buffer = new Uint8Array(bufferBytes);
  #view = new DataView(this.#buffer.buffer);
  #length = 0;
  #kinds = new Map<string, number>();
  #line: TraceLine | undefined;

  constructor(line?: TraceLine) {
    this.#line = line;
  }

  /** @param who number of the node. @param what kind of the call or event; `a` and `b` are ids or amounts (safe integers). */
  record(timeUs: number, who: number, what: string, a = 0, b = 0, bytes: Uint8Array = noBytes): void {
    this.records += 1;
    const kind = this.#kindOf(what);
    if (this.#length + headBytes > bufferBytes) this.#flush();
    const at = this.#length;
    const view = this.#view;
    view.setFloat64(at, timeUs);
    view.setUint16(at + 8, who);
    view.setUint16(at + 10, kind);
    view.setUint32(at + 12, a);
    view.setFloat64(at + 16, b);
    view.setUint32(at + 24, bytes.length);
    this.#length += headBytes;
    this.#append(bytes);
    if (this.#line !== undefined) this.#line(this.#describe(timeUs, who, what, a, b, bytes));
  }

  /** Hex digest of all records so far; recording may go on. */
  digest(): string {
    this.#flush();
    return this.#hash.copy().digest('hex');
  }

  #append(bytes: Uint8Array): void {
    if (this.#length + bytes.length > bufferBytes) this.#flush();
    if (bytes.length > bufferBytes) {
      this.#hash.update(bytes);
      return;
    }
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Kinds travel as numbers; the first use of a kind puts its name into the hash. */
  #kindOf(what: string): number {
    const known = this.#kinds.get(what);
    if (known !== undefined) return known;
    const number = this.#kinds.size;
    this.#kinds.set(what, number);
    this.#append(utf8(what));
    return number;
  }

  #flush(): void {
    if (this.#length === 0) return;
    this.#hash.update(this.#buffer.subarray(0, this.#length));
    this.#length = 0;
  }

  #describe(timeUs: number, who: number, what: string, a: number, b: number, bytes: Uint8Array): string {
    const digest = createHash('sha256').update(bytes).digest().subarray(0, 4);
    const tail = bytes.length === 0 ? '' : ` ${bytes.length} B ${toHex(digest)}`;
    return `${timeUs} #${who} ${what} ${a} ${b}${tail}`;
  }
}

import { toHex } from '../../src/base/bytes.ts';

/** Bytes that one party got from another, by payment, receipt, request or reply. */
export interface Received {
  readonly by: string;
  readonly from: string;
  readonly bytes: Uint8Array;
}

/** Long enough to be no coincidence, short enough for any key, hash or coin number. */
const traceBytes = 16;

/** What parties got in a run, and what that tells them: it judges by the bytes alone, not by what a scheme says of itself. */
export class Knowledge {
  readonly #received: Received[] = [];

  add(received: Received): void {
    if (received.bytes.length > 0) this.#received.push(received);
  }

  /** True when something that `by` got, from anybody or from `from` alone, holds these bytes. */
  holds(by: string, bytes: Uint8Array, from?: string): boolean {
    return this.#of(by, from).some(each => holds(each, bytes));
  }

  /** The same for one of several. */
  holdsAny(by: string, keys: readonly Uint8Array[]): boolean {
    return keys.some(key => this.holds(by, key));
  }

  /** Whoever got the name of a document that all may read, reads it, and has it from where it has the name from. */
  read(name: Uint8Array, document: Uint8Array): void {
    for (const { by, from, bytes } of [...this.#received])
      if (holds(bytes, name)) this.add({ by, from, bytes: document });
  }

  /**
   * True when `one` and `other` would find, laying side by side what they got from `subject`, bytes that they got from nobody
   * else: they see that they dealt with the same one. `other` may be `one`, then of what it got from `with`.
   */
  links(one: Side, other: Side, bystanders: readonly Side[]): boolean {
    const common = new Set(bystanders.flatMap(side => [...this.#traces(side)]));
    const second = this.#traces(other);
    for (const trace of this.#traces(one)) if (second.has(trace) && !common.has(trace)) return true;
    return false;
  }

  #traces({ by, from }: Side): Set<string> {
    const traces = new Set<string>();
    for (const bytes of this.#of(by, from)) {
      const hex = toHex(bytes);
      for (let at = 0; at + 2 * traceBytes <= hex.length; at += 2)
        traces.add(hex.slice(at, at + 2 * traceBytes));
    }
    return traces;
  }

  #of(by: string, from?: string): Uint8Array[] {
    return this.#received
      .filter(each => each.by === by && (from === undefined || each.from === from))
      .map(each => each.bytes);
  }
}

/** True when `part` is somewhere in `bytes`. */
export function holds(bytes: Uint8Array, part: Uint8Array): boolean {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes(Buffer.from(part));
}

/** What `by` got from `from`. */
export interface Side {
  readonly by: string;
  readonly from: string;
}

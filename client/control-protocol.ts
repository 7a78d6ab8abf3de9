import { concatBytes, fromUtf8, utf8 } from '../src/base/bytes.ts';
import { controlLineBytesMax } from '../src/base/limits.ts';

/**
 * The client's control socket: one JSON object a line, both ways, for the commands of the same user.
 *
 *     > {"id": 1, "method": "circuits", "params": {}}
 *     < {"id": 1, "result": [...]}         or  {"id": 1, "error": {"code": "...", "detail": "..."}}
 *     < {"id": 1, "event": "built", ...}   any number of them before the result
 *
 * A circuit that was opened here is closed when the connection that asked for it goes.
 * Amounts (msat, sat) are decimal strings, since they outgrow what JSON numbers hold.
 */
export interface ControlRequest {
  readonly id: number;
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** One line; amounts become decimal strings. */
export function encodeControlLine(message: Readonly<Record<string, unknown>>): Uint8Array {
  const text = JSON.stringify(message, (_, value) => (typeof value === 'bigint' ? String(value) : value));
  return utf8(`${text}\n`);
}

/** Cuts bytes into lines. A line beyond the cap ends the connection. */
export class LineReader {
  #kept: Uint8Array = new Uint8Array(0);

  /** The lines that are whole now; undefined: one is too long. */
  push(bytes: Uint8Array): string[] | undefined {
    const all = concatBytes(this.#kept, bytes);
    const lines: string[] = [];
    let from = 0;
    for (let end = all.indexOf(10); end >= 0; end = all.indexOf(10, from)) {
      lines.push(fromUtf8(all.subarray(from, end)));
      from = end + 1;
    }
    this.#kept = all.slice(from);
    return this.#kept.length > controlLineBytesMax ? undefined : lines;
  }
}

/** The request that a line holds; undefined when it is none. */
export function parseControlRequest(line: string): ControlRequest | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { id, method, params = {} } = value as Record<string, unknown>;
  if (!Number.isSafeInteger(id) || typeof method !== 'string') return undefined;
  if (typeof params !== 'object' || params === null || Array.isArray(params)) return undefined;
  return { id: id as number, method, params: params as Record<string, unknown> };
}

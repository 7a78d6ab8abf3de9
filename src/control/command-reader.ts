import { controlCommandBytesMax } from '../base/limits.ts';
import { wireText } from './control-text.ts';

/** One command of a controller. Text holds one character for each byte sent. */
export interface ControlCommand {
  /** In capitals; with its plus where it has data. */
  readonly keyword: string;
  /** What follows the keyword, without the spaces between. */
  readonly rest: string;
  /** The lines of a `+COMMAND`, each ended by `\n`, dots at their starts undone; empty for a command of one line. */
  readonly data: string;
}

/**
 * Cuts what a controller sends into commands: a line, or for `+COMMAND` lines up to a single dot. Lines end with CRLF,
 * or with LF alone as C tor takes it too. spec: control-spec 2.2
 */
export class CommandReader {
  #text = '';
  /** Where the line begins that is looked at next. */
  #at = 0;
  /** No line ends before here. */
  #searched = 0;
  #open: { readonly head: string; readonly lines: string[]; bytes: number } | undefined;

  /** Bytes that are no whole command yet, or were not asked for. */
  get pendingBytes(): number {
    return this.#text.length - this.#at;
  }

  push(bytes: Uint8Array): void {
    this.#text = this.#text.slice(this.#at) + wireText(bytes);
    this.#searched -= this.#at;
    this.#at = 0;
  }

  /** The next command that is whole; undefined: more bytes are needed. */
  next(): ControlCommand | 'too-long' | undefined {
    for (let line = this.#nextLine(); line !== undefined; line = this.#nextLine()) {
      if (line === 'too-long') return line;
      const command = this.#onLine(line.text);
      if (command !== undefined) return command;
    }
    return undefined;
  }

  #onLine(line: string): ControlCommand | 'too-long' | undefined {
    const open = this.#open;
    if (open === undefined) {
      if (!line.startsWith('+')) return commandOf(line, '');
      this.#open = { head: line, lines: [], bytes: line.length };
      return undefined;
    }
    if (line === '.') {
      this.#open = undefined;
      return commandOf(open.head, open.lines.map(each => `${each}\n`).join(''));
    }
    open.lines.push(line.startsWith('.') ? line.slice(1) : line);
    open.bytes += line.length + 1;
    return open.bytes > controlCommandBytesMax ? 'too-long' : undefined;
  }

  #nextLine(): { readonly text: string } | 'too-long' | undefined {
    const end = this.#text.indexOf('\n', Math.max(this.#searched, this.#at));
    const length = (end < 0 ? this.#text.length : end) - this.#at;
    if (length > controlCommandBytesMax) return 'too-long';
    this.#searched = end < 0 ? this.#text.length : end + 1;
    if (end < 0) return undefined;
    const text = this.#text.slice(this.#at, end > this.#at && this.#text[end - 1] === '\r' ? end - 1 : end);
    this.#at = end + 1;
    return { text };
  }
}

function commandOf(line: string, data: string): ControlCommand {
  const [, keyword, rest] = /^([^ \t]*)[ \t]*(.*)$/s.exec(line) as RegExpExecArray;
  return { keyword: keyword.toUpperCase(), rest: rest.trimEnd(), data };
}

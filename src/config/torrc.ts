import { type Fault, fail, ok, type Result } from '../base/fault.ts';
import { nearestName } from './nearest.ts';
import { type OptionOf, type TorrcOption, torrcOptions } from './torrc-options.ts';
import {
  type PortLine,
  parseBytes,
  parseCount,
  parseFlag,
  parseInterval,
  parsePort,
} from './torrc-values.ts';

/** `detail` is one line for a person: file, line, option, what to write instead. */
export type ConfigFault = Fault<
  'CONFIG_BAD_LINE' | 'CONFIG_UNKNOWN_OPTION' | 'CONFIG_BAD_VALUE' | 'CONFIG_MISSING'
>;

export interface TorrcLine {
  readonly value: string;
  /** From 1. */
  readonly line: number;
}

/** A torrc whose lines were all checked, so that reading an option cannot fail. */
export class Torrc {
  readonly file: string;
  #lines: ReadonlyMap<TorrcOption, readonly TorrcLine[]>;

  constructor(file: string, lines: ReadonlyMap<TorrcOption, readonly TorrcLine[]>) {
    this.file = file;
    this.#lines = lines;
  }

  has(option: TorrcOption): boolean {
    return this.#lines.has(option);
  }

  text(option: OptionOf<'text'>): string | undefined {
    return this.#last(option);
  }

  flag(option: OptionOf<'flag'>): boolean | undefined {
    return this.#read(option, parseFlag);
  }

  /** Undefined for `auto` too. */
  autoflag(option: OptionOf<'autoflag'>): boolean | undefined {
    return this.#read(option, parseFlag);
  }

  count(option: OptionOf<'count'>): number | undefined {
    return this.#read(option, parseCount);
  }

  intervalMs(option: OptionOf<'interval'>): number | undefined {
    return this.#read(option, parseInterval);
  }

  bytes(option: OptionOf<'bytes'>): number | undefined {
    return this.#read(option, parseBytes);
  }

  ports(option: OptionOf<'port'>): readonly PortLine[] {
    return this.lines(option).flatMap(each => parsePort(each.value) ?? []);
  }

  lines(option: OptionOf<'lines' | 'port'>): readonly TorrcLine[] {
    return this.#lines.get(option) ?? [];
  }

  /** The lines of any option, as written; empty: it is not set. */
  values(option: TorrcOption): readonly string[] {
    return (this.#lines.get(option) ?? []).map(({ value }) => value);
  }

  /** Options that are set, in the order in which they were first. */
  get options(): readonly TorrcOption[] {
    return [...this.#lines.keys()];
  }

  /** Options that are set and have no effect. */
  unused(): readonly TorrcOption[] {
    return [...this.#lines.keys()].filter(option => torrcOptions[option] === 'unused');
  }

  /** A fault that points at the last line of an option, for programs that judge values further. */
  fault(option: TorrcOption, why: string, line = this.#lines.get(option)?.at(-1)?.line): ConfigFault {
    const at = line === undefined ? this.file : `${this.file}:${line}`;
    return { code: 'CONFIG_BAD_VALUE', detail: `${at}: ${option}: ${why}` };
  }

  /** The fault of an option that must be there. */
  missing(option: TorrcOption, why: string): ConfigFault {
    return { code: 'CONFIG_MISSING', detail: `${this.file}: ${option} is missing: ${why}` };
  }

  #last(option: TorrcOption): string | undefined {
    return this.#lines.get(option)?.at(-1)?.value;
  }

  #read<T>(option: TorrcOption, parse: (value: string) => T | undefined): T | undefined {
    const value = this.#last(option);
    return value === undefined ? undefined : parse(value);
  }
}

/** The option of that name, whatever its case; undefined: there is none. */
export function torrcOption(name: string): TorrcOption | undefined {
  return optionNames.get(name.toLowerCase());
}

const optionNames = new Map(Object.keys(torrcOptions).map(name => [name.toLowerCase(), name as TorrcOption]));

/**
 * Reads a torrc in C tor's grammar: `Option value # comment`, a backslash at the end continues the line, quotes around a
 * value, names in any case. The first fault is the answer.
 */
export function parseTorrc(text: string, file: string): Result<Torrc, ConfigFault> {
  const lines = new Map<TorrcOption, TorrcLine[]>();
  for (const { content, line } of logicalLines(text)) {
    const match = /^(\S+)(?:\s+(.*))?$/.exec(content);
    if (match === null) continue;
    const option = torrcOption(match[1]);
    if (option === undefined) return fail('CONFIG_UNKNOWN_OPTION', unknownOption(file, line, match[1]));
    const value = unquote(match[2] ?? '');
    if (value === undefined) {
      return fail('CONFIG_BAD_LINE', `${file}:${line}: ${option}: the quotes do not match`);
    }
    const wanted = checkValue(option, value);
    if (wanted !== undefined) {
      return fail('CONFIG_BAD_VALUE', `${file}:${line}: ${option}: ${wanted}, not "${value}"`);
    }
    const kind = torrcOptions[option];
    const earlier = kind === 'lines' || kind === 'port' ? (lines.get(option) ?? []) : [];
    lines.set(option, [...earlier, { value, line }]);
  }
  return ok(new Torrc(file, lines));
}

function unknownOption(file: string, line: number, name: string): string {
  const nearest = nearestName(name, optionNames.values());
  const hint = nearest === undefined ? 'payment options belong in pay.yaml' : `did you mean ${nearest}?`;
  return `${file}:${line}: unknown option ${name}; ${hint}`;
}

/** What the value should have been; undefined when it is good. */
function checkValue(option: TorrcOption, value: string): string | undefined {
  switch (torrcOptions[option]) {
    case 'flag':
      return parseFlag(value) === undefined ? 'must be 0 or 1' : undefined;
    case 'autoflag':
      return value === 'auto' || parseFlag(value) !== undefined ? undefined : 'must be 0, 1 or auto';
    case 'count':
      return parseCount(value) === undefined ? 'must be a whole number' : undefined;
    case 'interval':
      return parseInterval(value) === undefined ? 'must be a time such as "30 seconds"' : undefined;
    case 'bytes':
      return parseBytes(value) === undefined ? 'must be an amount such as "10 MBytes"' : undefined;
    case 'port':
      return parsePort(value) === undefined ? 'must be [address:]port, with a port or "auto"' : undefined;
    case 'text':
    case 'lines':
      return value === '' ? 'must have a value' : undefined;
    case 'unused':
      return undefined;
  }
}

function* logicalLines(text: string): Generator<{ content: string; line: number }> {
  let pending = '';
  let start = 1;
  for (const [index, raw] of text.split('\n').entries()) {
    if (pending === '') start = index + 1;
    const line = raw.trimEnd();
    // A comment inside a continued value ends at its own line and the value goes on, as C tor has it.
    if (pending !== '' && line.trimStart().startsWith('#')) continue;
    if (line.endsWith('\\') && !line.trimStart().startsWith('#')) {
      pending += `${line.slice(0, -1)} `;
      continue;
    }
    const content = stripComment(pending + line).trim();
    pending = '';
    if (content !== '') yield { content, line: start };
  }
  const rest = stripComment(pending).trim();
  if (rest !== '') yield { content: rest, line: start };
}

/** A # starts a comment unless it stands within quotes. */
function stripComment(line: string): string {
  let quoted = false;
  for (let i = 0; i < line.length; i++) {
    if (line[i] === '"' && line[i - 1] !== '\\') quoted = !quoted;
    if (line[i] === '#' && !quoted) return line.slice(0, i);
  }
  return line;
}

function unquote(value: string): string | undefined {
  if (!value.startsWith('"')) return value;
  const match = /^"((?:[^"\\]|\\.)*)"$/.exec(value);
  return match === null ? undefined : match[1].replace(/\\(.)/g, '$1');
}

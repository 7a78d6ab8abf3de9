import pc from 'picocolors';

export interface TerminalOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
}

/** Where a command writes: data to standard output, progress to standard error, nothing drawn when piped. */
export interface Terminal {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  /** Whether standard error is a screen that lines can be redrawn on. */
  readonly live: boolean;
  readonly width: number;
  /** A line of the answer, for people; nothing with --json. */
  print(line: string): void;
  /**
   * The answer for programs: one object, one line; nothing without --json. @param aside on standard error, where a body
   * has standard output.
   */
  object(value: unknown, aside?: boolean): void;
  /** A line on what is going on; nothing with -q. */
  say(line: string): void;
  /** A line that only -v shows. */
  detail(line: string): void;
  /** Redraws the last line of the screen; an empty text clears it. Nothing unless `live`. */
  redraw(line: string): void;
}

/** Colours, unless NO_COLOR or a pipe says otherwise; picocolors decides for standard output. */
export const colour = pc.createColors(
  process.env.NO_COLOR === undefined &&
    (process.stdout.isTTY === true || process.env.FORCE_COLOR !== undefined),
);

export function openTerminal(options: TerminalOptions): Terminal {
  const { json = false, quiet = false, verbose = false } = options;
  const live = process.stderr.isTTY === true && !quiet;
  let drawn = false;
  const clear = () => {
    if (drawn) process.stderr.write('\r\x1b[2K');
    drawn = false;
  };
  return {
    json,
    quiet,
    verbose,
    live,
    width: process.stderr.columns ?? 100,
    print: line => {
      clear();
      if (!json) process.stdout.write(`${line}\n`);
    },
    object: (value, aside = false) => {
      clear();
      if (json) (aside ? process.stderr : process.stdout).write(`${toJson(value)}\n`);
    },
    say: line => {
      clear();
      if (!quiet) process.stderr.write(`${line}\n`);
    },
    detail: line => {
      if (!verbose) return;
      clear();
      process.stderr.write(`${colour.dim(line)}\n`);
    },
    redraw: line => {
      if (!live) return;
      clear();
      if (line === '') return;
      process.stderr.write(line.slice(0, (process.stderr.columns ?? 100) - 1));
      drawn = true;
    },
  };
}

/** JSON of values that may hold bigint amounts, which are written as decimal strings. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_, field) => (typeof field === 'bigint' ? field.toString() : field));
}

/** Rows below their headings, in columns that are as wide as they must be; numbers to the right. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = headings.map((heading, at) => Math.max(heading.length, ...rows.map(row => row[at].length)));
  const toRight = headings.map(
    (_, at) => rows.length > 0 && rows.every(row => /^[-+]?[\d,.]*$/.test(row[at])),
  );
  const lineOf = (cells: readonly string[]) =>
    cells
      .map((cell, at) => (toRight[at] ? cell.padStart(widths[at]) : cell.padEnd(widths[at])))
      .join('  ')
      .trimEnd();
  return [colour.bold(lineOf(headings)), ...rows.map(lineOf)];
}

/** 1234567n or 1234567 as 1,234,567. */
export function grouped(value: number | bigint): string {
  return value.toString().replace(/\B(?=(\d{3})+(?!\d))/g, ',');
}

/** 1 channel, 2 channels. */
export function counted(count: number, noun: string): string {
  return `${grouped(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** Bytes in decimal megabytes, with one place. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

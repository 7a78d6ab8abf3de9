/** Where a command writes: the answer on standard output, progress on standard error. */
export interface CommandOutput {
  readonly json: boolean;
  /** Standard error is a screen, and progress is wanted. */
  readonly live: boolean;
  /** A line of the answer, for people; nothing with --json. */
  print(line: string): void;
  /** The answer for programs; nothing without --json. @param aside on standard error: a body has standard output. */
  object(value: unknown, aside?: boolean): void;
  /** A line of progress. */
  say(line: string): void;
  /** Redraws the last line of the screen. */
  redraw(line: string): void;
}

/** 1234567 as 1,234,567. */
export function grouped(value: number | bigint | string): string {
  return String(value).replace(/\B(?=(\d{3})+(?!\d))/g, ',');
}

/** msat as a decimal string to sat, with the rest behind a point. */
export function satText(msat: bigint | string | number): string {
  const value = BigInt(msat);
  const rest = value % 1_000n;
  return rest === 0n
    ? grouped(value / 1_000n)
    : `${grouped(value / 1_000n)}.${String(rest).padStart(3, '0')}`;
}

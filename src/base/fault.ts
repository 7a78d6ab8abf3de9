/**
 * What went wrong, as a value. Decoders and state machines return faults; they never throw for what a peer sent.
 * `code` names the fault and is listed in ERRORS.md; further fields say the details that are safe to log.
 */
export interface Fault<Code extends string = string> {
  readonly code: Code;
  readonly detail?: string;
}

/** Either a value or the fault that stood in its way. */
export type Result<T, F extends Fault = Fault> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly fault: F };

/** The result of what went well. */
export function ok<T>(value: T): { readonly ok: true; readonly value: T } {
  return { ok: true, value };
}

/** The result of what went wrong. `detail` is safe to log. */
export function fail<Code extends string>(
  code: Code,
  detail?: string,
): { readonly ok: false; readonly fault: Fault<Code> } {
  return { ok: false, fault: detail === undefined ? { code } : { code, detail } };
}

/** What a command or program ends with. */
export const exitCode = {
  ok: 0,
  /** It ran, and the answer is bad. */
  badAnswer: 1,
  /** The command line or a configuration is wrong. */
  usage: 2,
  /** Something is not there: a file, a program, a running network. */
  missing: 3,
  timeout: 4,
  /** A payment was refused, or there is nothing to pay with. */
  unpaid: 5,
  /** A relay was caught cheating. */
  cheated: 6,
  interrupted: 130,
} as const;

export type ExitCode = (typeof exitCode)[keyof typeof exitCode];

/**
 * An error that ends a whole program or command, for a person: one line, an exit code.
 * Never used between peers.
 */
export class OperatorError extends Error {
  override name = 'OperatorError';
  readonly exitCode: ExitCode;
  readonly code: string;
  /** @param code listed in ERRORS.md. @param message one line: what, where, what to do. */
  constructor(code: string, message: string, exitCode: ExitCode) {
    super(message);
    this.code = code;
    this.exitCode = exitCode;
  }
}

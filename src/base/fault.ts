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

export function ok<T>(value: T): { readonly ok: true; readonly value: T } {
  return { ok: true, value };
}

export function fail<Code extends string>(
  code: Code,
  detail?: string,
): { readonly ok: false; readonly fault: Fault<Code> } {
  return { ok: false, fault: detail === undefined ? { code } : { code, detail } };
}

/**
 * An error that ends a whole program or command, for a person: one line, an exit code (README, exit codes).
 * Never used between peers.
 */
export class OperatorError extends Error {
  override name = 'OperatorError';
  readonly exitCode: number;
  readonly code: string;
  /** @param code listed in ERRORS.md. @param message one line: what, where, what to do. */
  constructor(code: string, message: string, exitCode: number) {
    super(message);
    this.code = code;
    this.exitCode = exitCode;
  }
}

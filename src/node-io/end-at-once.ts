import type { OperatorError } from '../base/fault.ts';

/** Ends this process: promises that were made can no longer be kept, so nothing more may be promised. */
export function endAtOnce(why: OperatorError): never {
  process.stderr.write(`naulon: ${why.message}\n`);
  process.exit(why.exitCode);
}

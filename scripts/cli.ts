import { CommanderError } from 'commander';
import { BrokenInvariant } from '../src/base/assert.ts';
import { exitCode, OperatorError } from '../src/base/fault.ts';
import { cannotWrite } from '../src/node-io/output-file.ts';
import { buildProgram, usageLine } from './cli-program.ts';
import { toJson } from './terminal.ts';

/** Runs one command line and ends with its exit code. Errors of people are one line; our own come with their trace. */
export async function main(args: readonly string[]): Promise<void> {
  process.stdout.on('error', endUnread);
  process.stderr.on('error', endUnread);
  endWithOwner();
  let code: number = exitCode.ok;
  const program = buildProgram(given => {
    code = given;
  });
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    code = report(error, args.includes('--json'));
  }
  process.exitCode = code;
  await drained(process.stdout);
  // A forgotten timer or socket of a command that is over must not keep its caller waiting.
  process.exit(code);
}

/** Says what went wrong, and which exit code that is. */
export function report(error: unknown, json: boolean): number {
  if (error instanceof CommanderError) {
    // Help and version were asked for; everything else is a usage error, which commander has printed.
    if (error.exitCode === 0) return exitCode.ok;
    // What commander says then is a word of its own.
    const message =
      error.code === 'commander.help' ? 'a command is needed; see --help' : usageLine(error.message);
    if (json) process.stdout.write(`${toJson({ error: { code: 'USAGE', message } })}\n`);
    return exitCode.usage;
  }
  if (error instanceof OperatorError) {
    if (json) process.stdout.write(`${toJson({ error: { code: error.code, message: error.message } })}\n`);
    process.stderr.write(`naulon: ${error.message}\n`);
    return error.exitCode;
  }
  const kind = error instanceof BrokenInvariant ? 'a bug in naulon' : 'unexpected';
  if (json) process.stdout.write(`${toJson({ error: { code: 'UNEXPECTED', message: String(error) } })}\n`);
  process.stderr.write(`naulon: ${kind}: ${error instanceof Error ? error.stack : String(error)}\n`);
  return exitCode.badAnswer;
}

/** Whoever reads us may stop reading, as `head` does; that is no error. A full disk is. */
function endUnread(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(exitCode.ok);
  process.exit(report(cannotWrite('standard output', error), false));
}

/** A node that a network started ends when its owner does, even by kill -9: the channel between them closes. */
function endWithOwner(): void {
  if (process.channel === undefined || process.channel === null) return;
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
  process.channel.unref();
}

function drained(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise(done => {
    if (stream.writableLength === 0) done();
    else stream.once('drain', done);
  });
}

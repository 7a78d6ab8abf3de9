import { parseArgs } from 'node:util';
import { OperatorError } from '../src/base/fault.ts';
import { readRelayConfig } from './config.ts';
import { type RunningRelay, startRelay } from './start-relay.ts';

const usage = 'usage: naulon relay -f TORRC [--pay PAY.YAML]';

/** Runs one relay in the foreground until it is told to stop. Returns the exit code. */
export async function relayMain(argv: string[]): Promise<number> {
  try {
    const { torrc, pay } = argumentsOf(argv);
    const stopped = stopRequested();
    const relay = await startRelay(readRelayConfig(torrc, pay));
    process.stdout.write(`${readyLine(relay)}\n`);
    await stopped;
    await relay.stop();
    return 0;
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    process.stderr.write(`naulon relay: ${error.message}\n`);
    return error.exitCode;
  }
}

function argumentsOf(argv: string[]): { torrc: string; pay: string | undefined } {
  try {
    const { values } = parseArgs({
      args: argv,
      options: { torrc: { type: 'string', short: 'f' }, pay: { type: 'string' }, json: { type: 'boolean' } },
    });
    if (values.torrc !== undefined) return { torrc: values.torrc, pay: values.pay };
  } catch (error) {
    throw new OperatorError('USAGE', `${(error as Error).message}; ${usage}`, 2);
  }
  throw new OperatorError('USAGE', usage, 2);
}

/** The first line of standard output, from which on links are taken. */
function readyLine({ orPort, fingerprint, core }: RunningRelay): string {
  const { nickname } = core.settings;
  return JSON.stringify({
    event: 'ready',
    role: 'relay',
    nickname,
    or: `${orPort.host}:${orPort.port}`,
    fingerprint,
  });
}

/** Ctrl-C, an orderly kill, or the end of the program that started us. */
function stopRequested(): Promise<void> {
  return new Promise(resolve => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
    process.once('disconnect', () => resolve());
  });
}

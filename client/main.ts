import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { OperatorError } from '../src/base/fault.ts';
import { readClientConfig } from './config.ts';
import { startClient } from './start-client.ts';

const usage = 'usage: naulon client -f TORRC [--pay PAY.YAML]';

/** Runs one client in the foreground until it is told to stop. Returns the exit code. */
export async function clientMain(argv: string[]): Promise<number> {
  try {
    const { torrc, pay } = argumentsOf(argv);
    const stopped = stopRequested();
    const client = await startClient(readClientConfig(torrc, pay), packageVersion());
    const first = await Promise.race([client.ready.then(() => 'ready' as const), stopped]);
    if (first === 'ready') {
      const { socks, control } = client;
      process.stdout.write(`${JSON.stringify({ event: 'ready', role: 'client', socks, control })}\n`);
    }
    await stopped;
    await client.stop();
    return 0;
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    process.stderr.write(`naulon client: ${error.message}\n`);
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

/** Ctrl-C, an orderly kill, or the end of the program that started us. */
function stopRequested(): Promise<void> {
  return new Promise(resolve => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
    process.once('disconnect', () => resolve());
  });
}

/** The version in package.json, one folder above this file, or two above its compiled form. */
function packageVersion(): string {
  for (const place of ['../package.json', '../../package.json']) {
    try {
      const { name, version } = JSON.parse(readFileSync(new URL(place, import.meta.url), 'utf8'));
      if (name === 'naulon') return version;
    } catch {}
  }
  return 'unknown';
}

import { toHex } from '../src/base/bytes.ts';
import { openJsonLog } from '../src/node-io/json-log.ts';
import { readBrokerConfig } from './config.ts';
import { startBroker } from './start-broker.ts';

/** Runs one broker in the foreground until it is told to stop. Throws OperatorError for what a person can mend. */
export async function brokerMain(file: string): Promise<void> {
  const stopped = stopRequested();
  const log = openJsonLog({ name: 'broker', level: 'info', file: undefined });
  const { at, key, stop } = await startBroker(readBrokerConfig(file), log);
  const party = `${at.host}:${at.port}`;
  process.stdout.write(`${JSON.stringify({ event: 'ready', role: 'broker', party, key: toHex(key) })}\n`);
  await stopped;
  await stop();
  log.close();
}

/** Ctrl-C, an orderly kill, or the end of the program that started us. */
function stopRequested(): Promise<void> {
  return new Promise(resolve => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
    process.once('disconnect', () => resolve());
  });
}

import { letHeapGrow } from '../src/node-io/heap-growth.ts';
import { packageVersion } from '../src/node-io/package-version.ts';
import { readClientConfig } from './config.ts';
import { startClient } from './start-client.ts';

/** Runs one client in the foreground until it is told to stop. Throws OperatorError for what a person can mend. */
export async function clientMain(torrc: string, pay: string | undefined, scheme?: string): Promise<void> {
  letHeapGrow();
  const stopRequested = stopSignal();
  const client = await startClient(readClientConfig(torrc, pay, scheme), packageVersion());
  const stopped = Promise.race([stopRequested, client.stopAsked]);
  const first = await Promise.race([client.ready.then(() => 'ready' as const), stopped]);
  if (first === 'ready') {
    const { socks, control, controllers, party: at } = client;
    const party = at === undefined ? undefined : `${at.host}:${at.port}`;
    process.stdout.write(
      `${JSON.stringify({ event: 'ready', role: 'client', socks, control, controllers, party })}\n`,
    );
  }
  await stopped;
  await client.stop();
}

/** Ctrl-C, an orderly kill, or the end of the program that started us. */
function stopSignal(): Promise<void> {
  return new Promise(resolve => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
    process.once('disconnect', () => resolve());
  });
}

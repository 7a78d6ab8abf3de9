import { letHeapGrow } from '../src/node-io/heap-growth.ts';
import { readMountedClient } from './client-service.ts';
import { readRelayConfig } from './config.ts';
import { type NewLinks, type RunningRelay, startRelay } from './start-relay.ts';

/** Runs one relay in the foreground, and a client with it where torrc has a SocksPort, until it is told to stop. Throws OperatorError for what a person can mend. */
export async function relayMain(
  torrc: string,
  pay: string | undefined,
  { scheme, newLinks }: { readonly scheme?: string; readonly newLinks?: NewLinks } = {},
): Promise<void> {
  letHeapGrow();
  const stopped = stopRequested();
  const config = readRelayConfig(torrc, pay, scheme);
  const mounted = config.isClient ? readMountedClient(torrc, pay, scheme) : undefined;
  const relay = await startRelay(config, newLinks, mounted);
  process.stdout.write(`${readyLine(relay)}\n`);
  await Promise.race([stopped, ...(relay.client === undefined ? [] : [relay.client.stopAsked])]);
  await relay.stop();
}

/** The first line of standard output, from which on links are taken. */
function readyLine({ orPort, party, fingerprint, core, client }: RunningRelay): string {
  const { nickname } = core.settings;
  return JSON.stringify({
    event: 'ready',
    role: 'relay',
    nickname,
    or: `${orPort.host}:${orPort.port}`,
    party: party === undefined ? undefined : `${party.host}:${party.port}`,
    fingerprint,
    socks: client?.socks,
    control: client?.control,
    controllers: client?.controllers,
  });
}

/** Ctrl-C, an orderly kill, or the end of the program that started us. */
function stopRequested(): Promise<void> {
  return new Promise(resolve => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
    process.once('disconnect', () => resolve());
  });
}

import { readRelayConfig } from '../relay/config.ts';
import { startRelay } from '../relay/start-relay.ts';

/** Many relays in this one process, each with a torrc named on the command line, until it is told to stop. */
const stopped = new Promise<void>(stop => {
  process.once('SIGTERM', () => stop());
  process.once('disconnect', () => stop());
});
const relays = [];
for (const torrc of process.argv.slice(2)) relays.push(await startRelay(readRelayConfig(torrc, undefined)));
process.stdout.write('{"event":"ready"}\n');
await stopped;
await Promise.all(relays.map(relay => relay.stop()));
process.exit();

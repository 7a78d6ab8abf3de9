import { join, resolve } from 'node:path';
import type { GlobalOptions } from './global-options.ts';
import { authorityLines } from './network-config.ts';
import { runningNetwork } from './network-state.ts';
import type { Terminal } from './terminal.ts';

/** Prints a torrc by which any C tor becomes a client of the running network, and a relay if lines are uncommented. */
export async function exportTorrc(
  options: GlobalOptions,
  terminal: Terminal,
  [folder]: string[],
): Promise<undefined> {
  const dir = resolve(options.dataDir);
  const { authorities, nodes } = runningNetwork(dir);
  const relays = nodes.filter(({ role, end }) => role === 'relay' && end === undefined);
  const free = relays.filter(({ price = '0' }) => Number.parseFloat(price) === 0);
  const lines = [
    `# Takes a C tor to the network in ${dir}: tor -f FILE`,
    `# C tor pays nobody. Relays that ask for nothing: ${free.map(({ name }) => name).join(', ') || 'none'}.`,
    'TestingTorNetwork 1',
    ...authorityLines(authorities),
    `DataDirectory ${folder === '' ? join(dir, 'tor') : resolve(folder)}`,
    'SocksPort 127.0.0.1:auto',
    '# To be a relay of it too:',
    '#Nickname mytor',
    '#Address 127.0.0.1',
    '#ORPort 127.0.0.1:auto',
    '#AssumeReachable 1',
    '#ContactInfo none',
    '#ExitRelay 0',
  ];
  terminal.object({ torrc: lines });
  for (const line of lines) terminal.print(line);
  return undefined;
}

import { join } from 'node:path';
import { z } from 'zod';
import { askProcess, serveCommands } from '../src/node-io/command-socket.ts';
import type { ChannelDesk } from '../src/schemes/bitcoin-channel/index.ts';

/** What the owner's commands ask of a relay that runs: to settle these channels now. */
const requestSchema = z.strictObject({ settle: z.array(z.string()) });

/** What became of each: nothing, once the relay has begun; else why not. */
export type SettleAnswer = Readonly<Record<string, string | null>>;

const socketOf = (directory: string): string => join(directory, 'control');

/** Serves them until the returned function is called. */
export function serveOwner(directory: string, desk: ChannelDesk): Promise<() => Promise<void>> {
  return serveCommands(socketOf(directory), (request): SettleAnswer => {
    const { settle } = requestSchema.parse(request);
    return Object.fromEntries(
      settle.map(channel => {
        const taken = desk.close(channel);
        return [channel, taken.ok ? null : (taken.fault.detail ?? taken.fault.code)];
      }),
    );
  });
}

/** Asks the relay whose data directory that is; undefined: it does not run. */
export async function askToSettle(
  directory: string,
  channels: readonly string[],
): Promise<SettleAnswer | undefined> {
  return (await askProcess(socketOf(directory), { settle: channels })) as SettleAnswer | undefined;
}

import { mkdir, rm } from 'node:fs/promises';
import { freemem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { planOf, relaysOf } from '../scripts/net-file.ts';
import { authorityLine, type ConfiguredNode, writeAuthority, writeRelay } from '../scripts/network-config.ts';
import { type NodeCommand, type NodeProcess, startNode } from '../scripts/node-process.ts';
import { httpGet } from './http-get.ts';
import { cpuSecondsOf, ownBytesOf } from './process-usage.ts';
import type { Stage } from './run-bench.ts';
import { severalAtOnce } from './several-at-once.ts';
import type { Trial } from './trials.ts';

/** How relays share the machine. */
export const layouts = ['one process each', 'one process for all'] as const;
export type Layout = (typeof layouts)[number];

/** Processes that are started at once: more would only wait for each other. */
const startingMax = 4;
/** What a relay's own process may take at most, before there is no room for so many. */
const relayBytesMax = 160e6;
/** What is left to the rest of the machine. */
const spareBytes = 2e9;

/** Whether so many fit into what is free now. */
export function fits(relays: number): boolean {
  return relays * relayBytesMax + spareBytes < freemem();
}

/** A network of an authority and so many relays, from nothing until all of them are in the consensus; what each then takes. */
export function relaysTrial(stage: Stage, relays: number, layout: Layout): Trial {
  return {
    name: `${relays} relays, ${layout}`,
    factors: { relays, layout },
    async run(_repeat, tell) {
      const dir = join(stage.dir, 'relays');
      const nodes: NodeProcess[] = [];
      const start = async (command: NodeCommand): Promise<NodeProcess> => {
        stage.signal.throwIfAborted();
        const node = await startNode(command);
        nodes.push(node);
        return node;
      };
      const stop = async () => {
        await Promise.all(nodes.splice(0).map(node => node.stop()));
        await rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
      };
      stage.defer(stop);
      try {
        const authority = writeAuthority({ dir: await folder(dir, 'auth1'), nickname: 'auth1' });
        const { readyLine } = await start(authority);
        const commands = await writeRelays(dir, relays, authorityLine(readyLine));
        const started = performance.now();
        if (layout === 'one process each')
          await severalAtOnce(commands.length, startingMax, at => start(commands[at]));
        else await start(crowdOf(dir, commands));
        await listed(authority.listensOf(readyLine).dir, relays, stage.signal, tell);
        const seconds = (performance.now() - started) / 1_000;
        const [, ...ours] = nodes.map(({ identity }) => identity.pid);
        const sum = (of: (pid: number) => number): number => ours.reduce((all, pid) => all + of(pid), 0);
        return {
          boot: seconds,
          'boot CPU': sum(cpuSecondsOf) / relays,
          memory: sum(ownBytesOf) / relays / 2 ** 20,
        };
      } finally {
        await stop();
      }
    },
  };
}

async function folder(dir: string, name: string): Promise<string> {
  const path = join(dir, name);
  await mkdir(path, { recursive: true, mode: 0o700 });
  return path;
}

async function writeRelays(dir: string, relays: number, authority: string): Promise<ConfiguredNode[]> {
  const plan = { ...planOf(relays), pay: { scheme: 'none' as const } };
  return Promise.all(
    relaysOf(plan).map(async relay =>
      writeRelay({
        ...relay,
        dir: await folder(dir, relay.nickname),
        authorities: [authority],
        exitTo: [],
        chain: { rpcUrl: '', cookieFile: '' },
        plan,
      }),
    ),
  );
}

/** All of them in one process. */
function crowdOf(dir: string, relays: readonly ConfiguredNode[]): NodeCommand {
  return {
    ...relays[0],
    name: 'crowd',
    program: fileURLToPath(new URL('./relay-crowd.js', import.meta.url)),
    args: relays.map(({ torrc }) => torrc),
    log: join(dir, 'crowd.log'),
    readyMsMax: 600_000,
  };
}

/** Until the authority's consensus has them all. */
async function listed(
  directory: string,
  relays: number,
  signal: AbortSignal,
  tell: (progress: string) => void,
): Promise<void> {
  for (;;) {
    const consensus = await httpGet(directory, '/tor/status-vote/current/consensus');
    const found = consensus.match(/^r /gm)?.length ?? 0;
    tell(`${found} in the consensus`);
    if (found === relays) return;
    await pause(50, undefined, { signal });
  }
}

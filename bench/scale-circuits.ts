import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type ClientControl, controlOf } from '../scripts/client-control.ts';
import { parseNetFile } from '../scripts/net-file.ts';
import { writeClient } from '../scripts/network-config.ts';
import { startNode } from '../scripts/node-process.ts';
import { NetworkStart } from '../scripts/spawn-network.ts';
import { withCpu } from './process-usage.ts';
import type { Stage } from './run-bench.ts';
import { severalAtOnce } from './several-at-once.ts';
import type { Trial } from './trials.ts';

const path = ['guard1', 'middle1', 'exit1'];
/** One client has room for 1,000, and some of them are its own. */
const circuitsPerClient = 900;
/** Circuits that are being built at once. */
const buildingMax = 8;
/** Less is too little for the clock of a process's CPU. */
const builtMin = 200;

/** Three free relays, and as many clients as the circuits need. */
export interface CircuitLab {
  readonly clients: readonly ClientControl[];
  /** Processes of all these. */
  readonly pids: Readonly<Record<string, number>>;
}

/** Starts it; it ends with the stage. */
export async function startCircuitLab(stage: Stage, circuitsMax: number): Promise<CircuitLab> {
  const dir = join(stage.dir, 'circuits');
  const plan = parseNetFile(
    'the benchmark',
    'relays: [{flags: [guard]}, {flags: [middle]}, {exit: true}]\npay: {scheme: none}',
  );
  const start = new NetworkStart({
    dir,
    plan,
    exitTo: [],
    say: line => stage.terminal.detail(line),
    signal: stage.signal,
    removeWhenOrphaned: stage.dir,
  });
  stage.defer(() => start.stop());
  await start.nodes();
  const { nodes, authorities, control } = start.network().state;
  const pids: Record<string, number> = {};
  for (const { name, role, process } of nodes)
    if (role === 'relay' || role === 'client') pids[name] = process.pid;
  const sockets = [control];
  for (let left = circuitsMax - circuitsPerClient; left > 0; left -= circuitsPerClient) {
    const name = `client${sockets.length + 1}`;
    const clientDir = join(dir, name);
    await mkdir(clientDir, { mode: 0o700 });
    const chain = { rpcUrl: '', cookieFile: '' };
    const client = writeClient({ dir: clientDir, socks: 'auto', authorities, chain, plan });
    const node = await startNode(client);
    stage.defer(() => node.stop());
    pids[name] = node.identity.pid;
    sockets.push(client.control);
  }
  const clients = await Promise.all(sockets.map(controlOf));
  for (const client of clients) stage.defer(async () => client.close());
  return { clients, pids };
}

/** So many circuits of three hops, open at once: what building one takes, and the CPU of its whole life in all nodes. */
export function circuitsTrial(lab: CircuitLab, circuits: number): Trial {
  const rounds = Math.ceil(builtMin / circuits);
  const clientOf = (at: number): ClientControl => lab.clients[Math.floor(at / circuitsPerClient)];
  return {
    name: `${circuits} circuits`,
    factors: { circuits },
    async run(repeat, tell) {
      let buildMs = 0;
      const life = async (round: number): Promise<void> => {
        const ids: number[] = [];
        const started = performance.now();
        await severalAtOnce(circuits, buildingMax, async at => {
          const user = `${circuits}-${repeat}-${round}-${at}`;
          ids[at] = (await clientOf(at).openCircuit(path, user)).id;
          if (at % 100 === 0) tell(`${at} open`);
        });
        buildMs += performance.now() - started;
        await severalAtOnce(circuits, buildingMax, at => clientOf(at).closeCircuit(ids[at]));
      };
      const { cpuSum } = await withCpu(lab.pids, async () => {
        for (let round = 0; round < rounds; round++) await life(round);
      });
      const built = rounds * circuits;
      return { build: buildMs / built, 'circuit CPU': (cpuSum * 1_000) / built };
    },
  };
}

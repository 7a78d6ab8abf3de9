import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { connectThrough } from '../client/socks-connect.ts';
import { type ClientControl, controlOf } from './client-control.ts';
import { download } from './download.ts';
import type { GlobalOptions } from './global-options.ts';
import { interruption } from './interruption.ts';
import { labUrl } from './lab-server.ts';
import { splitAddress } from './network-ports.ts';
import { clientControl, type NetworkState, runningNetwork } from './network-state.ts';
import { seededSha256 } from './seeded-bytes.ts';
import { colour, megabytes, type Terminal, table } from './terminal.ts';

const hops = 3;

/** A relay as verify sees it. */
export interface VerifiedRelay {
  readonly nickname: string;
  readonly exit: boolean;
}

interface Verdict {
  readonly path: readonly string[];
  readonly ok: boolean;
  readonly milliseconds?: number;
  readonly fault?: string;
}

/** Streams fresh bytes through circuits that together use every relay, and compares hashes. Exit code 1 if one differs. */
export async function verify(options: GlobalOptions & { size: number }, terminal: Terminal): Promise<number> {
  const state = runningNetwork(resolve(options.dataDir));
  const control = await controlOf(clientControl(state));
  const stopping = interruption();
  const verdicts: Verdict[] = crashedIn(state);
  try {
    for (const path of coveringPaths(relaysIn(state))) {
      if (stopping.signal.aborted) return 130;
      terminal.redraw(`${path.join(' > ')} …`);
      const verdict = await tryPath(state, control, path, options.size, stopping.signal);
      verdicts.push(verdict);
      terminal.detail(`${path.join(' > ')}: ${verdict.fault ?? 'hashes equal'}`);
    }
  } finally {
    control.close();
    stopping.done();
  }
  terminal.redraw('');
  const ok = verdicts.every(verdict => verdict.ok);
  terminal.object({ ok, bytes: options.size, circuits: verdicts });
  const rows = verdicts.map(verdict => [
    verdict.path.join(' > '),
    verdict.ok ? colour.green('hashes equal') : colour.red(verdict.fault ?? 'hashes differ'),
    verdict.milliseconds === undefined ? '' : `${megabytes((options.size * 1_000) / verdict.milliseconds)}/s`,
  ]);
  for (const line of table(['circuit', 'verdict', 'rate'], rows)) terminal.print(line);
  return ok ? 0 : 1;
}

function relaysIn(state: NetworkState): VerifiedRelay[] {
  return state.nodes
    .filter(({ role, end }) => role === 'relay' && end === undefined)
    .map(({ name, exit = false }) => ({ nickname: name, exit }));
}

/** A relay that crashed can carry nothing, and is told as what it is. */
function crashedIn(state: NetworkState): Verdict[] {
  return state.nodes
    .filter(({ role, end }) => role === 'relay' && end !== undefined)
    .map(({ name }) => ({ path: [name], ok: false, fault: 'crashed; see: naulon status' }));
}

async function tryPath(
  state: NetworkState,
  control: ClientControl,
  path: readonly string[],
  bytes: number,
  signal: AbortSignal,
): Promise<Verdict> {
  const user = `verify-${randomBytes(6).toString('hex')}`;
  const file = { seed: user, bytes };
  try {
    const circuit = await control.openCircuit(path, user);
    const [host, port] = splitAddress(state.lab);
    const socket = await connectThrough({ socks: state.socks, user, password: 'verify' }, host, port);
    const got = await download(socket, labUrl(state.lab, file), () => {}, signal);
    await control.closeCircuit(circuit.id);
    return { path, ok: got.sha256 === (await seededSha256(file)), milliseconds: got.milliseconds };
  } catch (error) {
    return { path, ok: false, fault: error instanceof Error ? error.message : String(error) };
  }
}

/**
 * Circuits of three hops, or of as many as there are relays, that together hold every relay at least once: an exit at
 * the end, and before it what was not used yet, as far as that goes.
 */
export function coveringPaths(relays: readonly VerifiedRelay[], length = hops): string[][] {
  const exits = relays.filter(({ exit }) => exit).map(({ nickname }) => nickname);
  const unused = new Set(relays.map(({ nickname }) => nickname));
  const paths: string[][] = [];
  const pathLength = Math.min(length, relays.length);
  while (exits.length > 0 && unused.size > 0) {
    const others = (last: string) => relays.map(({ nickname }) => nickname).filter(name => name !== last);
    const last = exits.find(name => unused.has(name)) ?? exits[paths.length % exits.length];
    const ranked = others(last).sort((a, b) => Number(unused.has(b)) - Number(unused.has(a)));
    // An exit that still has to be last somewhere is not spent on an earlier place while there are other relays.
    ranked.sort((a, b) => Number(exits.includes(a)) - Number(exits.includes(b)) || 0);
    const path = [...ranked.slice(0, pathLength - 1), last];
    const fresh = path.filter(name => unused.has(name));
    for (const name of fresh) unused.delete(name);
    paths.push(path);
    if (fresh.length === 0) break;
  }
  return paths;
}

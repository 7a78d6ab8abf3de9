import { setTimeout as pause } from 'node:timers/promises';
import { connectThrough } from '../../client/socks-connect.ts';
import { OperatorError } from '../../src/base/fault.ts';
import { download } from '../download.ts';
import { labUrl } from '../lab-server.ts';
import type { PlannedRelay } from '../net-file.ts';
import { splitAddress } from '../network-ports.ts';
import { type SeededFile, seededSha256 } from '../seeded-bytes.ts';
import type { SoakClient, SoakNetwork } from './soak-network.ts';

/** What users did, and what came of it. */
export interface Traffic {
  circuits: number;
  downloads: number;
  bytes: number;
  /** A relay of their path died under them. */
  broken: number;
  /** Nothing explains them: WHO: WHY. */
  readonly failed: string[];
}

export function noTraffic(): Traffic {
  return { circuits: 0, downloads: 0, bytes: 0, broken: 0, failed: [] };
}

const bytesMax = 2_000_000;
const streamsMax = 3;
const restMsMax = 2_000;
/** A relay that has begun again is believed to be there a little before it is. */
const afterTroubleMs = 10_000;

/** One user after the other on one client, until `signal`: a circuit over three relays, some downloads, an orderly close. */
export async function useClient(
  soak: SoakNetwork,
  client: SoakClient,
  traffic: Traffic,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const path = pathOver(soak.relays);
    const fromMs = Date.now();
    try {
      await useOnce(soak, client, path, traffic);
    } catch (error) {
      const why = error instanceof OperatorError ? `${error.code}: ${error.message}` : String(error);
      if (isExcused(soak, path, fromMs)) traffic.broken += 1;
      else traffic.failed.push(`${client.name} over ${path.join(' > ')}: ${why}`);
    }
    await pause(Math.random() * restMsMax, undefined, { signal }).catch(() => {});
  }
}

let users = 0;

async function useOnce(
  { lab }: SoakNetwork,
  { control, socks }: SoakClient,
  path: readonly string[],
  traffic: Traffic,
): Promise<void> {
  users += 1;
  const user = `user${users}`;
  const circuit = await control.openCircuit(path, user);
  traffic.circuits += 1;
  const fetchOne = async (stream: number): Promise<void> => {
    const file: SeededFile = { seed: `${user}-${stream}`, bytes: 1 + Math.floor(Math.random() * bytesMax) };
    const socket = await connectThrough({ socks, user, password: user }, ...splitAddress(lab));
    const { sha256, bytes } = await download(socket, labUrl(lab, file), () => {});
    if (sha256 !== (await seededSha256(file)))
      throw new OperatorError('SOAK_WRONG_BYTES', `${bytes} bytes came, of another hash`, 1);
    traffic.downloads += 1;
    traffic.bytes += bytes;
  };
  const streams = 1 + Math.floor(Math.random() * streamsMax);
  const ends = await Promise.allSettled(Array.from({ length: streams }, (_, stream) => fetchOne(stream)));
  await control.closeCircuit(circuit.id);
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

/** A guard, a middle and an exit, at random. */
function pathOver(relays: readonly PlannedRelay[]): string[] {
  return ['guard', 'middle', 'exit'].map(kind => {
    const some = relays.filter(({ nickname }) => nickname.startsWith(kind));
    return some[Math.floor(Math.random() * some.length)].nickname;
  });
}

function isExcused({ troubles }: SoakNetwork, path: readonly string[], fromMs: number): boolean {
  return troubles.some(({ relay, toMs }) => path.includes(relay) && toMs + afterTroubleMs >= fromMs);
}

import type { Socket } from 'node:net';
import { connectThrough } from '../client/socks-connect.ts';
import { download } from '../scripts/download.ts';
import { labUrl } from '../scripts/lab-server.ts';
import { splitAddress } from '../scripts/network-ports.ts';
import { seededSha256 } from '../scripts/seeded-bytes.ts';
import { exitCode, OperatorError } from '../src/base/fault.ts';

/** A way to a server: a SOCKS proxy, and the circuits that each user has to itself. */
export interface Route {
  /** HOST:PORT of the proxy. */
  readonly socks: string;
  /** One user for each circuit. */
  readonly users: readonly string[];
}

/** A connection to HOST:PORT over that user's circuit. */
export function connectOver(socks: string, user: string, to: string): Promise<Socket> {
  return connectThrough({ socks, user, password: user }, ...splitAddress(to));
}

const seed = 'bench';

/**
 * Fetches `bytes` from the lab server over each of the circuits at once. Connections are up before the first request,
 * so that what is timed is the transfer. Returns the seconds until the last byte; the content was held against its hash.
 */
export async function transfer(
  { socks, users }: Route,
  lab: string,
  bytes: number,
  signal: AbortSignal,
  onBytes: (soFar: number) => void = () => {},
): Promise<number> {
  const sockets = await Promise.all(users.map(user => connectOver(socks, user, lab)));
  const got = sockets.map(() => 0);
  const started = performance.now();
  const downloads = await Promise.all(
    sockets.map((socket, at) =>
      download(
        socket,
        labUrl(lab, { seed, bytes }),
        soFar => {
          got[at] = soFar;
          onBytes(got.reduce((sum, each) => sum + each, 0));
        },
        signal,
      ),
    ),
  );
  const seconds = (performance.now() - started) / 1_000;
  const sha256 = await sha256Of(bytes);
  if (downloads.some(each => each.sha256 !== sha256))
    throw new OperatorError('BENCH_WRONG_BYTES', 'what came is not what was sent', exitCode.badAnswer);
  return seconds;
}

const hashes = new Map<number, Promise<string>>();

function sha256Of(bytes: number): Promise<string> {
  const known = hashes.get(bytes) ?? seededSha256({ seed, bytes });
  hashes.set(bytes, known);
  return known;
}

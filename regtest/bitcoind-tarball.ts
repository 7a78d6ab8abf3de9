import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { addToCache, hereMark } from './bitcoind-cache.ts';
import type { Launch } from './bitcoind-program.ts';
import { versionOf } from './bitcoind-program.ts';

const run = promisify(execFile);
const downloadMsMax = 300_000;

/** Names and SHA-256 of official release tarballs; `version` is the one an endpoint is asked for. */
export interface TarballTable {
  readonly version: string;
  readonly sha256: Readonly<Record<string, string>>;
}

/** The platform part of a release tarball's name, for this machine. */
function platformTriplet(): string {
  const names: Record<string, string> = {
    'linux-x64': 'x86_64-linux-gnu',
    'linux-arm64': 'aarch64-linux-gnu',
    'darwin-arm64': 'arm64-apple-darwin',
    'darwin-x64': 'x86_64-apple-darwin',
  };
  const name = names[`${process.platform}-${process.arch}`];
  if (name === undefined)
    throw new Error(`no release tarball is known for ${process.platform} ${process.arch}`);
  return name;
}

/** Where the tarball of the table's version lies below an endpoint laid out as the official site is. */
export function tarballUrl(endpoint: string, table: TarballTable): string {
  const base = endpoint.endsWith('/') ? endpoint : `${endpoint}/`;
  return `${base}bitcoin-core-${table.version}/bitcoin-${table.version}-${platformTriplet()}.tar.gz`;
}

/**
 * Gets a tarball from a file or URL, checks it against the table and unpacks its bitcoind into the cache. Whatever
 * name it comes under, it is taken only when its SHA-256 is one of the table's.
 */
export async function tarballBitcoind(
  source: string,
  table: TarballTable,
  cache: string,
  signal?: AbortSignal,
): Promise<{ version: string; launch: Launch }> {
  return addToCache(cache, async folder => {
    const file = join(folder, 'download.tar.gz');
    await obtain(source, file, signal);
    const digest = await sha256Of(file);
    const name = Object.keys(table.sha256).find(known => table.sha256[known] === digest);
    if (name === undefined)
      throw new Error(`${source} has SHA-256 ${digest}, which is none of regtest/bitcoind-checksums.json`);
    await run('tar', ['-xzf', file, '-C', folder, '--strip-components=1']);
    await rm(file);
    const found = await versionOf({ command: join(folder, 'bin', 'bitcoind'), args: [] });
    if (found === undefined) throw new Error(`the bitcoind in ${name} does not run on this machine`);
    return { version: found.version, command: join(hereMark, 'bin', 'bitcoind'), args: [] };
  });
}

async function obtain(source: string, file: string, signal?: AbortSignal): Promise<void> {
  if (!/^https?:\/\//.test(source)) {
    const path = source.startsWith('file:') ? fileURLToPath(source) : source;
    await pipeline(createReadStream(path), createWriteStream(file));
    return;
  }
  const timeout = AbortSignal.timeout(downloadMsMax);
  const response = await fetch(source, { signal: signal ? AbortSignal.any([signal, timeout]) : timeout });
  if (!response.ok || response.body === null) throw new Error(`${source} answers ${response.status}`);
  await pipeline(Readable.fromWeb(response.body as never), createWriteStream(file));
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

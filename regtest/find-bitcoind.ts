import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { OperatorError } from '../src/base/fault.ts';
import { cachedBitcoinds, openCache, withCacheLock } from './bitcoind-cache.ts';
import checksums from './bitcoind-checksums.json' with { type: 'json' };
import type { BitcoindProgram, Launch } from './bitcoind-program.ts';
import { atLeastFloor, versionFloor, versionOf } from './bitcoind-program.ts';
import { type TarballTable, tarballBitcoind, tarballUrl } from './bitcoind-tarball.ts';
import { debianBitcoind } from './debian-closure.ts';

/** One of the six ways, as it is tried. */
export interface FindStep {
  readonly step: 1 | 2 | 3 | 4 | 5 | 6;
  readonly way: string;
  readonly text: string;
}

export interface FindOptions {
  /** What --bitcoind says; NAULON_BITCOIND otherwise. */
  readonly bitcoind?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Told each step that is taken, in order. */
  readonly say?: (step: FindStep) => void;
  /** Tarballs that are trusted; the committed table otherwise. */
  readonly checksums?: TarballTable;
  /** False: packages are not fetched, as if this were no Debian. */
  readonly debian?: boolean;
  /** False: only what is here already counts; nothing is fetched. */
  readonly provision?: boolean;
  /** Ends a download or an unpacking, leaving nothing of it. */
  readonly signal?: AbortSignal;
}

/**
 * Finds a bitcoind, or provisions one. First hit wins; a way that the person asked for by name and that fails is an
 * error, never a reason to go on.
 */
export async function findBitcoind(options: FindOptions = {}): Promise<BitcoindProgram> {
  const env = options.env ?? process.env;
  const say = (step: FindStep['step'], way: string, text: string) => options.say?.({ step, way, text });
  const asked = await askedFor(options.bitcoind ?? env.NAULON_BITCOIND, text => say(1, 'option', text));
  if (asked !== undefined) return asked;
  const onPath = await fromPath(env.PATH ?? '', text => say(2, 'PATH', text));
  if (onPath !== undefined) return onPath;
  const cache = await openCache(env).catch(error => {
    throw missing('BITCOIND_CACHE', `no folder for a bitcoind can be written: ${messageOf(error)}`);
  });
  const cached = await fromCache(cache, text => say(3, 'cache', text));
  if (cached !== undefined) return cached;
  if (options.provision === false) return giveUp(text => say(6, 'none', text));
  return withCacheLock(
    cache,
    () => say(3, 'cache', 'another process is fetching one; waiting for it'),
    async () => {
      const waitedFor = await fromCache(cache, () => {});
      if (waitedFor !== undefined) {
        say(3, 'cache', `${waitedFor.title}, which another process has fetched meanwhile`);
        return waitedFor;
      }
      return (
        (await fromTarball(options, env, cache, text => say(4, 'tarball', text))) ??
        (await fromDebian(options, cache, text => say(5, 'Debian', text))) ??
        giveUp(text => say(6, 'none', text))
      );
    },
  );
}

async function askedFor(
  path: string | undefined,
  say: (text: string) => void,
): Promise<BitcoindProgram | undefined> {
  if (path === undefined || path === '') {
    say('neither --bitcoind nor NAULON_BITCOIND is set');
    return undefined;
  }
  const found = await versionOf({ command: path, args: [] });
  if (found === undefined) throw missing('BITCOIND_UNUSABLE', `${path} is not a bitcoind that runs here`);
  if (!atLeastFloor(found.version))
    throw missing('BITCOIND_OLD', `${path} is version ${found.version}; ${versionFloor} or newer is needed`);
  say(`${found.title}, ${path}`);
  return { command: path, args: [], ...found, way: 'option' };
}

async function fromPath(path: string, say: (text: string) => void): Promise<BitcoindProgram | undefined> {
  for (const folder of path.split(delimiter).filter(Boolean)) {
    const command = join(folder, 'bitcoind');
    const runs = await access(command, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (!runs) continue;
    const found = await versionOf({ command, args: [] });
    if (found === undefined) say(`${command} does not run; looking on`);
    else if (!atLeastFloor(found.version))
      say(`${command} is version ${found.version}, older than ${versionFloor}; looking on`);
    else {
      say(`${found.title}, ${command}`);
      return { command, args: [], ...found, way: 'path' };
    }
  }
  say('no bitcoind there');
  return undefined;
}

async function fromCache(cache: string, say: (text: string) => void): Promise<BitcoindProgram | undefined> {
  for (const { launch } of await cachedBitcoinds(cache)) {
    const found = await usable(launch, 'cache');
    if (found === undefined) continue;
    say(`${found.title}, in ${cache}`);
    return found;
  }
  say(`none in ${cache}`);
  return undefined;
}

async function usable(launch: Launch, way: BitcoindProgram['way']): Promise<BitcoindProgram | undefined> {
  const found = await versionOf(launch);
  if (found === undefined || !atLeastFloor(found.version)) return undefined;
  return { command: launch.command, args: launch.args, ...found, way };
}

async function fromTarball(
  options: FindOptions,
  env: NodeJS.ProcessEnv,
  cache: string,
  say: (text: string) => void,
): Promise<BitcoindProgram | undefined> {
  const table = options.checksums ?? checksums;
  if (!env.NAULON_BITCOIND_TARBALL && !env.NAULON_BITCOIND_ENDPOINT) {
    say('skipped: neither NAULON_BITCOIND_TARBALL nor NAULON_BITCOIND_ENDPOINT says where one lies');
    return undefined;
  }
  try {
    const source = env.NAULON_BITCOIND_TARBALL || tarballUrl(env.NAULON_BITCOIND_ENDPOINT ?? '', table);
    const { launch } = await tarballBitcoind(source, table, cache, options.signal);
    const found = await usable(launch, 'tarball');
    if (found === undefined) throw new Error(`its bitcoind is older than ${versionFloor}`);
    say(`${found.title}, checksum right, kept in ${cache}`);
    return found;
  } catch (error) {
    options.signal?.throwIfAborted();
    throw missing('BITCOIND_TARBALL', `the bitcoind tarball cannot be used: ${messageOf(error)}`);
  }
}

async function fromDebian(
  options: FindOptions,
  cache: string,
  say: (text: string) => void,
): Promise<BitcoindProgram | undefined> {
  if (options.debian === false) {
    say('skipped: packages are not wanted');
    return undefined;
  }
  try {
    const { launch } = await debianBitcoind(cache, say, options.signal);
    const found = await usable(launch, 'debian');
    if (found === undefined) throw new Error(`its bitcoind is older than ${versionFloor}`);
    say(`${found.title}, signatures checked, kept in ${cache}`);
    return found;
  } catch (error) {
    options.signal?.throwIfAborted();
    say(`not this way: ${messageOf(error)}`);
    return undefined;
  }
}

function giveUp(say: (text: string) => void): never {
  say('no bitcoind');
  throw missing(
    'BITCOIND_NONE',
    `no bitcoind ${versionFloor} or newer: put one on PATH, name it with --bitcoind or NAULON_BITCOIND, or set ` +
      'NAULON_BITCOIND_TARBALL (file or URL) or NAULON_BITCOIND_ENDPOINT; on Debian it is fetched through apt',
  );
}

function missing(code: string, message: string): OperatorError {
  return new OperatorError(code, message, 3);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

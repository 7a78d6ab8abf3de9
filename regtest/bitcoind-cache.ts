import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { identityOf, isRunning, type ProcessIdentity } from '../src/node-io/process-identity.ts';
import type { Launch } from './bitcoind-program.ts';
import { compareVersions } from './bitcoind-program.ts';

/** Written last into an unpacked bitcoind, before it is renamed into place: how to run it, relative to its folder. */
interface Manifest {
  readonly version: string;
  readonly command: string;
  readonly args: readonly string[];
}

const manifestName = 'launch.json';
const lockName = 'lock';
/** Placeholder in a manifest for the folder it lies in, which moves when it is renamed. */
export const hereMark = '{here}';
const lockWaitMsMax = 300_000;

/** Where bitcoinds are kept, made when absent; with no writable home, a folder of this user's own below the temp dir. */
export async function openCache(env: NodeJS.ProcessEnv): Promise<string> {
  const base = env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache');
  const wanted = join(base, 'naulon', 'bitcoind');
  try {
    await mkdir(wanted, { recursive: true, mode: 0o700 });
    await writeFile(join(wanted, '.writable'), '');
    return wanted;
  } catch (error) {
    if (env.XDG_CACHE_HOME) throw error;
  }
  const own = join(tmpdir(), `naulon-cache-${process.getuid?.() ?? 0}`);
  await mkdir(own, { recursive: true, mode: 0o700 });
  const { uid, mode } = await stat(own);
  if (uid !== process.getuid?.() || (mode & 0o022) !== 0)
    throw new Error(`${own} can be written by others; set XDG_CACHE_HOME to a folder of your own`);
  return own;
}

/** The finished bitcoinds of a cache, newest first. A folder without a manifest was never finished. */
export async function cachedBitcoinds(cache: string): Promise<{ version: string; launch: Launch }[]> {
  const found: { version: string; launch: Launch }[] = [];
  for (const name of await readdir(cache).catch(() => [])) {
    if (name.startsWith('.') || name === lockName) continue;
    const manifest = await readManifest(join(cache, name));
    if (manifest !== undefined) found.push({ version: manifest.version, launch: manifest });
  }
  return found.sort((a, b) => compareVersions(b.version, a.version));
}

async function readManifest(folder: string): Promise<Manifest | undefined> {
  try {
    const manifest = JSON.parse(await readFile(join(folder, manifestName), 'utf8')) as Manifest;
    const here = (text: string) => text.replaceAll(hereMark, folder);
    return { version: manifest.version, command: here(manifest.command), args: manifest.args.map(here) };
  } catch {
    return undefined;
  }
}

/**
 * Unpacks a bitcoind beside the others and renames it into place, so that a half-unpacked one never has a name that
 * is looked at. `unpack` fills an empty folder and says how to run what it put there, `{here}` standing for the
 * folder. When somebody else was first, theirs stays.
 */
export async function addToCache(
  cache: string,
  unpack: (folder: string) => Promise<Manifest>,
): Promise<{ version: string; launch: Launch }> {
  const beside = join(cache, `.unpack-${process.pid}-${randomBytes(6).toString('hex')}`);
  await mkdir(beside, { mode: 0o700 });
  try {
    const manifest = await unpack(beside);
    await writeFile(join(beside, manifestName), `${JSON.stringify(manifest, null, 2)}\n`);
    const place = join(cache, manifest.version);
    if ((await readManifest(place)) === undefined) {
      await rm(place, { recursive: true, force: true });
      await rename(beside, place).catch(async error => {
        if ((await readManifest(place)) === undefined) throw error;
      });
    }
    const stored = await readManifest(place);
    if (stored === undefined) throw new Error(`${place} was removed while it was being filled`);
    return { version: stored.version, launch: stored };
  } finally {
    await rm(beside, { recursive: true, force: true });
  }
}

/**
 * Runs `work` while no other process of this user fills the cache. The lock saves a second download; what keeps the
 * cache whole is the rename, so a lock whose holder died is simply taken over.
 */
export async function withCacheLock<T>(
  cache: string,
  onWait: () => void,
  work: () => Promise<T>,
): Promise<T> {
  const lock = join(cache, lockName);
  const deadline = Date.now() + lockWaitMsMax;
  for (let waited = false; !(await tryLock(lock)); ) {
    if (!waited) onWait();
    waited = true;
    if (Date.now() > deadline) throw new Error(`another process has held ${lock} for 5 minutes`);
    await pause(100);
  }
  try {
    await removeAbandoned(cache);
    return await work();
  } finally {
    await rm(lock, { force: true });
  }
}

async function tryLock(lock: string): Promise<boolean> {
  const own = identityOf(process.pid) ?? { pid: process.pid, started: '' };
  try {
    await writeFile(lock, JSON.stringify(own), { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const holder = await readFile(lock, 'utf8')
    .then(text => JSON.parse(text) as ProcessIdentity)
    .catch(() => undefined);
  // An unreadable lock is one that is being written this moment, or was cut short by a full disk long ago.
  if (holder === undefined) {
    const written = await stat(lock).catch(() => undefined);
    if (written !== undefined && Date.now() - written.mtimeMs > 10_000) await rm(lock, { force: true });
  } else if (!isRunning(holder)) await rm(lock, { force: true });
  return false;
}

/** Drops what processes that died have left half unpacked. Called with the lock held. */
async function removeAbandoned(cache: string): Promise<void> {
  for (const name of await readdir(cache)) {
    const pid = /^\.unpack-(\d+)-/.exec(name)?.[1];
    if (pid !== undefined && identityOf(Number(pid)) === undefined)
      await rm(join(cache, name), { recursive: true, force: true });
  }
}

import { constants } from 'node:fs';
import { access, mkdtemp, open, rm, stat } from 'node:fs/promises';
import { arch, cpus, platform, release, totalmem } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { versionFloor } from '../regtest/bitcoind-program.ts';
import { findBitcoind } from '../regtest/find-bitcoind.ts';
import { OperatorError } from '../src/base/fault.ts';
import { packageVersion } from '../src/node-io/package-version.ts';
import type { GlobalOptions } from './global-options.ts';
import { portIsFree } from './network-ports.ts';
import { colour, type Terminal } from './terminal.ts';

/** `missing`: naulon cannot do its work without it. `note`: worth knowing, nothing to fix. */
export interface Check {
  readonly name: string;
  readonly state: 'ok' | 'note' | 'missing';
  readonly found: string;
  /** What to do about it. */
  readonly fix?: string;
}

const nodeFloor = [20, 18] as const;
/** Below this, a busy relay waits for its disk: every payment is made durable before it is receipted. */
const syncsPerSecondFloor = 200;

/**
 * Looks at all that naulon needs of this machine: exit code 3 when something is missing. Or, given files, at those: exit
 * code 1 when one would be refused.
 */
export async function doctor(
  options: GlobalOptions & { bitcoind?: string },
  terminal: Terminal,
  files: string[],
): Promise<number> {
  if (files.length > 0) return (await import('./doctor-files.ts')).doctorFiles(files, terminal);
  const dataDir = resolve(options.dataDir);
  const checks: Check[] = [];
  for (const look of [
    async () => checkNode(process.versions.node),
    () => checkNative('secp256k1', 'payment signatures'),
    () => checkNative('lmdb', 'durable payment state'),
    checkCrypto,
    () => checkDataDir(dataDir),
    () => checkDisk(dataDir),
    () => checkPort(9050, 'SOCKS'),
    () => checkBitcoind(options.bitcoind),
    checkTor,
  ]) {
    const check = await look();
    checks.push(check);
    const mark = { ok: colour.green('✔'), note: colour.yellow('•'), missing: colour.red('✘') }[check.state];
    terminal.print(`${mark} ${check.name.padEnd(12)} ${check.found}`);
    if (check.fix !== undefined) terminal.print(`  ${''.padEnd(12)} ${colour.dim(`→ ${check.fix}`)}`);
  }
  const lacking = checks.filter(({ state }) => state === 'missing');
  terminal.object({ ok: lacking.length === 0, checks });
  terminal.print(lacking.length === 0 ? 'Nothing is missing.' : `${lacking.length} to fix.`);
  return lacking.length === 0 ? 0 : 3;
}

/** Prints versions of what takes part in a measurement. */
export async function version(_: GlobalOptions, terminal: Terminal): Promise<undefined> {
  const facts = {
    naulon: packageVersion(),
    node: process.versions.node,
    openssl: process.versions.openssl,
    platform: `${platform()} ${release()} ${arch()}`,
    cpu: `${cpus().length} x ${cpus()[0]?.model.trim() ?? 'unknown'}`,
    memoryMiB: Math.round(totalmem() / 2 ** 20),
  };
  terminal.object(facts);
  for (const [name, value] of Object.entries(facts)) terminal.print(`${name.padEnd(10)} ${value}`);
  return undefined;
}

export function checkNode(running: string): Check {
  const [major, minor] = running.split('.').map(Number);
  const enough = major > nodeFloor[0] || (major === nodeFloor[0] && minor >= nodeFloor[1]);
  return enough
    ? { name: 'Node', state: 'ok', found: running }
    : { name: 'Node', state: 'missing', found: running, fix: `install Node ${nodeFloor.join('.')} or newer` };
}

async function checkNative(name: string, use: string): Promise<Check> {
  try {
    await import(name);
    return { name, state: 'ok', found: `loads (${use})` };
  } catch (error) {
    const fix = 'run `npm ci` again on this machine: its native part is built for another';
    return { name, state: 'missing', found: firstLine(error), fix };
  }
}

async function checkCrypto(): Promise<Check> {
  const { wrongAnswers } = await import('../src/crypto/known-answers.ts');
  const wrong = wrongAnswers();
  if (wrong.length === 0) return { name: 'crypto', state: 'ok', found: 'all known answers right' };
  const fix = 'this build of Node or OpenSSL computes wrongly; use an official Node';
  return { name: 'crypto', state: 'missing', found: `wrong: ${wrong.join(', ')}`, fix };
}

async function checkDataDir(dataDir: string): Promise<Check> {
  const name = 'data folder';
  const found = await stat(dataDir).catch(() => undefined);
  if (found === undefined) {
    const parent = await nearestExisting(dirname(dataDir));
    const writable = await access(parent, constants.W_OK).then(
      () => true,
      () => false,
    );
    return writable
      ? { name, state: 'ok', found: `${dataDir} can be made` }
      : {
          name,
          state: 'missing',
          found: `${parent} cannot be written`,
          fix: 'choose another with --data-dir',
        };
  }
  if (!found.isDirectory())
    return {
      name,
      state: 'missing',
      found: `${dataDir} is no folder`,
      fix: 'choose another with --data-dir',
    };
  if (found.uid !== process.getuid?.() && process.getuid !== undefined)
    return { name, state: 'missing', found: `${dataDir} belongs to another user`, fix: 'choose another' };
  if ((found.mode & 0o077) !== 0)
    return {
      name,
      state: 'missing',
      found: `${dataDir} is open to other users (mode ${(found.mode & 0o777).toString(8)})`,
      fix: `chmod 700 ${dataDir}: it will hold keys and money`,
    };
  return { name, state: 'ok', found: `${dataDir}, yours alone` };
}

async function nearestExisting(folder: string): Promise<string> {
  const exists = await stat(folder).catch(() => undefined);
  return exists !== undefined || folder === dirname(folder) ? folder : nearestExisting(dirname(folder));
}

/** How often a second a small record can be made durable where the data folder is, or would be. */
async function checkDisk(dataDir: string): Promise<Check> {
  const name = 'disk';
  try {
    const folder = await mkdtemp(join(await nearestExisting(dataDir), '.naulon-sync-'));
    try {
      const rate = await syncRate(join(folder, 'record'));
      const found = `${Math.round(rate)} durable writes a second`;
      return rate >= syncsPerSecondFloor
        ? { name, state: 'ok', found }
        : { name, state: 'note', found, fix: 'payments will wait for this disk; a faster one serves more' };
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  } catch (error) {
    return { name, state: 'missing', found: firstLine(error), fix: 'choose another place with --data-dir' };
  }
}

async function syncRate(path: string): Promise<number> {
  const file = await open(path, 'w', 0o600);
  try {
    const record = Buffer.alloc(200, 1);
    const start = performance.now();
    let writes = 0;
    for (; writes < 500 && performance.now() - start < 500; writes++) {
      await file.write(record);
      await file.datasync();
    }
    return (writes * 1_000) / (performance.now() - start);
  } finally {
    await file.close();
  }
}

async function checkPort(port: number, use: string): Promise<Check> {
  const name = `port ${port}`;
  return (await portIsFree(port))
    ? { name, state: 'ok', found: `free (${use})` }
    : { name, state: 'note', found: 'taken, by a running tor perhaps', fix: '`naulon up` picks another' };
}

async function checkBitcoind(asked: string | undefined): Promise<Check> {
  const name = 'bitcoind';
  try {
    const { title, way } = await findBitcoind({ bitcoind: asked, provision: false });
    return { name, state: 'ok', found: `${title} (${way})` };
  } catch (error) {
    if (!(error instanceof OperatorError) || error.code !== 'BITCOIND_NONE')
      return { name, state: 'missing', found: firstLine(error), fix: 'unset NAULON_BITCOIND or correct it' };
  }
  const tarball = process.env.NAULON_BITCOIND_TARBALL || process.env.NAULON_BITCOIND_ENDPOINT;
  if (tarball) return { name, state: 'note', found: `none yet; the first run takes it from ${tarball}` };
  if ((await onPath('apt-get')) && (await onPath('dpkg-deb')))
    return { name, state: 'note', found: 'none yet; the first run fetches Debian packages (19 MB)' };
  const fix = `put bitcoind ${versionFloor} or newer on PATH, or name it with NAULON_BITCOIND`;
  return { name, state: 'missing', found: 'none', fix };
}

async function checkTor(): Promise<Check> {
  const found = await onPath('tor');
  return found === undefined
    ? { name: 'tor', state: 'note', found: 'not here; only comparisons with C tor need it' }
    : { name: 'tor', state: 'ok', found };
}

async function onPath(command: string): Promise<string | undefined> {
  for (const folder of (process.env.PATH ?? '').split(delimiter).filter(Boolean)) {
    const file = join(folder, command);
    const runs = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (runs) return file;
  }
  return undefined;
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0];
}

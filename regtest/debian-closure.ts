import { execFile } from 'node:child_process';
import { access, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { addToCache, hereMark } from './bitcoind-cache.ts';
import type { Launch } from './bitcoind-program.ts';
import { versionOf } from './bitcoind-program.ts';

const execute = promisify(execFile);
const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
const packageName = 'bitcoin-knots';
const commandMsMax = 180_000;
/** After the release that this machine runs: where the package lives in releases that lack it. */
const laterSuites = ['forky', 'sid'];

/**
 * Gets bitcoind and every library it needs as Debian packages, checks Debian's signatures and unpacks them into a
 * folder of their own, where they run through their own loader. Nothing is installed and nothing of the system's apt
 * is touched, so this works for any user.
 */
export async function debianBitcoind(
  cache: string,
  say: (text: string) => void,
  signal?: AbortSignal,
): Promise<{ version: string; launch: Launch }> {
  await access(keyring).catch(() => {
    throw new Error('this is no Debian: it has no Debian archive keyring');
  });
  const codename = await releaseCodename();
  const mirrors = await debianMirrors(codename);
  if (mirrors.length === 0) throw new Error("apt's sources name no Debian mirror");
  const faults: string[] = [];
  for (const mirror of mirrors)
    for (const suite of new Set([codename, ...laterSuites])) {
      try {
        return await addToCache(cache, folder => unpackFrom(mirror, suite, folder, say, signal));
      } catch (error) {
        signal?.throwIfAborted();
        const fault = error instanceof Error ? error.message : String(error);
        say(`suite ${suite}: ${fault}`);
        faults.push(`${suite}: ${fault}`);
      }
    }
  throw new Error(faults.join('; '));
}

async function releaseCodename(): Promise<string> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '');
  return /^VERSION_CODENAME="?([\w-]+)"?$/m.exec(text)?.[1] ?? 'sid';
}

/** The main archives that the machine's own apt uses, those of its own release first; security archives left out. */
export async function debianMirrors(codename: string): Promise<string[]> {
  const { stdout } = await execute(
    'apt-get',
    ['indextargets', '--format', '$(REPO_URI)\t$(RELEASE)\t$(COMPONENT)\t$(IDENTIFIER)'],
    { timeout: commandMsMax },
  );
  return mirrorsAmong(stdout, codename);
}

/** Reads lines of archive, release, component and identifier, tab-separated. */
export function mirrorsAmong(lines: string, codename: string): string[] {
  const releases = [codename, 'stable', 'oldstable', 'testing', 'unstable', ...laterSuites];
  const ranked = lines
    .split('\n')
    .map(line => line.split('\t'))
    .filter(
      ([uri, release, component, identifier]) =>
        component === 'main' &&
        identifier === 'Packages' &&
        releases.includes(release) &&
        !uri.includes('security'),
    )
    .sort((a, b) => releases.indexOf(a[1]) - releases.indexOf(b[1]));
  return [...new Set(ranked.map(([uri]) => uri))];
}

async function unpackFrom(
  mirror: string,
  suite: string,
  folder: string,
  say: (text: string) => void,
  signal?: AbortSignal,
): Promise<{ version: string; command: string; args: string[] }> {
  const work = join(folder, 'apt');
  const apt = await privateApt(work, mirror, suite, signal);
  await apt(['update']);
  const policy = await apt(['--simulate', 'install', packageName]).catch(() => '');
  if (!policy.includes(`Inst ${packageName} `))
    throw new Error(`has no ${packageName} that can be installed`);
  await apt(['--yes', '--download-only', 'install', packageName]);
  const archives = join(work, 'cache', 'archives');
  const packages = (await readdir(archives)).filter(name => name.endsWith('.deb'));
  say(`suite ${suite}: ${packages.length} packages, signatures checked; unpacking`);
  for (const name of packages) await execute('dpkg-deb', ['-x', join(archives, name), folder], { signal });
  await rm(work, { recursive: true, force: true });
  for (const unused of ['usr/share', 'etc', 'var'])
    await rm(join(folder, unused), { recursive: true, force: true });
  const launch = await ownLoader(folder);
  const found = await versionOf(launch);
  if (found === undefined) throw new Error('the unpacked bitcoind does not run');
  const here = (text: string) => text.replaceAll(folder, hereMark);
  return { version: found.version, command: here(launch.command), args: launch.args.map(here) };
}

/** An apt that reads and writes below `work` alone, and believes that the system has nothing but the stated packages. */
async function privateApt(
  work: string,
  mirror: string,
  suite: string,
  signal?: AbortSignal,
): Promise<(args: string[]) => Promise<string>> {
  for (const part of ['state/lists/partial', 'cache/archives/partial'])
    await mkdir(join(work, part), { recursive: true, mode: 0o700 });
  const file = (name: string) => join(work, name);
  await writeFile(file('sources.list'), `deb [signed-by=${keyring}] ${mirror} ${suite} main\n`);
  const { stdout: architecture } = await execute('dpkg', ['--print-architecture']);
  await writeFile(file('status'), statusOf(architecture.trim()));
  await writeFile(
    file('apt.conf'),
    [
      ...(await accessSettings()),
      `Dir::Etc::sourcelist "${file('sources.list')}";`,
      ...['sourceparts', 'main', 'parts', 'preferences', 'preferencesparts', 'trusted', 'trustedparts'].map(
        part => `Dir::Etc::${part} "/dev/null";`,
      ),
      `Dir::State "${file('state')}";`,
      `Dir::State::status "${file('status')}";`,
      `Dir::Cache "${file('cache')}";`,
      'APT::Sandbox::User "";',
      'APT::Install-Recommends "false";',
      'Acquire::Languages "none";',
      'Acquire::Retries "2";',
      'Acquire::http::Timeout "20";',
      '',
    ].join('\n'),
  );
  return async args => {
    const { stdout } = await execute('apt-get', ['--quiet', ...args], {
      timeout: commandMsMax,
      signal,
      maxBuffer: 16 * 1024 * 1024,
      env: { ...process.env, APT_CONFIG: file('apt.conf'), LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' },
    }).catch(error => {
      throw new Error(`apt-get ${args.join(' ')}: ${lastLine(error)}`);
    });
    return stdout;
  };
}

function lastLine(error: unknown): string {
  const { stderr, message } = error as { stderr?: string; message?: string };
  const lines = (stderr || message || '').split('\n').filter(line => line.trim() !== '');
  return lines.find(line => line.startsWith('E:')) ?? lines.at(-1) ?? 'failed';
}

/** What the package's scripts would need, which never run here; without them the closure is a third larger. */
function statusOf(architecture: string): string {
  const stanza = (name: string, kind: string, provides: string) =>
    [
      `Package: ${name}`,
      'Status: install ok installed',
      `Architecture: ${kind}`,
      'Multi-Arch: foreign',
      'Version: 9999',
      `Provides: ${provides}`,
      'Maintainer: nobody <nobody@localhost>',
      'Description: assumed to be there',
      '',
      '',
    ].join('\n');
  return (
    stanza('debconf', 'all', 'debconf-2.0') +
    stanza('systemd-standalone-sysusers', architecture, 'systemd-sysusers')
  );
}

/** How this machine reaches and trusts archives (proxies, certificates, whether dates count) stays in force; hooks and preferences do not. */
async function accessSettings(): Promise<string[]> {
  const { stdout } = await execute('apt-config', ['dump', 'Acquire']).catch(() => ({ stdout: '' }));
  const kept =
    /^Acquire::(Check-Valid-Until|Check-Date|M(ax|in)-ValidTime|ForceIPv[46]|\w+::(Proxy|CaInfo|Verify|SslCert|SslKey|User-Agent))\S* "/;
  return stdout.split('\n').filter(line => kept.test(line));
}

/** Runs bitcoind by the loader and libraries that were unpacked with it, whatever the system's are. */
async function ownLoader(folder: string): Promise<Launch> {
  const lib = join(folder, 'usr', 'lib');
  for (const triplet of await readdir(lib)) {
    const names = await readdir(join(lib, triplet)).catch(() => [] as string[]);
    const loader = names.find(name => /^ld-linux.*\.so\.\d+$/.test(name));
    if (loader !== undefined)
      return {
        command: join(lib, triplet, loader),
        args: ['--library-path', join(lib, triplet), join(folder, 'usr', 'bin', 'bitcoind')],
      };
  }
  throw new Error('the packages hold no loader');
}

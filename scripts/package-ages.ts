import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

const root = new URL('..', import.meta.url);
const agesFile = fileURLToPath(new URL('package-ages.json', root));

/** Most packages that were taken over were found out, and withdrawn, within days. */
export const packageDaysLeast = 14;
const dayMs = 86_400_000;

/** When each version that the lock names was published: `name@version` to ISO 8601. */
const ages = z.record(z.string(), z.iso.datetime({ offset: true }));
const lock = z.object({
  packages: z.record(z.string(), z.object({ name: z.string().optional(), version: z.string() })),
});
const published = z.object({ time: z.record(z.string(), z.string()) });

/** `name@version` of all that `npm ci` may install, in order. */
export function lockedPackages(): string[] {
  const { packages } = lock.parse(JSON.parse(readFileSync(new URL('package-lock.json', root), 'utf8')));
  const inside = Object.entries(packages).filter(([path]) => path !== '');
  return [...new Set(inside.map(([path, { name, version }]) => `${name ?? nameIn(path)}@${version}`))].sort();
}

/** What is on record. */
export function packageAges(): Readonly<Record<string, string>> {
  return ages.parse(JSON.parse(readFileSync(agesFile, 'utf8')));
}

/** Those that were published later than so many days before `nowMs`, or of which nothing is on record. */
export function tooYoung(
  packages: readonly string[],
  ages: Readonly<Record<string, string>>,
  nowMs: number,
): string[] {
  const latest = nowMs - packageDaysLeast * dayMs;
  return packages.filter(each => ages[each] === undefined || Date.parse(ages[each]) > latest);
}

const folder = 'node_modules/';
function nameIn(path: string): string {
  return path.slice(path.lastIndexOf(folder) + folder.length);
}

/** Asks the registry that npm is set to. */
async function whenPublished(registry: string, packageVersion: string): Promise<string> {
  const at = packageVersion.lastIndexOf('@');
  const [name, version] = [packageVersion.slice(0, at), packageVersion.slice(at + 1)];
  const answer = await fetch(new URL(name.replace('/', '%2f'), registry));
  if (!answer.ok) throw new Error(`${name}: the registry answers ${answer.status}`);
  const date = published.parse(await answer.json()).time[version];
  if (date === undefined)
    throw new Error(`${packageVersion}: the registry does not say when it was published`);
  return date;
}

async function main(): Promise<void> {
  const registry = execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' }).trim();
  const known = packageAges();
  const dates: Record<string, string> = {};
  for (const each of lockedPackages()) dates[each] = known[each] ?? (await whenPublished(registry, each));
  writeFileSync(agesFile, `${JSON.stringify(dates, undefined, 2)}\n`);
  const young = tooYoung(Object.keys(dates), dates, Date.now());
  for (const each of young)
    console.error(`${each}: published ${dates[each]}, less than ${packageDaysLeast} days ago`);
  process.exitCode = young.length > 0 ? 1 : 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();

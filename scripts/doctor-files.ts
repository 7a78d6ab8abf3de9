import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exitCode, OperatorError } from '../src/base/fault.ts';
import { defaultPayConfig } from '../src/config/pay-config.ts';
import { parseTorrc, type Torrc } from '../src/config/torrc.ts';
import { readInput } from '../src/node-io/input-file.ts';
import { type CheckedDocument, certificatesIn, checkDocuments, type Given } from './document-check.ts';
import { colour, type Terminal } from './terminal.ts';
import { findTor, hasTor } from './tor-node.ts';

/** One thing that was looked at, and what is wrong with it. */
interface Finding {
  readonly file: string;
  readonly what: string;
  readonly ok: boolean;
  readonly notes: readonly string[];
  readonly code?: string;
  readonly field?: string;
  readonly line?: number;
  readonly problem?: string;
  readonly rule?: string;
}

const torMsMax = 30_000;
/** What C tor warns of although it takes the file. */
const aside =
  /running Tor as root|DirAuthority or AlternateDirAuthority|TestingTorNetwork is set|are all undefined|Reading config failed/;

/** Checks descriptors, consensuses, certificates and torrc files. Exit code 1 when C tor or we would refuse one. */
export async function doctorFiles(files: readonly string[], terminal: Terminal): Promise<number> {
  // Documents are bytes: digests are over what a relay put into `contact`, whatever it is.
  const texts = files.map(file => readInput(file, 'latin1'));
  const given = { wallMs: Date.now(), certificates: texts.flatMap(certificatesIn) };
  const findings: Finding[] = [];
  for (const [at, file] of files.entries()) findings.push(...(await findingsOf(file, texts[at], given)));
  for (const finding of findings) show(finding, terminal);
  const bad = findings.filter(({ ok }) => !ok).length;
  terminal.object({ ok: bad === 0, findings });
  terminal.print(bad === 0 ? 'Nothing would be refused.' : `${bad} would be refused.`);
  return bad === 0 ? exitCode.ok : exitCode.badAnswer;
}

async function findingsOf(file: string, text: string, given: Given): Promise<readonly Finding[]> {
  const documents = checkDocuments(text, given);
  if (documents !== undefined) return documents.map(document => findingOf(file, document));
  const ours = await ourTorrcFinding(file, text);
  if (hasTor()) return [ours, torFinding(file, text)];
  return [{ ...ours, notes: [...ours.notes, 'C tor was not asked: there is none on PATH'] }];
}

function findingOf(file: string, { kind, name, line, notes, fault }: CheckedDocument): Finding {
  const what = `${kind} ${name}`.trimEnd();
  if (fault === undefined) return { file, what, ok: true, line, notes };
  const { code, field, problem, rule } = fault;
  return { file, what, ok: false, notes, code, field, line: fault.line ?? line, problem, rule };
}

/** What our own program of that role says of the torrc. */
async function ourTorrcFinding(file: string, text: string): Promise<Finding> {
  const parsed = parseTorrc(Buffer.from(text, 'latin1').toString('utf8'), file);
  if (!parsed.ok) return refusal(file, 'torrc for naulon', parsed.fault.code, parsed.fault.detail);
  const role = roleOf(parsed.value);
  const what = `torrc for naulon ${role}`;
  try {
    await readAs(role, parsed.value, file);
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    return refusal(file, what, error.code, error.message);
  }
  const unused = parsed.value.unused();
  const notes = unused.length === 0 ? [] : [`without effect in naulon: ${unused.join(', ')}`];
  return { file, what, ok: true, notes };
}

type Role = 'relay' | 'client' | 'dirauth';

function roleOf(torrc: Torrc): Role {
  if (torrc.flag('AuthoritativeDirectory')) return 'dirauth';
  return torrc.ports('ORPort').some(({ port }) => port !== 0) ? 'relay' : 'client';
}

async function readAs(role: Role, torrc: Torrc, file: string): Promise<void> {
  if (role === 'relay') {
    const { isClient } = (await import('../relay/config.ts')).relayConfig(
      torrc,
      defaultPayConfig(),
      'pay.yaml',
    );
    if (isClient) (await import('../relay/client-service.ts')).readMountedClient(file, undefined);
  }
  if (role === 'client') (await import('../client/config.ts')).readClientConfig(file, undefined);
  if (role === 'dirauth') {
    const read = (await import('../dirauth/config.ts')).authorityConfig(torrc);
    if (!read.ok) throw new OperatorError(read.fault.code, read.fault.detail ?? '', exitCode.usage);
  }
}

/** What the C tor on this machine says of the torrc. It writes into a folder that is removed. */
function torFinding(file: string, text: string): Finding {
  const what = 'torrc for C tor';
  const folder = mkdtempSync(join(tmpdir(), 'naulon-doctor-'));
  try {
    const args = ['--verify-config', '-f', file, '--DataDirectory', folder];
    const { status, stdout } = spawnSync(findTor(), args, { encoding: 'utf8', timeout: torMsMax });
    if (status === 0) return { file, what, ok: true, notes: [] };
    const told = stdout.split('\n').flatMap(line => /\[(?:warn|err)\] (.*)/.exec(line)?.[1] ?? []);
    const reasons = told.filter(line => !aside.test(line)).slice(-2);
    const option = reasons.map(reason => optionNamed(text, reason)).find(named => named !== undefined);
    return { file, what, ok: false, notes: [], code: 'TOR_REFUSES', ...option, problem: reasons.join(' ') };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** C tor names the option, in the last of its warnings or in the one before, but not its line. */
function optionNamed(text: string, why: string): Pick<Finding, 'field' | 'line'> | undefined {
  const words = new Set(why.toLowerCase().match(/[a-z0-9_]+/g));
  const lines = text.split('\n').map(line => line.trim().split(/\s/, 1)[0]);
  const at = lines.findIndex(option => words.has(option.toLowerCase()));
  return at < 0 ? undefined : { field: lines[at], line: at + 1 };
}

/** Our faults begin with file and line, and name the option: `torrc:3: ORPort: must be …`. */
function refusal(file: string, what: string, code: string, detail = ''): Finding {
  const own = detail.startsWith(`${file}:`) ? detail.slice(file.length + 1) : detail;
  const [, line, problem = own] = /^(?:(\d+):)? ?(.*)$/.exec(own) ?? [];
  const [, field] = /^(?:unknown option )?(\w+)(?=[:;]| is missing)/.exec(problem) ?? [];
  return { file, what, ok: false, notes: [], code, field, line: line ? Number(line) : undefined, problem };
}

function show(finding: Finding, terminal: Terminal): void {
  const { file, what, ok, line, problem, rule, notes } = finding;
  const at = line === undefined ? file : `${file}:${line}`;
  if (ok) terminal.print(`${colour.green('✔')} ${at}: ${what}`);
  else terminal.print(`${colour.red('✘')} ${at}: ${what}: ${problem}`);
  if (rule !== undefined) terminal.print(`  ${colour.dim(`→ ${rule}`)}`);
  for (const note of notes) terminal.print(`  ${colour.dim(note)}`);
}

import { execFileSync, spawn } from 'node:child_process';
import {
  chownSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort } from '../regtest/bitcoind.ts';
import { guardOrphan } from '../regtest/orphan-guard.ts';
import { type PostgresServer, postgresSession } from '../src/node-io/postgres-session.ts';

const startTries = 200;
/** PostgreSQL does not run as root; this user is on every Linux. */
const nobody = 65_534;

/** Whether a PostgreSQL is on this machine. CI has one: there its absence is an error, never a test left out. */
export function hasPostgres(): boolean {
  if (programFolder() !== undefined) return true;
  const what = 'no PostgreSQL server on this machine; these tests need: apt-get install postgresql';
  if (process.env.CI !== undefined) throw new Error(what);
  console.warn(`LEFT OUT: ${what}`);
  return false;
}

/** On PATH, or where Debian has it. */
function programFolder(): string | undefined {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).map(version => join(debian, version, 'bin')) : [];
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...versions];
  return folders.find(folder => existsSync(join(folder, 'initdb')));
}

export interface PostgresOptions {
  /** Settings of the server, `name=value`. */
  readonly settings?: readonly string[];
  /** No file of the server may grow beyond so many bytes. */
  readonly fileBytesMax?: number;
}

/** A PostgreSQL server that this process started, on a folder that is removed at the end. */
export class Postgres {
  /** As its owner, who may do anything. */
  readonly access: PostgresServer & { readonly password: string };
  readonly folder: string;
  readonly #options: PostgresOptions;
  #pid: number | undefined;
  #ended: Promise<unknown> = Promise.resolve();

  private constructor(folder: string, port: number, options: PostgresOptions) {
    const password = 'of nobody else';
    this.access = { host: '127.0.0.1', port, database: 'naulon', user: 'owner', password };
    this.folder = folder;
    this.#options = options;
  }

  static async start(options: PostgresOptions = {}): Promise<Postgres> {
    const folder = mkdtempSync(join(tmpdir(), 'naulon-postgres-'));
    const postgres = new Postgres(folder, await freePort(), options);
    if (isRoot()) chownSync(folder, nobody, nobody);
    const passwordFile = postgres.write('password', postgres.access.password);
    const auth = ['-A', 'scram-sha-256', '-U', 'owner', '--pwfile', passwordFile];
    const size = ['--wal-segsize=1', '--no-sync', '-E', 'UTF8', '--locale=C'];
    execFileSync(program('initdb'), ['-D', join(folder, 'data'), ...auth, ...size], {
      stdio: ['ignore', 'ignore', 'pipe'],
      ...owner(),
    });
    await postgres.begin();
    await postgres.ask('create database naulon', 'postgres');
    return postgres;
  }

  /** With the password in it, unless another user is named. */
  url(
    database = this.access.database,
    { user = `owner:${encodeURIComponent(this.access.password)}` } = {},
  ): string {
    const { host, port } = this.access;
    return `postgres://${user}@${host}:${port}/${database}`;
  }

  /** The first row that the server answers with, in a session of its own. */
  async ask(query: string, database = this.access.database): Promise<Record<string, unknown>> {
    const sql = postgresSession({ ...this.access, database }, () => {});
    try {
      const [row] = await sql.unsafe(query);
      return row ?? {};
    } finally {
      await sql.end();
    }
  }

  /** Changes a setting of the running server, and waits until it holds. */
  async set(name: string, value: string): Promise<void> {
    await this.ask(`alter system set ${name} = '${value}'`);
    await this.ask('select pg_reload_conf()');
    while ((await this.ask(`show ${name}`))[name] !== value) await pause(20);
  }

  /** Puts a file where the server reads it, and nobody else. */
  write(name: string, text: string): string {
    const path = join(this.folder, name);
    writeFileSync(path, text, { mode: 0o600 });
    if (isRoot()) chownSync(path, nobody, nobody);
    return path;
  }

  /** Starts the server; after a kill as soon as all its processes are gone. */
  async begin(): Promise<void> {
    for (let tries = 1; ; tries++) {
      const said = await this.#beginOnce();
      if (said === undefined) return;
      // What it shared with processes that were just killed is still held.
      if (!/still in use|lock file .* already exists/.test(said) || tries === startTries)
        throw new Error(`PostgreSQL does not start: ${said}`);
      await pause(50);
    }
  }

  /** Undefined once it serves; else what it said. */
  #beginOnce(): Promise<string | undefined> {
    const { fileBytesMax, settings = [] } = this.#options;
    const { host, port } = this.access;
    const listen = [`listen_addresses=${host}`, `port=${port}`, `unix_socket_directories=${this.folder}`];
    const args = [...listen, 'lc_messages=C', ...settings].flatMap(setting => ['-c', setting]);
    const command = [program('postgres'), '-D', join(this.folder, 'data'), ...args];
    // The shell counts in blocks of 512 bytes. spec: POSIX, ulimit
    const limit = fileBytesMax === undefined ? 'unlimited' : String(Math.ceil(fileBytesMax / 512));
    const shell = ['-c', 'ulimit -f "$0"; exec "$@"', limit, ...command];
    const server = spawn('/bin/sh', shell, {
      stdio: ['ignore', 'ignore', 'pipe'],
      cwd: this.folder,
      ...owner(),
    });
    this.#pid = server.pid;
    // A server whose folder is gone ends by itself.
    const callOff = guardOrphan(server.pid ?? 0, join(this.folder, 'data'), this.folder);
    this.#ended = new Promise(ended => server.once('close', ended)).then(callOff);
    let said = '';
    return new Promise(done => {
      server.stderr.setEncoding('utf8').on('data', (text: string) => {
        said += text;
        if (said.includes('ready to accept connections')) done(undefined);
      });
      void this.#ended.then(() => done(said));
    });
  }

  /** Processes that serve sessions, and those that work for all. */
  get children(): readonly number[] {
    const pid = this.#pid;
    if (pid === undefined) return [];
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);
  }

  /** kill -9 of the server and all its processes, as a power cut would. */
  async kill(): Promise<void> {
    const { children } = this;
    for (const pid of [this.#pid ?? 0, ...children]) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It went by itself.
      }
    }
    await this.#ended;
  }

  /** In order, though sessions be open. */
  async end(): Promise<void> {
    if (this.#pid !== undefined) process.kill(this.#pid, 'SIGINT');
    await this.#ended;
    this.#pid = undefined;
  }

  async stop(): Promise<void> {
    await this.end();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function program(name: string): string {
  return join(programFolder() ?? '', name);
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

function owner(): { readonly uid?: number; readonly gid?: number } {
  return isRoot() ? { uid: nobody, gid: nobody } : {};
}

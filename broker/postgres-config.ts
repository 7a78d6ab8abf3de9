import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { OperatorError } from '../src/base/fault.ts';
import { readSecretFile } from '../src/node-io/data-directory.ts';
import type { PostgresServer } from '../src/node-io/postgres-session.ts';
import { systemReason } from '../src/node-io/system-reason.ts';

/** broker.yaml, `store`: a PostgreSQL that keeps the records, in place of the data directory. */
export const storeSchema = z.strictObject({
  /** postgres://USER@HOST:PORT/DATABASE, or postgres:///DATABASE?host=FOLDER&user=USER by a unix socket. */
  postgres: z.string().min(1),
  /** A file with the password; that of the URL, or PGPASSWORD, otherwise. */
  password: z.string().min(1).optional(),
});

const parameters = ['host', 'port', 'user', 'sslmode', 'sslrootcert'];
const loopback = /^(localhost|127\.\d+\.\d+\.\d+|::1|\/.*)$/;

/**
 * Throws OperatorError (exit code 2) naming the option; never with a password.
 * @param file that it was read from: nobody else may read it when it holds the password.
 */
export function postgresServer(file: string, store: z.output<typeof storeSchema>): PostgresServer {
  const url = parsed(file, store.postgres);
  const asked = url.searchParams;
  const unknown = [...asked.keys()].find(name => !parameters.includes(name));
  if (unknown !== undefined)
    throw bad(file, `there is no parameter ${unknown}, but ${parameters.join(', ')}`);
  const host = asked.get('host') ?? url.hostname.replace(/^\[(.*)\]$/, '$1');
  const port = Number(asked.get('port') ?? (url.port || '5432'));
  const database = decodeURIComponent(url.pathname.slice(1));
  if (host === '' || database === '' || !(port >= 1 && port <= 65_535))
    throw bad(file, 'it names server and database: postgres://USER@HOST:PORT/DATABASE');
  if (url.password !== '') readSecretFile(file);
  const password =
    store.password === undefined ? decodeURIComponent(url.password) : secretIn(file, store.password);
  const user = asked.get('user') ?? decodeURIComponent(url.username);
  return { host, port, database, ...given({ user, password }), ...tlsOf(file, host, asked) };
}

/** What is left out is up to the environment, as PGUSER and PGPASSWORD. */
function given(texts: { readonly user: string; readonly password: string }) {
  return Object.fromEntries(Object.entries(texts).filter(([, text]) => text !== ''));
}

function parsed(file: string, text: string): URL {
  try {
    const url = new URL(text);
    for (const part of [url.pathname, url.username, url.password]) decodeURIComponent(part);
    if (/^postgres(ql)?:$/.test(url.protocol)) return url;
  } catch {
    // Refused below: the text itself may hold a password.
  }
  throw bad(file, 'a URL reads like postgres://USER@HOST:PORT/DATABASE');
}

/** Off this machine whatever is said is sealed, and the server has to show whose it is, unless told otherwise. */
function tlsOf(file: string, host: string, asked: URLSearchParams): Pick<PostgresServer, 'tls'> {
  const mode = asked.get('sslmode') ?? (loopback.test(host) ? 'disable' : 'verify-full');
  if (mode === 'disable') return {};
  if (mode !== 'verify-full') throw bad(file, 'sslmode is verify-full or disable');
  const roots = asked.get('sslrootcert');
  return { tls: roots === null ? {} : { ca: textIn(file, roots) } };
}

function secretIn(file: string, name: string): string {
  const path = resolve(dirname(file), name);
  const text = readSecretFile(path);
  if (text === undefined) throw bad(file, `there is no file ${path}`);
  return text.split(/\r?\n/)[0];
}

function textIn(file: string, name: string): string {
  const path = resolve(dirname(file), name);
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw bad(file, `cannot read ${path}: ${systemReason(error)}`);
  }
}

function bad(file: string, what: string): OperatorError {
  return new OperatorError('CONFIG_BAD_VALUE', `${file}: store.postgres: ${what}`, 2);
}

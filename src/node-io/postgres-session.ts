import { connect, isIP, type Socket } from 'node:net';
import { hostname } from 'node:os';
import postgres, { type Sql } from 'postgres';
import { OperatorError } from '../base/fault.ts';

/** How a PostgreSQL server is reached, and as whom. */
export interface PostgresServer {
  /** A name or an address; a path: the folder of its unix socket. */
  readonly host: string;
  readonly port: number;
  readonly database: string;
  /** That of the operating system when absent. */
  readonly user?: string;
  readonly password?: string;
  /** Absent: what is said goes in the clear. `ca`: PEM of whom to believe; those that Node knows otherwise. */
  readonly tls?: { readonly ca?: string };
}

const connectSeconds = 10;
/** How soon a server is to find out that the machine of a broker is gone, and to free what it had locked. */
const keepAlive = { tcp_keepalives_idle: 10, tcp_keepalives_interval: 5, tcp_keepalives_count: 3 };

/** Names a server to a person, without user or password. */
export function placeOf({ host, port, database }: PostgresServer): string {
  return `PostgreSQL at ${host}:${port}/${database}`;
}

/**
 * One session, opened by its first query, so that what it locks is locked as long as it lives.
 * @param onEnded it is over, for whatever reason; a query after that would open another.
 */
export function postgresSession(server: PostgresServer, onEnded: () => void): Sql {
  const { database, user, password, tls } = server;
  return postgres({
    ...opened(server),
    database,
    user,
    password,
    ssl: tls === undefined ? false : { ...tls, ...namesOf(server) },
    max: 1,
    idle_timeout: 0,
    max_lifetime: null,
    connect_timeout: connectSeconds,
    onnotice() {},
    onclose: onEnded,
    connection: {
      application_name: `naulon on ${hostname()}, process ${process.pid}`,
      // Whatever the server's default: answered must mean on its disk.
      synchronous_commit: 'on',
      ...keepAlive,
    },
  });
}

/** A connection that is made once: the library would replace one that was lost, and go on without what it had locked. */
function opened(server: PostgresServer): { readonly socket: () => Promise<Socket> } {
  let made = false;
  return {
    socket: async () => {
      if (made) throw new Error('the connection was closed');
      made = true;
      return connected(server);
    },
  };
}

function connected({ host, port }: PostgresServer): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = host.startsWith('/') ? connect(`${host}/.s.PGSQL.${port}`) : connect({ host, port });
    const late = setTimeout(() => socket.destroy(new Error('no answer')), connectSeconds * 1_000);
    socket.once('error', reject).once('close', () => clearTimeout(late));
    socket.once('connect', () => {
      clearTimeout(late);
      socket.off('error', reject);
      resolve(socket);
    });
  });
}

/** What its certificate has to be for. */
function namesOf({ host }: PostgresServer) {
  return isIP(host) === 0 ? { host, servername: host } : { host };
}

/** What a query rejects with, for the operator: STORE_UNREACHABLE, STORE_REFUSED or STORE_BROKEN; others as they are. */
export function postgresProblem(server: PostgresServer, error: unknown): OperatorError {
  if (error instanceof OperatorError) return error;
  const where = placeOf(server);
  if (!(error instanceof postgres.PostgresError)) {
    const { code, message } = error as NodeJS.ErrnoException;
    return new OperatorError('STORE_UNREACHABLE', `${where} cannot be reached (${code ?? message})`, 3);
  }
  const { code } = error;
  const said = `${error.message.split('\n')[0]} (${code})`;
  // Connection exceptions, shutdown, start, all sessions taken. Source: PostgreSQL, appendix A.
  if (/^(08|57P|53300)/.test(code))
    return new OperatorError('STORE_UNREACHABLE', `${where} cannot be reached: ${said}`, 3);
  // No room, no memory, files that cannot be read or written, damage.
  if (/^(53|54|58|XX)/.test(code)) {
    const cure = 'mend that, then start again';
    return new OperatorError(
      'STORE_BROKEN',
      `${where} does not take what must be stored: ${said}; ${cure}`,
      3,
    );
  }
  return new OperatorError('STORE_REFUSED', `${where} refuses: ${said}`, 3);
}

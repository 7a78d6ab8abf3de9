import { userInfo } from 'node:os';
import { exitCode, OperatorError } from '../src/base/fault.ts';
import { cookieBytes } from '../src/control/control-auth.ts';
import { writeSecretFile } from '../src/node-io/data-directory.ts';
import { listening } from '../src/node-io/server-socket.ts';
import { SystemEntropy } from '../src/node-io/system-entropy.ts';
import type { TcpStreams } from '../src/node-io/tcp-streams.ts';
import type { Clock, Endpoint, Observer } from '../src/ports.ts';
import type { ClientCore } from './client-core.ts';
import { type ClientConfig, readTorrc } from './config.ts';
import type { MoneyDesk } from './control-service.ts';
import { ControllerService } from './controller/controller-service.ts';

export interface ControllerParts {
  readonly config: ClientConfig;
  readonly core: ClientCore;
  readonly money: MoneyDesk | undefined;
  readonly streams: TcpStreams;
  readonly clock: Clock;
  readonly observer: Observer;
  /** HOST:PORT of each SOCKS listener. */
  readonly socks: readonly string[];
  /** Of naulon. */
  readonly version: string;
  /** A controller wants the client to end. */
  stop(): void;
}

/** What serves controllers, and where: HOST:PORT or `unix:PATH`. */
export interface RunningController {
  readonly service: ControllerService;
  readonly listeners: readonly string[];
}

/** Listens where torrc says; undefined: nowhere. Throws OperatorError for what a person can mend. */
export async function startController(parts: ControllerParts): Promise<RunningController | undefined> {
  const { config, core, money, streams, clock, observer, socks, version } = parts;
  const { ports, socket, cookieFile, passwords } = config.torControl;
  if (ports.length === 0 && socket === undefined) return undefined;
  const listeners: string[] = [];
  const { uid, username } = userInfo();
  const { torrc } = config;
  const service = new ControllerService(
    core,
    { streams, clock, entropy: new SystemEntropy(), observer },
    {
      secrets: { cookie: cookieFile === undefined ? undefined : newCookie(cookieFile), passwords },
      version,
      facts: {
        pid: process.pid,
        uid,
        user: username,
        torrcFile: torrc.file,
        listeners: { socks, control: listeners },
      },
      torrc,
      money,
      readTorrc: () => readTorrc(torrc.file),
      stop: parts.stop,
    },
  );
  core.addService('controller', service);
  for (const at of ports) listeners.push(await listen(streams, at));
  if (socket !== undefined) {
    await listening('ControlSocket', socket, streams.listenAtPath(socket, 'controller'));
    listeners.push(`unix:${socket}`);
  }
  service.start();
  return { service, listeners };
}

/** Fresh at each start: who could read an earlier one may not be who may read this. */
function newCookie(file: string): { bytes: Uint8Array; file: string } {
  const bytes = new SystemEntropy().bytes(cookieBytes);
  try {
    writeSecretFile(file, bytes);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new OperatorError('COOKIE_UNWRITABLE', `CookieAuthFile: ${why}`, exitCode.missing);
  }
  return { bytes, file };
}

async function listen(streams: TcpStreams, at: Endpoint): Promise<string> {
  const { host, port } = await listening('ControlPort', at, streams.listen(at, 'controller'));
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

import { join, resolve } from 'node:path';
import { exitCode, fail, OperatorError, type Result } from '../src/base/fault.ts';
import { readDirAuthorities } from '../src/config/dir-authorities.ts';
import { defaultPayConfig, linkProtocols, type PayConfig, parsePayConfig } from '../src/config/pay-config.ts';
import { parseTorrc, type Torrc } from '../src/config/torrc.ts';
import { type HashedPassword, parseHashedPassword } from '../src/crypto/hashed-password.ts';
import type { DirectoryAuthority } from '../src/directory/directory-authority.ts';
import { readInput } from '../src/node-io/input-file.ts';
import { type LogLevel, levelOfTorName } from '../src/node-io/json-log.ts';
import { payingBy } from '../src/node-io/scheme-module.ts';
import type { Endpoint } from '../src/ports.ts';
import {
  type ClientSettings,
  defaultChannelMsat,
  defaultClientSettings,
  defaultPoolSettings,
  type PaymentSettings,
} from './client-settings.ts';

/** Where controllers may connect, and what admits them. */
export interface TorControlConfig {
  readonly ports: readonly Endpoint[];
  /** Path of a unix socket. */
  readonly socket: string | undefined;
  readonly cookieFile: string | undefined;
  readonly passwords: readonly HashedPassword[];
}

/** A client's files, read and judged. */
export interface ClientConfig {
  readonly settings: ClientSettings;
  readonly dataDirectory: string;
  /** Where SOCKS listens; empty: nowhere. */
  readonly socks: readonly Endpoint[];
  /** Path of the control socket. */
  readonly control: string;
  readonly torControl: TorControlConfig;
  readonly torrc: Torrc;
  readonly log: { readonly level: LogLevel; readonly file: string | undefined };
  readonly pay: PayConfig;
  /** Options that are set and have no effect. */
  readonly unused: readonly string[];
}

const socksPortDefault = 9050;

/** Reads a torrc again, for a client that runs. */
export function readTorrc(file: string): Result<Torrc> {
  try {
    return parseTorrc(readInput(file), file);
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    return fail(error.code, error.message);
  }
}

/** Reads torrc and pay.yaml; `scheme` stands for what that says of it. What is wrong is one OperatorError that names file and line. */
export function readClientConfig(
  torrcFile: string,
  payFile: string | undefined,
  scheme?: string,
): ClientConfig {
  const torrc = parseTorrc(readInput(torrcFile), torrcFile);
  if (!torrc.ok) throw configError(torrc.fault);
  const pay =
    payFile === undefined
      ? { ok: true as const, value: undefined }
      : parsePayConfig(readInput(payFile), payFile);
  if (!pay.ok) throw configError(pay.fault);
  const stated = scheme === undefined ? pay.value : (pay.value ?? defaultPayConfig());
  const given = stated && payingBy(stated, payFile, scheme);
  return clientConfig(torrc.value, given, payFile ?? '');
}

function clientConfig(torrc: Torrc, given: PayConfig | undefined, payFile: string): ClientConfig {
  const pay = given ?? defaultPayConfig();
  if (given?.scheme.includes('bitcoin-channel') && pay.chain === undefined) {
    const detail = `${payFile}: chain is missing: channels are funded and watched on it`;
    throw configError({ code: 'CONFIG_MISSING', detail });
  }
  const lab = torrc.flag('TestingTorNetwork') ?? false;
  const directory = torrc.text('DataDirectory');
  if (directory === undefined) {
    throw configError(torrc.missing('DataDirectory', 'guards and money need a place of their own'));
  }
  const dataDirectory = resolve(directory);
  const settings: ClientSettings = {
    ...defaultClientSettings,
    authorities: authoritiesOf(torrc),
    linkProtocols: linkProtocols(pay.link_protocols),
    distinctSubnets: torrc.flag('EnforceDistinctSubnets') ?? !lab,
    directoryRetryMs: lab ? [200, 2_000] : defaultClientSettings.directoryRetryMs,
    pool: {
      ...defaultPoolSettings,
      dirtinessMsMax: torrc.intervalMs('MaxCircuitDirtiness') ?? defaultPoolSettings.dirtinessMsMax,
      buildMsMax: torrc.intervalMs('CircuitBuildTimeout') ?? defaultPoolSettings.buildMsMax,
      waitMsMax: torrc.intervalMs('SocksTimeout') ?? defaultPoolSettings.waitMsMax,
    },
    internal: {
      asked: !(torrc.flag('ClientRejectInternalAddresses') ?? !lab),
      believed: !(torrc.flag('ClientDNSRejectInternalAddresses') ?? !lab),
    },
    // A client that is told nothing of payment uses free relays alone.
    payment: paymentSettings(pay, given !== undefined),
  };
  return {
    settings,
    dataDirectory,
    socks: socksOf(torrc),
    control: join(dataDirectory, 'control'),
    torControl: torControlOf(torrc, dataDirectory),
    torrc,
    log: logOf(torrc),
    pay,
    unused: [...torrc.unused(), ...unusedFlags(torrc)],
  };
}

function authoritiesOf(torrc: Torrc): readonly DirectoryAuthority[] {
  const authorities = readDirAuthorities(torrc);
  if (!authorities.ok) throw configError(authorities.fault);
  if (authorities.value.length === 0)
    throw configError(torrc.missing('DirAuthority', 'a client must know whom to ask'));
  return authorities.value;
}

function socksOf(torrc: Torrc): readonly Endpoint[] {
  const lines = torrc.ports('SocksPort');
  if (lines.length === 0) return [{ host: '127.0.0.1', port: socksPortDefault }];
  return lines
    .filter(({ port }) => port !== 0)
    .map(({ host, port }) => ({ host: host ?? '127.0.0.1', port: port === 'auto' ? 0 : port }));
}

/** What keeps streams apart at every SocksPort. */
const isolations: ReadonlySet<string> = new Set(['isolatesocksauth', 'isolateclientaddr']);

/** What a SocksPort is told besides, and does not do. */
function unusedFlags(torrc: Torrc): readonly string[] {
  const flags = torrc.ports('SocksPort').flatMap(port => port.flags);
  return flags.filter(flag => !isolations.has(flag.toLowerCase())).map(flag => `SocksPort ${flag}`);
}

function torControlOf(torrc: Torrc, dataDirectory: string): TorControlConfig {
  const socket = torrc.text('ControlSocket');
  if (socket !== undefined && resolve(socket) === join(dataDirectory, 'control'))
    throw configError(torrc.fault('ControlSocket', "naulon's own commands talk to that socket"));
  const cookie = torrc.flag('CookieAuthentication') ?? false;
  const passwords = torrc.lines('HashedControlPassword').map(({ value, line }) => {
    const password = parseHashedPassword(value);
    if (password !== undefined) return password;
    throw configError(torrc.fault('HashedControlPassword', 'must be what tor --hash-password writes', line));
  });
  const ports = torrc
    .ports('ControlPort')
    .filter(({ port }) => port !== 0)
    .map(({ host, port }) => ({ host: host ?? '127.0.0.1', port: port === 'auto' ? 0 : port }));
  const open = ports.find(({ host }) => !isLoopback(host));
  if (open !== undefined && !cookie && passwords.length === 0) {
    const why = `${open.host} can be reached by others: set CookieAuthentication or HashedControlPassword`;
    throw configError(torrc.fault('ControlPort', why));
  }
  return {
    ports,
    socket: socket === undefined || socket === '0' ? undefined : resolve(socket),
    cookieFile: cookie
      ? resolve(torrc.text('CookieAuthFile') ?? join(dataDirectory, 'control_auth_cookie'))
      : undefined,
    passwords,
  };
}

function isLoopback(host: string): boolean {
  return /^127\./.test(host) || host === '::1';
}

function paymentSettings(pay: PayConfig, given: boolean): PaymentSettings {
  const msat = (sat: bigint | undefined): bigint | undefined =>
    sat === undefined ? undefined : sat * 1_000n;
  return {
    schemes: given ? pay.scheme : [],
    window: pay.window,
    priceMsatMax: pay.max_price,
    channelMsat: msat(pay.channel_size) ?? defaultChannelMsat,
    circuitMsatMax: msat(pay.max_spend.circuit),
    relayMsatMax: msat(pay.max_spend.relay),
    dayMsatMax: msat(pay.max_spend.day),
    askedThroughCircuits: pay.ask_parties === 'circuit' ? pay.broker : undefined,
  };
}

/** `Log notice file /path`, `Log info stderr`; the last line counts. */
function logOf(torrc: Torrc): ClientConfig['log'] {
  const last = torrc.lines('Log').at(-1);
  if (last === undefined) return { level: 'info', file: undefined };
  const [severity, kind = 'stderr', ...path] = last.value.split(/\s+/);
  const level = levelOfTorName(severity.split('-')[0].toLowerCase());
  if (level === undefined) throw configError(torrc.fault('Log', `"${severity}" is no level`, last.line));
  if (kind === 'file' && path.length > 0) return { level, file: path.join(' ') };
  if (kind === 'stderr' || kind === 'stdout') return { level, file: undefined };
  throw configError(torrc.fault('Log', `logs go to stderr or to a file, not to "${kind}"`, last.line));
}

function configError(fault: { readonly code: string; readonly detail?: string }): OperatorError {
  return new OperatorError(fault.code, fault.detail ?? fault.code, exitCode.usage);
}

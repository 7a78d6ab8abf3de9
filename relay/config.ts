import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { OperatorError, type Result } from '../src/base/fault.ts';
import { parseIp } from '../src/base/ip.ts';
import { readDirAuthorities } from '../src/config/dir-authorities.ts';
import { defaultPayConfig, linkProtocols, type PayConfig, parsePayConfig } from '../src/config/pay-config.ts';
import { type ConfigFault, parseTorrc, type Torrc } from '../src/config/torrc.ts';
import type { PortLine } from '../src/config/torrc-values.ts';
import { isFamilyMember } from '../src/directory/descriptor.ts';
import { parseBracketedEndpoint, parseIpv4Endpoint } from '../src/directory/endpoint-text.ts';
import { readInput } from '../src/node-io/input-file.ts';
import type { LogLevel } from '../src/node-io/json-log.ts';
import { levelOfTorName } from '../src/node-io/json-log.ts';
import { platformText } from '../src/node-io/package-version.ts';
import { isModulePath, payingBy } from '../src/node-io/scheme-module.ts';
import type { Endpoint } from '../src/ports.ts';
import { brokeredScheme, brokeredSchemes } from '../src/schemes/brokered.ts';
import { dosOptionsOf } from './dos-rules.ts';
import { isPrivateAddress, makeExitPolicy } from './exit-policy.ts';
import { defaultRelaySettings, type RelaySettings } from './relay-settings.ts';

/** A relay program's configuration. The port in `settings.address` may be 0: whatever port is bound. */
export interface RelayConfig {
  readonly settings: RelaySettings;
  readonly listen: Endpoint;
  readonly dataDirectory: string;
  readonly log: { readonly level: LogLevel; readonly file: string | undefined };
  /** Threads that it may keep busy; 0: as many as there are cores. torrc NumCPUs */
  readonly cpus: number;
  /** Name servers that an exit asks, as IP or IP:PORT; undefined: the system's. torrc ServerDNSResolvConfFile */
  readonly nameServers: readonly string[] | undefined;
  readonly pay: PayConfig;
  /** Its operator wants a client in the same process. torrc SocksPort */
  readonly isClient: boolean;
  /** Options that are set and have no effect. */
  readonly unused: readonly string[];
}

/** Reads torrc and pay.yaml; `scheme` stands for what that says of it. Throws OperatorError (exit code 2) naming file, line and option. */
export function readRelayConfig(
  torrcFile: string,
  payFile: string | undefined,
  scheme?: string,
): RelayConfig {
  const torrc = unwrap(parseTorrc(readInput(torrcFile), torrcFile));
  const pay =
    payFile === undefined ? defaultPayConfig() : unwrap(parsePayConfig(readInput(payFile), payFile));
  const chosen = payingBy(pay, payFile, scheme);
  // First of all: whatever else such a scheme lacks would be told in vain.
  if (hasClient(torrc) && (payFile !== undefined || scheme !== undefined))
    refuseApart(torrcFile, chosen.scheme);
  return relayConfig(torrc, chosen, payFile ?? 'pay.yaml');
}

export function relayConfig(torrc: Torrc, pay: PayConfig, payFile: string): RelayConfig {
  const nickname = torrc.text('Nickname') ?? 'Unnamed';
  // spec: dir-spec/server-descriptor-format (nickname)
  if (!/^[A-Za-z0-9]{1,19}$/.test(nickname))
    throw refused(torrc.fault('Nickname', 'must be 1 to 19 letters and digits'));
  const dataDirectory = torrc.text('DataDirectory');
  if (dataDirectory === undefined)
    throw refused(torrc.missing('DataDirectory', 'keys and money need a place of their own'));
  const { listen, ipv6 } = orPorts(torrc);
  const address = { host: ownAddress(torrc, listen), port: listen.port };
  const authorities = unwrap(readDirAuthorities(torrc));
  if (authorities.length === 0)
    throw refused(torrc.missing('DirAuthority', 'a relay must know who lists it'));
  if (pay.price > 0n && pay.scheme.length === 0)
    throw refused({ code: 'CONFIG_MISSING', detail: `${payFile}: a price needs a scheme to pay it by` });
  if (pay.price > 0n && pay.scheme.includes('bitcoin-channel') && pay.chain === undefined)
    throw refused({
      code: 'CONFIG_MISSING',
      detail: `${payFile}: chain is missing: a priced relay watches it`,
    });
  const testing = torrc.flag('TestingTorNetwork') ?? false;
  const settings: RelaySettings = {
    ...defaultRelaySettings,
    nickname,
    address,
    ipv6,
    contact: torrc.text('ContactInfo'),
    platform: platformText(),
    family: familyOf(torrc),
    authorities,
    linkProtocols: linkProtocols(pay.link_protocols),
    exitPolicy: exitPolicyOf(torrc, pay, ipv6 === undefined ? [address] : [address, ipv6]),
    extendPrivate: torrc.flag('ExtendAllowPrivateAddresses') ?? testing,
    publishes: torrc.text('PublishServerDescriptor') !== '0',
    ...bandwidthOf(torrc),
    priceMsatPer2Pow20: pay.price,
    queueBytesMax: torrc.bytes('MaxMemInQueues') || defaultRelaySettings.queueBytesMax,
    dos: dosOptionsOf(torrc),
    directoryRetryMs: testing ? [250, 2_000] : defaultRelaySettings.directoryRetryMs,
  };
  const unused = [...torrc.unused(), ...(torrc.has('DirPort') ? ['DirPort'] : [])];
  const cpus = torrc.count('NumCPUs') ?? 0;
  const nameServers = nameServersOf(torrc);
  const log = logOf(torrc);
  return {
    settings,
    listen,
    dataDirectory,
    log,
    cpus,
    nameServers,
    pay,
    isClient: hasClient(torrc),
    unused,
  };
}

function hasClient(torrc: Torrc): boolean {
  return torrc.ports('SocksPort').some(({ port }) => port !== 0);
}

/** A client in a relay's process pays out of what the relay earns, where the scheme has one purse for both. */
function refuseApart(torrcFile: string, schemes: readonly string[]): void {
  // What a module's scheme does with what it earned is its own matter.
  const apart = schemes.find(name => brokeredScheme(name) === undefined && !isModulePath(name));
  if (apart === undefined) return;
  const shared = brokeredSchemes.map(({ name }) => name).join(', ');
  const why = `${apart} does not spend what a relay earns, as ${shared} do: name one of these as scheme, or run a client of its own`;
  throw refused({ code: 'CONFIG_BAD_VALUE', detail: `${torrcFile}: SocksPort at a relay: ${why}` });
}

function orPorts(torrc: Torrc): { listen: Endpoint; ipv6: Endpoint | undefined } {
  const ports = torrc.ports('ORPort').filter(each => each.port !== 0);
  const numbered = (each: PortLine): number => (each.port === 'auto' ? 0 : each.port);
  const first = ports.find(each => each.host === undefined || isIP(each.host) === 4);
  if (first === undefined) throw refused(torrc.missing('ORPort', 'a relay takes links at an IPv4 port'));
  const six = ports.find(each => each.host !== undefined && isIP(each.host) === 6);
  // Others are told this address, and nobody can be reached at any of them.
  if (six?.host === '::') {
    const why = 'must name the IPv6 address that others reach this relay by, not [::]';
    throw refused(torrc.fault('ORPort', why));
  }
  const ipv6 = six?.host === undefined ? undefined : { host: six.host, port: numbered(six) };
  return { listen: { host: first.host ?? '0.0.0.0', port: numbered(first) }, ipv6 };
}

function ownAddress(torrc: Torrc, listen: Endpoint): string {
  const stated = torrc.text('Address');
  if (stated !== undefined && isIP(stated) !== 4)
    throw refused(torrc.fault('Address', `must be an IPv4 address, not "${stated}"`));
  if (stated === undefined && listen.host === '0.0.0.0')
    throw refused(torrc.missing('Address', 'others must know where to reach this relay'));
  return stated ?? listen.host;
}

/** What C tor asks of a relay's rate: below it, a relay delays more than it helps. Source: tor(1), BandwidthRate. */
const bandwidthRateMin = 76_800;

function bandwidthOf(
  torrc: Torrc,
): Pick<RelaySettings, 'bandwidthRate' | 'bandwidthBurst' | 'countsPrivate'> {
  const { bandwidthRate, bandwidthBurst, countsPrivate } = defaultRelaySettings;
  const rate = torrc.bytes('BandwidthRate') ?? bandwidthRate;
  const burst = torrc.bytes('BandwidthBurst') ?? bandwidthBurst;
  if (rate < bandwidthRateMin)
    throw refused(torrc.fault('BandwidthRate', `must be at least ${bandwidthRateMin} bytes a second`));
  if (burst < rate) throw refused(torrc.fault('BandwidthBurst', 'must be at least BandwidthRate'));
  return {
    bandwidthRate: rate,
    bandwidthBurst: burst,
    countsPrivate: torrc.flag('CountPrivateBandwidth') ?? countsPrivate,
  };
}

/** As descriptors must have them: fingerprints behind a `$`, which a torrc may leave out, and nicknames. */
function familyOf(torrc: Torrc): readonly string[] {
  return torrc.lines('MyFamily').flatMap(({ value, line }) =>
    value
      .split(/[\s,]+/)
      .filter(each => each !== '')
      .map(each => {
        const member = /^[0-9A-Fa-f]{40}$/.test(each) ? `$${each}` : each;
        if (isFamilyMember(member)) return member;
        throw refused(torrc.fault('MyFamily', `"${each}" is neither a fingerprint nor a nickname`, line));
      }),
  );
}

/** An exit reaches neither itself nor the bitcoind that it trusts. */
function exitPolicyOf(torrc: Torrc, pay: PayConfig, own: readonly Endpoint[]): RelaySettings['exitPolicy'] {
  const never: { ip: Uint8Array; port: number | undefined }[] = [];
  for (const { host, port } of own) {
    const ip = parseIp(host);
    if (ip !== undefined) never.push({ ip, port: isPrivateAddress(ip) ? port : undefined });
  }
  const interfaces = torrc.flag('ExitPolicyRejectLocalInterfaces') ? Object.values(networkInterfaces()) : [];
  for (const { address } of interfaces.flatMap(each => each ?? [])) {
    const ip = parseIp(address);
    if (ip !== undefined) never.push({ ip, port: undefined });
  }
  if (pay.chain !== undefined) {
    const { hostname, port } = new URL(pay.chain.rpc);
    const chain = parseIp(hostname === 'localhost' ? '127.0.0.1' : hostname);
    if (chain !== undefined) never.push({ ip: chain, port: Number(port) || undefined });
  }
  const made = makeExitPolicy({
    exitRelay: torrc.flag('ExitRelay'),
    lines: torrc.lines('ExitPolicy').map(each => each.value),
    rejectPrivate: torrc.flag('ExitPolicyRejectPrivate') ?? true,
    ipv6Exit: torrc.flag('IPv6Exit') ?? false,
    never,
  });
  if (made.ok) return made.value;
  throw refused(torrc.fault('ExitPolicy', made.fault.detail ?? made.fault.code));
}

/** The `nameserver` lines of a file like resolv.conf. */
function nameServersOf(torrc: Torrc): readonly string[] | undefined {
  const file = torrc.text('ServerDNSResolvConfFile');
  if (file === undefined) return undefined;
  const servers = [...readInput(file).matchAll(/^\s*nameserver\s+(\S+)/gm)].map(([, server]) => server);
  const wrong = servers.find(
    each => parseIp(each) === undefined && !parseIpv4Endpoint(each) && !parseBracketedEndpoint(each),
  );
  if (wrong !== undefined || servers.length === 0)
    throw refused(
      torrc.fault(
        'ServerDNSResolvConfFile',
        wrong ? `${wrong} is no name server` : 'it names no name server',
      ),
    );
  return servers;
}

/** `Log notice file /path`, `Log info stderr`; the last line counts. */
function logOf(torrc: Torrc): RelayConfig['log'] {
  const last = torrc.lines('Log').at(-1);
  if (last === undefined) return { level: 'info', file: undefined };
  const [severity, kind, ...path] = last.value.split(/\s+/);
  const level = levelOfTorName(severity.split('-')[0].toLowerCase());
  if (level === undefined) throw refused(torrc.fault('Log', `"${severity}" is no level`, last.line));
  if (kind === 'file' && path.length > 0) return { level, file: path.join(' ') };
  if (kind === undefined || kind === 'stderr' || kind === 'stdout') return { level, file: undefined };
  throw refused(torrc.fault('Log', `logs go to stderr or to a file, not to "${kind}"`, last.line));
}

function unwrap<T>(result: Result<T, ConfigFault>): T {
  if (result.ok) return result.value;
  throw refused(result.fault);
}

function refused(fault: ConfigFault): OperatorError {
  return new OperatorError(fault.code, fault.detail ?? fault.code, 2);
}

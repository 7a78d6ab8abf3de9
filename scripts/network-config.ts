import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import { OperatorError } from '../src/base/fault.ts';
import { isModulePath } from '../src/node-io/scheme-module.ts';
import type { NetPlan, PlannedRelay } from './net-file.ts';
import type { BrokerAccess, ChainAccess } from './network-state.ts';
import type { NodeCommand } from './node-process.ts';

/**
 * Writes what each node of a local network is configured with: a torrc, in C tor's option names, and a pay.yaml. Any
 * of them can be started by hand with the same files: naulon relay -f torrc --pay pay.yaml.
 */

/** A node's command and what of it the state file tells. */
export interface ConfiguredNode extends NodeCommand {
  readonly torrc: string;
  /** Where it listens, by what for, as its ready line tells it. */
  listensOf(ready: string): Record<string, string>;
  readonly price?: string;
  readonly exit?: boolean;
}

interface NodePlace {
  /** The node's own folder: torrc, pay.yaml, keys, state and log. */
  readonly dir: string;
}

/** What the system takes as the path of a socket. Source: unix(7), sun_path, less its final zero. */
const socketPathBytesMax = process.platform === 'linux' ? 107 : 103;

/** What every program prints once it serves: one line of JSON on standard output. */
const readyLine = /"event":"ready"/;
const readyMsMax = 60_000;

export function writeAuthority(
  node: NodePlace & {
    readonly nickname: string;
    /** Of the consensus. */
    readonly params?: Readonly<Record<string, number>>;
  },
): ConfiguredNode {
  const { dir, nickname, params = {} } = node;
  const pairs = Object.entries(params).map(([name, value]) => `${name}=${value}`);
  const torrc = writeTorrc(dir, [
    `Nickname ${nickname}`,
    'Address 127.0.0.1',
    'ORPort 127.0.0.1:auto',
    'DirPort 127.0.0.1:auto',
    'AuthoritativeDirectory 1',
    'V3AuthoritativeDirectory 1',
    ...(pairs.length === 0 ? [] : [`ConsensusParams ${pairs.join(' ')}`]),
  ]);
  return {
    name: nickname,
    args: ['dirauth', '-f', torrc],
    log: join(dir, 'log'),
    readyLine,
    readyMsMax,
    torrc,
    listensOf,
  };
}

/** What our own programs tell. */
function listensOf(ready: string): Record<string, string> {
  const told = JSON.parse(ready) as {
    or?: string;
    orPort?: number;
    dirPort?: number;
    socks?: readonly string[];
    controllers?: readonly string[];
    party?: string;
  };
  const listens = {
    or: told.or ?? (told.orPort === undefined ? undefined : `127.0.0.1:${told.orPort}`),
    dir: told.dirPort === undefined ? undefined : `127.0.0.1:${told.dirPort}`,
    socks: told.socks?.[0],
    control: told.controllers?.[0],
    party: told.party,
  };
  return Object.fromEntries(Object.entries(listens).filter(([, at]) => at !== undefined)) as Record<
    string,
    string
  >;
}

/** Writes the ports that a node was given into its torrc, so that it has them again when it is started by hand. */
export function keepPorts(torrc: string, listens: Readonly<Record<string, string>>): void {
  const options: Record<string, string> = {
    or: 'ORPort',
    dir: 'DirPort',
    socks: 'SocksPort',
    control: 'ControlPort',
  };
  let text = readFileSync(torrc, 'utf8');
  for (const [use, at] of Object.entries(listens))
    text = text.replace(`\n${options[use]} 127.0.0.1:auto\n`, `\n${options[use]} ${at}\n`);
  writeFileSync(torrc, text, { mode: 0o600 });
  if (listens.party !== undefined) keepPartyPort(dirname(torrc), listens.party);
}

/** Others keep in mind where a node was asked. */
function keepPartyPort(dir: string, at: string): void {
  for (const name of ['pay.yaml', 'broker.yaml']) {
    const file = join(dir, name);
    if (!existsSync(file)) continue;
    const text = readFileSync(file, 'utf8').replace(/^(listen|party): 127\.0\.0\.1:0$/m, `$1: ${at}`);
    writeFileSync(file, text, { mode: 0o600 });
  }
}

/** Names the authorities that it votes with in its torrc; itself is one of them. */
export function addAuthorities(torrc: string, authorities: readonly string[]): void {
  appendFileSync(torrc, `${authorityLines(authorities).join('\n')}\n`);
}

/** The lines by which any node trusts these authorities. */
export function authorityLines(authorities: readonly string[]): string[] {
  return authorities.map(authority => `DirAuthority ${authority}`);
}

/** The DirAuthority line that makes other nodes trust this authority, as its ready line tells it. */
export function authorityLine(ready: string): string {
  const { dirAuthority } = JSON.parse(ready) as { dirAuthority?: string };
  if (dirAuthority === undefined)
    throw new OperatorError('NODE_START', `the authority does not say who it is: ${ready}`, 4);
  return dirAuthority;
}

export function writeRelay(
  node: NodePlace &
    PlannedRelay & {
      readonly authorities: readonly string[];
      readonly exitTo: readonly string[];
      readonly chain: ChainAccess;
      readonly broker?: BrokerAccess;
      readonly plan: NetPlan;
      /** Further ones of its torrc. */
      readonly lines?: readonly string[];
    },
): ConfiguredNode {
  const { dir, nickname, authorities, exit, price, lines = [] } = node;
  const torrc = writeTorrc(dir, [
    `Nickname ${nickname}`,
    'Address 127.0.0.1',
    'ORPort 127.0.0.1:auto',
    ...authorityLines(authorities),
    'AssumeReachable 1',
    ...(exit ? exitLines(node.exitTo) : ['ExitRelay 0']),
    ...lines,
  ]);
  const pay = price === undefined ? freeSettings(node.plan) : { ...paySettings(node), price };
  const args = ['relay', '-f', torrc, '--pay', writePay(dir, pay)];
  return {
    name: nickname,
    args,
    log: join(dir, 'log'),
    readyLine,
    readyMsMax,
    torrc,
    listensOf,
    price,
    exit,
  };
}

/** A lab's exit reaches loopback servers that are named, of either address family, and nothing else on this machine. */
export function exitLines(exitTo: readonly string[]): string[] {
  return [
    'ExitRelay 1',
    'IPv6Exit 1',
    'ExitPolicyRejectPrivate 0',
    ...exitTo.map(target => `ExitPolicy accept ${target}`),
    'ExitPolicy reject private:*',
    'ExitPolicy accept *:*',
  ];
}

export function writeClient(
  node: NodePlace & {
    readonly socks: number | 'auto';
    /** The control port; any free one when absent. */
    readonly control?: number | 'auto';
    readonly authorities: readonly string[];
    readonly chain: ChainAccess;
    readonly broker?: BrokerAccess;
    readonly plan: NetPlan;
  },
): ConfiguredNode & { readonly control: string } {
  const { dir, socks, authorities, plan } = node;
  const control = join(dir, 'control');
  if (Buffer.byteLength(control) > socketPathBytesMax)
    throw new OperatorError(
      'DATA_DIR_LONG',
      `${control} is too long a path for a socket; choose a shorter --data-dir`,
      2,
    );
  const torrc = writeTorrc(dir, [
    `SocksPort 127.0.0.1:${socks}`,
    ...authorityLines(authorities),
    `ControlPort 127.0.0.1:${node.control ?? 'auto'}`,
    'CookieAuthentication 1',
    'ClientRejectInternalAddresses 0',
    'ClientDNSRejectInternalAddresses 0',
  ]);
  const pay = plan.pay.scheme === 'none' ? freeSettings(plan) : { ...paySettings(node), ...paying(plan.pay) };
  const args = ['client', '-f', torrc, '--pay', writePay(dir, pay)];
  return { name: 'client', args, log: join(dir, 'log'), readyLine, readyMsMax, torrc, listensOf, control };
}

export function writeTorrc(dir: string, lines: readonly string[]): string {
  const file = join(dir, 'torrc');
  const all = ['TestingTorNetwork 1', `DataDirectory ${dir}`, ...lines];
  writeFileSync(file, `${all.join('\n')}\n`, { mode: 0o600 });
  return file;
}

/** Of a node that neither pays nor is paid. */
function freeSettings({ link_protocols }: NetPlan): Record<string, unknown> {
  return { scheme: 'none', link_protocols };
}

function paySettings({
  chain,
  broker,
  plan,
}: {
  chain: ChainAccess;
  broker?: BrokerAccess;
  plan: NetPlan;
}): Record<string, unknown> {
  const { pay } = plan;
  const { link_protocols } = plan;
  if (broker !== undefined)
    return { scheme: pay.scheme, link_protocols, variant: pay.variant, broker, party: '127.0.0.1:0' };
  if (isModulePath(pay.scheme)) return { scheme: pay.scheme, link_protocols };
  return {
    scheme: 'bitcoin-channel',
    link_protocols,
    variant: pay.variant,
    min_confirmations: pay.min_confirmations,
    chain: { rpc: chain.rpcUrl, cookie: chain.cookieFile },
  };
}

function paying(pay: NetPlan['pay']): Record<string, unknown> {
  return {
    ask_parties: pay.ask_parties,
    window: pay.window,
    channel_size: pay.channel_size,
    max_spend: pay.max_spend === undefined ? undefined : { circuit: pay.max_spend },
  };
}

function writePay(dir: string, settings: Record<string, unknown>): string {
  const file = join(dir, 'pay.yaml');
  const stated = Object.entries(settings).filter(([, value]) => value !== undefined);
  writeFileSync(file, stringify(Object.fromEntries(stated)), { mode: 0o600 });
  return file;
}

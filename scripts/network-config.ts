import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { OperatorError } from '../src/base/fault.ts';
import type { NetPlan, PlannedRelay } from './net-file.ts';
import type { ChainAccess } from './network-state.ts';
import type { NodeCommand } from './node-process.ts';

/**
 * Writes what each node of a local network is configured with: a torrc, in C tor's option names, and a pay.yaml. Any
 * of them can be started by hand with the same files: naulon relay -f torrc --pay pay.yaml.
 */

/** A node's command and what of it the state file tells. */
export interface ConfiguredNode extends NodeCommand {
  readonly listens: Readonly<Record<string, string>>;
  readonly price?: string;
  readonly exit?: boolean;
}

interface NodePlace {
  /** The node's own folder: torrc, pay.yaml, keys, state and log. */
  readonly dir: string;
}

/** What every program prints once it serves: one line of JSON on standard output. */
const readyLine = /"event":"ready"/;
const readyMsMax = 60_000;

export function writeAuthority(
  node: NodePlace & { readonly nickname: string; readonly orPort: number; readonly dirPort: number },
): ConfiguredNode {
  const { dir, nickname, orPort, dirPort } = node;
  const torrc = writeTorrc(dir, [
    `Nickname ${nickname}`,
    'Address 127.0.0.1',
    `ORPort 127.0.0.1:${orPort}`,
    `DirPort 127.0.0.1:${dirPort}`,
    'AuthoritativeDirectory 1',
    'V3AuthoritativeDirectory 1',
  ]);
  const listens = { or: `127.0.0.1:${orPort}`, dir: `127.0.0.1:${dirPort}` };
  return {
    name: nickname,
    args: ['dirauth', '-f', torrc],
    log: join(dir, 'log'),
    readyLine,
    readyMsMax,
    listens,
  };
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
      readonly orPort: number;
      readonly authority: string;
      readonly exitTo: readonly string[];
      readonly chain: ChainAccess;
      readonly pay: NetPlan['pay'];
    },
): ConfiguredNode {
  const { dir, nickname, orPort, authority, exit, price } = node;
  const torrc = writeTorrc(dir, [
    `Nickname ${nickname}`,
    'Address 127.0.0.1',
    `ORPort 127.0.0.1:${orPort}`,
    `DirAuthority ${authority}`,
    'AssumeReachable 1',
    ...(exit ? exitLines(node.exitTo) : ['ExitRelay 0']),
  ]);
  const args = ['relay', '-f', torrc];
  if (price !== undefined) args.push('--pay', writePay(dir, { ...paySettings(node), price }));
  const listens = { or: `127.0.0.1:${orPort}` };
  return { name: nickname, args, log: join(dir, 'log'), readyLine, readyMsMax, listens, price, exit };
}

/** A lab's exit reaches loopback servers that are named, and nothing else on this machine. */
function exitLines(exitTo: readonly string[]): string[] {
  return [
    'ExitRelay 1',
    'ExitPolicyRejectPrivate 0',
    ...exitTo.map(target => `ExitPolicy accept ${target}`),
    'ExitPolicy reject private:*',
    'ExitPolicy accept *:*',
  ];
}

export function writeClient(
  node: NodePlace & {
    readonly socks: number;
    readonly authority: string;
    readonly chain: ChainAccess;
    readonly pay: NetPlan['pay'];
  },
): ConfiguredNode & { readonly control: string } {
  const { dir, socks, authority, pay } = node;
  const control = join(dir, 'control');
  const torrc = writeTorrc(dir, [
    `SocksPort 127.0.0.1:${socks}`,
    `DirAuthority ${authority}`,
    `ControlSocket ${control}`,
    'ClientRejectInternalAddresses 0',
    'ClientDNSRejectInternalAddresses 0',
  ]);
  const args = ['client', '-f', torrc];
  if (pay.scheme !== 'none') args.push('--pay', writePay(dir, { ...paySettings(node), ...spending(pay) }));
  const listens = { socks: `127.0.0.1:${socks}` };
  return { name: 'client', args, log: join(dir, 'log'), readyLine, readyMsMax, listens, control };
}

function writeTorrc(dir: string, lines: readonly string[]): string {
  const file = join(dir, 'torrc');
  const all = ['TestingTorNetwork 1', `DataDirectory ${dir}`, ...lines];
  writeFileSync(file, `${all.join('\n')}\n`, { mode: 0o600 });
  return file;
}

function paySettings({ chain, pay }: { chain: ChainAccess; pay: NetPlan['pay'] }): Record<string, unknown> {
  return {
    scheme: 'bitcoin-channel',
    variant: pay.variant,
    min_confirmations: pay.min_confirmations,
    chain: { rpc: chain.rpcUrl, cookie: chain.cookieFile },
  };
}

function spending(pay: NetPlan['pay']): Record<string, unknown> {
  return {
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

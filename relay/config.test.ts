import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OperatorError } from '../src/base/fault.ts';
import { parseIp } from '../src/base/ip.ts';
import { readMountedClient } from './client-service.ts';
import { readRelayConfig } from './config.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'naulon-config-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const fingerprint = 'AB'.repeat(20);
const base = `Nickname ours
ORPort 127.0.0.1:9001
DataDirectory /tmp/ours
DirAuthority auth orport=5001 v3ident=${fingerprint} 127.0.0.1:7001 ${fingerprint}
`;

function read(torrc: string, pay?: string) {
  const file = join(root, 'torrc');
  writeFileSync(file, torrc);
  if (pay !== undefined) writeFileSync(join(root, 'pay.yaml'), pay);
  return readRelayConfig(file, pay === undefined ? undefined : join(root, 'pay.yaml'));
}

function refusal(torrc: string, pay?: string): string {
  try {
    read(torrc, pay);
    return 'accepted';
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    expect(error.exitCode).toBe(2);
    return `${error.code} ${error.message.replaceAll(`${root}/`, '')}`;
  }
}

describe('relay configuration', () => {
  it('reads the least that a relay needs', () => {
    const config = read(base);
    expect(config.listen).toEqual({ host: '127.0.0.1', port: 9001 });
    expect(config.settings).toMatchObject({
      nickname: 'ours',
      address: { host: '127.0.0.1' },
      priceMsatPer2Pow20: 0n,
    });
    expect(config.settings.exitPolicy.exits).toBe(false);
    expect(config.settings.extendPrivate).toBe(false);
  });

  it('reads a lab exit with a price, which never reaches its own bitcoind', () => {
    const torrc = `${base}TestingTorNetwork 1
ExitRelay 1
ExitPolicyRejectPrivate 0
ExitPolicy accept *:*
SafeLogging 0`;
    const chain = 'chain: { rpc: "http://127.0.0.1:18443", cookie: /tmp/.cookie }';
    const config = read(torrc, `price: 100000 sat/GiB\n${chain}\nlink_protocols: 3-4\n`);
    expect(config.settings.priceMsatPer2Pow20).toBe(50_000_000n);
    expect(config.settings.linkProtocols).toEqual([3, 4]);
    expect(config.settings.extendPrivate).toBe(true);
    expect(config.unused).toEqual(['SafeLogging']);
    const allows = (port: number) => config.settings.exitPolicy.allows(parseIp('127.0.0.1')!, port);
    expect([allows(8080), allows(18443), allows(9001)]).toEqual([true, false, false]);
  });

  it('publishes no address that stands for all of a machine', () => {
    expect(read(`${base}ORPort [2001:db8::1]:9001`).settings.ipv6).toEqual({
      host: '2001:db8::1',
      port: 9001,
    });
    for (const all of ['[::]', '[0:0::0]'])
      expect(refusal(`${base}ORPort ${all}:9001`)).toBe(
        'CONFIG_BAD_VALUE torrc:5: ORPort: must name the IPv6 address that others reach this relay by, not [::]',
      );
  });

  it('reads fingerprints of a family with or without a dollar, and nothing else', () => {
    const { family } = read(`${base}MyFamily ${fingerprint}, $${fingerprint}\nMyFamily other`).settings;
    expect(family).toEqual([`$${fingerprint}`, `$${fingerprint}`, 'other']);
    expect(refusal(`${base}MyFamily other, no!`)).toBe(
      'CONFIG_BAD_VALUE torrc:5: MyFamily: "no!" is neither a fingerprint nor a nickname',
    );
  });

  it('lets no exit reach its own addresses, by IPv6 neither', () => {
    const exit = `${base}Address 203.0.113.7\nORPort [2600::7]:9001\nExitRelay 1\nIPv6Exit 1\nExitPolicy accept *:*\n`;
    const { exitPolicy } = read(exit).settings;
    const reached = ['203.0.113.7', '2600::7', '203.0.113.8', '2600::8'].map(ip =>
      exitPolicy.allows(parseIp(ip)!, 22),
    );
    expect(reached).toEqual([false, false, true, true]);
  });

  it('lets no exit reach the addresses of its machine, where it is told not to', () => {
    const reaches = (line: string) => {
      const lab = `${base}ExitRelay 1\nExitPolicyRejectPrivate 0\nExitPolicy accept *:*\n${line}`;
      return read(lab).settings.exitPolicy.allows(parseIp('127.0.0.1')!, 80);
    };
    expect([reaches(''), reaches('ExitPolicyRejectLocalInterfaces 1')]).toEqual([true, false]);
  });

  it.each([
    ['', false],
    ['SocksPort 0', false],
    ['SocksPort 9050', true],
    ['SocksPort 127.0.0.1:auto', true],
  ])('has a client beside it with %j: %s', (line, isClient) =>
    expect(read(`${base}${line}\n`).isClient).toBe(isClient),
  );

  it('gives that client what pays out of one purse, and refuses what does not', () => {
    const broker = `broker: {address: 127.0.0.1:8045, key: 02${'ab'.repeat(32)}}`;
    const mounted = (pay?: string) => {
      const config = read(`${base}SocksPort 9050\n`, pay);
      expect(config.isClient).toBe(true);
      return readMountedClient(join(root, 'torrc'), pay === undefined ? undefined : join(root, 'pay.yaml'));
    };
    expect(mounted().settings.payment.schemes).toEqual([]);
    const paid = mounted(`scheme: whopay\nprice: 1 sat/GiB\n${broker}\nmax_spend: {day: 5}`);
    expect(paid.settings.payment).toMatchObject({ schemes: ['whopay'], dayMsatMax: 5_000n });
    expect(paid.socks).toEqual([{ host: '127.0.0.1', port: 9050 }]);
    const chain = 'chain: { rpc: "http://127.0.0.1:18443", cookie: /tmp/.cookie }';
    // A chain would not help.
    for (const pay of [`price: 1 sat/GiB\n${chain}`, 'price: 1 sat/GiB', 'max_spend: {day: 5}'])
      expect(() => mounted(pay)).toThrow(
        'torrc: SocksPort at a relay: bitcoin-channel does not spend what a relay earns, as payword, p2p-netpay, ppay, whopay, cpay do: name one of these as scheme, or run a client of its own',
      );
  });

  it('asks the name servers of a file like resolv.conf', () => {
    const file = join(root, 'resolv.conf');
    writeFileSync(file, '# ours\nsearch lab\nnameserver 192.0.2.1\n nameserver 127.0.0.1:5353 # local\n');
    expect(read(base).nameServers).toBeUndefined();
    expect(read(`${base}ServerDNSResolvConfFile ${file}\n`).nameServers).toEqual([
      '192.0.2.1',
      '127.0.0.1:5353',
    ]);
  });

  it('has no limit unless it is given one', () => {
    const limits = (torrc: string) => {
      const { bandwidthRate, bandwidthBurst, countsPrivate } = read(base + torrc).settings;
      return [bandwidthRate, bandwidthBurst, countsPrivate];
    };
    expect(limits('')).toEqual([2 ** 30, 2 ** 30, false]);
    expect(limits('BandwidthRate 5 MBytes')).toEqual([5 * 2 ** 20, 2 ** 30, false]);
    const all = 'BandwidthRate 100 KBytes\nBandwidthBurst 1 MByte\nCountPrivateBandwidth 1';
    expect(limits(all)).toEqual([102_400, 2 ** 20, true]);
  });

  it.each([
    ['Nickname not_a_name', 'CONFIG_BAD_VALUE torrc:5: Nickname: must be 1 to 19 letters and digits'],
    ['ExitRelai 1', 'CONFIG_UNKNOWN_OPTION torrc:5: unknown option ExitRelai; did you mean ExitRelay?'],
    [
      'ExitRelay 1\nExitPolicy accept nowhere:80',
      'CONFIG_BAD_VALUE torrc:6: ExitPolicy: cannot read "accept nowhere:80"',
    ],
    ['DirAuthority nonsense', 'CONFIG_BAD_VALUE torrc:5: DirAuthority: no IPv4:port in it'],
    ['Address example.com', 'CONFIG_BAD_VALUE torrc:5: Address: must be an IPv4 address, not "example.com"'],
    [
      'BandwidthRate 10 KBytes',
      'CONFIG_BAD_VALUE torrc:5: BandwidthRate: must be at least 76800 bytes a second',
    ],
    [
      'BandwidthRate 5 MBytes\nBandwidthBurst 1 MByte',
      'CONFIG_BAD_VALUE torrc:6: BandwidthBurst: must be at least BandwidthRate',
    ],
    [
      'ServerDNSResolvConfFile /nowhere/resolv.conf',
      'CONFIG_UNREADABLE cannot read /nowhere/resolv.conf: no such file or directory',
    ],
    [
      `ServerDNSResolvConfFile ${fileURLToPath(import.meta.url)}`,
      'CONFIG_BAD_VALUE torrc:5: ServerDNSResolvConfFile: it names no name server',
    ],
    ['Log loud', 'CONFIG_BAD_VALUE torrc:5: Log: "loud" is no level'],
  ])('refuses %j', (line, expected) => expect(refusal(`${base}${line}`)).toBe(expected));

  it.each([
    [
      'DataDirectory',
      'CONFIG_MISSING torrc: DataDirectory is missing: keys and money need a place of their own',
    ],
    ['DirAuthority', 'CONFIG_MISSING torrc: DirAuthority is missing: a relay must know who lists it'],
    ['ORPort', 'CONFIG_MISSING torrc: ORPort is missing: a relay takes links at an IPv4 port'],
  ])('wants %s', (option, expected) => {
    const torrc = base
      .split('\n')
      .filter(line => !line.startsWith(option))
      .join('\n');
    expect(refusal(torrc)).toBe(expected);
  });

  it('wants a chain for a price, and files that can be read', () => {
    expect(refusal(base, 'price: 1 sat/GiB')).toBe(
      'CONFIG_MISSING pay.yaml: chain is missing: a priced relay watches it',
    );
    chmodSync(root, 0o700);
    expect(() => readRelayConfig(join(root, 'absent'), undefined)).toThrow('cannot read');
  });
});

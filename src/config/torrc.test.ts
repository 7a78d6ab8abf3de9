import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parsePayConfig } from './pay-config.ts';
import { parseTorrc, type Torrc } from './torrc.ts';

function good(text: string): Torrc {
  const parsed = parseTorrc(text, 'torrc');
  if (!parsed.ok) throw new Error(parsed.fault.detail);
  return parsed.value;
}

function fault(text: string): string {
  const parsed = parseTorrc(text, 'torrc');
  return parsed.ok ? 'no fault' : `${parsed.fault.code} ${parsed.fault.detail}`;
}

describe('torrc', () => {
  it('reads every kind of value', () => {
    const torrc = good(`
      nickname ours # a comment
      ORPort 127.0.0.1:9001 IPv4Only
      ORPort [::1]:auto
      DirPort 0
      ExitRelay 1
      BandwidthRate 10 MBytes
      V3AuthVotingInterval 5 minutes
      AvoidDiskWrites 1
      NumCPUs 3
      DataDirectory "/tmp/with # and \\"quotes\\""
      ExitPolicy accept *:80, \\
        # within
        reject *:*
      ExitPolicy reject 1.2.3.4:*
      RunAsDaemon 0`);
    expect(torrc.text('Nickname')).toBe('ours');
    expect(torrc.ports('ORPort')).toEqual([
      { host: '127.0.0.1', port: 9001, flags: ['IPv4Only'] },
      { host: '::1', port: 'auto', flags: [] },
    ]);
    expect(torrc.ports('DirPort')).toEqual([{ host: undefined, port: 0, flags: [] }]);
    expect(torrc.flag('ExitRelay')).toBe(true);
    expect(torrc.bytes('BandwidthRate')).toBe(10 * 1_048_576);
    expect(torrc.intervalMs('V3AuthVotingInterval')).toBe(300_000);
    expect(torrc.count('NumCPUs')).toBe(3);
    expect(torrc.text('DataDirectory')).toBe('/tmp/with # and "quotes"');
    expect(torrc.lines('ExitPolicy').map(each => each.value)).toEqual([
      expect.stringMatching(/^accept \*:80,\s+reject \*:\*$/),
      'reject 1.2.3.4:*',
    ]);
    // Whoever sets what has no effect is told of it by name.
    expect(torrc.unused()).toEqual(['AvoidDiskWrites', 'RunAsDaemon']);
    expect(torrc.flag('AssumeReachable')).toBeUndefined();
  });

  it.each([
    ['\nNicknam x', 'CONFIG_UNKNOWN_OPTION torrc:2: unknown option Nicknam; did you mean Nickname?'],
    [
      'WindowOfCells 5',
      'CONFIG_UNKNOWN_OPTION torrc:1: unknown option WindowOfCells; payment options belong in pay.yaml',
    ],
    ['ExitRelay yes', 'CONFIG_BAD_VALUE torrc:1: ExitRelay: must be 0 or 1, not "yes"'],
    [
      'ORPort 70000',
      'CONFIG_BAD_VALUE torrc:1: ORPort: must be [address:]port, with a port or "auto", not "70000"',
    ],
    ['Nickname', 'CONFIG_BAD_VALUE torrc:1: Nickname: must have a value, not ""'],
    ['Nickname "x', 'CONFIG_BAD_LINE torrc:1: Nickname: the quotes do not match'],
  ])('%j: %s', (text, expected) => expect(fault(text)).toBe(expected));

  it('never throws', () => {
    fc.assert(fc.property(fc.string(), text => void parseTorrc(text, 'torrc')));
    fc.assert(fc.property(fc.string(), text => void parsePayConfig(text, 'pay.yaml')));
  });
});

describe('pay.yaml', () => {
  it('has defaults', () => {
    const parsed = parsePayConfig('', 'pay.yaml');
    expect(parsed).toMatchObject({
      ok: true,
      value: { scheme: ['bitcoin-channel'], window: 'auto', max_spend: {} },
    });
  });

  it('reads what a relay and a client write', () => {
    const text = `
scheme: [bitcoin-channel, memory-credit]
price: 100000 sat/GiB
chain: { kind: regtest, rpc: "http://127.0.0.1:18443", cookie: /tmp/.cookie }
window: 4096
max_spend: { circuit: 5000, day: "100000" }
`;
    const parsed = parsePayConfig(text, 'pay.yaml');
    expect(parsed).toMatchObject({
      ok: true,
      value: { price: 50_000_000n, window: 4096, max_spend: { circuit: 5000n, day: 100_000n } },
    });
  });

  it.each([
    ['scheme: x\nprise: 1', 'CONFIG_UNKNOWN_OPTION', 'pay.yaml:2: unknown option prise; did you mean price?'],
    ['\nchain:\n  rpcs: a', 'CONFIG_', 'pay.yaml:'],
    ['a: [', 'CONFIG_BAD_LINE', 'pay.yaml:1: '],
    [
      'chain:\n  kind: bitcoin\n  rpc: http://127.0.0.1:8332\n  cookie: c',
      'CONFIG_BAD_VALUE',
      'pay.yaml:2: chain.kind: ',
    ],
    [
      '# ours\n- scheme: payword\n- price: 0',
      'CONFIG_BAD_LINE',
      'pay.yaml:2: options read like "scheme: payword", one a line',
    ],
    ['payword', 'CONFIG_BAD_LINE', 'pay.yaml:1: options read like'],
    ['price: 5 btc', 'CONFIG_BAD_VALUE', 'pay.yaml:1: price: '],
    [
      'max_spend:\n  dai: 5',
      'CONFIG_UNKNOWN_OPTION',
      'pay.yaml:2: unknown option max_spend.dai; did you mean day?',
    ],
  ])('%j is refused at its line', (text, code, detail) => {
    const parsed = parsePayConfig(text, 'pay.yaml');
    expect(parsed.ok).toBe(false);
    if (parsed.ok) return;
    expect(parsed.fault.code.startsWith(code)).toBe(true);
    expect(parsed.fault.detail?.startsWith(detail)).toBe(true);
  });
});

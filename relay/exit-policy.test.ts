import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseIp } from '../src/base/ip.ts';
import { formatPolicyRule, summarisePolicy } from '../src/directory/address-policy.ts';
import { formatPortPolicy } from '../src/directory/port-policy.ts';
import { type ExitPolicy, type ExitPolicySettings, makeExitPolicy } from './exit-policy.ts';

function policy(settings: Partial<ExitPolicySettings>): ExitPolicy {
  const made = makeExitPolicy({
    exitRelay: true,
    lines: [],
    rejectPrivate: true,
    ipv6Exit: true,
    never: [],
    ...settings,
  });
  if (!made.ok) throw new Error(made.fault.detail);
  return made.value;
}

const allows = (policy: ExitPolicy, ip: string, port: number) => policy.allows(parseIp(ip)!, port);

describe('exit policy', () => {
  it('reaches a server of this machine that a lab names, in either address family', () => {
    const lines = ['accept [::1]:8080', 'accept 127.0.0.1:8080', 'reject private:*', 'accept *:*'];
    const lab = policy({ lines, rejectPrivate: false });
    for (const ip of ['::1', '127.0.0.1'])
      expect([8080, 8081].map(port => allows(lab, ip, port))).toEqual([true, false]);
    expect(allows(lab, '::ffff:127.0.0.1', 8081)).toBe(false);
  });

  it.each([
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '127.0.0.1',
    '127.255.255.255',
    '169.254.1.1',
    '172.31.0.1',
    '192.168.0.1',
    '198.19.255.1',
    '224.0.0.1',
    '239.1.1.1',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:10.0.0.1',
    '::127.0.0.1',
    '64:ff9b::7f00:1',
    '64:ff9b::a00:1',
    '2002:7f00:1::',
    '2002:a00:1::1',
    'fc00::1',
    'fd12:3456::1',
    'fe80::1',
    'fec0::1',
    'ff02::1',
    '::ffff:8.8.8.8',
  ])('never reaches %s', ip => {
    expect(allows(policy({}), ip, 80)).toBe(false);
    expect(allows(policy({ lines: ['accept *:*'] }), ip, 80)).toBe(false);
  });

  it('reaches public addresses but for the ports that C tor refuses by default', () => {
    for (const ip of ['8.8.8.8', '172.32.0.1', '100.128.0.1', '2607:f8b0::1']) {
      expect(allows(policy({}), ip, 443)).toBe(true);
      for (const port of [0, 25, 119, 445, 6881, 65_536]) expect(allows(policy({}), ip, port)).toBe(false);
    }
    expect(allows(policy({ ipv6Exit: false }), '2607:f8b0::1', 443)).toBe(false);
  });

  it('lets a lab open one private server and nothing else', () => {
    const lab = policy({
      rejectPrivate: false,
      lines: ['accept 127.0.0.1:8080', 'reject private:*', 'accept *:*'],
    });
    expect(allows(lab, '127.0.0.1', 8080)).toBe(true);
    for (const [ip, port] of [
      ['127.0.0.1', 8081],
      ['127.0.0.2', 8080],
      ['10.0.0.1', 80],
      ['::1', 8080],
    ] as const) {
      expect(allows(lab, ip, port)).toBe(false);
    }
    expect(allows(lab, '8.8.8.8', 25)).toBe(true);
  });

  it('never reaches what it is told never to, whatever its lines say', () => {
    const never = [
      { ip: parseIp('127.0.0.1')!, port: 18443 },
      { ip: parseIp('9.9.9.9')!, port: undefined },
    ];
    const lab = policy({ rejectPrivate: false, lines: ['accept *:*'], never });
    expect(allows(lab, '127.0.0.1', 18443)).toBe(false);
    expect(allows(lab, '::ffff:127.0.0.1', 18443)).toBe(false);
    expect(allows(lab, '127.0.0.1', 18444)).toBe(true);
    expect(allows(lab, '9.9.9.9', 443)).toBe(false);
  });

  it('is no exit unless told', () => {
    for (const none of [
      policy({ exitRelay: undefined }),
      policy({ exitRelay: false, lines: ['accept *:*'] }),
    ]) {
      expect(none.exits).toBe(false);
      expect(none.descriptorRules().map(formatPolicyRule)).toEqual(['reject *:*']);
      expect(none.ipv6Ports()).toBeUndefined();
    }
    expect(policy({ exitRelay: undefined, lines: ['accept *:80'] }).exits).toBe(true);
    expect(policy({ lines: ['reject *:*'] }).exits).toBe(false);
  });

  it('states its rules as descriptors have them', () => {
    const lines = [
      'accept 1.2.3.0/24:80-90, reject 5.0.0.0/255.0.0.0:*',
      'accept6 [2001:db8::]/32:443',
      'reject *:*',
    ];
    expect(policy({ rejectPrivate: false, lines }).descriptorRules().map(formatPolicyRule)).toEqual([
      'accept 1.2.3.0/24:80-90',
      'reject 5.0.0.0/8:*',
      'reject *:*',
    ]);
    expect(policy({ lines: ['accept *:80', 'accept *:443-444', 'reject *:*'] }).ipv6Ports()).toEqual({
      kind: 'accept',
      ranges: [
        { low: 80, high: 80 },
        { low: 443, high: 444 },
      ],
    });
    const summary = formatPortPolicy(
      summarisePolicy(policy({ lines: ['accept *:80', 'reject *:*'] }).descriptorRules()),
    );
    expect(summary).toBe('accept 80');
  });

  it.each([
    'allow *:*',
    'accept 1.2.3:80',
    'accept *:0',
    'accept *:90-80',
    'accept 1.2.3.4/33:80',
    'accept [1.2.3.4]:x',
    'accept 1.2.3.4/255.0.255.0:80',
    'accept',
    '',
  ])('refuses the line %j', line => {
    expect(
      makeExitPolicy({ exitRelay: true, lines: [line], rejectPrivate: true, ipv6Exit: true, never: [] }).ok,
    ).toBe(false);
  });

  it('throws for no line and no address', () => {
    fc.assert(
      fc.property(fc.string(), line => {
        makeExitPolicy({
          exitRelay: true,
          lines: [line, `accept ${line}`],
          rejectPrivate: true,
          ipv6Exit: true,
          never: [],
        });
      }),
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ minLength: 4, maxLength: 4 }),
          fc.uint8Array({ minLength: 16, maxLength: 16 }),
        ),
        fc.nat(65_535),
        (ip, port) => {
          policy({}).allows(ip, port);
        },
      ),
    );
  });
});

import { expect, test } from 'vitest';
import { parseTorrc } from '../src/config/torrc.ts';
import { authorityConfig } from './config.ts';

const lines = {
  AuthoritativeDirectory: '1',
  V3AuthoritativeDirectory: '1',
  TestingTorNetwork: '1',
  Nickname: 'auth1',
  Address: '127.0.0.1',
  ORPort: '127.0.0.1:5001',
  DirPort: 'auto',
  DataDirectory: '/tmp/x',
};

function read(change: Record<string, string | undefined>) {
  const text = Object.entries({ ...lines, ...change })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name} ${value}`)
    .join('\n');
  const torrc = parseTorrc(text, 'torrc');
  if (!torrc.ok) throw new Error(torrc.fault.detail);
  return authorityConfig(torrc.value);
}

test('a lab authority needs little', () => {
  const config = read({});
  expect(config).toMatchObject({
    ok: true,
    value: {
      nickname: 'auth1',
      address: '127.0.0.1',
      lab: true,
      assumeReachable: false,
      authorities: [],
      schedule: { intervalMs: 20_000, intervalsValid: 3, voteMs: 4_000, signMs: 4_000, settleMs: 500 },
      orPort: { host: '127.0.0.1', port: 5001 },
      dirPort: { host: undefined, port: 'auto' },
    },
  });
});

test('a public one makes a consensus each hour, and none at once', () => {
  const config = read({ TestingTorNetwork: undefined, ConsensusParams: 'cc_alg=0 x=-1' });
  expect(config).toMatchObject({
    value: {
      schedule: { intervalMs: 3_600_000, voteMs: 300_000, signMs: 300_000, settleMs: undefined },
      params: new Map([
        ['cc_alg', 0],
        ['x', -1],
      ]),
    },
  });
});

test('two relays may share an address, in a lab any number, unless torrc says how many', () => {
  const relaysOf = (change: Parameters<typeof read>[0]) => {
    const config = read(change);
    return config.ok ? config.value.flagRules.perAddressMax : config.fault;
  };
  expect(relaysOf({ TestingTorNetwork: undefined })).toBe(2);
  expect(relaysOf({})).toBe(0);
  expect(relaysOf({ AuthDirMaxServersPerAddr: '5' })).toBe(5);
});

test('votes and signatures leave half of the interval to everybody else', () => {
  expect(read({ V3AuthVotingInterval: '10 seconds' })).toMatchObject({
    value: { schedule: { voteMs: 2_000, signMs: 2_000, settleMs: undefined } },
  });
  expect(read({ V3AuthVoteDelay: '6', TestingV3AuthInitialDistDelay: '3500 msec' })).toMatchObject({
    value: { schedule: { voteMs: 6_000, signMs: 3_000 } },
  });
});

test.each<[string, string | undefined, string]>([
  ['AuthoritativeDirectory', '0', 'CONFIG_MISSING'],
  ['V3AuthoritativeDirectory', undefined, 'CONFIG_MISSING'],
  ['DataDirectory', undefined, 'CONFIG_MISSING'],
  ['Nickname', undefined, 'CONFIG_MISSING'],
  ['Nickname', 'not a name', 'CONFIG_BAD_VALUE'],
  ['ORPort', '0', 'CONFIG_MISSING'],
  ['DirPort', undefined, 'CONFIG_MISSING'],
  ['Address', 'example.com', 'CONFIG_BAD_VALUE'],
  ['Address', '0.0.0.0', 'CONFIG_BAD_VALUE'],
  ['Address', '1.2.3', 'CONFIG_BAD_VALUE'],
  ['V3AuthVotingInterval', '9 seconds', 'CONFIG_BAD_VALUE'],
  ['ConsensusParams', 'a=b', 'CONFIG_BAD_VALUE'],
  ['DirAuthority', 'auth1 127.0.0.1:7001', 'CONFIG_BAD_VALUE'],
])('%s %s is a fault: %s', (name, value, code) => {
  const config = read({ [name]: value });
  expect(config).toMatchObject({ ok: false, fault: { code } });
  if (!config.ok) expect(config.fault.detail).toContain('torrc');
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toHex } from '../base/bytes.ts';
import { formatPolicyRule, type PolicyRule, parsePolicyRule, summarisePolicy } from './address-policy.ts';
import { parseBandwidthFile } from './bandwidth-file.ts';
import {
  type FlagRules,
  labFlagRules,
  publicFlagRules,
  type RelayStanding,
  voteEntries,
} from './flag-rules.ts';
import { allowsAnyPort, allowsPort, formatPortPolicy, parsePortPolicy } from './port-policy.ts';
import { formatPrice, parsePrice } from './price-line.ts';
import { formatProtocols, parseProtocols, supportsProtocol } from './protocols.ts';
import { makeRelays, must } from './small-network.fixture.ts';

const rulesOf = (...lines: string[]): PolicyRule[] =>
  lines.map(line => {
    const [keyword, pattern] = line.split(' ');
    const rule = parsePolicyRule(keyword, pattern);
    if (rule === undefined) throw new Error(line);
    return rule;
  });
const summary = (...lines: string[]) => formatPortPolicy(summarisePolicy(rulesOf(...lines)));

describe('address policy', () => {
  test.each([
    ['accept *:*', 'accept *:*'],
    ['reject 10.0.0.0/8:1-65535', 'reject 10.0.0.0/8:*'],
    ['accept 1.2.3.4:80', 'accept 1.2.3.4:80'],
    ['reject 1.2.3.0/255.255.255.0:80-90', 'reject 1.2.3.0/24:80-90'],
    ['reject 0.0.0.0/0:25', 'reject *:25'],
  ])('reads %s', (text, formatted) => {
    expect(formatPolicyRule(rulesOf(text)[0])).toBe(formatted);
  });

  test.each([
    'accept',
    'accept x:1',
    'accept 1.2.3.4/33:1',
    'accept *:0',
    'accept *:70000',
    'accept */8:1',
    'accept 1.2.3.4/255.0.255.0:1',
  ])('refuses %s', text => {
    const [keyword, pattern = ''] = text.split(' ');
    expect(parsePolicyRule(keyword, pattern)).toBeUndefined();
  });

  test('is summed up in ports as C tor sums it up', () => {
    expect(summary('reject *:*')).toBe('reject 1-65535');
    expect(summary('accept *:*')).toBe('accept 1-65535');
    expect(summary('accept *:80', 'accept *:443', 'reject *:*')).toBe('accept 80,443');
    expect(summary('reject *:25', 'accept *:*')).toBe('reject 25');
    // Private networks, and networks up to two /8, hide no port.
    expect(summary('reject 10.0.0.0/8:*', 'reject 192.168.0.0/16:*', 'accept *:80', 'reject *:*')).toBe(
      'accept 80',
    );
    expect(summary('reject 11.0.0.0/8:*', 'accept *:80', 'reject *:*')).toBe('accept 80');
    expect(summary('reject 12.0.0.0/6:*', 'accept *:80', 'reject *:*')).toBe('reject 1-65535');
    // What is accepted at some addresses alone does not count.
    expect(summary('accept 127.0.0.1:8080', 'reject *:*')).toBe('reject 1-65535');
    expect(summary('accept 127.0.0.1:8080', 'reject 127.0.0.0/8:*', 'accept *:*')).toBe('accept 1-65535');
  });

  test('is cut where it would be longer than 1,000 characters, as by C tor', () => {
    const odd = Array.from({ length: 400 }, (_, i) => `accept *:${20_001 + 2 * i}`);
    const cut = summary(...odd, 'reject *:*');
    expect(cut.length).toBeLessThanOrEqual(1_000);
    expect(cut).toBe(
      `accept ${odd
        .slice(0, 165)
        .map(rule => rule.slice(9))
        .join()}`,
    );
    const few = odd.slice(0, 165);
    expect(summary(...few, 'reject *:*')).toBe(cut);
  });

  test('a summary accepts a port just when the first rule for all addresses does', () => {
    const port = fc.integer({ min: 1, max: 65535 });
    const rule = fc.tuple(fc.boolean(), port, port).map(([accept, a, b]): PolicyRule => {
      return { accept, network: undefined, ports: { low: Math.min(a, b), high: Math.max(a, b) } };
    });
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 12 }), fc.array(port, { maxLength: 20 }), (rules, ports) => {
        const summed = summarisePolicy(rules);
        const edges = rules.flatMap(each => [each.ports.low, each.ports.high]);
        for (const one of [...ports, ...edges]) {
          const first = rules.find(each => one >= each.ports.low && one <= each.ports.high);
          expect(allowsPort(summed, one)).toBe(first?.accept ?? false);
        }
        expect(parsePortPolicy(formatPortPolicy(summed))).toEqual(summed);
      }),
    );
  });
});

describe('port policy', () => {
  test('knows when it lets nothing through', () => {
    expect(allowsAnyPort(parsePortPolicy('reject 1-65535')!)).toBe(false);
    expect(allowsAnyPort(parsePortPolicy('reject 1-100,101-65535')!)).toBe(false);
    expect(allowsAnyPort(parsePortPolicy('reject 2-65535')!)).toBe(true);
    expect(allowsAnyPort(parsePortPolicy('reject 1-65534')!)).toBe(true);
  });

  test.each([
    'accept',
    'accept 0',
    'accept 5-3',
    'accept 65536',
    'accept 1,,2',
    'allow 1',
    'accept 1 2',
    'accept -1',
  ])('refuses %s', text => {
    expect(parsePortPolicy(text)).toBeUndefined();
  });
});

describe('small lines', () => {
  test('prices come back', () => {
    const price = { priceMsatPer2Pow20: 123n, paySchemes: [1, 9] };
    expect(parsePrice(formatPrice(price))).toEqual(price);
    const free = { priceMsatPer2Pow20: 0n, paySchemes: [] };
    expect(parsePrice('0')).toEqual(free);
    expect(parsePrice(formatPrice(free))).toEqual(free);
    for (const bad of ['', '1', '-1 1', '01 1', '18446744073709551616 1', '1 1,', '1 99999', '1 a', '1  1'])
      expect(parsePrice(bad), bad).toBeUndefined();
  });

  test('protocols come back as they were spelled, others sorted', () => {
    const text = 'Link=3-5 Pay=01  Cons=1,2';
    const protocols = parseProtocols(text)!;
    expect(formatProtocols(protocols)).toBe(text);
    expect(formatProtocols(new Map(protocols))).toBe('Cons=1,2 Link=3-5 Pay=1');
    expect(supportsProtocol(protocols, 'Link', 4)).toBe(true);
    expect(supportsProtocol(protocols, 'Link', 6)).toBe(false);
    expect(supportsProtocol(protocols, 'Nope', 1)).toBe(false);
    for (const bad of ['Link', 'Link=5-3', 'Link=64', 'Li nk=1', 'Link=a', `Link=4${' '.repeat(20_000)}`])
      expect(parseProtocols(bad)).toBeUndefined();
  });

  test('bandwidth files name relays by fingerprint', () => {
    const id = 'AB'.repeat(20);
    const text = `1790000000\nversion=1.4.0\n=====\nbw=760 node_id=$${id} nick=x\nbw=9 node_id=$${'CD'.repeat(20)} vote=0\nnonsense\n`;
    const file = must(parseBandwidthFile(text));
    expect([...file.bandwidths]).toEqual([[id.toLowerCase(), 760]]);
    expect(parseBandwidthFile('hello').ok).toBe(false);
  });
});

describe('flags', () => {
  const relays = makeRelays();
  const standing = (index: number, change: Partial<RelayStanding> = {}): RelayStanding => ({
    descriptor: relays[index],
    running: true,
    measuredKBps: undefined,
    authority: false,
    ...change,
  });

  test('in a lab every running relay is a guard, and exits are those with open web ports', () => {
    const entries = voteEntries([standing(2), standing(0), standing(1, { running: false })], labFlagRules);
    const running = entries.filter(each => each.flags.has('Running'));
    expect(running.map(each => each.nickname).sort()).toEqual(['relay0', 'relay2']);
    expect(entries.map(each => toHex(each.rsaId))).toEqual(entries.map(each => toHex(each.rsaId)).sort());
    const exit = entries.find(each => each.nickname === 'relay2')!;
    expect([...exit.flags].sort()).toEqual(['Exit', 'Fast', 'Guard', 'Running', 'Stable', 'V2Dir', 'Valid']);
    expect([exit.bandwidth, exit.measured]).toEqual([30_000, undefined]);
  });

  test('outside a lab claims of bandwidth are capped until somebody measures', () => {
    const claims = voteEntries([standing(0)], publicFlagRules)[0];
    expect([claims.bandwidth, claims.measured]).toEqual([20, undefined]);
    const measured = voteEntries([standing(0, { measuredKBps: 5_000 })], publicFlagRules)[0];
    expect([measured.bandwidth, measured.measured]).toEqual([5_000, 5_000]);
  });

  test('are kept from all but the most useful relays of one address, IPv4 or IPv6', () => {
    const at = (index: number, host: string, change: Partial<RelayStanding> = {}, ipv6?: string) =>
      standing(index, {
        descriptor: {
          ...relays[index],
          address: { host, port: 9001 },
          ipv6: ipv6 === undefined ? undefined : { host: ipv6, port: 9001 },
        },
        measuredKBps: 100 * (index + 1),
        ...change,
      });
    const flaggedBy = (rules: FlagRules, ...standings: RelayStanding[]) =>
      voteEntries(standings, rules)
        .filter(({ flags }) => flags.size > 0)
        .map(({ nickname }) => nickname)
        .sort();
    const flagged = flaggedBy.bind(undefined, { ...publicFlagRules, perAddressMax: 1 });
    expect(flagged(at(0, '1.2.3.4'), at(1, '1.2.3.4'), at(2, '1.2.3.5'))).toEqual(['relay1', 'relay2']);
    // The slower one of two runs, so it is of more use.
    expect(flagged(at(0, '1.2.3.4'), at(1, '1.2.3.4', { running: false }))).toEqual(['relay0']);
    expect(flagged(at(0, '1.2.3.4', {}, '2001:db8::1'), at(1, '1.2.3.5', {}, '2001:db8::1'))).toEqual([
      'relay1',
    ]);
    const three = [0, 1, 2].map(index => at(index, '1.2.3.4'));
    expect(flaggedBy(publicFlagRules, ...three)).toEqual(['relay1', 'relay2']);
  });

  test('follow from what is known, in any order', () => {
    const all = [0, 1, 2].map(index => standing(index));
    expect(voteEntries([...all].reverse(), publicFlagRules)).toEqual(voteEntries(all, publicFlagRules));
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseNetFile } from '../../scripts/net-file.ts';
import { toHex } from '../../src/base/bytes.ts';
import { plainMethod, pricedMethod } from '../../src/directory/consensus-method.ts';
import { signedText } from '../../src/directory/status-document.ts';
import { until } from '../lab-network.fixture.ts';
import { hasTor } from './c-tor.fixture.ts';
import './interop-table.ts';
import { MixedAuthorities } from './mixed-authorities.fixture.ts';
import { transfer } from './transfers.fixture.ts';

const timeoutMs = 240_000;
const link = '3-5';
const bytes = 1_000_000;
const path = ['guard1', 'middle1', 'exit1'];
/** With so many authorities of ours. The middle is C tor. */
const plan = (authorities: number) =>
  parseNetFile(
    'test',
    `
authorities: ${authorities}
relays:
  - {count: 1, flags: [guard]}
  - {count: 1, impl: tor}
  - {count: 1, exit: true}
pay: {scheme: none}
link_protocols: ${link}
`,
  );
const flavors = ['ns', 'microdesc'] as const;

describe.skipIf(!hasTor())('two authorities of ours and one of C tor', () => {
  const all = ['auth1', 'auth2', 'torauth'];
  let network: MixedAuthorities;

  beforeAll(async () => {
    network = await MixedAuthorities.start(plan(2), ['torauth']);
  }, timeoutMs);
  afterAll(() => network?.stop(), timeoutMs);

  it.for(flavors)('sign the same bytes: flavour %s', { timeout: timeoutMs }, async (flavor, { task }) => {
    task.meta.interop = { scenario: `one C tor and two of ours vote, ${flavor}`, link, path: '' };
    const [first, ...others] = await network.agreed(all, flavor);
    for (const other of others) expect(signedText(other.text)).toBe(signedText(first.text));
    expect(first.method).toBe(plainMethod);
  });

  it('make the same microdescriptors', { timeout: timeoutMs }, async ({ task }) => {
    task.meta.interop = { scenario: 'C tor and ours make microdescriptors', link, path: '' };
    const digestsOf = async (name: string): Promise<string> => {
      const { relays } = await network.voteOf(name);
      return relays
        .map(each => `${each.nickname} ${toHex(each.microdescriptorDigests.get(plainMethod)!)}`)
        .join('\n');
    };
    // One may have voted anew already, or before it knew the last relay.
    await until(async () => {
      const [first, ...others] = await Promise.all(all.map(digestsOf));
      const complete = path.every(nickname => first.includes(`${nickname} `));
      return complete && others.every(other => other === first);
    }, 'all vote for the same microdescriptors of all relays');
    const [tor] = network.torAuthorities;
    expect(tor.warnings.filter(line => /parse|mismatch|unable to add/i.test(line))).toEqual([]);
  });

  it('are believed by a C tor client', { timeout: timeoutMs }, async ({ task }) => {
    const told = { scenario: 'C tor client, authorities of both', link, path: path.join(' > ') };
    task.meta.interop = told;
    const client = await network.torClient();
    await until(async () => {
      const listed = (await client.control.ask('GETINFO ns/all')).join('\n');
      return path.every(nickname => listed.includes(`\nr ${nickname} `));
    }, 'the client knows all relays');
    const circuit = await client.extend(path);
    const got = await client.over(circuit, user => transfer(client.socks, network.labAddress, bytes, user));
    task.meta.interop = { ...told, bytes: got };
  });

  it('are believed by our client', { timeout: timeoutMs }, async ({ task }) => {
    const told = { scenario: 'our client, authorities of both', link, path: path.join(' > ') };
    task.meta.interop = told;
    const got = await transfer(await network.client(), network.labAddress, bytes, 'mixed');
    task.meta.interop = { ...told, bytes: got };
  });

  it('go on without that of C tor', { timeout: timeoutMs }, async ({ task }) => {
    task.meta.interop = { scenario: 'ours vote on without C tor', link, path: '' };
    await network.torAuthorities[0].stop();
    const [first, second] = await network.agreed(['auth1', 'auth2'], 'ns');
    expect(second.text).toBe(first.text);
    expect(first.method).toBe(pricedMethod);
  });
});

describe.skipIf(!hasTor())('one authority of ours and two of C tor', () => {
  const all = ['auth1', 'torauth1', 'torauth2'];
  let network: MixedAuthorities;

  beforeAll(async () => {
    network = await MixedAuthorities.start(plan(1), all.slice(1), [
      'VersioningAuthoritativeDirectory 1',
      'RecommendedClientVersions 0.4.9.11,0.4.9.9,0.4.8.21',
      'RecommendedServerVersions 0.4.9.11,0.4.10.1-alpha',
      'ConsensusParams circwindow=900 p1=1 p=2',
    ]);
  }, timeoutMs);
  afterAll(() => network?.stop(), timeoutMs);

  it.for(flavors)('sign the same bytes: flavour %s', { timeout: timeoutMs }, async (flavor, { task }) => {
    task.meta.interop = { scenario: `two C tor and one of ours vote, ${flavor}`, link, path: '' };
    const [first, ...others] = await network.agreed(all, flavor);
    for (const other of others) expect(signedText(other.text)).toBe(signedText(first.text));
    // What most of them have said of versions, parameters and protocols stands in it, though ours say nothing.
    expect(first.text).toContain('\nclient-versions 0.4.8.21,0.4.9.9,0.4.9.11\n');
    expect(first.text).toContain('\nrecommended-relay-protocols Cons=2 ');
    expect(first.params.get('circwindow')).toBe(900);
  });
});

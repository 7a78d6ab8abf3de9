import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Consensus, parseConsensus } from '../src/directory/consensus.ts';
import { transfer } from './interop/transfers.fixture.ts';
import { type LabNetwork, startLabNetwork, until } from './lab-network.fixture.ts';

const timeoutMs = 120_000;
const net = `
authorities: 3
relays:
  - {count: 2}
  - {count: 1, exit: true}
pay: {scheme: none}
`;

describe('a network with three authorities', () => {
  let network: LabNetwork;
  const voters = ['auth1', 'auth2', 'auth3'];

  beforeAll(async () => {
    network = await startLabNetwork(net);
  }, timeoutMs);
  afterAll(() => network?.stop(), timeoutMs);

  /** What an authority serves now. */
  async function consensusAt(name: string): Promise<Consensus | undefined> {
    const url = `http://${network.node(name).listens.dir}/tor/status-vote/current/consensus`;
    const parsed = parseConsensus(await (await fetch(url)).text());
    return parsed.ok ? parsed.value : undefined;
  }

  /** Waits for a consensus with all three relays, made of the votes of these authorities, later than `afterMs`. */
  async function agreed(at: string, of: readonly string[], afterMs = 0): Promise<Consensus> {
    let found: Consensus | undefined;
    await until(async () => {
      const consensus = await consensusAt(at);
      const nicknames = consensus?.authorities.map(({ nickname }) => nickname).sort() ?? [];
      const whole = consensus?.relays.length === 3 && consensus.signatures.length === of.length;
      if (whole && consensus.validAfterMs > afterMs && nicknames.join() === of.join()) found = consensus;
      return found !== undefined;
    }, `${at} has a consensus of ${of}`);
    return found as Consensus;
  }

  const streams = (user: string) => transfer(network.state.socks, network.state.lab, 100_000, user);

  it('agrees on one consensus', { timeout: timeoutMs }, async () => {
    const made = await Promise.all(voters.map(name => agreed(name, voters)));
    const newest = made.toSorted((a, b) => b.validAfterMs - a.validAfterMs)[0];
    await until(async () => (await consensusAt('auth1'))?.text === newest.text, 'auth1 has it');
    expect((await consensusAt('auth3'))?.text).toBe((await consensusAt('auth2'))?.text);
    expect(await streams('three')).toBe(100_000);
  });

  it('goes on without one that was killed, and with it once it is back', { timeout: timeoutMs }, async () => {
    await network.kill('auth2');
    const without = await agreed('auth1', ['auth1', 'auth3']);
    expect(await streams('two')).toBe(100_000);
    await network.restart('auth2');
    for (const name of voters) await agreed(name, voters, without.validAfterMs);
    expect(await streams('back')).toBe(100_000);
  });

  it('makes no consensus without most of them', { timeout: timeoutMs }, async () => {
    await network.kill('auth1');
    await network.kill('auth3');
    const before = await agreed('auth2', voters);
    const failures = () => readFileSync(network.node('auth2').log, 'utf8').split('no consensus').length - 1;
    const failed = failures();
    await until(() => failures() > failed, 'a round has failed');
    expect((await consensusAt('auth2'))?.text).toBe(before.text);
    // What was agreed on still holds.
    expect(await streams('one')).toBe(100_000);
  });
});

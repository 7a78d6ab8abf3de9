import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CapturedVerdicts, readVector } from './twins/captured.fixture.ts';
import { clientCases } from './twins/client-twins.fixture.ts';
import { FalseNetwork } from './twins/false-network.fixture.ts';
import { OurClient } from './twins/our-client.fixture.ts';

const { tor, verdicts } = readVector<CapturedVerdicts>('client-verdicts');

describe(`what a client of ${tor} makes of what its relays say, so does ours:`, () => {
  let network: FalseNetwork;
  let client: OurClient;
  let dir: string;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'naulon-test-'));
    network = await FalseNetwork.start();
    client = await OurClient.start(dir, [network.authority]);
  }, 120_000);
  afterAll(async () => {
    await client?.stop();
    network?.stop();
    await rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }, 60_000);

  it('every twin has a verdict, and every verdict a twin', () => {
    expect(clientCases.map(({ name }) => name).sort()).toEqual(Object.keys(verdicts).sort());
  });

  it.each(clientCases.map(each => [each.name, each] as const))('%s', async (name, each) => {
    expect(await each.judge(network, client)).toBe(verdicts[name]);
  });
});

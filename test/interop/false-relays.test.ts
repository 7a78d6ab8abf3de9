import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CapturedVerdicts, readVector } from '../twins/captured.fixture.ts';
import { clientCases } from '../twins/client-twins.fixture.ts';
import { packedCases, signedCases, torTakes } from '../twins/directory-verdict.fixture.ts';
import { FalseNetwork } from '../twins/false-network.fixture.ts';
import { torTakesVotes } from '../twins/vote-verdict.fixture.ts';
import { hasTor, TorClient } from './c-tor.fixture.ts';
import './interop-table.ts';

describe.skipIf(!hasTor())('verdicts captured from a client and an authority of C tor', () => {
  let network: FalseNetwork;
  let client: TorClient;
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'naulon-tor-'));
    network = await FalseNetwork.start();
    client = await TorClient.start(join(dir, 'client'), [network.authority]);
  }, 120_000);
  afterAll(async () => {
    await client?.stop();
    network?.stop();
    await rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }, 60_000);

  it('still hold: cells of a false relay', { timeout: 180_000 }, async ({ task }) => {
    const { verdicts } = readVector<CapturedVerdicts>('client-verdicts');
    const scenario = `${clientCases.length} malformed twins: cells to a C tor client`;
    task.meta.interop = { scenario, link: '4', path: 'false relays' };
    const changed: string[] = [];
    for (const each of clientCases) {
      const verdict = await each.judge(network, client);
      if (verdict !== verdicts[each.name])
        changed.push(`${each.name}: ${verdict}, not ${verdicts[each.name]}`);
    }
    expect(changed).toEqual([]);
  });

  it('still hold: certificates, microdescriptors, votes', { timeout: 300_000 }, async ({ task }) => {
    const { verdicts } = readVector<CapturedVerdicts>('authority-verdicts');
    const scenario = `${Object.keys(verdicts).length} malformed twins of what authorities sign`;
    task.meta.interop = { scenario, link: '4', path: 'false authority' };
    const [signed, votes] = await Promise.all([torTakes(signedCases(network)), torTakesVotes(network)]);
    expect({ ...signed, ...votes }).toEqual(verdicts);
  });
});

describe.skipIf(!hasTor())('verdicts captured from clients of C tor that know nothing', () => {
  it('still hold: a consensus, packed in many ways', { timeout: 240_000 }, async ({ task }) => {
    const { verdicts } = readVector<CapturedVerdicts>('packed-verdicts');
    const scenario = `${Object.keys(verdicts).length} packings of a consensus to C tor clients`;
    task.meta.interop = { scenario, link: '4', path: 'false authority' };
    expect(await torTakes(packedCases)).toEqual(verdicts);
  });
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CapturedVerdicts, cellTwins, readVector } from '../twins/captured.fixture.ts';
import { clientCases } from '../twins/client-twins.fixture.ts';
import { packedCases, signedCases, torTakes } from '../twins/directory-verdict.fixture.ts';
import { FalseNetwork } from '../twins/false-network.fixture.ts';
import { torTakesVotes } from '../twins/vote-verdict.fixture.ts';
import { hasTor, TorClient } from './c-tor.fixture.ts';
import './interop-table.ts';
import { TorNetwork } from './tor-network.fixture.ts';

const { tor, verdicts } = readVector<CapturedVerdicts>('cell-verdicts');
const parts = [
  ['the link handshake', '3-5', /^(?!a next hop|CERTS of a responder|to CREATE2|EXTEND2)/],
  ['a next hop', '4', /^(a next hop|CERTS of a responder|to CREATE2|EXTEND2)/],
] as const;

describe.skipIf(!hasTor())(`verdicts captured from ${tor}`, () => {
  let network: TorNetwork;
  beforeAll(async () => {
    network = await TorNetwork.start();
  }, 180_000);
  afterAll(() => network?.stop(), 60_000);

  it.for(parts)('still hold: cells of %s', { timeout: 180_000 }, async ([what, link, names], { task }) => {
    const twins = cellTwins().filter(({ name }) => names.test(name));
    task.meta.interop = { scenario: `${twins.length} malformed twins: ${what}`, link, path: 'tor1' };
    const orPort = network.orPorts.get('tor1')!;
    const changed: string[] = [];
    for (const twin of twins) {
      const verdict = await twin.judge({ orPort });
      if (verdict !== verdicts[twin.name])
        changed.push(`${twin.name}: ${verdict}, not ${verdicts[twin.name]}`);
    }
    expect(changed).toEqual([]);
  });
});

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

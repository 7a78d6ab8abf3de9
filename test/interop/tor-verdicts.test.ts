import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CapturedVerdicts, cellTwins, readVector } from '../twins/captured.fixture.ts';
import { hasTor } from './c-tor.fixture.ts';
import './interop-table.ts';
import type { Subject, Twin, Verdict } from '../twins/verdict.fixture.ts';
import { TorNetwork } from './tor-network.fixture.ts';

/**
 * Its verdict; a second one if C tor ended the circuit as FINISHED (9). It sweeps one-hop circuits of clients every few
 * seconds, also one that only waits for its next hop, if it has sent nothing else on that link yet. No twin asks for it.
 */
async function judgedPastSweep(twin: Twin, subject: Subject): Promise<Verdict> {
  const verdict = await twin.judge(subject);
  return verdict.includes('DESTROY 9') ? twin.judge(subject) : verdict;
}

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
      const verdict = await judgedPastSweep(twin, { orPort });
      if (verdict !== verdicts[twin.name])
        changed.push(`${twin.name}: ${verdict}, not ${verdicts[twin.name]}`);
    }
    expect(changed).toEqual([]);
  });
});

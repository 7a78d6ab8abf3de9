import { describe, expect, test } from 'vitest';
import { parseTorrc } from '../src/config/torrc.ts';
import { VirtualTime } from '../src/flow/virtual-link.fixture.ts';
import { SeededEntropy } from '../src/sim/seeded-entropy.ts';
import { AddressLimits } from './address-limits.ts';
import { type DosRules, dosOptionsOf, readDosRules } from './dos-rules.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

function rulesOf(consensus: Record<string, number>, own: ReadonlyMap<string, number> = new Map()): DosRules {
  return readDosRules((name, otherwise) => consensus[name] ?? otherwise, own);
}

function limitsWith(consensus: Record<string, number>) {
  const time = new VirtualTime();
  const limits = new AddressLimits(time, new SeededEntropy('limits'), rulesOf(consensus));
  const waitMs = (ms: number): void => {
    time.nowUs += ms * 1_000;
  };
  const created = (host: string, tries: number): number =>
    Array.from({ length: tries }, () => limits.mayCreate(host)).filter(Boolean).length;
  return { limits, waitMs, created };
}

describe('circuits of one address', () => {
  const consensus = { DoSCircuitCreationEnabled: 1 };

  test('are counted once it has three links: 90 at once, 3 a second, then none for an hour or more', () => {
    const { limits, waitMs, created } = limitsWith(consensus);
    for (let link = 0; link < 3; link++) expect(limits.admits('1.2.3.4')).toBe(true);
    expect(created('1.2.3.4', 60)).toBe(60);
    waitMs(10_000);
    expect(created('1.2.3.4', 200)).toBe(60);
    waitMs(hourMs - 1);
    expect(created('1.2.3.4', 10)).toBe(0);
    waitMs(hourMs / 2 + 1);
    expect(created('1.2.3.4', 200)).toBe(90);
  });

  test('are free with fewer links, for relays, and where no consensus says so', () => {
    const { limits, created } = limitsWith(consensus);
    for (let link = 0; link < 2; link++) limits.admits('1.2.3.4');
    expect(created('1.2.3.4', 1_000)).toBe(1_000);
    // Of the third link on it counts what there was before.
    limits.admits('1.2.3.4');
    expect(created('1.2.3.4', 1_000)).toBe(0);
    limits.update(rulesOf(consensus), new Set(['5.6.7.8']));
    for (let link = 0; link < 9; link++) limits.admits('5.6.7.8');
    expect(created('5.6.7.8', 1_000)).toBe(1_000);
    limits.update(rulesOf({}), new Set());
    expect(created('1.2.3.4', 1_000)).toBe(1_000);
  });
});

describe('links of one address', () => {
  const consensus = { DoSConnectionEnabled: 1 };

  test('are 100 at once', () => {
    const { limits, waitMs } = limitsWith(consensus);
    for (let link = 0; link < 100; link++, waitMs(100)) expect(limits.admits('1.2.3.4')).toBe(true);
    expect(limits.admits('1.2.3.4')).toBe(false);
    expect(limits.admits('1.2.3.5')).toBe(true);
    limits.left('1.2.3.4');
    expect(limits.admits('1.2.3.4')).toBe(true);
  });

  test('are 40 in a moment and 20 a second, then none for a day', () => {
    const { limits, waitMs } = limitsWith(consensus);
    const begun = (tries: number): number => {
      let admitted = 0;
      for (let link = 0; link < tries; link++) {
        if (!limits.admits('1.2.3.4')) continue;
        admitted += 1;
        limits.left('1.2.3.4');
      }
      return admitted;
    };
    expect(begun(40)).toBe(40);
    waitMs(1_000);
    expect(begun(30)).toBe(20);
    waitMs(24 * hourMs - 1);
    expect(begun(1)).toBe(0);
    waitMs(1);
    expect(begun(1)).toBe(1);
  });

  test('of relays are not counted', () => {
    const { limits } = limitsWith(consensus);
    limits.update(rulesOf(consensus), new Set(['127.0.0.1']));
    for (let link = 0; link < 1_000; link++) expect(limits.admits('127.0.0.1')).toBe(true);
  });
});

test('torrc has the last word, by the names of C tor', () => {
  const torrc = parseTorrc(
    [
      'DoSCircuitCreationEnabled 0',
      'DoSConnectionEnabled auto',
      'DoSStreamCreationEnabled 1',
      'DoSStreamCreationRate 7',
      'DoSStreamCreationBurst 0',
      'DoSStreamCreationDefenseType 3',
      'DoSConnectionConnectDefenseTimePeriod 2 hours',
    ].join('\n'),
    'torrc',
  );
  if (!torrc.ok) throw new Error(torrc.fault.detail);
  const consensus = { DoSCircuitCreationEnabled: 1, DoSConnectionEnabled: 1, DoSStreamCreationBurst: 11 };
  const { circuits, links, streams } = rulesOf(consensus, dosOptionsOf(torrc.value));
  expect(circuits.enabled).toBe(false);
  expect(links).toMatchObject({ enabled: true, refusedMs: 2 * hourMs });
  expect(streams).toEqual({ enabled: true, perSecond: 7, burst: 11, endsCircuit: true });
  expect(rulesOf({ DoSConnectionEnabled: 1, DoSConnectionDefenseType: 1 }).links.enabled).toBe(false);
  expect(parseTorrc('DoSConnectionEnabled maybe', 'torrc')).toMatchObject({
    fault: {
      code: 'CONFIG_BAD_VALUE',
      detail: 'torrc:1: DoSConnectionEnabled: must be 0, 1 or auto, not "maybe"',
    },
  });
});

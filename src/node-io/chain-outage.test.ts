import { expect, it } from 'vitest';
import type { LogFields } from '../ports.ts';
import { BitcoindRpcError } from './bitcoind-rpc-client.ts';
import { ChainOutage } from './chain-outage.ts';

const retryMs = 5_000;

/** What a log holds of an outage of so many seconds, in which bitcoind is asked every five. */
function told(seconds: number, error: unknown = new Error('connect ECONNREFUSED')) {
  const lines: { event: string; fields: LogFields | undefined }[] = [];
  let now = 1_000;
  const log = (_: string, event: string, fields?: LogFields) => void lines.push({ event, fields });
  const outage = new ChainOutage({ log, count() {} }, () => now);
  for (const end = now + seconds * 1_000; now < end; now += retryMs) outage.failed(error);
  outage.over();
  outage.over();
  return lines;
}

it('says nothing of a bitcoind that was started anew', () => {
  expect(told(5)).toEqual([]);
});

it('tells of a bitcoind that is gone, ever less often, and once that it is back', () => {
  const day = 86_400;
  const events = told(day).map(({ event }) => event);
  expect(events.slice(0, 2)).toEqual(['chain_unreachable', 'chain_unreachable']);
  expect(events.length).toBeLessThan(18);
  expect(events.filter(event => event === 'chain_back')).toHaveLength(1);
  expect(told(day).at(-1)).toEqual({ event: 'chain_back', fields: { seconds: day } });
});

it.each([
  ['cannot be reached', new Error('connect ECONNREFUSED'), 'is bitcoind up'],
  ['refuses the cookie', new BitcoindRpcError('getblock', 401, 'the cookie is refused'), 'cookie'],
  ['is pruned', new BitcoindRpcError('getblock', -1, 'Block not available (pruned data)'), 'prune=0'],
])('says what to do about a bitcoind that %s', (_, error, advice) => {
  const [{ fields }] = told(60, error);
  expect(fields).toMatchObject({ fault: error.message, advice: expect.stringContaining(advice) });
});

import { expect, test } from 'vitest';
import { Crowd } from './crowded-queues.fixture.ts';

const twentyClients = Array.from({ length: 20 }, () => 'client' as const);
/** Of those links, which come after an honest relay's, link 1. */
const clientLinks = twentyClients.map((_, index) => index + 2);
/** What fills a relay for which twenty links hold 256 cells each, twice. */
const nearlyFull = 12_500;

test('after 50 days of uptime it is still clients that read nothing who give way, not an honest circuit', () => {
  const crowd = new Crowd(['relay', ...twentyClients], nearlyFull);
  crowd.clock.advance(2 ** 32);
  for (const link of clientLinks) crowd.stalls(link, 256);
  crowd.clock.advance(60_000);
  crowd.isBusy(1);
  crowd.clock.advance(5);
  crowd.gives(2, 1, 2_000);
  expect(crowd.ended).toEqual([]);
  expect(crowd.lost).toContain(2);
  expect(crowd.lost).not.toContain(1);
});

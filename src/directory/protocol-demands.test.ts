import { expect, test } from 'vitest';
import type { Observer } from '../ports.ts';
import type { Consensus } from './consensus.ts';
import { NetworkView } from './network-view.ts';
import { LackTeller } from './protocol-demands.ts';
import { parseProtocols } from './protocols.ts';
import { eachDemand, type ProtocolDemand } from './status-document.ts';

const viewOf = (demands: Partial<Record<ProtocolDemand, string>>) =>
  new NetworkView(
    {
      relays: [],
      protocols: eachDemand(demand => parseProtocols(demands[demand] ?? '')!),
    } as unknown as Consensus,
    [],
  );

test('an operator is told once what the network demands and the program lacks', () => {
  const told: unknown[] = [];
  const log: Observer['log'] = (_, __, { code, lacking } = {}) => void told.push(`${code} ${lacking}`);
  const teller = new LackTeller('relay', { log } as unknown as Observer);
  const recommended = { 'recommended-relay-protocols': 'Link=4-9 Relay=2' };
  const views = [
    viewOf({}),
    viewOf({ 'required-client-protocols': 'Warp=1' }),
    viewOf(recommended),
    viewOf(recommended),
    viewOf({ ...recommended, 'required-relay-protocols': 'LinkAuth=3 Warp=1,3' }),
    viewOf({}),
  ];
  for (const view of views) teller.onView(view);
  expect(told).toEqual(['PROTOCOLS_RECOMMENDED Link=6-9', 'PROTOCOLS_REQUIRED Warp=1,3']);
});

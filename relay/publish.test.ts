import { expect, it } from 'vitest';
import { ok } from '../src/base/fault.ts';
import { makeNodeKeys } from '../src/crypto/node-keys.ts';
import { RsaKey } from '../src/crypto/rsa.ts';
import { DirectoryClient } from '../src/directory/directory-client.ts';
import type { HttpTransfers } from '../src/directory/http-transfers.ts';
import { rsaFixture } from '../src/sim/rsa-fixtures.ts';
import { SimNode } from '../src/sim/sim-node.ts';
import { VirtualClock } from '../src/sim/virtual-clock.ts';
import { World } from '../src/sim/world.ts';
import { Publisher } from './publish.ts';
import { defaultRelaySettings } from './relay-settings.ts';

const yearMs = 365 * 86_400_000;

it('a relay whose clock was wrong when it started is listed soon after it was set', () => {
  const world = new World({ seed: 'publish' });
  const node = new SimNode(world, 'relay');
  const clock = new VirtualClock(node, -2 * yearMs);
  const rightMs = () => clock.wallMs() + (isSet ? 0 : 2 * yearMs);
  let isSet = false;
  const taken: string[] = [];
  // As an authority does, it takes what was published within the last day.
  const ask: HttpTransfers['ask'] = (_to, request, answer) => {
    const text = Buffer.from(request).toString('latin1');
    const publishedMs = Date.parse(`${/^published (.*)$/m.exec(text)?.[1]}Z`);
    const good = Math.abs(rightMs() - publishedMs) < 43_200_000;
    if (good) taken.push(text);
    node.later(1_000, () =>
      answer(ok({ status: good ? 200 : 400, reason: '', headers: new Map(), body: new Uint8Array() })),
    );
  };
  const rsa = (kind: 'identity' | 'tls' | 'tap') => new RsaKey(rsaFixture(kind, 0));
  const keys = node.turn(() =>
    makeNodeKeys(node.entropy, { rsaIdentity: rsa('identity'), tls: rsa('tls'), tap: rsa('tap') }),
  );
  const address = { host: '11.0.0.1', port: 9001 };
  const authority = {
    nickname: 'a',
    dirAddress: address,
    orAddress: address,
    rsaId: new Uint8Array(20),
    v3Ident: undefined,
  };
  const settings = { ...defaultRelaySettings, nickname: 'relay', address, authorities: [authority] };
  const directory = new DirectoryClient({ authorities: [], clock, entropy: node.entropy });
  const publisher = new Publisher({
    settings,
    onionKey: () => keys.ntor,
    keys,
    price: undefined,
    directory,
    transfers: { ask } as HttpTransfers,
    clock,
    observer: node.observer,
    bytesCarried: () => 0,
  });
  node.turn(() => publisher.start());
  world.runFor(300_000);
  expect(taken).toHaveLength(0);
  clock.jumpWall(2 * yearMs);
  isSet = true;
  world.runFor(120_000);
  expect(taken).toHaveLength(1);
  expect(directory.ownDescriptor()).toContain(taken[0].slice(-100));
});

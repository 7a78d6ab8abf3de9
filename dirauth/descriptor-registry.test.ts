import { expect, it } from 'vitest';
import { toHex } from '../src/base/bytes.ts';
import { descriptorsMax } from '../src/base/limits.ts';
import type { ServerDescriptor } from '../src/directory/server-descriptor.ts';
import { DescriptorRegistry } from './descriptor-registry.ts';

function relayOf(n: number): ServerDescriptor {
  const id = (length: number) => Uint8Array.from({ length }, (_, at) => (at < 2 ? (n >> (8 * at)) & 255 : 7));
  const address = { host: '10.0.0.1', port: 1 };
  const made = { rsaId: id(20), ed25519: id(32), digest: id(20), address, publishedMs: 0, text: 'router' };
  return made as unknown as ServerDescriptor;
}

const hexOf = (n: number) => toHex(relayOf(n).rsaId);

it('takes a new relay, where there is no room, in place of the first that never answered', () => {
  const registry = new DescriptorRegistry(true);
  for (let n = 0; n < descriptorsMax; n++) registry.take(relayOf(n), 0);
  const [one, other] = [relayOf(descriptorsMax), relayOf(descriptorsMax + 1)];
  const answered = (known: ServerDescriptor) => toHex(known.rsaId) === hexOf(0);
  expect(registry.take(one, 0, () => false)).toMatchObject({ ok: false, fault: { code: 'UPLOAD_FULL' } });
  const taken = registry.take(one, 0, known => !answered(known));
  expect(taken.ok && taken.value).toMatchObject([
    { key: `authority/descriptor/${hexOf(1)}`, value: undefined },
    { key: `authority/pin/${hexOf(1)}`, value: undefined },
    { key: `authority/descriptor/${toHex(one.rsaId)}` },
    { key: `authority/pin/${toHex(one.rsaId)}` },
  ]);
  registry.take(other, 0, known => !answered(known));
  expect([0, 1, 2, 3].map(n => registry.byIdentity(hexOf(n)) !== undefined)).toEqual([
    true,
    false,
    false,
    true,
  ]);
  expect(registry.size).toBe(descriptorsMax);
  // What is there already is no new relay.
  expect(registry.take({ ...relayOf(5), digest: new Uint8Array(20) }, 0, () => true).ok).toBe(true);
  expect(registry.size).toBe(descriptorsMax);
});

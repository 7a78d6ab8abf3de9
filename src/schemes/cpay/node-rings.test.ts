import { expect, it } from 'vitest';
import { SigningKey } from '../../crypto/ecdsa.ts';
import { sha256 } from '../../crypto/sha.ts';
import { type Assistant, assistantList, epoch, requestOp } from './messages.ts';
import { KnownRings, NodeRings } from './node-rings.ts';

const broker = new SigningKey(new Uint8Array(32).fill(99));
const at = { host: '10.0.0.1', port: 1 };
const assistant = (byte: number): Assistant => ({
  key: new SigningKey(new Uint8Array(32).fill(byte)).publicKey,
  at: { host: '10.0.0.2', port: byte },
  place: new Uint8Array(8).fill(byte),
});
const listOf = (...bytes: number[]) => assistantList.encode({ since: 3, assistants: bytes.map(assistant) });

/** What a node makes of an epoch that is told so. */
function learnt(told: { readonly signer?: SigningKey; readonly number?: number; readonly list: Uint8Array }) {
  const { signer = broker, number = 5, list } = told;
  const said = epoch.sign(signer, { number, since: 3, digest: sha256(listOf(1, 2)) });
  const rings = new NodeRings(new KnownRings({ endpoint: at, key: broker.publicKey }), (request, done) =>
    done(request[0] === requestOp.epoch ? epoch.encode(said) : list),
  );
  let ended = false;
  rings.fetch([5], () => {
    ended = true;
  });
  return { ended, ring: rings.ring(5) };
}

it('a node takes the list of assistants that the broker has signed for that epoch', () => {
  const { ended, ring } = learnt({ list: listOf(1, 2) });
  expect(ended).toBe(true);
  expect(ring?.hasAssistantAt(assistant(2).at)).toBe(true);
});

it.each([
  ['another list', { list: listOf(1, 3) }],
  ['noise', { list: new Uint8Array(40).fill(7) }],
  ['what another has signed', { signer: new SigningKey(new Uint8Array(32).fill(98)), list: listOf(1, 2) }],
  ['another epoch', { number: 6, list: listOf(1, 2) }],
])('a node takes no list by %s, and goes on', (_what, told) => {
  expect(learnt(told)).toEqual({ ended: true, ring: undefined });
});

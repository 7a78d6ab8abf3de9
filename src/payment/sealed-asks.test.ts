import { expect, it } from 'vitest';
import { utf8 } from '../base/bytes.ts';
import { partyRequestsMax } from '../base/limits.ts';
import { SigningKey } from '../crypto/ecdsa.ts';
import { SeededEntropy } from '../sim/seeded-entropy.ts';
import { SealedDoor, sealAsk, sealedScheme } from './sealed-asks.ts';

const entropy = new SeededEntropy('sealed asks');
const key = SigningKey.fresh(entropy);
const reply = { kind: 'reply', bytes: utf8('a coin') } as const;
const asking = () => {
  const door = new SealedDoor(key, entropy);
  return { door, ask: sealAsk(key.publicKey, 7, utf8('one coin, please'), entropy) };
};
const bytesOf = (said: { readonly kind: string; readonly bytes?: Uint8Array }) =>
  said.bytes ?? new Uint8Array(0);

it('opens what is sealed to its key, and seals the reply or the refusal', () => {
  const { door, ask } = asking();
  expect(door.open(1, sealedScheme, ask.box)).toEqual({ scheme: 7, bytes: utf8('one coin, please') });
  expect(ask.openReply(bytesOf(door.close(1, reply)))).toEqual(reply);
  door.open(2, sealedScheme, ask.box);
  const refusal = { kind: 'refused', code: 'overspent' } as const;
  const said = door.close(2, refusal);
  expect(said.kind).toBe('reply');
  expect(ask.openReply(bytesOf(said))).toEqual(refusal);
});

it('leaves alone what is not sealed', () => {
  const { door } = asking();
  expect(door.open(1, 3, utf8('plain'))).toEqual({ scheme: 3, bytes: utf8('plain') });
  expect(door.close(1, reply)).toBe(reply);
});

it('takes no box that was changed at any byte, cut short, or sealed to another key', () => {
  const { door, ask } = asking();
  for (let at = 0; at < ask.box.length; at++) {
    const changed = ask.box.slice();
    changed[at] ^= 1;
    expect(door.open(1, sealedScheme, changed)).toBeUndefined();
    expect(door.open(1, sealedScheme, ask.box.subarray(0, at))).toBeUndefined();
  }
  const other = sealAsk(SigningKey.fresh(entropy).publicKey, 7, utf8('x'), entropy);
  expect(door.open(1, sealedScheme, other.box)).toBeUndefined();
});

it('believes no reply to another question, none that was changed, and not its own box', () => {
  const { door, ask } = asking();
  const other = sealAsk(key.publicKey, 7, utf8('another'), entropy);
  door.open(1, sealedScheme, ask.box);
  const box = bytesOf(door.close(1, reply));
  expect(other.openReply(box)).toBeUndefined();
  expect(ask.openReply(ask.box)).toBeUndefined();
  expect(ask.openReply(new Uint8Array(0))).toBeUndefined();
  for (let at = 0; at < box.length; at++) {
    const changed = box.slice();
    changed[at] ^= 1;
    expect(ask.openReply(changed)).toBeUndefined();
  }
});

it('seals two replies to one box under nonces of their own', () => {
  const { door, ask } = asking();
  const replies = [1, 2].map(id => {
    door.open(id, sealedScheme, ask.box);
    return Buffer.from(bytesOf(door.close(id, reply))).toString('hex');
  });
  expect(replies[0].slice(0, 24)).not.toBe(replies[1].slice(0, 24));
});

it('forgets those who are gone, and the oldest of too many', () => {
  const { door, ask } = asking();
  door.open(0, sealedScheme, ask.box);
  door.forget(0);
  expect(door.close(0, reply)).toBe(reply);
  for (let id = 1; id <= partyRequestsMax + 1; id++) door.open(id, sealedScheme, ask.box);
  expect(door.close(1, reply)).toBe(reply);
  expect(door.close(2, reply)).not.toBe(reply);
});

import { describe, expect, it } from 'vitest';
import { equalBytes } from '../../base/bytes.ts';
import { SigningKey } from '../../crypto/ecdsa.ts';
import { minted } from './cpay-peers.fixture.ts';
import { gatherReleases } from './leaving.ts';
import { type Assistant, epochMs, groupSize, type PaidCoin, release } from './messages.ts';
import { Ring } from './ring.ts';

const keyOf = (byte: number) => new SigningKey(new Uint8Array(32).fill(byte));
const [broker, holder] = [1, 2].map(keyOf);
const [before, after] = [
  [11, 12, 13],
  [21, 22, 23],
].map(bytes => bytes.map(keyOf));
const change = 100;
const at = { host: '10.0.0.1', port: 1 };

function ringOf(since: number, keys: readonly SigningKey[]): Ring {
  const assistants: Assistant[] = keys.map(({ publicKey }, index) => ({
    key: publicKey,
    at,
    place: new Uint8Array(8).fill(80 * index),
  }));
  return new Ring({ since, assistants }, { endpoint: at, key: broker.publicKey });
}

const [then, now] = [ringOf(0, before), ringOf(change, after)];
const alone = minted(broker, holder.publicKey, 0n, BigInt(50 * epochMs));
/** Of Group CPay, by three assistants of whom none assists any more. */
const held: PaidCoin = { ...alone, coin: { ...alone.coin, assistants: groupSize } };
const { guid, payee: payer, timeMs: sinceMs } = held.auth;
const releaseBy = (key: SigningKey) => release.encode(release.sign(key, { guid, payer, sinceMs }));

/** By how many it is left, as these answer. @param brought by whom releases are at hand. */
function leftBy(answer: (asked: SigningKey) => Uint8Array | undefined, brought: readonly SigningKey[] = []) {
  const asked: SigningKey[] = [];
  let outcome: number | 'not left' | undefined;
  gatherReleases(
    {
      rings: {
        ring: number => (number >= change ? now : then),
        fetch: (_epochs, done) => done(),
        history: (_made, _from, _to, done) => done(undefined),
      },
      ask({ key }, _request, done) {
        const who = before.find(({ publicKey }) => key !== undefined && equalBytes(publicKey, key));
        if (who === undefined) throw new Error('those before are asked alone');
        asked.push(who);
        done(answer(who));
      },
    },
    held,
    now,
    brought.map(key => ({ by: key.publicKey, said: release.sign(key, { guid, payer, sinceMs }) })),
    ({ releases }) => {
      outcome = releases?.length ?? 'not left';
    },
  );
  return { outcome, asked };
}

describe('a holding of Group CPay whose three assistants have all left the ring', () => {
  it('is left when each of them says so', () => {
    expect(leftBy(releaseBy)).toEqual({ outcome: 3, asked: expect.any(Array) });
  });

  it.each(before.map((silent, at) => ({ silent, at })))(
    'is not left as long as one says nothing (the one at $at)',
    ({ silent }) => {
      expect(leftBy(who => (who === silent ? undefined : releaseBy(who))).outcome).toBe('not left');
      // Nor does what another signed stand for it.
      expect(
        leftBy(who => releaseBy(who === silent ? before.find(each => each !== silent)! : who)).outcome,
      ).toBe('not left');
    },
  );

  it('asks those alone of whom no release is at hand', () => {
    const { outcome, asked } = leftBy(releaseBy, [before[1]]);
    expect([outcome, asked.length, asked.includes(before[1])]).toEqual([3, 2, false]);
  });
});

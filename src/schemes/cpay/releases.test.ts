import { describe, expect, it } from 'vitest';
import { coinReleasesMax } from '../../base/limits.ts';
import { SigningKey } from '../../crypto/ecdsa.ts';
import type { Served } from '../../payment/scheme.ts';
import type { Clock } from '../../ports.ts';
import type { Peer } from '../coin-peers.fixture.ts';
import { AssistantDesk } from './assistant.ts';
import { heldBy, minted, nowOf, peersOf, value } from './cpay-peers.fixture.ts';
import { type Assistant, epochMs, type PaidCoin, release, releaseRequest, requestOp } from './messages.ts';
import { epochOf, Ring } from './ring.ts';

const [broker, assistant, other, holder] = [1, 2, 3, 4].map(
  byte => new SigningKey(new Uint8Array(32).fill(byte)),
);
const change = 100;

/** An assistant that was the only one before the ring changed, and is none since. */
function desk() {
  const disk = new Map<string, Uint8Array>();
  const at = { host: '10.0.0.1', port: 1 };
  const address = { endpoint: at, key: broker.publicKey };
  const ringOf = (since: number, { publicKey }: SigningKey) => {
    const assistants: Assistant[] = [{ key: publicKey, at, place: new Uint8Array(8) }];
    return new Ring({ since, assistants }, address);
  };
  const [before, after] = [ringOf(0, assistant), ringOf(change, other)];
  const open = () =>
    new AssistantDesk({
      store: { list: prefix => [...disk].filter(([key]) => key.startsWith(prefix)) },
      clock: { wallMs: () => (change + 10) * epochMs } as Clock,
      key: assistant,
      broker: address,
      rings: {
        ring: number => (number >= change ? after : before),
        fetch: (_epochs, done) => done(),
        history: (_made, _from, _to, done) => done(undefined),
      },
    });
  let now = open();
  return {
    records: () => disk.size,
    restart: () => {
      now = open();
    },
    release(held: PaidCoin, epoch = change - 1): string {
      let served: Served | undefined;
      now.release(releaseRequest.encode({ op: requestOp.release, held, epoch }), outcome => {
        served = outcome;
      });
      if (served?.kind !== 'reply') return served?.kind === 'refused' ? served.fault.code : '';
      for (const { key, value } of served.persist) if (value !== undefined) disk.set(key, value);
      return release.decode(served.reply) === undefined ? 'granted' : 'released';
    },
  };
}

/** Of one coin: held since that time, by the broker's word. */
function heldSince(timeMs: number): PaidCoin {
  const { coin } = minted(broker, holder.publicKey, 0n, 1n);
  const { auth } = minted(broker, holder.publicKey, 0n, BigInt(timeMs));
  return { coin, auth: { ...auth, guid: coin.guid } };
}

describe('a release that is asked of an assistant', () => {
  it('of what it has assisted, is given again and again, and kept once', () => {
    const asked = desk();
    const held = minted(broker, holder.publicKey, 0n, BigInt(5 * epochMs));
    for (let time = 0; time < 3; time++) {
      expect(asked.release(held)).toBe('released');
      asked.restart();
    }
    expect(asked.records()).toBe(1);
  });

  it('of a holding that somebody made up, is not given and takes no room', () => {
    const asked = desk();
    const held = minted(broker, holder.publicKey, 0n, BigInt(5 * epochMs));
    expect(asked.release({ ...held, auth: { ...held.auth, timeMs: 7n } })).toBe('badSignature');
    expect(asked.release({ ...held, auth: { ...held.auth, payee: other.publicKey } })).toBe('badSignature');
    expect(asked.release({ ...held, coin: { ...held.coin, value: 1n } })).toBe('badSignature');
    expect(asked.release(heldSince(5 * epochMs))).toBe('badSignature');
    expect(asked.records()).toBe(0);
  });

  it('for a time at which it did not assist the holder, is not given and takes no room', () => {
    const asked = desk();
    const early = minted(broker, holder.publicKey, 0n, BigInt(5 * epochMs));
    expect(asked.release(early, change + 1)).toBe('badTerms');
    expect(asked.release(early, 4)).toBe('badTerms');
    expect(asked.release(minted(broker, holder.publicKey, 0n, BigInt((change + 2) * epochMs)))).toBe(
      'badTerms',
    );
    expect(asked.release(early, change + 10)).toBe('busy');
    expect(asked.records()).toBe(0);
  });

  it('is given so often of one coin, and of another still', () => {
    const asked = desk();
    // The same of the 251 names of coins.
    const held = (number: number) => minted(broker, holder.publicKey, 0n, BigInt(251 * (number + 1)));
    for (let number = 0; number < coinReleasesMax; number++)
      expect(asked.release(held(number))).toBe('released');
    expect(asked.release(held(coinReleasesMax))).toBe('busy');
    asked.restart();
    expect(asked.release(held(coinReleasesMax))).toBe('busy');
    expect(asked.release(held(0))).toBe('released');
    expect(asked.release(minted(broker, holder.publicKey, 0n, 1n))).toBe('released');
    expect(asked.records()).toBe(coinReleasesMax + 1);
  });

  it('by a stranger, costs a relay no record', () => {
    const { coins, peers } = peersOf('strangers');
    const [stranger, payee, ...relays] = peers;
    stranger.pay(payee, value);
    coins.world.runFor(2 * epochMs);
    const [held] = heldBy(payee);
    const epoch = epochOf(nowOf(coins)) - 1;
    const count = ({ process }: Peer) =>
      [...process.store.durable()].filter(([key]) => key.startsWith('cpay/released/')).length;
    for (const relay of relays) {
      for (let number = 0n; number < 20n; number++) {
        const invented = { ...held, auth: { ...held.auth, timeMs: held.auth.timeMs - number } };
        const request = releaseRequest.encode({ op: requestOp.release, held: invented, epoch });
        expect(stranger.ask(relay.at, request)).toBeTypeOf('string');
      }
      expect(count(relay)).toBe(0);
    }
  });
});

import { describe, expect, it } from 'vitest';
import { SigningKey } from '../../crypto/ecdsa.ts';
import type { Served } from '../../payment/scheme.ts';
import type { Clock, StoreWrite } from '../../ports.ts';
import { AssistantDesk } from './assistant.ts';
import { minted } from './cpay-peers.fixture.ts';
import {
  authoriseRequest,
  authStatement,
  epochMs,
  type PaidCoin,
  release,
  releaseRequest,
  requestOp,
  wish,
} from './messages.ts';
import { Ring } from './ring.ts';

const [broker, assistant, other, holder, payee, another] = [1, 2, 3, 4, 5, 6].map(
  byte => new SigningKey(new Uint8Array(32).fill(byte)),
);
const at = { host: '10.0.0.1', port: 1 };

/** The desk of one of two that assist in turn: the other from epoch 100 on, the one again from 120 on. */
function deskOf(key: SigningKey) {
  const disk = new Map<string, Uint8Array>();
  const asked: ((reply: Uint8Array | undefined) => void)[] = [];
  let epoch = 0;
  const address = { endpoint: at, key: broker.publicKey };
  const ringOf = (since: number, { publicKey }: SigningKey) =>
    new Ring({ since, assistants: [{ key: publicKey, at, place: new Uint8Array(8) }] }, address);
  const lists = [ringOf(120, assistant), ringOf(100, other), ringOf(0, assistant)];
  const desk = new AssistantDesk({
    store: { list: prefix => [...disk].filter(([name]) => name.startsWith(prefix)) },
    clock: { wallMs: () => epoch * epochMs } as Clock,
    key,
    broker: address,
    rings: {
      ring: number => lists.find(({ since }) => since <= number),
      fetch: (_epochs, done) => done(),
      history: (_made, _from, _to, done) => done(undefined),
    },
    ask: (_to, _request, done) => asked.push(done),
  });
  const persist = (writes: readonly StoreWrite[]) => {
    for (const { key: name, value } of writes) if (value !== undefined) disk.set(name, value);
  };
  /** What comes of it, once it has. */
  const outcomeOf = (run: (done: (served: Served) => void) => void) => {
    let outcome = 'waits';
    run(served => {
      if (served.kind === 'reply') persist(served.persist);
      const isGrant = served.kind === 'reply' && authStatement.decode(served.reply) !== undefined;
      outcome = served.kind === 'refused' ? served.fault.code : isGrant ? 'authorised' : 'released';
    });
    return () => outcome;
  };
  return {
    answer: (reply: Uint8Array) => asked.shift()?.(reply),
    goTo: (number: number) => {
      epoch = number;
    },
    release: (held: PaidCoin) =>
      outcomeOf(done =>
        desk.release(releaseRequest.encode({ op: requestOp.release, held, epoch: 99 }), done),
      )(),
    authorise(held: PaidCoin, to: SigningKey) {
      const { guid, payee: payer } = held.auth;
      const said = wish.sign(holder, { guid, payer, payee: to.publicKey, nonce: new Uint8Array(16) });
      const timeMs = BigInt(epoch * epochMs);
      const request = authoriseRequest.encode({
        op: requestOp.authorise,
        held,
        wish: said,
        timeMs,
        releases: [],
      });
      return outcomeOf(done => desk.authorise(request, done));
    },
  };
}

const held = minted(broker, holder.publicKey, 0n, BigInt(5 * epochMs));
const leaving = ({ auth: { guid, payee: payer, timeMs: sinceMs } }: PaidCoin, by: SigningKey) =>
  release.encode(release.sign(by, { guid, payer, sinceMs }));

describe('an assistant', () => {
  it('authorises nothing that it has left to another, though it assists the coin again', () => {
    const desk = deskOf(assistant);
    desk.goTo(110);
    expect(desk.release(held)).toBe('released');
    desk.goTo(125);
    const outcome = desk.authorise(held, payee);
    desk.answer(leaving(held, other));
    expect(outcome()).toBe('frozen');
  });

  it('authorises one of two wishes that came while it waited for the release', () => {
    const desk = deskOf(other);
    desk.goTo(110);
    const [one, two] = [payee, another].map(to => desk.authorise(held, to));
    expect([one(), two()]).toEqual(['waits', 'waits']);
    for (let time = 0; time < 2; time++) desk.answer(leaving(held, assistant));
    expect([one(), two()]).toEqual(['authorised', 'stale']);
  });
});

import { expect, test } from 'vitest';
import { simNodeKeys } from '../scripts/sim/machine-room.ts';
import { createsAwayMax, createsHelpedFromMs, createsPerTurn, createWaitMsMax } from '../src/base/limits.ts';
import { cellCommand } from '../src/cell/commands.ts';
import { decodeCreated2, encodeCreateFast } from '../src/cell/link-messages.ts';
import { startCreate2 } from '../src/circuit/extend.ts';
import type { CircuitSide } from '../src/circuit/relay-circuit-host.ts';
import { readCongestionParams } from '../src/flow/congestion-params.ts';
import type { AskId, Clock, LinkId } from '../src/ports.ts';
import { SeededEntropy } from '../src/sim/seeded-entropy.ts';
import { type AnsweredCreate, CircuitHandshakes } from './circuit-handshakes.ts';
import { CreateDesk } from './create-desk.ts';
import { answerRequest } from './handshake-work.ts';

const entropy = new SeededEntropy('create desk');
const keys = simNodeKeys(entropy, 0);
const params = readCongestionParams((_name, otherwise) => otherwise);
const fast = encodeCreateFast(entropy.bytes(20));

/** Time passes when the test says so; what waits for the end of this turn runs in the next. */
class TurnClock implements Clock {
  nowMs = 0;
  #waiting: (() => void)[] = [];
  monotonicMs = () => this.nowMs;
  wallMs = () => this.nowMs;
  after(_ms: number, run: () => void) {
    this.#waiting.push(run);
    return () => void this.#waiting.splice(this.#waiting.indexOf(run), 1);
  }
  turn(): void {
    for (const run of this.#waiting.splice(0)) run();
  }
}

/** Handshakes of which each takes a millisecond. */
class SlowHandshakes extends CircuitHandshakes {
  readonly #time: TurnClock;
  constructor(time: TurnClock) {
    super(keys, entropy);
    this.#time = time;
  }
  override answer(...given: Parameters<CircuitHandshakes['answer']>) {
    this.#time.nowMs += 1;
    return super.answer(...given);
  }
}

function deskWith({ helped = false, relays = [] as LinkId[] } = {}) {
  const time = new TurnClock();
  const answered: { side: CircuitSide; made: AnsweredCreate | undefined }[] = [];
  const away: { work: Uint8Array; ask: AskId }[] = [];
  let asks = 0;
  const desk = new CreateDesk({
    handshakes: new SlowHandshakes(time),
    clock: time,
    compute: helped ? { compute: (work, ask) => void away.push({ work: work.slice(), ask }) } : undefined,
    newAsk: () => ++asks,
    params: () => params,
    shareOf: link => (relays.includes(link) ? 4 : 1),
    onAnswer: (side, made) => void answered.push({ side, made }),
  });
  const ask = (link: LinkId, id: number): boolean => desk.ask({ link, id }, cellCommand.createFast, fast, 0);
  /** One turn of the event loop. */
  const turn = (): void => time.turn();
  const order = (): string[] => answered.map(({ side }) => `${side.link}/${side.id}`);
  return { desk, time, answered, away, ask, turn, order };
}

test('one that comes alone is answered at once', () => {
  const { ask, order } = deskWith();
  expect(ask(1, 1)).toBe(true);
  expect(order()).toEqual(['1/1']);
});

test('when many come, each turn of the event loop answers a few, and links take turns', () => {
  const { ask, turn, order } = deskWith({ relays: [3] });
  for (let id = 1; id <= 20; id++) ask(1, id);
  expect(order()).toHaveLength(createsPerTurn);
  for (let id = 1; id <= 2; id++) ask(2, id);
  for (let id = 1; id <= 5; id++) ask(3, id);
  turn();
  expect(order().slice(createsPerTurn)).toEqual(['1/9', '2/1', '3/1', '3/2', '3/3', '3/4', '1/10', '2/2']);
  turn();
  expect(order().slice(2 * createsPerTurn)).toEqual([
    '3/5',
    '1/11',
    '1/12',
    '1/13',
    '1/14',
    '1/15',
    '1/16',
    '1/17',
  ]);
});

test('whoever would wait too long is refused, and nobody else', () => {
  const { ask, turn } = deskWith();
  let taken = 0;
  for (let round = 0; round < 50; round++) {
    while (ask(1, ++taken));
    turn();
  }
  // A millisecond each, as was measured meanwhile: what waits is not more than may be waited for.
  const before = taken;
  while (ask(1, ++taken));
  expect(taken - before).toBeLessThan(createWaitMsMax);
  expect(ask(2, 1)).toBe(true);
});

test('a circuit that its client gave up is not made', () => {
  const { desk, ask, turn, order } = deskWith();
  for (let id = 1; id <= createsPerTurn + 3; id++) ask(1, id);
  expect(desk.forget({ link: 1, id: createsPerTurn + 1 })).toBe(true);
  expect(desk.forget({ link: 1, id: 1 })).toBe(false);
  ask(2, 1);
  desk.forgetLink(2);
  turn();
  turn();
  expect(order().slice(createsPerTurn)).toEqual([`1/${createsPerTurn + 2}`, `1/${createsPerTurn + 3}`]);
});

test('a long backlog goes to other threads, whose answers are as good', () => {
  const { desk, away, ask, turn, answered } = deskWith({ helped: true });
  const target = {
    nickname: 'relay',
    rsaId: keys.rsaIdentity.fingerprint,
    ed25519: keys.identity.publicKey,
    ntorKey: keys.ntor.publicKey,
    address: { host: '10.0.0.1', port: 9001 },
  };
  const exchange = startCreate2(entropy, target);
  const many = createsHelpedFromMs * 100 + createsAwayMax;
  for (let id = 1; id <= many; id++) desk.ask({ link: 1, id }, cellCommand.create2, exchange.message, 0);
  expect(away).toHaveLength(0);
  turn();
  expect(away).toHaveLength(createsAwayMax);
  expect(answered).toHaveLength(createsPerTurn);
  desk.forget({ link: 1, id: createsPerTurn + 1 });
  const others = new CircuitHandshakes(keys, entropy);
  for (const { work, ask: id } of away.splice(0)) desk.onComputed(id, answerRequest(others, work));
  // One was given up meanwhile; as many as came back have gone out.
  expect(answered).toHaveLength(createsPerTurn + createsAwayMax - 1);
  expect(away).toHaveLength(createsAwayMax);
  for (const { made } of answered) expect(exchange.finish(decodeCreated2(made!.reply, 0)!).ok).toBe(true);
  // A thread that cannot do it gives it back.
  const before = answered.length;
  desk.onComputed(away[0].ask, new Uint8Array(0));
  expect(answered).toHaveLength(before + 1);
  expect(answered.at(-1)?.made?.command).toBe(cellCommand.created2);
  ask(2, 1);
});

test('other threads help no longer than the backlog lasts', () => {
  const { desk, away, ask, turn, answered } = deskWith({ helped: true });
  const others = new CircuitHandshakes(keys, entropy);
  let asked = 0;
  while (asked < createsHelpedFromMs * 10) ask(1, ++asked);
  turn();
  while (away.length > 0) {
    const [{ work, ask: id }] = away.splice(0, 1);
    desk.onComputed(id, answerRequest(others, work));
    // As when clients ask again as soon as they are answered: a few always wait.
    if (asked - answered.length < createsPerTurn) ask(1, ++asked);
    turn();
    if (answered.length > createsHelpedFromMs * 100)
      throw new Error('the way to other threads is taken for ever');
  }
  expect(answered.length).toBeGreaterThanOrEqual(asked - createsPerTurn);
});

test('a malformed request is one there too', () => {
  const { desk, away, turn, answered } = deskWith({ helped: true });
  const garbage = new Uint8Array(509).fill(255);
  for (let id = 1; id <= 1_000; id++) desk.ask({ link: 1, id }, cellCommand.create2, garbage, 0);
  turn();
  expect(away.length).toBeGreaterThan(0);
  desk.onComputed(away[0].ask, answerRequest(new CircuitHandshakes(keys, entropy), away[0].work));
  expect(answered.map(({ made }) => made)).toEqual(answered.map(() => undefined));
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fragments } from './compliance-fragments.ts';
import { restored } from './compliance-restore.ts';
import {
  type CrashPoint,
  Died,
  Lab,
  type PartyBreak,
  type SchemeWorld,
  type SideName,
  type Talk,
} from './compliance-talk.ts';
import { paymentStatus, type Value } from './scheme.ts';

export type { PartyBreak, SchemeProcess, SchemeWorld, SideName } from './compliance-talk.ts';

/** Bytes of a target that fits the one cell of its RECEIPT with the other fields. */
const targetBytesMax = 400;

/** One rule of the kit, ready to be tried; it throws when the scheme breaks the rule. */
export interface ComplianceCase {
  readonly name: string;
  run(): Promise<void>;
}

/** What every payment scheme must do, as a suite. @param make a world that nothing has happened in yet. */
export function schemeCompliance(name: string, make: () => Promise<SchemeWorld>): void {
  describe(`${name} as a payment scheme`, () => {
    for (const { name: rule, run } of complianceCases(make)) it(rule, run, 120_000);
  });
}

/** The same as single cases, so that a scheme with a planted fault can be shown to fail. */
export function complianceCases(make: () => Promise<SchemeWorld>): readonly ComplianceCase[] {
  const inLab = (name: string, run: (lab: Lab) => Promise<void>): ComplianceCase => ({
    name,
    run: async () => {
      const lab = new Lab(await make());
      await lab.world.settle();
      await run(lab);
    },
  });
  return [
    inLab('hands out a target that names the scheme and fits a cell', targets),
    inLab('credits each payment with what the payer promised, and no less than was asked', credits),
    inLab('sets up without paying where no value is asked', preparations),
    inLab('pays no more than its owner allows', limits),
    inLab('credits nothing for a payment that comes again', replays),
    inLab('credits payments that come late, or in another order, once in all', disorder),
    inLab('credits nothing for a forged or cut payment, and all for the real one after it', forgeries),
    inLab('credits a payment that comes in cells once all are there, and no part of one', fragments),
    inLab('neither throws nor credits for what is no payment', garbage),
    inLab('credits a payment in one session alone', otherSessions),
    inLab('refuses to pay more than there is, and says why', overspending),
    inLab('goes on after an orderly restart of either side', restarts),
    inLab('credits no more than was paid when the payee has an old copy of its records', lab =>
      restored(lab, 'payee'),
    ),
    inLab('pays nothing twice when the payer has an old copy of its records', lab => restored(lab, 'payer')),
    inLab('waits or refuses while the chain fails, and goes on after it', failingChain),
    inLab('waits or refuses while other parties are absent, and goes on after it', lab =>
      troubled(lab, 'absent'),
    ),
    inLab('loses nothing to other parties whose answers come late', lab => troubled(lab, 'late')),
    inLab('believes nothing that other parties make up', lab => troubled(lab, 'lying')),
    crashCase('payer', make),
    crashCase('payee', make),
  ];
}

/** The first payment of a session, through its set-up. */
async function opened(lab: Lab): Promise<Talk> {
  const talk = lab.talk();
  const end = await talk.pay(lab.world.firstMsat);
  expect(end).toMatchObject({ kind: 'credited' });
  return talk;
}

/** Nothing was credited that was not paid; `all` paid is also credited. */
function expectConserved(lab: Lab, all: boolean): void {
  const [credited, held, parted] = [lab.credited, lab.world.held(), lab.world.parted()];
  expect({ credited, held, parted }).toSatisfy(() => credited <= held && held <= parted);
  if (all) expect({ credited, parted }).toEqual({ credited: parted, parted: held });
}

async function targets(lab: Lab): Promise<void> {
  const { id } = lab.world.scheme('payee');
  for (const talk of [lab.talk(), lab.talk()]) {
    expect(talk.target.length).toBeLessThanOrEqual(targetBytesMax);
    expect(talk.target[0]).toBe(id);
  }
  expectConserved(lab, true);
}

async function credits(lab: Lab): Promise<void> {
  const talk = lab.talk();
  const { firstMsat } = lab.world;
  let promised = 0n;
  for (const asked of [firstMsat, 1n, 999n, 12_345n, firstMsat, 1_000n]) {
    const end = await talk.pay(asked);
    expect(end.kind).toBe('credited');
    if (end.kind !== 'credited') return;
    expect(end.value).toBe(end.promised);
    expect(end.value).toBeGreaterThanOrEqual(asked);
    promised += end.promised;
    expect(lab.credited).toBe(promised);
    expectConserved(lab, true);
  }
}

async function limits(lab: Lab): Promise<void> {
  const { firstMsat } = lab.world;
  for (const talk of [lab.talk(), await opened(lab)]) {
    for (const most of [1n, 999n, firstMsat - 1n, firstMsat, firstMsat + 1n, 1_501n, 1n]) {
      if (most === 0n) continue;
      const end = await talk.pay(most, undefined, most);
      if (end.kind === 'credited') expect(end.promised).toBeLessThanOrEqual(most);
      else expect(end).toMatchObject({ kind: 'refused', by: 'payer', fault: { code: 'PAY_LIMIT' } });
      expectConserved(lab, true);
    }
  }
}

async function preparations(lab: Lab): Promise<void> {
  const talk = lab.talk();
  expect(await talk.pay(0n)).toEqual({ kind: 'ready' });
  expect(await talk.pay(0n)).toEqual({ kind: 'ready' });
  expect(lab.credited).toBe(0n);
  const steps = lab.sent.length;
  expect(await talk.pay(lab.world.firstMsat)).toMatchObject({ kind: 'credited' });
  expect(lab.sent.length).toBe(steps + 1);
  expectConserved(lab, true);
}

async function replays(lab: Lab): Promise<void> {
  const talk = lab.talk();
  const { firstMsat } = lab.world;
  for (const asked of [firstMsat, 5_000n, 5_000n]) {
    await talk.pay(asked);
    const before = lab.credited;
    for (const payment of [...lab.sent]) await talk.redeem(payment);
    expect(lab.credited).toBe(before);
  }
  expect(await talk.pay(5_000n)).toMatchObject({ kind: 'credited' });
  expectConserved(lab, true);
  talk.lose();
  const later = lab.talk();
  expect(later.target.length).toBeGreaterThan(0);
  const before = lab.credited;
  for (const payment of [...lab.sent].reverse()) await later.redeem(payment);
  expect(lab.credited).toBe(before);
}

async function disorder(lab: Lab): Promise<void> {
  const talk = await opened(lab);
  const late = await talk.makeWithValue(4_000n);
  const last = await talk.makeWithValue(3_000n);
  await talk.deliver(last.payment);
  const credited = lab.credited;
  expect(credited).toBe(lab.world.held());
  await talk.redeem(late.payment);
  await talk.redeem(last.payment);
  await talk.redeem(late.payment);
  expectConserved(lab, true);
}

async function forgeries(lab: Lab): Promise<void> {
  const talk = await opened(lab);
  const { payment, value } = await talk.makeWithValue(7_000n);
  const before = lab.credited;
  for (let at = 0; at < payment.length; at++) {
    const forged = payment.slice();
    forged[at] ^= 1 << (at % 8);
    await talk.redeem(forged);
    await talk.redeem(payment.subarray(0, at));
  }
  await talk.redeem(Uint8Array.of(...payment, 0));
  expect(lab.credited).toBe(before);
  await talk.deliver(payment);
  expect(lab.credited).toBe(before + value);
  expectConserved(lab, true);
}

async function garbage(lab: Lab): Promise<void> {
  const talk = await opened(lab);
  const before = lab.credited;
  const [opening] = lab.sent;
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.uint8Array({ maxLength: 300 }).map(rest => Uint8Array.of(opening[0], ...rest)),
    fc
      .tuple(fc.constantFrom(...lab.sent), fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 8 }))
      .map(([real, at, patch]) => {
        const changed = real.slice();
        changed.set(
          patch.subarray(0, Math.max(0, changed.length - (at % changed.length))),
          at % changed.length,
        );
        return changed;
      }),
  );
  await fc.assert(
    fc.asyncProperty(bytes, async payment => {
      const redeemed = await talk.redeem(payment);
      if (redeemed?.kind === 'refused') expect(paymentStatus).toHaveProperty(redeemed.fault.code);
      expect(lab.credited).toBe(before);
    }),
    { numRuns: 300 },
  );
  const stranger = lab.talk();
  const target = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.uint8Array({ maxLength: 300 }).map(rest => Uint8Array.of(opening[0], ...rest)),
  );
  fc.assert(
    fc.property(target, made => {
      const paid = lab.payer.call(payer => payer.pay(stranger.session, made, 1_000n));
      expect(paid.kind).toBe('refused');
    }),
    { numRuns: 300 },
  );
  expectConserved(lab, false);
}

async function otherSessions(lab: Lab): Promise<void> {
  const [mine, other] = [await opened(lab), await opened(lab)];
  const before = lab.credited;
  const { payment, value } = await mine.makeWithValue(9_000n);
  await other.redeem(payment);
  await mine.deliver(payment);
  await other.redeem(payment);
  expect(lab.credited).toBe(before + value);
  expectConserved(lab, true);
}

async function overspending(lab: Lab): Promise<void> {
  const talk = await opened(lab);
  const refusal = { kind: 'refused', fault: { code: expect.stringMatching(/./) } };
  expect(await talk.pay(lab.world.beyondMsat)).toMatchObject(refusal);
  expectConserved(lab, true);
  const first = await lab.talk().pay(lab.world.beyondMsat);
  expect(first).toMatchObject(refusal);
  expectConserved(lab, true);
  const piece = lab.world.budgetMsat / 5n;
  const spender = lab.talk();
  let end = await spender.pay(piece);
  for (let i = 0; i < 50 && end.kind === 'credited'; i++) end = await spender.pay(piece);
  // A budget is the least that can be paid; whether more can is up to the scheme.
  expect(lab.credited).toBeGreaterThanOrEqual(piece * 4n);
  expectConserved(lab, true);
}

async function restarts(lab: Lab): Promise<void> {
  const talk = await opened(lab);
  await talk.pay(11_000n);
  talk.lose();
  await lab.world.settle();
  const before = lab.credited;
  for (const side of ['payer', 'payee'] as const) {
    lab.restart(side);
    await lab.world.settle();
    expect(lab.world.held()).toBe(before);
    expect(lab.world.parted()).toBe(before);
    const again = lab.talk();
    expect(again.target.length).toBeGreaterThan(0);
    for (const payment of lab.sent) await again.redeem(payment);
    expect(lab.credited).toBe(before);
    again.lose();
  }
  expect(await lab.talk().pay(lab.world.firstMsat)).toMatchObject({ kind: 'credited' });
  expectConserved(lab, true);
}

async function failingChain(lab: Lab): Promise<void> {
  const { world } = lab;
  if (world.breakChain === undefined) return;
  world.breakChain(true);
  const talk = lab.talk();
  const end = await talk.pay(world.firstMsat);
  expect(end.kind).not.toBe('credited');
  expect([lab.credited, world.held()]).toEqual([0n, 0n]);
  world.breakChain(false);
  await world.mine();
  expect(await lab.talk().pay(world.firstMsat)).toMatchObject({ kind: 'credited' });
  expectConserved(lab, true);
}

/** From the first payment on, and then after payments that went well. */
async function troubled(lab: Lab, how: PartyBreak): Promise<void> {
  const { world } = lab;
  if (world.breakParties === undefined) return;
  for (const before of [false, true]) {
    if (before) await opened(lab);
    world.breakParties(how);
    const talk = lab.talk();
    for (let attempt = 0; attempt < 3; attempt++) {
      await talk.pay(world.firstMsat);
      expectConserved(lab, false);
    }
    talk.lose();
    await world.settle();
    world.breakParties(undefined);
    for (let turn = 0; turn < 12; turn++) await world.settle();
    expect(await lab.talk().pay(world.firstMsat)).toMatchObject({ kind: 'credited' });
    expectConserved(lab, false);
  }
}

/**
 * One side dies at every place in turn where a process may: before, while and after it makes something durable, and
 * while it waits. Then all that was ever sent comes again, and both go on in a new session.
 */
function crashCase(side: SideName, make: () => Promise<SchemeWorld>): ComplianceCase {
  return {
    name: `loses nothing and credits nothing twice wherever the ${side} dies`,
    run: async () => {
      for (let place = 0; ; place++) {
        const lab = new Lab(await make());
        await lab.world.settle();
        if (!(await diesAt(lab, side, place))) {
          // Two for each of three payments, even where a side has nothing to make durable.
          expect(place).toBeGreaterThanOrEqual(6);
          return;
        }
        await afterlife(lab, side);
      }
    },
  };
}

/** False: the conversation ended before it came to this place. */
async function diesAt(lab: Lab, side: SideName, place: number): Promise<boolean> {
  let passed = 0;
  const dies: CrashPoint = at => at === side && passed++ === place;
  const talk = lab.talk();
  try {
    for (const value of [lab.world.firstMsat, 5_000n, 6_000n]) {
      expect(await talk.pay(value, dies)).toMatchObject({ kind: 'credited' });
    }
    return false;
  } catch (error) {
    if (!(error instanceof Died)) throw error;
  }
  lab.restart(side);
  if (side === 'payer') lab.payee.call(payee => payee.ended(talk.session));
  else lab.payer.call(payer => payer.ended(talk.session));
  await lab.world.settle();
  return true;
}

async function afterlife(lab: Lab, side: SideName): Promise<void> {
  expectConserved(lab, false);
  const again = lab.talk();
  expect(again.target.length).toBeGreaterThan(0);
  for (const payment of [...lab.sent]) await again.redeem(payment);
  expectConserved(lab, false);
  again.lose();
  await lab.world.settle();
  const before: Value = lab.credited;
  const later = lab.talk();
  const end = await later.pay(lab.world.firstMsat);
  expect({ side, end }).toMatchObject({ side, end: { kind: 'credited' } });
  expect(lab.credited).toBeGreaterThan(before);
  expectConserved(lab, false);
}

import { expect } from 'vitest';
import type { Lab, PayEnd, SideName } from './compliance-talk.ts';
import type { Value } from './scheme.ts';

/**
 * One side has its records of some time ago put back, once and again, and all that was ever sent comes again. Whoever is paid
 * has no more by its records than was paid, and credits from there no more than that; what is paid from then on is paid once.
 */
export async function restored(lab: Lab, side: SideName): Promise<void> {
  const { world } = lab;
  const talk = lab.talk();
  await expectPaid(talk.pay(world.firstMsat));
  await world.settle();
  const old = lab[side].process.durable();
  const atBackup = lab.credited;
  await expectPaid(talk.pay(5_000n));
  await expectPaid(lab.talk().pay(world.firstMsat));
  await world.settle();
  /** What the payer has truly promised, whatever its records say. */
  let promised = lab.credited;
  for (let time = 0; time < 2; time++) {
    /** What counts as credited in the life that the payee remembers. */
    let credited = side === 'payee' ? atBackup : lab.credited;
    lab.restart(side, old);
    await world.settle();
    const again = lab.talk();
    expect(again.target.length).toBeGreaterThan(0);
    credited += await gainOf(lab, async () => {
      for (const payment of [...lab.sent]) await again.redeem(payment);
    });
    expectHeld(lab, credited, promised);
    for (const later of [again, lab.talk()]) {
      let end: PayEnd | undefined;
      credited += await gainOf(lab, async () => {
        end = await later.pay(world.firstMsat);
      });
      if (end?.kind === 'credited') promised += end.promised;
      expectHeld(lab, credited, promised);
    }
    again.lose();
    await world.settle();
  }
}

async function expectPaid(end: Promise<PayEnd>): Promise<void> {
  expect(await end).toMatchObject({ kind: 'credited' });
}

async function gainOf(lab: Lab, run: () => Promise<void>): Promise<Value> {
  const before = lab.credited;
  await run();
  return lab.credited - before;
}

function expectHeld(lab: Lab, credited: Value, promised: Value): void {
  const held = lab.world.held();
  expect({ credited, held, promised }).toSatisfy(() => credited <= held && held <= promised);
}

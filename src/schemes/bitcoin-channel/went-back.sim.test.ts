import { beforeEach, describe, expect, it } from 'vitest';
import { Lab, type SimHostWorld } from './sim-lab.fixture.ts';
import type { Conversation, PayEnd } from './test-world.ts';
import { restoredWrites } from './went-back.ts';

type Side = 'payer' | 'payee';
type Disk = ReadonlyMap<string, Uint8Array>;

let lab: Lab;
beforeEach(() => {
  lab = new Lab({ reusePaidChannels: true });
});

function disk(side: Side): Disk {
  lab.world.runUntilIdle();
  return new Map((lab[side].world as SimHostWorld).store.durable());
}

/** The node dies, and starts again with what its disk held some time ago. */
function putBack(side: Side, kept: Disk): void {
  const world = lab[side].world as SimHostWorld;
  world.node.die();
  world.store.putBack(kept);
  if (side === 'payer') lab.startPayer(world.restart());
  else lab.startPayee(world.restart());
  lab.world.runUntilIdle();
}

/** As naulon restore leaves it. */
function restored(kept: Disk): Disk {
  const all = new Map(kept);
  for (const { key, value } of restoredWrites(kept))
    if (value === undefined) all.delete(key);
    else all.set(key, value);
  return all;
}

async function settled(talk: Conversation): Promise<void> {
  expect(await talk.close()).toBe(true);
  lab.world.runUntilIdle();
  lab.mine();
}

/** A payment over a session of its own, through whatever set-up it needs. */
async function pays(budget = 10_000_000n): Promise<PayEnd> {
  const talk = lab.talk(budget);
  let end: PayEnd = { kind: 'waiting' };
  for (let blocks = 0; blocks < 3 && end.kind === 'waiting'; blocks++) {
    if (blocks > 0) lab.mine();
    end = await talk.pay(1_000_000n);
  }
  talk.lose();
  return end;
}

const stopped = {
  payer: { kind: 'refusedByPayer', fault: { code: 'PAY_STORE_WENT_BACK' } },
  payee: { kind: 'refusedByPayee', fault: { code: 'frozen' } },
} as const;

describe('an old copy of all records', () => {
  /** Each goes on from where the copy was taken, and leaves something that the chain shows. */
  const forgotten: readonly (readonly [Side, string, () => Promise<Disk>])[] = [
    ...(['payer', 'payee'] as const).map(
      side =>
        [
          side,
          'a payment',
          async () => {
            const talk = await lab.open();
            const kept = disk(side);
            await talk.pay(2_000_000n);
            await settled(talk);
            return kept;
          },
        ] as const,
    ),
    [
      'payer',
      'a contract',
      async () => {
        const kept = disk('payer');
        await lab.open();
        return kept;
      },
    ],
    [
      'payee',
      'two addresses',
      async () => {
        const kept = disk('payee');
        for (let channel = 0; channel < 2; channel++) await settled(await lab.open());
        return kept;
      },
    ],
  ];

  it.each(forgotten)(
    'is seen for one by a %s that lacks %s, at each start, until it is restored',
    async (side, what, until) => {
      const kept = await until();
      putBack(side, kept);
      const end = await pays();
      expect(end).toMatchObject(stopped[side]);
      // A payee does not tell its payers why.
      if (side === 'payer')
        expect(end).toHaveProperty('fault.detail', expect.stringContaining(what.slice(2)));
      putBack(side, disk(side));
      expect(await pays()).toMatchObject(stopped[side]);
      putBack(side, restored(disk(side)));
      expect(await pays()).toMatchObject({ kind: 'credited' });
      putBack(side, disk(side));
      expect(await pays()).toMatchObject({ kind: 'credited' });
    },
  );

  it('is seen for one by a payer whose payee shows a payment that it does not remember', async () => {
    const talk = await lab.open();
    const kept = disk('payer');
    await talk.pay(2_000_000n);
    lab.payee.world.turn(() => lab.payee.side.ended(talk.session));
    putBack('payer', kept);
    // It takes the payee's word for that, and pays nothing new.
    expect(await pays(1_000_000n)).toMatchObject(stopped.payer);
    expect(lab.row('payer').paidSat).toBe(3_000n);
  });

  it.each(['payer', 'payee'] as const)('at a %s keeps what it knows of from being lost', async side => {
    const talk = await lab.open();
    const before = disk(side);
    await settled(await lab.open());
    await settled(await lab.open());
    talk.lose();
    putBack(side, before);
    // Over that very channel.
    expect(await pays(1_000_000n)).toMatchObject(stopped[side]);
    lab.mine(10);
    expect(lab.rows('payer').every(({ phase }) => phase === 'closed')).toBe(true);
    expect(lab.row('payee')).toMatchObject({ phase: 'closed', ending: { payeeSat: 1_000n } });
  });
});

describe('restored records', () => {
  it('are believed for a payment that was made before, however late it is settled', async () => {
    const talk = await lab.open();
    const kept = disk('payer');
    await talk.pay(2_000_000n);
    putBack('payer', restored(kept));
    lab.mine(20);
    expect(lab.row('payee').phase).toBe('open');
    lab.payee.world.turn(() => lab.payee.side.ended(talk.session));
    lab.mine(20);
    expect(lab.row('payer')).toMatchObject({ phase: 'closed', ending: { payeeSat: 3_000n } });
    expect(await pays()).toMatchObject({ kind: 'credited' });
  });
});

describe('restored records, long after', () => {
  it('are believed though a block takes a contract late that they do not know', async () => {
    const kept = disk('payer');
    expect(await lab.talk().pay(1_000_000n)).toEqual({ kind: 'waiting' });
    lab.chain.minedSatPerKvb = 10n ** 9n;
    lab.mine();
    expect(lab.row('payer').confirmations).toBe(0);
    putBack('payer', restored(kept));
    lab.mine(20);
    lab.chain.minedSatPerKvb = 0n;
    lab.mine();
    expect(lab.chain.mempool.transactions).toEqual([]);
    expect(await pays()).toMatchObject({ kind: 'credited' });
  });

  it('are believed though coins come to addresses that were shown later', async () => {
    const kept = disk('payee');
    const shown: Uint8Array[] = [];
    for (let coin = 0; coin < 3; coin++) {
      await lab.open();
      shown.push(lab.payee.world.turn(() => lab.payeeScheme.desk.wallet('payee')!.address.script));
    }
    putBack('payee', restored(kept));
    lab.mine(20);
    for (const script of shown.reverse()) {
      lab.chain.issue(script, 1_000n);
      lab.mine();
    }
    putBack('payee', disk('payee'));
    expect(await pays()).toMatchObject({ kind: 'credited' });
  });
});

describe('the newest records', () => {
  it.each(['payer', 'payee'] as const)(
    'of a %s are not old for coins that came to one shown address after the other',
    async side => {
      for (let coin = 0; coin < 3; coin++) {
        lab.issue(side, 1_000n);
        lab.mine();
      }
      putBack(side, disk(side));
      expect(await pays()).toMatchObject({ kind: 'credited' });
    },
  );

  it.each(['payer', 'payee'] as const)(
    'of a %s are never taken for old, whatever came meanwhile',
    async side => {
      for (let channel = 0; channel < 3; channel++) {
        const talk = await lab.open();
        await talk.pay(2_000_000n);
        const world = lab[side].world as SimHostWorld;
        // Anybody may pay to the address that was shown last, and to the next one once that has received.
        lab.issue(side, 1_000n);
        world.node.die();
        lab.chain.mine();
        if (side === 'payer') lab.startPayer(world.restart());
        else lab.startPayee(world.restart());
        lab.mine();
        const other = side === 'payer' ? 'payee' : 'payer';
        lab[other].world.turn(() => lab[other].side.ended(talk.session));
        lab.mine(5);
        expect(await pays()).toMatchObject({ kind: 'credited' });
        lab.chain.reorg(2);
        lab.mine(2);
      }
    },
  );
});

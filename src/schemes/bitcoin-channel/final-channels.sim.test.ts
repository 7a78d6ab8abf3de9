import { describe, expect, it } from 'vitest';
import type { ChannelPayee } from './payee.ts';
import type { ChannelPayer } from './payer.ts';
import { Lab, type SimHostWorld } from './sim-lab.fixture.ts';

const finalBlocks = 6;

/** Three channels, paid and closed, whose settlements the tip's block holds. */
async function closedChannels(): Promise<Lab> {
  const lab = new Lab();
  for (let channel = 0; channel < 3; channel++) {
    const talk = await lab.open();
    await talk.close();
    lab.world.runUntilIdle();
  }
  lab.mine();
  return lab;
}

/** Ids of the channels that a side keeps in memory. */
function inMemory(lab: Lab, side: 'payer' | 'payee'): readonly Uint8Array[] {
  const { book } = lab[side].side as ChannelPayer | ChannelPayee;
  return [...book.live].map(({ id }) => id);
}

function phases(lab: Lab, side: 'payer' | 'payee'): readonly string[] {
  return lab.rows(side).map(({ phase }) => phase);
}

const closed = ['closed', 'closed', 'closed'];

describe.each(['payer', 'payee'] as const)('channels that are final, at a %s', side => {
  it('are in the store alone, and told as ever', async () => {
    const lab = await closedChannels();
    const before = lab.rows(side);
    lab.mine(finalBlocks - 2);
    expect(inMemory(lab, side).length).toBeGreaterThan(0);
    lab.mine();
    expect(inMemory(lab, side)).toEqual([]);
    const depths = { confirmations: expect.any(Number), endingConfirmations: expect.any(Number) };
    const byId = new Map(lab.rows(side).map(row => [row.channel, row]));
    for (const row of before) expect(byId.get(row.channel)).toMatchObject({ ...row, ...depths });
    expect(byId.size).toBe(3);
    // Its contract was in a block before its settlement was.
    for (const { confirmations, endingConfirmations } of byId.values()) {
      expect(endingConfirmations).toBeGreaterThanOrEqual(finalBlocks);
      expect(confirmations).toBeGreaterThanOrEqual(endingConfirmations);
    }
  });

  it('leave the memory of one that starts again, too', async () => {
    const lab = await closedChannels();
    lab.mine(finalBlocks);
    const again = (lab[side].world as SimHostWorld).restart();
    if (side === 'payer') lab.startPayer(again);
    else lab.startPayee(again);
    lab.mine();
    expect(inMemory(lab, side)).toEqual([]);
    expect(phases(lab, side)).toEqual(closed);
  });

  it('are back when a reorganisation takes their endings, however deep they were', async () => {
    const lab = await closedChannels();
    const settlements = lab.chain.tip.transactions.slice(1).map(({ id }) => id);
    lab.mine(finalBlocks + 2);
    expect(inMemory(lab, side)).toEqual([]);
    lab.chain.reorg(finalBlocks + 3, { without: settlements });
    lab.world.runUntilIdle();
    expect(inMemory(lab, side)).not.toEqual([]);
    lab.mine(2);
    expect(phases(lab, side)).toEqual(closed);
    // Less what a child pays for a settlement that waits while the new branch grows.
    expect(lab.payeeScheme.desk.wallet('payee')!.balance.confirmedSat).toBeGreaterThan(2_900n);
    lab.mine(finalBlocks);
    expect(inMemory(lab, side)).toEqual([]);
  });
});

it('says of a channel that is final that it is over, and not that it is unknown', async () => {
  const lab = await closedChannels();
  lab.mine(finalBlocks);
  const [{ channel }] = lab.rows('payer');
  const said = lab.payer.world.turn(() => lab.payerScheme.desk.close(channel));
  expect(said).toMatchObject({ ok: false, fault: { code: 'CHANNEL_NOT_IDLE' } });
});

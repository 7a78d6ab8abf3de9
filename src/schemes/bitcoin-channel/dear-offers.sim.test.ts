import { expect, it } from 'vitest';
import type { BitcoinChannelOptions } from './options.ts';
import { Lab, type SimHostWorld } from './sim-lab.fixture.ts';

/** A payee that asks what it likes. */
function labWith(terms: Partial<BitcoinChannelOptions>): Lab {
  const lab = new Lab();
  lab.startPayee((lab.payee.world as SimHostWorld).restart(), { ...lab.options, ...terms });
  lab.world.runUntilIdle();
  return lab;
}

const wallet = (lab: Lab) => lab.payerScheme.desk.wallet('payer')!.balance;

it.each([
  [
    'than the contract holds, so that no refund could be made',
    { capacitySatMax: 5_000n },
    'PAY_CHANNEL_SIZE',
  ],
  ['than all that was to be paid', {}, 'PAY_BAD_TARGET'],
  ['than all that was to be paid, of a large contract', { capacitySatMin: 400_000n }, 'PAY_BAD_TARGET'],
])('locks nothing up where the fee is more %s', async (_, sizes, code) => {
  const lab = labWith({ feeSat: 100_000n, ...sizes });
  const before = wallet(lab);
  expect(await lab.talk().pay(1_000_000n)).toMatchObject({ kind: 'refusedByPayer', fault: { code } });
  const asked = lab.talk();
  const capacitySat = 5_000n;
  lab.payer.world.turn(() => lab.payerScheme.desk.open(asked.session, { capacitySat }));
  expect(await asked.pay(0n)).toMatchObject({ kind: 'refusedByPayer', fault: { code: 'PAY_CHANNEL_SIZE' } });
  lab.mine(150);
  expect([wallet(lab), lab.rows('payer')]).toEqual([before, []]);
});

it('opens a channel that can pay more than its fee', async () => {
  const lab = labWith({ feeSat: 10_000n });
  const talk = await lab.open();
  expect(lab.row('payer')).toMatchObject({ capacitySat: 20_240n, feeSat: 10_000n });
  await talk.close();
  lab.mine();
  expect(lab.row('payer').phase).toBe('closed');
});

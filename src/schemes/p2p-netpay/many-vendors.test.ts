import { expect, it } from 'vitest';
import { Ed25519Key } from '../../crypto/ed25519.ts';
import { Lab } from '../../payment/compliance-talk.ts';
import { BrokeredLab, type BrokeredNode } from '../brokered-world.fixture.ts';
import { p2pNetpay } from './index.ts';

const identity = new Ed25519Key(new Uint8Array(32).fill(7));

/** One payer with its account, and vendors that it can be brought to, one at a time. */
class Street {
  readonly lab = new BrokeredLab({ scheme: p2pNetpay });
  readonly payer = this.lab.node('payer', 10_000n);
  readonly vendors = ['first', 'second', 'third'].map(name => this.lab.node(name));
  readonly #labs = this.vendors.map(vendor => this.#labOf(vendor));

  /** Both sides of a conversation with a vendor; the payer is the same in all. */
  at(vendor: number): Lab {
    const lab = this.#labs[vendor];
    // The payer that was made last is the one that hears of answers.
    lab.payer = (this.#labs.at(-1) as Lab).payer;
    return lab;
  }

  settle(): void {
    this.lab.broker.run(1_000);
    this.lab.broker.expectBacked();
  }

  #labOf(vendor: BrokeredNode): Lab {
    return new Lab({
      payer: this.payer.process,
      payee: vendor.process,
      signer: { ed25519: identity.publicKey, sign: message => identity.sign(message) },
      scheme: side => (side === 'payer' ? this.payer.scheme() : vendor.scheme()),
      settle: async () => this.lab.broker.run(500),
      mine: async () => {},
      firstMsat: 1_000n,
      budgetMsat: 1_000_000n,
      beyondMsat: 10n ** 12n,
      held: () => 0n,
      parted: () => 0n,
    });
  }
}

it('spends one chain at many vendors and back again, and each is paid for its own words', async () => {
  const street = new Street();
  let session = 0;
  const spend = async (vendor: number, msat: bigint) => {
    const lab = street.at(vendor);
    lab.skipTo(++session);
    const talk = lab.talk();
    const end = await talk.pay(msat);
    expect(end).toMatchObject({ kind: 'credited', promised: msat, value: msat });
    expect(await talk.pay(5_000n)).toMatchObject({ kind: 'credited', value: 5_000n });
    talk.lose();
    street.settle();
  };
  for (const [vendor, msat] of [
    [0, 10_000n],
    [1, 20_000n],
    [2, 30_000n],
    [0, 40_000n],
    [0, 7_000n],
  ] as const)
    await spend(vendor, msat);
  const records = street.payer.process.store.durable();
  expect([...records.keys()].filter(key => key.startsWith('p2p-netpay/payer/chain/'))).toHaveLength(1);
  const { books } = street.lab.broker.core;
  const earned = street.vendors.map(({ account }) =>
    books.balancesMsat.get(Buffer.from(account.publicKey).toString('hex')),
  );
  expect(earned).toEqual([72_000n, 25_000n, 35_000n]);
});

it('is paid for every chain that one session is paid by', async () => {
  const street = new Street();
  const lab = street.at(0);
  lab.skipTo(1);
  const talk = lab.talk();
  expect(await talk.pay(10_000n)).toMatchObject({ kind: 'credited', value: 10_000n });
  // More than the words of that chain are good for.
  const end = await talk.pay(8_500_000n);
  expect(end).toMatchObject({ kind: 'credited' });
  const { value } = end as { readonly value: bigint };
  expect(value).toBeGreaterThanOrEqual(8_500_000n);
  talk.lose();
  street.settle();
  const account = Buffer.from(street.vendors[0].account.publicKey).toString('hex');
  expect(street.lab.broker.core.books.balancesMsat.get(account)).toBe(value + 10_000n);
});

it('pays with another chain where the vendor before is gone', async () => {
  const street = new Street();
  const first = street.at(0);
  first.skipTo(1);
  const talk = first.talk();
  expect(await talk.pay(10_000n)).toMatchObject({ kind: 'credited' });
  talk.lose();
  street.settle();
  street.lab.broker.parties.trouble = to => (to.host === street.vendors[0].at.host ? 'absent' : undefined);
  const second = street.at(1);
  second.skipTo(2);
  const next = second.talk();
  expect(await next.pay(10_000n)).toMatchObject({ by: 'payee', fault: { code: 'partyUnavailable' } });
  expect(await next.pay(10_000n)).toMatchObject({ kind: 'credited', value: 10_000n });
  street.settle();
});

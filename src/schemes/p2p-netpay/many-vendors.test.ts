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

  /** Chains that the payer has. */
  get chains(): number {
    const records = [...this.payer.process.store.durable().keys()];
    return records.filter(key => key.startsWith('p2p-netpay/payer/chain/')).length;
  }

  get earned(): bigint[] {
    return this.vendors.map(({ account }) => this.lab.broker.heldMsat(account.publicKey));
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
  expect(street.chains).toBe(1);
  expect(street.earned).toEqual([72_000n, 25_000n, 35_000n]);
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

it.each(['absent', 'lying'] as const)(
  'pays with another chain where the vendor before is %s',
  async trouble => {
    const street = new Street();
    let session = 0;
    const begin = (vendor: number) => {
      const lab = street.at(vendor);
      lab.skipTo(++session);
      return lab.talk();
    };
    const first = begin(0);
    expect(await first.pay(10_000n)).toMatchObject({ kind: 'credited' });
    first.lose();
    street.settle();
    street.lab.broker.parties.trouble = to => (to.host === street.vendors[0].at.host ? trouble : undefined);
    const next = begin(1);
    expect(await next.pay(10_000n)).toMatchObject({ by: 'payee', fault: { code: 'partyUnavailable' } });
    expect(await next.pay(10_000n)).toMatchObject({ kind: 'credited', value: 10_000n });
    next.lose();
    street.settle();
    // The chain that was bought instead goes on from there.
    const last = begin(2);
    expect(await last.pay(20_000n)).toMatchObject({ kind: 'credited', value: 20_000n });
    last.lose();
    street.settle();
    expect(street.chains).toBe(2);
    expect(street.earned).toEqual([10_000n, 10_000n, 20_000n]);
    expect(street.lab.broker.proofs).toEqual([]);
  },
);

it('spends one chain on where the vendor before was started again', async () => {
  const street = new Street();
  for (const [vendor, msat] of [10_000n, 20_000n, 30_000n].entries()) {
    const lab = street.at(vendor);
    lab.skipTo(vendor + 1);
    const talk = lab.talk();
    expect(await talk.pay(msat)).toMatchObject({ kind: 'credited', value: msat });
    talk.lose();
    lab.restart('payee');
    street.settle();
  }
  expect(street.chains).toBe(1);
  expect(street.earned).toEqual([10_000n, 20_000n, 30_000n]);
});

import { describe, expect, it } from 'vitest';
import { ByteReader } from '../../base/bytes.ts';
import { Ed25519Key } from '../../crypto/ed25519.ts';
import { complianceCases, schemeCompliance } from '../../payment/compliance.ts';
import type { SchemeWorld } from '../../payment/compliance-talk.ts';
import type { Payee, Payer, PaymentScheme, Redeemed } from '../../payment/scheme.ts';
import { SimChain } from '../../sim/sim-chain.ts';
import { SimProcess } from '../../sim/sim-process.ts';
import { World } from '../../sim/world.ts';
import { memoryCredit } from './index.ts';
import { creditRecord } from './messages.ts';

const purseMsat = 10n ** 9n;
const identity = new Ed25519Key(new Uint8Array(32).fill(7));
const scheme = memoryCredit({ purseMsat, limitMsat: purseMsat });

function worldOf(made: PaymentScheme): () => Promise<SchemeWorld> {
  return async () => {
    const world = new World({ seed: 'memory-credit' });
    const chain = new SimChain();
    const [payer, payee] = ['payer', 'payee'].map(name => SimProcess.start(world, name, chain));
    return {
      payer,
      payee,
      signer: { ed25519: identity.publicKey, sign: message => identity.sign(message) },
      scheme: () => made,
      settle: async () => void world.runUntilIdle(),
      mine: async () => {},
      firstMsat: 1n,
      budgetMsat: 1_000_000n,
      beyondMsat: purseMsat + 1n,
      held: () =>
        [...payee.store.durable()]
          .filter(([key]) => key.startsWith('memory-credit/payee/'))
          .reduce((sum, [, value]) => sum + (creditRecord.decode(value)?.cumulative ?? 0n), 0n),
      parted: () => {
        const purse = payer.store.durable().get('memory-credit/payer/purse');
        return purse === undefined ? 0n : purseMsat - new ByteReader(purse).u64();
      },
    };
  };
}

schemeCompliance('memory-credit', worldOf(scheme));

/** The scheme with one side changed. */
function planted(change: {
  payee?: (real: Payee) => Partial<Payee>;
  payer?: (real: Payer) => Partial<Payer>;
}): PaymentScheme {
  return {
    ...scheme,
    payee: (host, signer) => over(scheme.payee(host, signer), change.payee),
    payer: host => over(scheme.payer(host), change.payer),
  };
}

function over<T extends object>(real: T, change: ((real: T) => Partial<T>) | undefined): T {
  const changes = change?.(real) ?? {};
  return new Proxy(real, {
    get: (target, name) => {
      const own = Reflect.get(changes, name) ?? Reflect.get(target, name);
      return typeof own === 'function' ? own.bind(target) : own;
    },
  });
}

const whenAdded = (redeemed: Redeemed, change: (added: Extract<Redeemed, { kind: 'added' }>) => Redeemed) =>
  redeemed.kind === 'added' ? change(redeemed) : redeemed;

const faults: Record<string, PaymentScheme> = {
  'credits what comes again': planted({
    payee: real => {
      const seen = new Map<string, Redeemed>();
      return {
        redeem: (session, payment) => {
          const key = Buffer.from(payment).toString('hex');
          const redeemed = seen.get(key) ?? real.redeem(session, payment);
          if (redeemed.kind === 'added') seen.set(key, redeemed);
          return redeemed;
        },
      };
    },
  }),
  'forgets at a restart what it was paid': planted({
    payee: real => ({
      redeem: (session, payment) =>
        whenAdded(real.redeem(session, payment), added => ({ ...added, persist: [] })),
    }),
  }),
  'keeps the first payment of each session alone': planted({
    payee: real => {
      const kept = new Set<number>();
      return {
        redeem: (session, payment) =>
          whenAdded(real.redeem(session, payment), added => {
            const persist = kept.has(session) ? [] : added.persist;
            kept.add(session);
            return { ...added, persist };
          }),
      };
    },
  }),
  'credits a little more': planted({
    payee: real => ({
      redeem: (session, payment) =>
        whenAdded(real.redeem(session, payment), added => ({ ...added, value: added.value + 1n })),
    }),
  }),
  'throws for a short message': planted({
    payee: real => ({
      redeem: (session, payment) => {
        if (payment.length < 20) throw new RangeError('short');
        return real.redeem(session, payment);
      },
    }),
  }),
  'is a payer that does not store what it spends': planted({
    payer: real => ({
      pay: (session, target, value) => {
        const paid = real.pay(session, target, value);
        return paid.kind === 'send' ? { ...paid, persist: [] } : paid;
      },
    }),
  }),
  'is a payer that says less than it pays': planted({
    payer: real => ({
      pay: (session, target, value) => {
        const paid = real.pay(session, target, value + 1n);
        return paid.kind === 'send' ? { ...paid, value } : paid;
      },
    }),
  }),
  'is a payer that pays any target': planted({
    payer: real => ({
      pay: (session, target, value) => {
        const paid = real.pay(session, target, value);
        return paid.kind === 'refused' && paid.fault.code === 'PAY_BAD_TARGET'
          ? { kind: 'send', payment: target.slice(), value, persist: [] }
          : paid;
      },
    }),
  }),
};

/** Of these each rule is the one that must catch them. */
const faultsByRule: readonly (readonly [rule: string, fault: string, make: () => PaymentScheme])[] = [
  [
    'credits a payment that comes in cells once all are there, and no part of one',
    'puts parts of payments together by itself',
    () =>
      planted({
        payee: real => {
          let rest = new Uint8Array(0);
          return {
            redeem: (session, payment) => {
              const redeemed = real.redeem(session, payment);
              const isPart = redeemed.kind === 'refused' && redeemed.fault.code === 'malformed';
              const whole = Uint8Array.of(...rest, ...payment);
              rest = isPart ? payment.slice() : new Uint8Array(0);
              return isPart ? real.redeem(session, whole) : redeemed;
            },
          };
        },
      }),
  ],
  [
    'credits a payment that comes in cells once all are there, and no part of one',
    'makes payments that no cells can carry',
    () =>
      planted({
        payer: real => ({
          pay: (session, target, value) => {
            const paid = real.pay(session, target, value);
            if (paid.kind !== 'send') return paid;
            return { ...paid, payment: Uint8Array.of(...paid.payment, ...new Uint8Array(10_000)) };
          },
        }),
        payee: real => ({
          redeem: (session, payment) =>
            real.redeem(session, payment.length > 10_000 ? payment.subarray(0, -10_000) : payment),
        }),
      }),
  ],
  [
    'credits no more than was paid when the payee has an old copy of its records',
    'credits twice over what its old records do not know',
    () => {
      /** As if somebody else told it. */
      const heard = new Set<string>();
      return planted({
        payee: real => ({
          redeem: (session, payment) => {
            const name = Buffer.from(payment).toString('hex');
            const again = heard.has(name);
            heard.add(name);
            return whenAdded(real.redeem(session, payment), added => ({
              ...added,
              value: again ? added.value * 2n : added.value,
            }));
          },
        }),
      });
    },
  ],
  [
    'pays nothing twice when the payer has an old copy of its records',
    'pays what its old records say it owes, and does not say so',
    () => {
      /** The purse as another life left it. */
      let purse = purseMsat;
      const left = (host: { store: { get(key: string): Uint8Array | undefined } }) => {
        const stored = host.store.get('memory-credit/payer/purse');
        return stored === undefined ? purseMsat : new ByteReader(stored).u64();
      };
      return {
        ...scheme,
        payer: host => {
          const owed = left(host) - purse;
          return over(scheme.payer(host), real => ({
            pay: (session, target, value) => {
              const paid = real.pay(session, target, owed > 0n ? value + owed : value);
              if (paid.kind !== 'send') return paid;
              purse = owed > 0n ? purse : purse - value;
              return { ...paid, value };
            },
          }));
        },
      };
    },
  ],
];

describe('the kit', () => {
  it.each(faultsByRule)('by the rule that it %s, catches a scheme that %s', async (rule, _fault, make) => {
    const cases = complianceCases(worldOf(make())).filter(({ name }) => name === rule);
    expect(cases).toHaveLength(1);
    await expect(cases[0].run()).rejects.toThrow();
  });

  it.each(Object.entries(faults))('catches a scheme that %s', async (_name, faulty) => {
    const failed: string[] = [];
    for (const { name, run } of complianceCases(worldOf(faulty))) {
      await run().catch(() => failed.push(name));
    }
    expect(failed).not.toEqual([]);
  });
});

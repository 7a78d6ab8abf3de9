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

describe('the kit', () => {
  it.each(Object.entries(faults))('catches a scheme that %s', async (_name, faulty) => {
    const failed: string[] = [];
    for (const { name, run } of complianceCases(worldOf(faulty))) {
      await run().catch(() => failed.push(name));
    }
    expect(failed).not.toEqual([]);
  });
});

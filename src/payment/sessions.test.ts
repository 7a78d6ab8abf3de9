import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BrokenInvariant } from '../base/assert.ts';
import { freeCells, pendingRedeemsMax, receiptMsMax, setUpReceiptMsMax } from '../base/limits.ts';
import { fragment } from '../cell/payment-messages.ts';
import { memoryCredit } from '../schemes/memory-credit/index.ts';
import { type PaidHopOptions, PaidHopWorld, price, seedOf } from './paid-hop-world.fixture.ts';
import { msatFor } from './price.ts';
import type { PaymentScheme } from './scheme.ts';
import { tallyScheme } from './tally-scheme.fixture.ts';
import type { WindowChoice } from './top-up.ts';

test('a session asks, pays one window and more in time, and both sides count the same', () => {
  const world = new PaidHopWorld(1024);
  world.payer.needs(100);
  world.payer.start();
  world.settle();
  expect(world.payer.spendable).toBe(world.balance.balance);
  expect(world.payer.payments).toBe(1);
  for (let i = 0; i < 5_000; i++) {
    world.send();
    if (i % 50 === 0) world.settle();
  }
  world.settle();
  expect(world.failed).toBeUndefined();
  expect(world.cutOff).toBe(false);
  expect(world.payer.spendable).toBe(world.balance.balance);
  expect(world.payer.payments).toBeGreaterThanOrEqual(5);
  expect(world.balance.creditedMsat).toBe(world.payer.paidMsat);
});

test('a session that is only to set up asks, pays nothing, and says once that it is ready', () => {
  const world = new PaidHopWorld(1024);
  let ready = 0;
  world.payer.prepare(() => ready++);
  world.settle();
  for (let i = 0; i < 30; i++) {
    world.send();
    world.settle();
  }
  expect({ ready, failed: world.failed }).toEqual({ ready: 1, failed: undefined });
  expect(world.balance.creditedMsat).toBe(0n);
  expect(world.payer.spendable).toBe(world.balance.balance);
});

test('money order: durable before credit and receipt, durable before a payment is sent', () => {
  const world = new PaidHopWorld(1024);
  world.payer.needs(100);
  world.payer.start();
  world.settle();
  expect(world.events).toEqual(['redeem', 'receipt', 'payer durable', 'redeem', 'payee durable', 'receipt']);
});

describe.each([16, 1024, 4096, 'auto'] as WindowChoice[])('window %s', window => {
  test('whatever the delays: counts agree, nothing is cut off, credit is what was paid', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.constantFrom('send', 'send', 'receive', 'receive', 'toPayee', 'toPayer', 'store', 'time'),
          { minLength: 50, maxLength: 400 },
        ),
        steps => {
          const world = new PaidHopWorld(window);
          world.payer.needs(40);
          world.payer.start();
          for (const step of steps) {
            if (step === 'send') world.send();
            else if (step === 'receive') world.receive();
            else if (step === 'toPayee') world.stepToPayee();
            else if (step === 'toPayer') world.stepToPayer();
            else if (step === 'store') world.stepStore();
            else world.advance(50);
            expect(world.cutOff).toBe(false);
            expect(world.payer.paidMsat).toBeLessThanOrEqual(world.balance.creditedMsat);
          }
          world.settle();
          expect(world.failed).toBeUndefined();
          expect(world.payer.spendable).toBe(world.balance.balance);
          expect(world.balance.creditedMsat).toBe(world.payer.paidMsat);
        },
      ),
      { numRuns: 100 },
    );
  });
});

describe('payments that state what was paid in all', () => {
  const window = 64;

  test('follow each other before they are receipted, no more than the far end takes', () => {
    const world = new PaidHopWorld(16, { scheme: tallyScheme() });
    world.payer.needs(300);
    world.payer.start();
    world.settle();
    expect(world.payer.payments).toBe(1);
    for (let i = 0; i < 300; i++) {
      world.send();
      world.stepStore();
    }
    const redeems = world.toPayee.filter(cell => cell !== 'cell');
    expect(redeems.length).toBe(pendingRedeemsMax);
    world.settle();
    expect(world.payer.payments).toBeGreaterThan(pendingRedeemsMax);
    expect({ failed: world.failed, cutOff: world.cutOff }).toEqual({ failed: undefined, cutOff: false });
    expect(world.payer.spendable).toBe(world.balance.balance);
  });

  test.each([
    ['and whichever are refused', true, undefined],
    ['and however often the purse is filled', false, msatFor(1_000n, price)],
  ])('whatever the delays, %s: counts agree, credit is what was paid', (_, refuses, purse) => {
    fc.assert(
      fc.property(
        fc.array(
          fc.constantFrom('send', 'send', 'receive', 'toPayee', 'toPayer', 'store', 'refuse', 'needs'),
          { minLength: 100, maxLength: 800 },
        ),
        steps => {
          let refusals = 0;
          const scheme = tallyScheme(() => refuses && refusals > 0 && refusals-- > 0, purse);
          const world = new PaidHopWorld(window, { scheme });
          world.payer.needs(40);
          world.payer.start();
          let needs = 40;
          for (const step of steps) {
            if (step === 'send') for (let i = 0; i < 8; i++) world.send();
            else if (step === 'receive') world.receive();
            else if (step === 'toPayee') world.stepToPayee();
            else if (step === 'toPayer') world.stepToPayer();
            else if (step === 'store') world.stepStore();
            else if (step === 'needs') world.payer.needs((needs += 20));
            else refusals = 1;
            expect(world.cutOff).toBe(false);
          }
          refusals = 0;
          world.settle();
          expect(world.failed).toBeUndefined();
          expect(world.payer.spendable).toBe(world.balance.balance);
          expect(world.balance.creditedMsat).toBe(world.payer.paidMsat);
        },
      ),
      { numRuns: 300 },
    );
  });
});

test('a payer that stops is cut off at zero and not before', () => {
  const world = new PaidHopWorld(1024, { circuitMsat: msatFor(500n, price) });
  world.payer.start();
  world.settle();
  const left = world.balance.balance;
  expect(left).toBeGreaterThan(500);
  for (let i = 0; i < left; i++) {
    world.toPayee.push('cell');
    world.stepToPayee();
    expect(world.cutOff).toBe(false);
  }
  expect(world.balance.balance).toBe(0);
  world.toPayee.push('cell');
  world.stepToPayee();
  expect(world.cutOff).toBe(true);
});

test('limits are kept, and a payer that reaches one says so', () => {
  const circuitMsat = msatFor(2_000n, price);
  for (const options of [
    { circuitMsat },
    { limits: { relayMsat: circuitMsat } },
    { limits: { dayMsat: circuitMsat } },
  ]) {
    const world = new PaidHopWorld(1024, options);
    world.payer.start();
    for (let i = 0; i < 10_000; i++) {
      world.send();
      if (i % 20 === 0) world.settle();
    }
    world.settle();
    expect(world.failed?.code).toBe('PAY_LIMIT');
    expect(world.payer.paidMsat).toBeLessThanOrEqual(circuitMsat);
    expect(world.payer.paidMsat).toBeGreaterThan(circuitMsat - 3n);
  }
  const poor = new PaidHopWorld(1024, { purseMsat: 1n });
  poor.payer.start();
  poor.settle();
  expect(poor.failed?.code).toBe('PAY_NO_FUNDS');
});

/** Each way in which there is less than a window costs. */
const scarcities: Readonly<Record<string, (purseMsat: bigint) => PaidHopOptions>> = {
  PAY_NO_FUNDS: purseMsat => ({ purseMsat }),
  PAY_CHANNEL_EXHAUSTED: purseMsat => ({ scheme: channelOf(purseMsat) }),
};

/** A purse as a channel is one. */
function channelOf(purseMsat: bigint): PaymentScheme {
  const credit = memoryCredit({ purseMsat, limitMsat: purseMsat });
  return {
    ...credit,
    payer: host => {
      const payer = credit.payer(host);
      const pay = payer.pay.bind(payer);
      payer.pay = (...payment) => {
        const paid = pay(...payment);
        return paid.kind === 'refused' ? { kind: 'refused', fault: { code: 'PAY_CHANNEL_EXHAUSTED' } } : paid;
      };
      return payer;
    },
  };
}

test.each(Object.entries(scarcities))(
  'a payer that has less than a window costs (%s) buys what it can, and goes on until that is used up',
  (code, scarce) => {
    const window = 20_000;
    const first = new PaidHopWorld(window);
    first.payer.start();
    first.settle();
    const purseMsat = first.payer.paidMsat + msatFor(BigInt(window), price) / 2n;
    const world = new PaidHopWorld(window, scarce(purseMsat));
    world.payer.start();
    let passed = 0;
    for (; world.failed === undefined && passed < 10 * window; passed++) {
      world.send();
      if (passed % 20 === 0) world.settle();
    }
    expect(world.failed?.code).toBe(code);
    expect(world.payer.paidMsat).toBe(purseMsat);
    expect(world.payer.spendable).toBeLessThan(20);
  },
);

test('a session that ends in order says its last message once, whatever the hop answers, and fails nobody', () => {
  const world = new PaidHopWorld(1024, { lastMessage: seedOf(9) });
  world.payer.needs(100);
  world.payer.start();
  world.settle();
  world.events.length = 0;
  let ends = 0;
  world.payer.finish(() => {
    ends += 1;
  });
  world.settle();
  expect({ ends, failed: world.failed }).toEqual({ ends: 1, failed: undefined });
  expect(world.events.filter(event => event === 'redeem')).toEqual(['redeem']);
});

test('a hop that takes cells from the balance, or counts value it was not paid, is blamed', () => {
  const thief = new PaidHopWorld(1024);
  thief.balance.debit(1);
  thief.payer.start();
  const receipts = () =>
    thief.toPayer.splice(0).map(cell => {
      if (cell === 'cell') return false;
      thief.payer.countCells(1);
      return thief.payer.onReceipt(cell);
    });
  thief.stepToPayee();
  expect(receipts()).toEqual([false]);
  thief.advance(0);
  expect(thief.failed?.code).toBe('RECEIPT_BALANCE');
});

describe('a hop that withholds its RECEIPT', () => {
  /** Nothing is blamed until `ms` have passed. */
  function expectBlame(world: PaidHopWorld, ms: number) {
    world.advance(ms - 1);
    world.advance(0);
    expect(world.failed).toBeUndefined();
    world.advance(1);
    world.advance(0);
    expect(world.failed?.code).toBe('RECEIPT_LATE');
  }

  test('is blamed for the first question', () => {
    const world = new PaidHopWorld(1024);
    world.payer.start();
    expectBlame(world, receiptMsMax);
  });

  test('is blamed for the oldest of several payments, and for none that it answers', () => {
    const world = new PaidHopWorld(16, { scheme: tallyScheme() });
    world.payer.needs(300);
    world.payer.start();
    world.settle();
    world.advance(10 * setUpReceiptMsMax);
    for (let i = 0; i < 300; i++) {
      world.send();
      world.stepStore();
    }
    const { payments } = world.payer;
    world.advance(receiptMsMax - 1);
    while (world.payer.payments === payments) {
      world.stepStore();
      world.stepToPayee();
      world.stepToPayer();
    }
    expectBlame(world, receiptMsMax);
  });

  test('has longer for a set-up step, which may wait for the chain', () => {
    const tally = tallyScheme();
    const payment = Uint8Array.of(tally.id, 1);
    const payer: typeof tally.payer = host =>
      Object.assign(tally.payer(host), { pay: () => ({ kind: 'send', payment, value: 0n, persist: [] }) });
    const world = new PaidHopWorld(1024, { scheme: { ...tally, payer } });
    world.payer.start();
    world.stepToPayee();
    world.stepToPayer();
    world.stepStore();
    expect(world.toPayee.length).toBe(1);
    expectBlame(world, setUpReceiptMsMax);
  });

  test('for a set-up step is not paid further ahead for it', () => {
    const tally = tallyScheme();
    const setUp = Uint8Array.of(tally.id, 1);
    let isSetUp = false;
    const scheme: PaymentScheme = {
      ...tally,
      payee: (...parts) => {
        const payee = tally.payee(...parts);
        const { redeem } = payee;
        const reply = payee.target(0);
        return Object.assign(payee, {
          redeem: (session: number, payment: Uint8Array) =>
            payment.length === setUp.length
              ? { kind: 'added', value: 0n, persist: [], reply }
              : redeem(session, payment),
        });
      },
      payer: host => {
        const payer = tally.payer(host);
        const { pay } = payer;
        return Object.assign(payer, {
          pay: (...asked: Parameters<typeof pay>) => {
            if (isSetUp) return pay(...asked);
            isSetUp = true;
            return { kind: 'send', payment: setUp, value: 0n, persist: [] };
          },
        });
      },
    };
    const world = new PaidHopWorld(1024, { scheme });
    world.payer.needs(100);
    world.payer.start();
    world.stepToPayee();
    world.stepToPayer();
    world.stepStore();
    world.advance(setUpReceiptMsMax - 1);
    world.settle();
    expect(world.payer.payments).toBe(1);
    const prepaid = world.payer.spendable;
    for (let ms = 0; ms < 2_000; ms++) {
      world.advance(1);
      for (let i = 0; i < 2; i++) world.send();
      world.settle();
    }
    expect(world.payer.spendable).toBeLessThanOrEqual(prepaid);
    expect(world.payer.payments).toBeGreaterThan(2);
  });

  test('is not blamed once the circuit is gone', () => {
    const world = new PaidHopWorld(1024);
    world.payer.start();
    world.payer.ended();
    world.advance(receiptMsMax);
    world.advance(0);
    expect(world.failed).toBeUndefined();
  });
});

test('a payee refuses what is no payment, and ends a circuit that goes on so', () => {
  const world = new PaidHopWorld(1024);
  const redeem = (bytes: Uint8Array) =>
    fragment(9, bytes)
      .map(body => world.payee.onRedeem(body)?.code)
      .at(-1);
  expect(redeem(Uint8Array.of(200, 1, 2))).toBeUndefined();
  expect(redeem(Uint8Array.of(127, 1))).toBeUndefined();
  expect(redeem(Uint8Array.of(127, 2))).toBeUndefined();
  expect(redeem(Uint8Array.of(127, 3))).toBe('REDEEM_BAD_PAYMENTS');
  expect(world.balance.balance).toBe(freeCells - 4);
  expect(world.balance.paid).toBe(false);
});

test.each(['payee', 'payer'] as const)(
  'what the scheme of a %s throws is an invariant broken, and credits nothing',
  side => {
    const credit = memoryCredit({ purseMsat: 10n ** 12n, limitMsat: 10n ** 15n });
    const thrown = (): never => {
      throw new TypeError('planted');
    };
    const scheme: PaymentScheme = {
      ...credit,
      payee: (...parts) => Object.assign(credit.payee(...parts), side === 'payee' && { redeem: thrown }),
      payer: host => Object.assign(credit.payer(host), side === 'payer' && { pay: thrown }),
    };
    const world = new PaidHopWorld(1024, { scheme });
    world.payer.start();
    expect(() => world.settle()).toThrow(BrokenInvariant);
    expect([world.balance.creditedMsat, world.durable]).toEqual([0n, []]);
  },
);

test('a hop is paid along with another when much of its window has passed, but not with the last of a limit', () => {
  const boughtWith = (options: { circuitMsat?: bigint }, cells: number): number => {
    const world = new PaidHopWorld(1024, options);
    world.payer.start();
    world.settle();
    while (world.payer.payments < 2) {
      world.send();
      world.settle();
    }
    for (let i = 0; i < cells; i++) world.send();
    world.settle();
    expect([world.payer.payments, world.failed]).toEqual([2, undefined]);
    const before = world.payer.spendable;
    world.payer.pay();
    world.settle();
    return world.payer.spendable - before;
  };
  const most = boughtWith({}, 600);
  expect(most).toBeGreaterThan(550);
  expect(most).toBeLessThanOrEqual(604);
  expect(boughtWith({}, 200)).toBe(0);
  expect(boughtWith({ circuitMsat: msatFor(2_400n, price) }, 600)).toBe(0);
});

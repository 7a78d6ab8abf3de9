import { expect } from 'vitest';
import { Ed25519Key } from '../crypto/ed25519.ts';
import { noParties } from '../node-io/no-parties.ts';
import type { Answer, ChainPort, Clock, Entropy, Observer, StorePort, StoreWrite } from '../ports.ts';
import { memoryCredit } from '../schemes/memory-credit/index.ts';
import { CellBalance } from './cell-balance.ts';
import { PayeeDesk } from './payee-desk.ts';
import type { PayeeSession } from './payee-session.ts';
import { PayerDesk } from './payer-desk.ts';
import type { PayerFault, PayerSession, PayerSessionHost } from './payer-session.ts';
import type { PaymentScheme } from './scheme.ts';
import { CircuitAllowance, type SpendingLimits } from './spending.ts';
import type { WindowChoice } from './top-up.ts';

export const price = 3n << 20n;
export const seedOf = (fill: number) => new Uint8Array(32).fill(fill);
const observer: Observer = { log() {}, count() {} };
const noChain = {} as ChainPort;

/** A scheme that says goodbye in a message of its own, as one does that closes channels. */
function endingWith(scheme: PaymentScheme, payment: Uint8Array): PaymentScheme {
  return {
    ...scheme,
    payer: host => {
      const payer = scheme.payer(host);
      payer.finish = () => ({ kind: 'send', payment, value: 0n, persist: [] });
      return payer;
    },
  };
}

export interface PaidHopOptions {
  purseMsat?: bigint;
  limits?: SpendingLimits;
  circuitMsat?: bigint;
  lastMessage?: Uint8Array;
  scheme?: PaymentScheme;
}

/** Both ends of one paid hop with a first-in first-out line each way; nothing moves until the test says so. */
export class PaidHopWorld {
  #now = 0;
  #asks = 0;
  #bytes = 0;
  readonly #answers: (() => void)[] = [];
  #timers: { at: number; run: () => void }[] = [];
  readonly toPayee: (Uint8Array | 'cell')[] = [];
  readonly toPayer: (Uint8Array | 'cell')[] = [];
  readonly events: string[] = [];
  readonly balance = new CellBalance(price);
  readonly payee: PayeeSession;
  readonly payer: PayerSession;
  failed: PayerFault | undefined;
  cutOff = false;
  /** What the payee's store has made durable, in order. */
  readonly durable: StoreWrite[] = [];

  constructor(window: WindowChoice, options: PaidHopOptions = {}) {
    const credit = memoryCredit({ purseMsat: options.purseMsat ?? 10n ** 12n, limitMsat: 10n ** 15n });
    const { lastMessage } = options;
    const own = options.scheme ?? credit;
    const scheme = lastMessage === undefined ? own : endingWith(own, lastMessage);
    const shared = {
      clock: this.#clock(),
      entropy: this.#entropy(),
      chain: noChain,
      parties: noParties,
      observer,
      newAsk: () => ++this.#asks,
      schemes: [scheme],
    };
    const key = new Ed25519Key(seedOf(1));
    const signer = { ed25519: key.publicKey, sign: (message: Uint8Array) => key.sign(message) };
    const payeeDesk: PayeeDesk = new PayeeDesk({
      ...shared,
      signer,
      store: this.#store('payee', answer => payeeDesk.onAnswer(answer)),
    });
    const payerDesk: PayerDesk = new PayerDesk({
      ...shared,
      limits: options.limits ?? {},
      store: this.#store('payer', answer => payerDesk.onAnswer(answer)),
    });
    const host = { sendReceipt: (body: Uint8Array) => this.#sendReceipt(body), fail: () => {} };
    this.payee = payeeDesk.open(host, this.balance);
    const payer = payerDesk.open(this.#payerHost(), {
      scheme: scheme.id,
      ed25519: key.publicKey,
      price,
      window,
      budget: 10n ** 9n,
      allowance: new CircuitAllowance(options.circuitMsat),
    });
    if (payer === undefined) throw new Error('no such scheme');
    this.payer = payer;
  }

  #clock(): Clock {
    return {
      monotonicMs: () => this.#now,
      wallMs: () => 1_790_000_000_000 + this.#now,
      after: (ms: number, run: () => void) => {
        const timer = { at: this.#now + ms, run };
        this.#timers.push(timer);
        return () => {
          this.#timers = this.#timers.filter(other => other !== timer);
        };
      },
    };
  }

  #entropy(): Entropy {
    return {
      bytes: length => Uint8Array.from({ length }, () => (this.#bytes = (this.#bytes * 73 + 41) % 256)),
    };
  }

  #store(name: string, onAnswer: (answer: Answer) => void): StorePort {
    return {
      get: () => undefined,
      list: () => [],
      commit: (writes, ask) => {
        this.#answers.push(() => {
          this.events.push(`${name} durable`);
          if (name === 'payee') this.durable.push(...writes);
          onAnswer({ kind: 'stored', ask });
        });
      },
    };
  }

  #payerHost(): PayerSessionHost {
    return {
      sendRedeem: body => {
        this.events.push('redeem');
        this.toPayee.push(body);
        this.payer.countCells(1);
      },
      onLow: () => this.payer.pay(),
      onSpendable: () => {},
      onFailed: fault => {
        this.failed = fault;
      },
    };
  }

  #sendReceipt(body: Uint8Array): void {
    this.events.push('receipt');
    if (this.balance.debit(1)) this.toPayer.push(body);
    else this.cutOff = true;
  }

  /** The oldest cell towards the payee arrives, is paid for and acted upon. */
  stepToPayee(): void {
    const cell = this.toPayee.shift();
    if (cell === undefined) return;
    if (!this.balance.debit(1)) this.cutOff = true;
    else if (cell !== 'cell') expect(this.payee.onRedeem(cell)).toBeUndefined();
  }

  stepToPayer(): void {
    const cell = this.toPayer.shift();
    if (cell === undefined) return;
    this.payer.countCells(1);
    if (cell !== 'cell') expect(this.payer.onReceipt(cell)).toBe(true);
  }

  stepStore(): void {
    this.#answers.shift()?.();
  }

  /** The payer sends an ordinary cell, if it can afford one and a REDEEM after it, whatever is on its way to it. */
  send(): void {
    if (this.payer.spendable < 8 + this.toPayer.length) return;
    this.toPayee.push('cell');
    this.payer.countCells(1);
  }

  /** The far end sends a cell that the payer has permitted: one that its balance covers. */
  receive(): void {
    const inFlight = this.toPayer.length + this.toPayee.length;
    if (this.payer.spendable < 16 + inFlight || !this.balance.debit(1)) return;
    this.toPayer.push('cell');
  }

  advance(ms: number): void {
    this.#now += ms;
    const due = this.#timers.filter(timer => timer.at <= this.#now);
    this.#timers = this.#timers.filter(timer => timer.at > this.#now);
    for (const timer of due) timer.run();
  }

  settle(): void {
    while (this.toPayee.length + this.toPayer.length + this.#answers.length > 0) {
      this.stepStore();
      this.stepToPayee();
      this.stepToPayer();
    }
    this.advance(0);
  }
}

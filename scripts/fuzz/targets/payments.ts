import { ByteWriter } from '../../../src/base/bytes.ts';
import { paymentFragmentsMax } from '../../../src/base/limits.ts';
import { encodeReceipt, fragment } from '../../../src/cell/payment-messages.ts';
import { Ed25519Key } from '../../../src/crypto/ed25519.ts';
import { PayerDesk } from '../../../src/payment/payer-desk.ts';
import type { Payee, Payer, PaymentScheme, SchemeHost } from '../../../src/payment/scheme.ts';
import { CircuitAllowance } from '../../../src/payment/spending.ts';
import { bitcoinChannel } from '../../../src/schemes/bitcoin-channel/index.ts';
import {
  acceptedMessage,
  claimMessage,
  closingMessage,
  fundedMessage,
  openMessage,
  payMessage,
  paymentOp,
  schemeId,
  statusMessage,
  targetOp,
} from '../../../src/schemes/bitcoin-channel/messages.ts';
import { memoryCredit } from '../../../src/schemes/memory-credit/index.ts';
import { schemeId as memoryId, paymentMessage } from '../../../src/schemes/memory-credit/messages.ts';
import { SimChain } from '../../../src/sim/sim-chain.ts';
import { SimProcess } from '../../../src/sim/sim-process.ts';
import { World } from '../../../src/sim/world.ts';
import type { Dice } from '../dice.ts';
import type { FuzzSubject, FuzzTarget, Tell } from '../fuzz-target.ts';
import { paperMoney } from './paper-money.ts';

const cases = 100_000;
const zeros = (length: number): Uint8Array => new Uint8Array(length);
/** A point of secp256k1. */
const publicKey = Uint8Array.from(
  Buffer.from('0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798', 'hex'),
);
const channel = zeros(8);
const signature = zeros(64).fill(1);
const identity = new Ed25519Key(zeros(32).fill(7));
const signer = { ed25519: identity.publicKey, sign: (message: Uint8Array) => identity.sign(message) };
/** So many sessions are open at once; then they end, and others begin. */
const sessions = 32;
const stepsMax = 200;

/** What payers send their payees, and payees answer. */
export const payments: FuzzTarget = {
  name: 'payments',
  cases,
  inputBytesMax: 1_024,
  sources: [
    'src/schemes/bitcoin-channel/pay',
    'src/schemes/bitcoin-channel/offer-check',
    'src/schemes/memory-credit/',
    'src/base/struct',
  ],
  open: dice => new PaymentSides(dice),
};

/** RECEIPTs of a hop, held against what a client has paid and counted. */
export const receipts: FuzzTarget = {
  name: 'receipts',
  cases,
  inputBytesMax: 1_024,
  sources: ['src/payment/payer-', 'src/payment/top-up', 'src/cell/payment-messages'],
  open: () => new PaidClient(),
};

interface Side {
  readonly name: string;
  take(
    session: number,
    bytes: Uint8Array,
  ): { readonly kind: string; readonly fault?: { readonly code: string } };
  ended(session: number): void;
}

class PaymentSides implements FuzzSubject {
  readonly seeds: readonly Uint8Array[];
  readonly words = [zeros(8).fill(255), Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 1), publicKey];
  readonly #world: World;
  readonly #sides: readonly Side[];
  #session = 1;
  #turn: SimProcess;

  constructor(dice: Dice) {
    const world = new World({ seed: dice.below(2 ** 31) });
    const chain = new SimChain();
    for (let block = 0; block < 10; block++) chain.mine();
    const schemes: readonly (() => PaymentScheme)[] = [
      () => bitcoinChannel({ network: 'regtest', variant: 'spillman', seed: zeros(32).fill(9) }),
      () => bitcoinChannel({ network: 'regtest', variant: 'cltv', seed: zeros(32).fill(9) }),
      () => memoryCredit({ purseMsat: 2n ** 40n, limitMsat: 2n ** 40n }),
    ];
    const process = SimProcess.start(world, 'sides', chain);
    const { host } = process;
    const payees = schemes.map(make => process.turn(() => make().payee(host, signer)));
    const payers = schemes.map(make => process.turn(() => make().payer(host)));
    process.attach({
      onAnswer: answer => [...payees, ...payers].forEach(side => void side.onAnswer(answer)),
      onChain: event => [...payees, ...payers].forEach(side => void side.onChain(event)),
    });
    world.runUntilIdle({ steps: stepsMax });
    this.#world = world;
    this.#turn = process;
    this.#sides = [...payees.map(payeeSide), ...payers.map(payerSide)];
    const targets = process.turn(() => payees.map(payee => payee.target(1)));
    this.seeds = [...paymentSamples(), ...targets].flatMap(bytes =>
      this.#sides.map((_, at) => Uint8Array.of(at, ...bytes)),
    );
  }

  take(input: Uint8Array, tell: Tell): void {
    const side = this.#sides[(input[0] ?? 0) % this.#sides.length];
    this.#session += 1;
    const session = this.#session;
    this.#turn.turn(() => {
      const { kind, fault } = side.take(session, input.subarray(1));
      tell(`${side.name} ${kind} ${fault?.code ?? ''}`);
    });
    this.#world.runUntilIdle({ steps: stepsMax });
    if (session > sessions)
      this.#turn.turn(() => this.#sides.forEach(each => void each.ended(session - sessions)));
  }
}

function payeeSide(payee: Payee, at: number): Side {
  return {
    name: `payee ${at}`,
    take(session, bytes) {
      payee.target(session);
      return payee.redeem(session, bytes);
    },
    ended: session => payee.ended(session),
  };
}

function payerSide(payer: Payer, at: number): Side {
  return {
    name: `payer ${at}`,
    take(session, bytes) {
      payer.begin(session, { ed25519: identity.publicKey }, 20_000_000n);
      return payer.pay(session, bytes, 1_000n);
    },
    ended: session => payer.ended(session),
  };
}

/** One of each message, as far as one can be made up. */
function paymentSamples(): Uint8Array[] {
  const head = { scheme: schemeId, channel };
  const open = {
    scheme: schemeId,
    op: paymentOp.open,
    nonce: zeros(16),
    txid: zeros(32),
    index: 0,
    capacitySat: 50_000n,
    refundHeight: 500,
    feeSat: 400,
    payerKey: publicKey,
    refundScript: zeros(22),
  };
  return [
    openMessage.encode(open),
    fundedMessage.encode({ ...head, op: paymentOp.funded }),
    claimMessage.encode({ ...head, op: paymentOp.claim, signature }),
    payMessage.encode({ ...head, op: paymentOp.pay, paidSat: 1_000n, signature }),
    payMessage.encode({ ...head, op: paymentOp.close, paidSat: 1_000n, signature }),
    acceptedMessage.encode({ ...head, op: targetOp.accepted, refundSignature: signature }),
    statusMessage.encode({ ...head, op: targetOp.status, paidSat: 1_000n, signature }),
    closingMessage.encode({ ...head, op: targetOp.closing, paidSat: 1_000n, txid: zeros(32) }),
    paymentMessage.encode({
      scheme: memoryId,
      nonce: zeros(16),
      payerKey: identity.publicKey,
      cumulative: 5n,
      signature,
    }),
  ];
}

/** A client that pays by paper, and hears what an input says as RECEIPTs. */
class PaidClient implements FuzzSubject {
  readonly seeds = [0, 1, 4].flatMap(status =>
    [0n, 4_000n, 2n ** 60n].map(creditedMsat =>
      Uint8Array.of(
        2,
        ...encodeReceipt({
          status,
          messageId: 0,
          price: 1_000_000n,
          balance: 63n,
          creditedMsat,
          target: Uint8Array.of(paperMoney.id),
        }),
      ),
    ),
  );
  readonly words = [new ByteWriter().u64(1_000_000n).finish(), zeros(8).fill(255)];
  readonly #process: SimProcess;
  readonly #desk: PayerDesk;
  readonly #world = new World({ seed: 'paid client' });

  constructor() {
    this.#process = SimProcess.start(this.#world, 'client', new SimChain());
    const { host } = this.#process;
    this.#desk = this.#process.turn(() => deskOf(host));
    this.#process.attach({ onAnswer: answer => void this.#desk.onAnswer(answer), onChain() {} });
  }

  take(input: Uint8Array, tell: Tell): void {
    let said = 'hears';
    const hop = {
      scheme: paperMoney.id,
      ed25519: identity.publicKey,
      price: 1_000_000n,
      window: 4_096,
      budget: 2n ** 40n,
      allowance: new CircuitAllowance(undefined),
    };
    const told = {
      sendRedeem: () => void (said = 'pays'),
      onLow: () => session?.pay(),
      onSpendable: () => void (said = 'may spend'),
      onFailed: (fault: { code: string }) => void (said = fault.code),
    };
    const session = this.#process.turn(() => this.#desk.open(told, hop));
    this.#process.turn(() => session?.start());
    this.#world.runUntilIdle({ steps: stepsMax });
    // The same again for as many payments as its first byte says.
    const receipt = input.subarray(1);
    const bodies = receipt.length > 490 * paymentFragmentsMax ? [receipt] : fragment(3, receipt);
    for (let round = (input[0] ?? 0) % 4; round >= 0; round--) {
      for (const body of round === 3 ? [receipt.subarray(0, 498)] : bodies)
        this.#process.turn(() => session?.onReceipt(body));
      this.#process.turn(() => session?.countCells(100));
      this.#world.runUntilIdle({ steps: stepsMax });
    }
    tell(said);
    this.#process.turn(() => session?.ended());
  }
}

function deskOf(host: SchemeHost): PayerDesk {
  return new PayerDesk({
    ...host,
    newAsk: () => host.newAsk(),
    schemes: [paperMoney],
    limits: { relayMsat: undefined, dayMsat: undefined },
  });
}

import { equalBytes } from '../../../src/base/bytes.ts';
import { pendingRedeemsMax } from '../../../src/base/limits.ts';
import { ed25519Verify } from '../../../src/crypto/ed25519.ts';
import type { Paid, PayeeIdentity, Payer } from '../../../src/payment/scheme.ts';
import {
  offerDigest,
  offerMessage,
  paymentOp,
  statusMessage,
  targetOp,
} from '../../../src/schemes/bitcoin-channel/messages.ts';
import { payerLike } from '../scheme-like.ts';
import { channelIn } from './channel-facts.ts';
import type { RuleBook } from './rule-book.ts';

/** Payments that may follow what was charged too much: the one whose RECEIPT shows it, and those under way by then. */
const paymentsAfterMax = 1 + pendingRedeemsMax;

/** Rule I12: whom a payer pays, and whom no longer. */
export class TrustRules {
  readonly #book: RuleBook;

  constructor(book: RuleBook) {
    this.#book = book;
  }

  /** Looks on at an honest payer in one of its lives. */
  watched(payer: Payer): Payer {
    const payees = new Map<number, PayeeIdentity['ed25519']>();
    const offered = new Map<number, Uint8Array>();
    /** The most that a payee has said it holds, by channel. */
    const told = new Map<string, bigint>();
    const paid = (session: number, result: Paid | undefined): void => {
      if (result?.kind !== 'send' || result.payment[1] !== paymentOp.open) return;
      const identity = payees.get(session);
      const offer = offerMessage.decode(offered.get(session) ?? new Uint8Array(0));
      const own =
        offer !== undefined &&
        identity !== undefined &&
        equalBytes(offer.relayId, identity) &&
        ed25519Verify(identity, offerDigest(offer), offer.signature);
      this.#book.hold(own, 'I12', () => 'a channel is opened on an offer that its payee has not signed');
    };
    return payerLike(payer, {
      begin: (session, identity, budget) => {
        payees.set(session, identity.ed25519);
        payer.begin(session, identity, budget);
      },
      pay: (session, target, value, most) => {
        const result = payer.pay(session, target, value, most);
        if (target[1] === targetOp.offer) offered.set(session, target.slice());
        if (target[1] === targetOp.status) this.#onStatus(target, told, result);
        paid(session, result);
        return result;
      },
      onAnswer: answer => {
        const outcome = payer.onAnswer(answer);
        if (outcome !== undefined) paid(outcome.session, outcome.result);
        return outcome;
      },
    });
  }

  #onStatus(target: Uint8Array, told: Map<string, bigint>, result: Paid): void {
    const status = statusMessage.decode(target);
    if (status === undefined || result.kind !== 'send' || result.payment[1] !== paymentOp.pay) return;
    const channel = channelIn(target);
    const before = told.get(channel) ?? 0n;
    this.#book.hold(
      status.paidSat >= before,
      'I12',
      () => `a payee that held ${before} sat and says ${status.paidSat} is paid more`,
    );
    told.set(channel, status.paidSat);
  }

  /** What is to be told of a circuit whose relay charges too much: the cells, and each payment that is credited. */
  charged(where: string): { readonly stolen: (cells: number) => void; readonly credited: () => void } {
    let [cells, payments] = [0, 0];
    return {
      stolen: more => {
        cells += more;
      },
      credited: () => {
        if (cells === 0) return;
        payments += 1;
        this.#book.hold(
          payments <= paymentsAfterMax,
          'I12',
          () => `${where} charged ${cells} cells too many, and was paid ${payments} times since`,
        );
      },
    };
  }
}

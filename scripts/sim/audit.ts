import { toHex } from '../../src/base/bytes.ts';
import type { CircuitSide } from '../../src/circuit/relay-circuit-host.ts';
import type { CellBalance } from '../../src/payment/cell-balance.ts';
import type {
  Outcome,
  Paid,
  Payee,
  Payer,
  PaymentScheme,
  Redeemed,
  SessionId,
} from '../../src/payment/scheme.ts';
import { payeeLike, payerLike, schemeLike } from './scheme-like.ts';
import type { SeenCircuit } from './wire-tap.ts';

/** One circuit at one relay: what it says it may still carry, and what was seen on its wires. */
export interface AuditedCircuit {
  readonly relay: string;
  readonly balance: CellBalance;
  /** The side from which the client reaches the relay. */
  readonly previous: CircuitSide;
  /** The same side from outside; undefined when the tap missed it. */
  readonly seen: SeenCircuit | undefined;
}

/** Everything that was paid and taken in a network, as the schemes said it, by nobody who profits. */
export class Audit {
  readonly circuits: AuditedCircuit[] = [];
  /** Value that payments promised, by the hex identity of the relay that they were for. */
  readonly sentMsat = new Map<string, bigint>();
  readonly redeemedMsat = new Map<string, bigint>();
  /** Value for which payers had a RECEIPT when their circuits ended. */
  readonly receiptedMsat = new Map<string, bigint>();
  payments = 0;
  redeems = 0;
  refusals = 0;

  sent(relay: string, msat: bigint): void {
    this.payments += 1;
    add(this.sentMsat, relay, msat);
  }

  redeemed(relay: string, msat: bigint): void {
    this.redeems += 1;
    add(this.redeemedMsat, relay, msat);
  }

  receipted(relay: string, msat: bigint): void {
    add(this.receiptedMsat, relay, msat);
  }
}

/** Adds `msat` to what stands at `relay`. */
function add(sums: Map<string, bigint>, relay: string, msat: bigint): void {
  sums.set(relay, (sums.get(relay) ?? 0n) + msat);
}

/** The same scheme, with what its payers send and its payees take written down. */
export function audited(scheme: PaymentScheme, audit: Audit): PaymentScheme {
  return schemeLike(scheme, {
    payee: (host, signer) => auditedPayee(scheme.payee(host, signer), toHex(signer.ed25519), audit),
    payer: host => auditedPayer(scheme.payer(host), audit),
  });
}

function auditedPayee(payee: Payee, relay: string, audit: Audit): Payee {
  const note = (redeemed: Redeemed): void => {
    if (redeemed.kind === 'added') audit.redeemed(relay, redeemed.value);
    if (redeemed.kind === 'refused') audit.refusals += 1;
  };
  return payeeLike(payee, {
    redeem: (session, payment) => {
      const redeemed = payee.redeem(session, payment);
      note(redeemed);
      return redeemed;
    },
    onAnswer: answer => noted(payee.onAnswer(answer), ({ result }) => note(result)),
  });
}

function auditedPayer(payer: Payer, audit: Audit): Payer {
  const relays = new Map<SessionId, string>();
  const note = (session: SessionId, paid: Paid): void => {
    if (paid.kind === 'send') audit.sent(relays.get(session) ?? '', paid.value);
  };
  return payerLike(payer, {
    begin: (session, payee, budget) => {
      relays.set(session, toHex(payee.ed25519));
      payer.begin(session, payee, budget);
    },
    pay: (session, target, value, most) => {
      const paid = payer.pay(session, target, value, most);
      note(session, paid);
      return paid;
    },
    onAnswer: answer => noted(payer.onAnswer(answer), ({ session, result }) => note(session, result)),
    finish: session => {
      const paid = payer.finish(session);
      if (paid !== undefined) note(session, paid);
      return paid;
    },
  });
}

function noted<T>(
  outcome: Outcome<T> | undefined,
  note: (outcome: Outcome<T>) => void,
): Outcome<T> | undefined {
  if (outcome !== undefined) note(outcome);
  return outcome;
}

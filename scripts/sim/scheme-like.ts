import type { Payee, Payer, PaymentScheme } from '../../src/payment/scheme.ts';

/** The same scheme, but for what `changes` says. */
export function schemeLike(scheme: PaymentScheme, changes: Partial<PaymentScheme>): PaymentScheme {
  const { party } = scheme;
  return {
    id: scheme.id,
    name: scheme.name,
    payee: (host, signer) => scheme.payee(host, signer),
    payer: host => scheme.payer(host),
    ...(party === undefined ? {} : { party: host => party.call(scheme, host) }),
    ...changes,
  };
}

/** The same payee, but for what `changes` says. */
export function payeeLike(payee: Payee, changes: Partial<Payee>): Payee {
  return {
    target: session => payee.target(session),
    redeem: (session, payment) => payee.redeem(session, payment),
    onAnswer: answer => payee.onAnswer(answer),
    onChain: event => payee.onChain(event),
    ended: session => payee.ended(session),
    ...changes,
  };
}

/** The same payer, but for what `changes` says. */
export function payerLike(payer: Payer, changes: Partial<Payer>): Payer {
  return {
    cumulative: payer.cumulative ?? false,
    begin: (session, payee, budget) => payer.begin(session, payee, budget),
    pay: (session, target, value, most) => payer.pay(session, target, value, most),
    onAnswer: answer => payer.onAnswer(answer),
    onChain: event => payer.onChain(event),
    endsSoon: session => payer.endsSoon?.(session) ?? false,
    onRefused: (session, fault) => payer.onRefused(session, fault),
    finish: session => payer.finish(session),
    ended: session => payer.ended(session),
    ...changes,
  };
}

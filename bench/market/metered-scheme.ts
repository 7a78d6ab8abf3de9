import { schemeLike } from '../../scripts/sim/scheme-like.ts';
import type { PaymentScheme, SchemeHost } from '../../src/payment/scheme.ts';

/** Does `run` as the doing of whoever it is counted for. */
type Within = <T>(run: () => T) => T;

/** The same scheme, with all that its sides do, when called and when a time of theirs has come, done within `within`. */
export function meteredScheme(scheme: PaymentScheme, within: Within): PaymentScheme {
  const { party } = scheme;
  const hostOf = (host: SchemeHost): SchemeHost => ({ ...host, clock: clockWithin(host.clock, within) });
  return schemeLike(scheme, {
    payee: (host, signer) => within(() => calledWithin(scheme.payee(hostOf(host), signer), within)),
    payer: host => within(() => calledWithin(scheme.payer(hostOf(host)), within)),
    ...(party === undefined
      ? {}
      : { party: host => within(() => calledWithin(party.call(scheme, hostOf(host)), within)) }),
  });
}

/** The same object, whose methods are called within. */
function calledWithin<T extends object>(target: T, within: Within): T {
  return new Proxy(target, {
    get(_, name) {
      const found: unknown = Reflect.get(target, name, target);
      if (typeof found !== 'function') return found;
      return (...parts: unknown[]) => within(() => Reflect.apply(found, target, parts));
    },
  });
}

function clockWithin(clock: SchemeHost['clock'], within: Within): SchemeHost['clock'] {
  return {
    monotonicMs: () => clock.monotonicMs(),
    wallMs: () => clock.wallMs(),
    after: (ms, run) => clock.after(ms, () => within(run)),
  };
}

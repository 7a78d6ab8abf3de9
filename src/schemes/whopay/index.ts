import type { BrokeredDesk, BrokeredNode, BrokeredOptions, BrokeredScheme } from '../../payment/brokered.ts';
import { CoinPayer } from '../../payment/coin-payer.ts';
import { once } from '../../payment/once.ts';
import type { SchemeHost } from '../../payment/scheme.ts';
import { WhoPayBroker } from './broker.ts';
import { judge } from './fraud.ts';
import { schemeId, schemeName } from './messages.ts';
import { WhoPayOwner } from './owner.ts';
import { WhoPayPayee } from './payee.ts';
import { WhoPayTrade } from './payer.ts';
import { WhoPayPurse } from './purse.ts';
import type { WhoPaySetup } from './setup.ts';

/** WhoPay as one node runs it. */
export interface WhoPayNode extends BrokeredNode {
  readonly desk: BrokeredDesk & {
    /** Has coins that were received bound anew whose bindings expire within so many seconds; absent: soon. */
    renew(withinSeconds?: number): void;
  };
}

/** Coins that are public keys, held under keys that are used once (WhoPay, Wei and others): whoever pays or is paid shows no name. */
export const whopay: BrokeredScheme = {
  id: schemeId,
  name: schemeName,
  variants: [],
  node: whopayNode,
  broker: host => new WhoPayBroker(host),
  judge,
};

export function whopayNode(options: BrokeredOptions): WhoPayNode {
  const { account, broker, self } = options;
  const common = once((host: SchemeHost) => {
    const setup: WhoPaySetup = {
      host,
      account,
      broker,
      self: () => (payee === undefined ? undefined : self),
    };
    return { setup, purse: new WhoPayPurse(setup) };
  });
  let shared: ReturnType<typeof common> | undefined;
  let payee: WhoPayPayee | undefined;
  const partsOf = (host: SchemeHost) => {
    shared = common(host);
    return shared;
  };
  return {
    id: schemeId,
    name: schemeName,
    payer(host) {
      const { setup, purse } = partsOf(host);
      return new CoinPayer(host, new WhoPayTrade(setup, purse));
    },
    payee(host, signer) {
      const { setup, purse } = partsOf(host);
      payee = new WhoPayPayee(setup, signer, purse);
      return payee;
    },
    party(host) {
      const { setup, purse } = partsOf(host);
      return new WhoPayOwner(setup, purse);
    },
    desk: {
      get receivedMsat() {
        return shared?.purse.receivedMsat ?? 0n;
      },
      get partedMsat() {
        return shared?.purse.partedMsat ?? 0n;
      },
      get spendableMsat() {
        return (shared?.purse.spendable() ?? []).reduce((sum, { value }) => sum + value, 0n);
      },
      deposit: () => payee?.deposit(),
      renew: within => payee?.renew(within),
    },
  };
}

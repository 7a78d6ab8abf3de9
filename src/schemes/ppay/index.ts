import type { BrokeredNode, BrokeredOptions, BrokeredScheme } from '../../payment/brokered.ts';
import { CoinPayer } from '../../payment/coin-payer.ts';
import { once } from '../../payment/once.ts';
import type { SchemeHost } from '../../payment/scheme.ts';
import { PPayBroker } from './broker.ts';
import { judge } from './fraud.ts';
import { schemeId, schemeName } from './messages.ts';
import { PPayOwner } from './owner.ts';
import { PPayPayee } from './payee.ts';
import { PPayTrade } from './payer.ts';
import { PPayPurse } from './purse.ts';
import type { PPaySetup } from './setup.ts';

/** Coins that their buyers manage (PPay, Yang and Garcia-Molina): the broker is asked when a coin is bought, handed in, or its owner is away. */
export const ppay: BrokeredScheme = {
  id: schemeId,
  name: schemeName,
  variants: ['reassigned', 'layered'],
  node: ppayNode,
  broker: host => new PPayBroker(host),
  judge,
};

export function ppayNode(options: BrokeredOptions): BrokeredNode {
  const { account, broker, self } = options;
  const common = once((host: SchemeHost) => {
    const setup: PPaySetup = {
      host,
      account,
      broker,
      self: () => (payee === undefined ? undefined : self),
      layered: options.variant === 'layered',
    };
    return { setup, purse: new PPayPurse(setup) };
  });
  let shared: ReturnType<typeof common> | undefined;
  let payee: PPayPayee | undefined;
  const partsOf = (host: SchemeHost) => {
    shared = common(host);
    return shared;
  };
  return {
    id: schemeId,
    name: schemeName,
    payer(host) {
      const { setup, purse } = partsOf(host);
      return new CoinPayer(host, new PPayTrade(setup, purse));
    },
    payee(host, signer) {
      const { setup, purse } = partsOf(host);
      payee = new PPayPayee(setup, signer, purse);
      return payee;
    },
    party(host) {
      const { setup, purse } = partsOf(host);
      return new PPayOwner(setup, purse);
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
    },
  };
}

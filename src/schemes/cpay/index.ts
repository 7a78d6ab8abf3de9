import type { BrokeredNode, BrokeredOptions, BrokeredScheme } from '../../payment/brokered.ts';
import { CoinPayer } from '../../payment/coin-payer.ts';
import { once } from '../../payment/once.ts';
import type { SchemeHost } from '../../payment/scheme.ts';
import { CPayAssisting } from './assisting.ts';
import { CPayBroker } from './broker.ts';
import { judge } from './fraud.ts';
import { groupSize, schemeId, schemeName } from './messages.ts';
import { CPayPayee } from './payee.ts';
import { CPayTrade } from './payer.ts';
import { CPayPurse } from './purse.ts';
import type { CPaySetup } from './setup.ts';

const variants = ['named', 'ahead', 'anonymous', 'group'] as const;

/**
 * Coins whose every payment a peer authorises that assists the broker (CPay, Zou and others): `named`; `ahead`, where the next
 * payment is authorised before it is needed; `anonymous`, under keys that are used once; `group`, where several must agree.
 */
export const cpay: BrokeredScheme = {
  id: schemeId,
  name: schemeName,
  variants,
  node: cpayNode,
  broker: host => new CPayBroker(host),
  judge,
};

export function cpayNode(options: BrokeredOptions): BrokeredNode {
  const { account, broker, self, variant } = options;
  let payee: CPayPayee | undefined;
  const partsOf = once((host: SchemeHost) => {
    const setup: CPaySetup = {
      host,
      account,
      broker,
      self: () => (payee === undefined ? undefined : self),
      anonymous: variant === 'anonymous',
      assistants: variant === 'group' ? groupSize : 1,
    };
    shared = { setup, purse: new CPayPurse(setup) };
    return shared;
  });
  let shared: { readonly setup: CPaySetup; readonly purse: CPayPurse } | undefined;
  return {
    id: schemeId,
    name: schemeName,
    payer(host) {
      const { setup, purse } = partsOf(host);
      return new CoinPayer(host, new CPayTrade(setup, purse), variant === 'ahead');
    },
    payee(host, signer) {
      const { setup, purse } = partsOf(host);
      payee = new CPayPayee(setup, signer, purse);
      return payee;
    },
    party(host) {
      const { setup, purse } = partsOf(host);
      return new CPayAssisting(setup, purse);
    },
    desk: {
      get receivedMsat() {
        return shared?.purse.receivedMsat ?? 0n;
      },
      get partedMsat() {
        return shared?.purse.partedMsat ?? 0n;
      },
      get spendableMsat() {
        return (shared?.purse.spendable() ?? []).reduce((sum, { paid }) => sum + paid.coin.value, 0n);
      },
      deposit: () => payee?.deposit(),
    },
  };
}

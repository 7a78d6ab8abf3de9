import type { BrokeredDesk, BrokeredNode, BrokeredOptions, BrokeredScheme } from '../../payment/brokered.ts';
import { coinNode } from '../../payment/coins/coin-node.ts';
import { CoinPayee } from '../../payment/coins/coin-payee.ts';
import { CoinPayer } from '../../payment/coins/coin-payer.ts';
import { WhoPayBroker } from './broker.ts';
import { judge } from './fraud.ts';
import { schemeId, schemeName } from './messages.ts';
import { WhoPayOwner } from './owner.ts';
import { WhoPayRules } from './payee.ts';
import { WhoPayTrade } from './payer.ts';
import { WhoPayPurse } from './purse.ts';

/** WhoPay as one node runs it. */
export interface WhoPayNode extends BrokeredNode {
  readonly desk: BrokeredDesk & {
    /** Has coins that were received bound anew whose bindings expire within so many seconds; absent: soon. */
    renew(withinSeconds?: number): void;
  };
}

/**
 * Coins that are public keys, held under keys that are used once (WhoPay, Wei and others): whoever pays or is paid shows no name.
 * `unlisted`, an owner that binds a coin to two is found when both hand it in; `listed`, when the second is paid.
 */
export const whopay: BrokeredScheme = {
  id: schemeId,
  name: schemeName,
  variants: ['unlisted', 'listed'],
  node: whopayNode,
  broker: host => new WhoPayBroker(host),
  judge,
};

function whopayNode(options: BrokeredOptions): WhoPayNode {
  let rules: WhoPayRules | undefined;
  const node = coinNode<WhoPayPurse>(
    {
      id: schemeId,
      name: schemeName,
      purse: setup => new WhoPayPurse(setup),
      payer: (setup, purse) => new CoinPayer(setup.host, new WhoPayTrade(setup, purse)),
      payee(setup, purse, signer) {
        rules = new WhoPayRules(setup, purse, signer);
        return new CoinPayee(setup, rules);
      },
      party: (setup, purse) => new WhoPayOwner(setup, purse),
    },
    options,
  );
  const renew = (withinSeconds?: number) => rules?.renew(withinSeconds);
  return { ...node, desk: Object.assign(node.desk, { renew }) };
}

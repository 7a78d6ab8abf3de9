import type { BrokeredScheme } from '../../payment/brokered.ts';
import { type CoinSides, coinNode } from '../../payment/coins/coin-node.ts';
import { CoinPayee } from '../../payment/coins/coin-payee.ts';
import { CoinPayer } from '../../payment/coins/coin-payer.ts';
import { WhoPayBroker } from './broker.ts';
import { judge } from './fraud.ts';
import { schemeId, schemeName } from './messages.ts';
import { WhoPayOwner } from './owner.ts';
import { WhoPayRules } from './payee.ts';
import { WhoPayTrade } from './payer.ts';
import { WhoPayPurse } from './purse.ts';

const sides: CoinSides<WhoPayPurse> = {
  id: schemeId,
  name: schemeName,
  purse: setup => new WhoPayPurse(setup),
  payer: (setup, purse) => new CoinPayer(setup.host, new WhoPayTrade(setup, purse)),
  payee: (setup, purse, signer) => new CoinPayee(setup, new WhoPayRules(setup, purse, signer)),
  party: (setup, purse) => new WhoPayOwner(setup, purse),
};

/**
 * Coins that are public keys, held under keys that are used once (WhoPay, Wei and others): whoever pays or is paid shows no name.
 * `unlisted`, an owner that binds a coin to two is found when both hand it in; `listed`, when the second is paid.
 */
export const whopay: BrokeredScheme = {
  id: schemeId,
  name: schemeName,
  variants: ['unlisted', 'listed'],
  node: options => coinNode(sides, options),
  broker: host => new WhoPayBroker(host),
  judge,
};

import type { BrokeredScheme } from '../../payment/brokered.ts';
import { type CoinSides, coinNode } from '../../payment/coins/coin-node.ts';
import { CoinPayee } from '../../payment/coins/coin-payee.ts';
import { CoinPayer } from '../../payment/coins/coin-payer.ts';
import { PPayBroker } from './broker.ts';
import { judge } from './fraud.ts';
import { schemeId, schemeName } from './messages.ts';
import { PPayOwner } from './owner.ts';
import { PPayRules } from './payee.ts';
import { PPayTrade } from './payer.ts';
import { PPayPurse } from './purse.ts';

const sides: CoinSides<PPayPurse> = {
  id: schemeId,
  name: schemeName,
  purse: setup => new PPayPurse(setup),
  payer: (setup, purse) => new CoinPayer(setup.host, new PPayTrade(setup, purse)),
  payee: (setup, purse, signer) => new CoinPayee(setup, new PPayRules(setup, purse, signer), true),
  party: (setup, purse) => new PPayOwner(setup, purse),
};

/** Coins that their buyers manage (PPay, Yang and Garcia-Molina): the broker is asked when a coin is bought, handed in, or its owner is away. */
export const ppay: BrokeredScheme = {
  id: schemeId,
  name: schemeName,
  variants: ['reassigned', 'layered'],
  node: options => coinNode(sides, options),
  broker: host => new PPayBroker(host),
  judge,
};

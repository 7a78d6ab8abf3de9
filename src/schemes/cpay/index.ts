import type { BrokeredScheme } from '../../payment/brokered.ts';
import { type CoinSides, coinNode } from '../../payment/coins/coin-node.ts';
import { CoinPayee } from '../../payment/coins/coin-payee.ts';
import { CoinPayer } from '../../payment/coins/coin-payer.ts';
import { CPayAssisting } from './assisting.ts';
import { CPayBroker } from './broker.ts';
import { judge } from './fraud.ts';
import { schemeId, schemeName } from './messages.ts';
import { CPayRules } from './payee.ts';
import { CPayTrade } from './payer.ts';
import { CPayPurse } from './purse.ts';

const sides: CoinSides<CPayPurse> = {
  id: schemeId,
  name: schemeName,
  purse: setup => new CPayPurse(setup),
  payer: (setup, purse) => new CoinPayer(setup.host, new CPayTrade(setup, purse), setup.variant === 'ahead'),
  payee: (setup, purse, signer) => new CoinPayee(setup, new CPayRules(setup, purse, signer)),
  party: (setup, purse) => new CPayAssisting(setup, purse),
};

/**
 * Coins whose every payment a peer authorises that assists the broker (CPay, Zou and others): `named`; `ahead`, where the next
 * payment is authorised before it is needed; `anonymous`, under keys that are used once; `group`, where several must agree; `paper`,
 * where the first payment of who bought a coin skips the assistant, and a payee that takes it finds a double spend when it is handed in.
 */
export const cpay: BrokeredScheme = {
  id: schemeId,
  name: schemeName,
  variants: ['named', 'ahead', 'anonymous', 'group', 'paper'],
  node: options => coinNode(sides, options),
  broker: host => new CPayBroker(host),
  judge,
};

import type { BrokeredScheme } from '../../payment/brokered.ts';
import { PaywordBroker } from './broker.ts';
import { schemeId } from './messages.ts';
import { PaywordPayee } from './payee.ts';
import { PaywordPayer } from './payer.ts';
import { judge } from './proofs.ts';

/** Chains of hashes that a payer commits to one payee each: PayWord, prepaid or on credit. */
export const payword: BrokeredScheme = {
  id: schemeId,
  name: 'payword',
  variants: ['prepaid', 'credit'],
  node: options => ({
    id: schemeId,
    name: 'payword',
    payee: (host, signer) => new PaywordPayee(host, signer, options),
    payer: host => new PaywordPayer(host, options),
  }),
  broker: host => new PaywordBroker(host),
  judge,
};

import type { BrokeredScheme } from '../../payment/brokered.ts';
import { once } from '../../payment/once.ts';
import type { SchemeHost } from '../../payment/scheme.ts';
import { NetpayBroker } from './broker.ts';
import { schemeId } from './messages.ts';
import { NetpayPayee } from './payee.ts';
import { NetpayPayer } from './payer.ts';
import { judge } from './proofs.ts';
import { VendorBooks } from './vendor-books.ts';

/** One chain of hashes for many vendors, handed from one to the next: P2P-NetPay. */
export const p2pNetpay: BrokeredScheme = {
  id: schemeId,
  name: 'p2p-netpay',
  variants: [],
  node: options => {
    const books = once((host: SchemeHost) => new VendorBooks(host, options));
    return {
      id: schemeId,
      name: 'p2p-netpay',
      payee: (host, signer) => new NetpayPayee(host, signer, options, books(host)),
      payer: host => new NetpayPayer(host, options),
      party: host => {
        const vendor = books(host);
        return { serve: request => vendor.handOver(request), onAnswer: () => undefined };
      },
    };
  },
  broker: host => new NetpayBroker(host),
  judge,
};

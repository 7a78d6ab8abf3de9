import { SigningKey } from '../../crypto/ecdsa.ts';
import { unseal } from '../../crypto/sealed-to-key.ts';
import { makeAccountRequest } from '../../payment/account-request.ts';
import { HashChain } from '../../payment/hash-chain.ts';
import { CoinWorld, type Peer } from '../coin-peers.fixture.ts';
import { p2pNetpay } from './index.ts';
import {
  boughtReply,
  brokerOperation,
  buyBody,
  operation,
  payMessage,
  schemeId,
  targetMessage,
  visit,
  visitMessage,
} from './messages.ts';
import { nobody, unitMsat } from './terms.ts';

export const start = 10n ** 9n;
export const session = 1;

export function worldOf(seed: string) {
  const world = new CoinWorld(p2pNetpay, seed);
  const [payer, first, second, third] = ['payer', 'first', 'second', 'third'].map(name => world.peer(name));
  return { world, broker: world.broker, payer, first, second, third };
}

export interface Word {
  readonly index: number;
  readonly word?: Uint8Array;
}

/** A chain that the payer buys with its own hands, and what it says of it. */
export function chainOf({ broker, payer }: ReturnType<typeof worldOf>, count: number) {
  const { entropy } = payer.process.host;
  const user = new SigningKey(new Uint8Array(32).fill(51));
  const body = buyBody.encode({ operation: brokerOperation.buy, user: user.publicKey, count, unitMsat });
  const reply = payer.ask(broker.at, makeAccountRequest(payer.account, entropy, body));
  const bought = boughtReply.decode(reply as Uint8Array);
  if (bought === undefined) throw new Error('no chain was sold');
  const { touchstone, seed } = bought;
  const words = new HashChain(touchstone.chain, unseal(user, seed) as Uint8Array, count);
  const target = (vendor: Peer, at: number) =>
    targetMessage.decode(vendor.process.turn(() => vendor.payee.target(at)));
  return {
    user,
    words,
    touchstone,
    visit(
      vendor: Peer,
      at: number,
      step: number,
      from?: Peer,
      pays: Word = { index: from === undefined ? 1 : 0 },
    ) {
      const said = visit.sign(user, {
        chain: touchstone.chain,
        step,
        vendor: vendor.account.publicKey,
        from: from?.account.publicKey ?? nobody,
        nonce: target(vendor, at)?.nonce ?? new Uint8Array(16),
      });
      const { index, word = words.word(index) } = pays;
      const part = { scheme: schemeId, operation: operation.visit, touchstone, visit: said };
      const previous = from?.at ?? vendor.at;
      return { said, payment: visitMessage.encode({ ...part, previous, index, word }) };
    },
    pay: (index: number) =>
      payMessage.encode({ scheme: schemeId, operation: operation.pay, index, word: words.word(index) }),
  };
}

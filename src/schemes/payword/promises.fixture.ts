import { scriptOfAddress } from '../../bitcoin/wallet.ts';
import type { BrokerDisk } from '../../broker/broker-lab.fixture.ts';
import type { SigningKey } from '../../crypto/ecdsa.ts';
import { makeAccountRequest } from '../../payment/account-request.ts';
import { HashChain } from '../../payment/hash-chain.ts';
import { CoinWorld, type Peer } from '../coin-peers.fixture.ts';
import { payword } from './index.ts';
import {
  brokerOperation,
  certificate,
  certifyBody,
  commitment,
  openMessage,
  operation,
  schemeId,
  targetMessage,
} from './messages.ts';
import { type Certificate, type Commitment, creditMsat } from './terms.ts';

export const start = 10n ** 9n;
/** A hundred words are worth all that is ever lent to one account. */
export const [unitMsat, count] = [creditMsat / 100n, 100];
export const session = 1;

/** A payer, vendors, and a broker that has money of its own to lend. */
export function sceneOf(seed: string, variant: string, disk?: BrokerDisk) {
  const world = new CoinWorld(payword, seed, disk);
  const { broker } = world;
  broker.lendsMsat = 2n * creditMsat;
  broker.chain.issue(scriptOfAddress(broker.addressFor(broker.key))!, 1_000_000n);
  broker.mine();
  const payer = world.peer('payer', variant);
  const vendors = ['first', 'second', 'third'].map(name => world.peer(name, variant));
  return { broker, payer, vendors };
}

type Broker = CoinWorld['broker'];

export function ask(payer: Peer, broker: Broker, body: Uint8Array): Uint8Array | string {
  return payer.ask(broker.at, makeAccountRequest(payer.account, payer.process.host.entropy, body));
}

/** A promise to that vendor, under the name that its target gives. */
export function promise(payer: SigningKey, vendor: Peer, backing: Uint8Array, expiry: number) {
  const { payee, name } = targetMessage.decode(vendor.process.turn(() => vendor.payee.target(session)))!;
  const words = new HashChain(name, new Uint8Array(32).fill(7), count);
  const { publicKey } = payer;
  const said = { payer: publicKey, payee, name, root: words.root, unitMsat, count, expiry, backing };
  return { said: commitment.sign(payer, said), words };
}

export function open(said: Commitment, words: HashChain, index: number, backing: Uint8Array, prepaid: 0 | 1) {
  const part = { scheme: schemeId, operation: operation.open, prepaid, backing, commitment: said };
  return openMessage.encode({ ...part, index, word: words.word(index) });
}

export function certificateOf(payer: Peer, broker: Broker): Certificate {
  const body = certifyBody.encode({ operation: brokerOperation.certify, limitMsat: creditMsat });
  return certificate.decode(ask(payer, broker, body) as Uint8Array)!;
}

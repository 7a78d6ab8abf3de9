import { BatchedParty } from '../batches.ts';
import type { BrokeredDesk, BrokeredNode, BrokeredOptions } from '../brokered.ts';
import { once } from '../once.ts';
import type { Party, Payee, PayeeSigner, Payer, SchemeHost, Value } from '../scheme.ts';
import type { CoinSetup } from './coin-setup.ts';

/** All coins of one node, whichever side of it got them. */
export interface CoinPurse {
  /** Value ever received of others, and ever given to others, by this node's records. */
  readonly receivedMsat: Value;
  readonly partedMsat: Value;
  spendable(): readonly { readonly value: Value }[];
}

/** The sides of a node of coins, which share what is in its purse. */
export interface CoinSides<P extends CoinPurse> {
  readonly id: number;
  readonly name: string;
  purse(setup: CoinSetup): P;
  payer(setup: CoinSetup, purse: P): Payer;
  payee(setup: CoinSetup, purse: P, signer: PayeeSigner): Payee & { deposit(): void };
  /** Answers for what the node manages: coins that it owns, payments in which it assists. */
  party(setup: CoinSetup, purse: P): Party;
}

/** One life of a node of coins. */
export function coinNode<P extends CoinPurse>(sides: CoinSides<P>, options: BrokeredOptions): BrokeredNode {
  const { account, broker, self, variant } = options;
  let payee: ReturnType<CoinSides<P>['payee']> | undefined;
  let purse: P | undefined;
  let pays = false;
  const purseOf = once((setup: CoinSetup) => {
    purse = sides.purse(setup);
    return purse;
  });
  /** Each side asks, and is answered, by the host that it was made with. */
  const partsOf = (host: SchemeHost): [CoinSetup, P] => {
    const at = () => (payee === undefined ? undefined : self);
    const setup: CoinSetup = { host, account, broker, self: at, pays: () => pays, variant };
    return [setup, purseOf(setup)];
  };
  return {
    id: sides.id,
    name: sides.name,
    payer(host) {
      pays = true;
      return sides.payer(...partsOf(host));
    },
    payee(host, signer) {
      payee = sides.payee(...partsOf(host), signer);
      return payee;
    },
    party: host => new BatchedParty(sides.party(...partsOf(host)), () => host.newAsk()),
    desk: coinDesk(
      () => purse,
      () => payee?.deposit(),
    ),
  };
}

function coinDesk(purse: () => CoinPurse | undefined, deposit: () => void): BrokeredDesk {
  return {
    get receivedMsat() {
      return purse()?.receivedMsat ?? 0n;
    },
    get partedMsat() {
      return purse()?.partedMsat ?? 0n;
    },
    get spendableMsat() {
      return (purse()?.spendable() ?? []).reduce((sum, { value }) => sum + value, 0n);
    },
    deposit,
  };
}

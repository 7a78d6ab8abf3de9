import { scriptOfAddress } from '../bitcoin/wallet.ts';
import { BrokerLab } from '../broker/broker-lab.fixture.ts';
import { SigningKey } from '../crypto/ecdsa.ts';
import { Ed25519Key } from '../crypto/ed25519.ts';
import type { BrokeredDesk, BrokeredScheme } from '../payment/brokered.ts';
import type { SchemeWorld } from '../payment/compliance-talk.ts';
import type { PaymentScheme, Value } from '../payment/scheme.ts';
import type { Endpoint } from '../ports.ts';
import type { SimProcess } from '../sim/sim-process.ts';

const identity = new Ed25519Key(new Uint8Array(32).fill(7));

/** A node of a world with a broker: its process, its account, where it is asked. */
export interface BrokeredNode {
  readonly process: SimProcess;
  readonly account: SigningKey;
  readonly at: Endpoint;
  /** The scheme for one life of the node. */
  scheme(): PaymentScheme;
}

export interface BrokeredWorldOptions {
  readonly scheme: BrokeredScheme;
  readonly variant?: string;
  /** What the payer's account, and the broker's own, begin with. */
  readonly accountSat?: bigint;
  readonly houseSat?: bigint;
}

/** How a scheme's records tell what they hold, and what was given away. */
export type Reckoning = (records: ReadonlyMap<string, Uint8Array>) => Value;

/** A broker, and nodes with accounts around it, in virtual time. */
export class BrokeredLab {
  readonly broker: BrokerLab;
  readonly #options: BrokeredWorldOptions;
  #nodes = 0;

  constructor(options: BrokeredWorldOptions) {
    const { scheme, variant = '', houseSat = 0n } = options;
    this.#options = options;
    this.broker = new BrokerLab(`${scheme.name} ${variant}`, [scheme]);
    this.broker.lendsMsat = houseSat * 1_000n;
    if (houseSat > 0n) this.pay(this.broker.key, houseSat);
  }

  /** @param sat that its account begins with. */
  node(name: string, sat: Value = 0n): BrokeredNode {
    this.#nodes += 1;
    const { scheme, variant } = this.#options;
    const at = { host: `10.0.1.${this.#nodes}`, port: 80 };
    const account = new SigningKey(new Uint8Array(32).fill(100 + this.#nodes));
    if (sat > 0n) this.pay(account, sat);
    const broker = { endpoint: this.broker.at, key: this.broker.key.publicKey };
    return {
      process: this.broker.start(name, at),
      account,
      at,
      scheme: () => scheme.node({ broker, account, self: at, variant }),
    };
  }

  /** Bitcoins are paid into an account. */
  pay(account: SigningKey, sat: Value): void {
    const address = this.broker.addressFor(account);
    this.broker.chain.issue(scriptOfAddress(address) as Uint8Array, sat);
    this.broker.mine();
  }
}

/**
 * For the compliance kit: a payer whose account has money, a payee, and the broker.
 * @param held what the payee holds by its records; absent: what the node itself says, for schemes that keep all there is to know.
 */
export async function brokeredWorld(
  options: BrokeredWorldOptions,
  held?: Reckoning,
  parted?: Reckoning,
): Promise<SchemeWorld> {
  const accountSat = options.accountSat ?? 1_000_000n;
  const lab = new BrokeredLab(options);
  const { broker } = lab;
  const payer = lab.node('payer', accountSat);
  const payee = lab.node('payee');
  const desks: { payer?: BrokeredDesk; payee?: BrokeredDesk } = {};
  return {
    payer: payer.process,
    payee: payee.process,
    signer: { ed25519: identity.publicKey, sign: message => identity.sign(message) },
    scheme(side) {
      const scheme = side === 'payer' ? payer.scheme() : payee.scheme();
      if ('desk' in scheme) desks[side] = scheme.desk as BrokeredDesk;
      return scheme;
    },
    settle: async () => {
      broker.run(500);
      broker.expectBacked();
    },
    mine: async () => broker.mine(),
    firstMsat: 1_000n,
    budgetMsat: 2_000_000n,
    beyondMsat: accountSat * 1_000n + 1n,
    held: () => held?.(payee.process.store.durable()) ?? desks.payee?.receivedMsat ?? 0n,
    parted: () => parted?.(payer.process.store.durable()) ?? desks.payer?.partedMsat ?? 0n,
    breakParties: how => {
      broker.parties.trouble = () => how;
    },
  };
}

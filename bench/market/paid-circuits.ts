import { type Machine, partyPort } from '../../scripts/sim/machine-room.ts';
import { addressOf, PaidNetwork } from '../../scripts/sim/paid-network.ts';
import { brokerAt, SimBroker } from '../../scripts/sim/trial/sim-broker.ts';
import { assert } from '../../src/base/assert.ts';
import type { RelayCircuit } from '../../src/circuit/relay-circuit.ts';
import { SigningKey } from '../../src/crypto/ecdsa.ts';
import type { PaymentScheme } from '../../src/payment/scheme.ts';
import { type BitcoinChannelScheme, bitcoinChannel } from '../../src/schemes/bitcoin-channel/index.ts';
import { SeededEntropy } from '../../src/sim/seeded-entropy.ts';
import { cellBytes } from './cell-bytes.ts';
import { type TransactionsSince, transactionsSince } from './chain.ts';
import { Meter } from './meter.ts';
import { meteredScheme } from './metered-scheme.ts';
import type { SchemeSubject } from './subjects.ts';

const relays = 3;
const clientSat = 4_000_000n;
/** Relays lay it by at the broker: an assistant puts up a bond. */
const relaySat = 1_000_000n;
const houseSat = 1_000_000n;
const channelCoins = 24;
const blockMs = 10_000;
/** Peers assist from the epoch on that follows the one in which they offered to. */
const settlingInMs = 180_000;
/** A circuit has ended, and so long after it all that was earned is handed in, and is on the chain. */
const settleMs = 120_000;

/** What passed between payers and payees, as cells of their circuits carry it. */
interface Carried {
  /** Payments with value that were credited. */
  payments: number;
  valueMsat: bigint;
  redeems: number;
  receipts: number;
  /** REDEEM and RECEIPT cells, … */
  cells: number;
  /** … their bodies, with the headers of fragments, … */
  bytes: number;
  /** … and these cells whole, once for each link that they passed. */
  linkBytes: number;
}

/**
 * One client, three relays and the broker, or for channels the chain, in virtual time: the product's own cores, whose
 * circuits carry downloads and are paid for by one scheme.
 */
export class PaidCircuits {
  readonly network: PaidNetwork;
  readonly meter: Meter;
  readonly #subject: SchemeSubject;
  readonly #seed: string;
  readonly #channels: BitcoinChannelScheme[] = [];
  #meter: Meter | undefined;
  readonly #carried: Carried = {
    payments: 0,
    valueMsat: 0n,
    redeems: 0,
    receipts: 0,
    cells: 0,
    bytes: 0,
    linkBytes: 0,
  };
  #height = 0;
  /** By name of the relay: how many links it is away. */
  readonly #links = new Map<string, number>();

  /** @param window cells that one payment buys, at that price for 2^20 of them. */
  constructor(subject: SchemeSubject, seed: string, { window, price }: { window: number; price: bigint }) {
    this.#subject = subject;
    this.#seed = seed;
    this.network = new PaidNetwork({
      seed,
      relays,
      exits: 1,
      clients: 1,
      priceMsatPer2Pow20: price,
      window,
      schemeFor: (role, index) => {
        const name = role === 'payee' ? `relay${index}` : `client${index}`;
        return meteredScheme(this.#scheme(role, index), run =>
          this.#meter === undefined ? run() : this.#meter.within(name, run),
        );
      },
      watch: {
        relayBegan: () => {},
        relayDied: () => {},
        clientBegan: () => {},
        circuitEnded: () => {},
        circuitBegan: (relay, circuit, balance) => {
          const credit = balance.credit.bind(balance);
          balance.credit = msat => {
            if (msat > 0n) {
              this.#carried.payments += 1;
              this.#carried.valueMsat += msat;
            }
            return credit(msat);
          };
          this.#tap(`relay${relay}`, circuit);
        },
        circuitOpened: (_client, { path }) => {
          for (const [hop, { nickname }] of path.entries()) this.#links.set(nickname, hop + 1);
        },
      },
    });
    this.meter = new Meter(this.network.world, party => party === 'broker');
    this.#meter = this.meter;
    this.network.parties.tap = exchange => this.meter.onExchange(exchange);
    const mine = (): void => {
      this.network.chain.mine();
      this.network.world.after(blockMs * 1_000, mine);
    };
    this.network.world.after(blockMs * 1_000, mine);
    this.#endow();
    this.network.world.runFor(settlingInMs);
    // What a payment costs begins with the first purchase.
    this.meter.reset();
    this.#height = this.network.chain.height;
  }

  get carried(): Readonly<Carried> {
    return this.#carried;
  }

  get onChain(): TransactionsSince {
    return transactionsSince(this.network.chain, this.#height);
  }

  /** The client fetches so many bytes through a circuit of its own, ends it and starts anew; all that was earned is handed in. */
  transfer(bytes: number): void {
    const { network } = this;
    network.bootstrap();
    const before = network.users.complete;
    network.transfer(bytes);
    const { why } = network.users.downloads.at(-1) ?? {};
    assert(network.users.complete === before + 1, `${this.#subject.name}: the whole file comes: ${why}`);
    network.stopClients();
    network.world.runFor(settleMs);
    network.restartClient(0);
  }

  /** Nothing is counted any more. */
  end(): void {
    this.meter.stop();
  }

  #tap(relay: string, circuit: RelayCircuit): void {
    const { payee } = circuit;
    if (payee === undefined) return;
    const passed = (body: Uint8Array): void => {
      this.#carried.cells += 1;
      this.#carried.bytes += body.length;
      this.#carried.linkBytes += cellBytes * (this.#links.get(relay) ?? 0);
    };
    const onRedeem = payee.onRedeem.bind(payee);
    payee.onRedeem = body => {
      passed(body);
      if (isFirst(body)) this.#carried.redeems += 1;
      return onRedeem(body);
    };
    const sendReceipt = circuit.sendReceipt.bind(circuit);
    circuit.sendReceipt = body => {
      passed(body);
      if (isFirst(body)) this.#carried.receipts += 1;
      sendReceipt(body);
    };
  }

  #scheme(role: 'payer' | 'payee', index: number): PaymentScheme {
    const { scheme, variant } = this.#subject;
    if (scheme === undefined) {
      const channels = bitcoinChannel({ network: 'regtest' });
      if (role === 'payer') this.#channels[index] = channels;
      return channels;
    }
    return scheme.node({
      broker: { endpoint: brokerAt, key: this.#keyOf('broker').publicKey },
      account: this.#keyOf(`${role}${index}`),
      self: { host: addressOf(role, index), port: partyPort },
      variant,
    });
  }

  #endow(): void {
    const { network } = this;
    const { scheme } = this.#subject;
    if (scheme === undefined) {
      this.#fundWallet(network.clients[0].machine);
      return;
    }
    const broker = new SimBroker(network, scheme, this.#keyOf('broker'), houseSat * 1_000n);
    broker.pay(this.#keyOf('broker'), houseSat);
    broker.pay(this.#keyOf('payer0'), clientSat);
    for (const { index } of network.relays) broker.pay(this.#keyOf(`payee${index}`), relaySat);
    network.chain.mine();
  }

  /** Coins with an address of each, in blocks. */
  #fundWallet({ host }: Machine): void {
    const wallet = this.#channels[0].desk.wallet('payer');
    assert(wallet !== undefined, 'a payer has a wallet');
    for (let coin = 0; coin < channelCoins; coin++) {
      const script = host.node.turn(() => wallet.address.script);
      this.network.chain.issue(script, clientSat / BigInt(channelCoins));
      this.network.chain.mine();
      this.network.world.runFor(1_000);
    }
  }

  #keyOf(name: string): SigningKey {
    return new SigningKey(new SeededEntropy(`${this.#seed}/account/${name}`).bytes(32));
  }
}

/** A message's first fragment: its index is in the third byte. */
const isFirst = (body: Uint8Array): boolean => body[2] === 0;

import { PaymentTemplate } from '../src/bitcoin/payment-tx.ts';
import type { Wallet } from '../src/bitcoin/wallet.ts';
import { relayCommand } from '../src/cell/commands.ts';
import { decodeReceipt, FragmentAssembler, fragment, type Receipt } from '../src/cell/payment-messages.ts';
import { signDigest } from '../src/crypto/ecdsa.ts';
import type { Paid } from '../src/payment/scheme.ts';
import type { Channel } from '../src/schemes/bitcoin-channel/channel.ts';
import { payMessage, paymentOp, schemeId } from '../src/schemes/bitcoin-channel/messages.ts';
import { ChannelPayer } from '../src/schemes/bitcoin-channel/payer.ts';
import { setUpRole } from '../src/schemes/bitcoin-channel/role-setup.ts';
import { TestSide } from '../src/schemes/bitcoin-channel/test-world.ts';
import { BitcoindHost } from './bitcoind-host.fixture.ts';
import type { DishonestCircuit } from './dishonest-circuit.fixture.ts';
import type { LabNetwork } from './lab-network.fixture.ts';

const coins = 12;
const coinSat = 200_000n;

/** A wallet on the lab's chain whose owner opens channels as it must, and then signs whatever the test wants it to. */
export class DishonestPayer {
  readonly #host: BitcoindHost;
  readonly #side: TestSide<ChannelPayer>;
  readonly #wallet: Wallet;
  #lastSession = 0;

  constructor(lab: LabNetwork) {
    this.#host = new BitcoindHost(lab.state.chain);
    const setup = setUpRole('payer', { network: 'regtest' }, this.#host.host);
    this.#wallet = setup.wallet;
    this.#side = new TestSide(this.#host, host => new ChannelPayer(host, setup));
  }

  static async start(lab: LabNetwork): Promise<DishonestPayer> {
    const payer = new DishonestPayer(lab);
    for (let coin = 0; coin < coins; coin++) await lab.faucet(payer.#wallet.takeAddress().address, coinSat);
    await lab.mine(1);
    const seen = () => payer.#wallet.coins.filter(coin => coin.height !== undefined).length;
    if (!(await payer.#host.until(() => seen() === coins)))
      throw new Error(`the wallet sees ${seen()} of ${coins} coins`);
    return payer;
  }

  /** Opens a channel of that size with a hop of a circuit, over the circuit; nothing is paid yet. */
  async channel(
    circuit: DishonestCircuit,
    hop: number,
    ed25519: Uint8Array,
    sat = 20_000n,
  ): Promise<DishonestChannel> {
    this.#lastSession += 1;
    const session = this.#lastSession;
    const talk = new RedeemTalk(circuit, hop);
    this.#side.side.begin(session, { ed25519 }, sat * 1_000n);
    let { target } = await talk.ask();
    for (;;) {
      const paid = await this.#side.result<Paid>(session, payer => payer.pay(session, target, 0n));
      const found = [...this.#side.side.book.live].find(each => each.session === session);
      if (paid?.kind === 'ready' && found !== undefined) return new DishonestChannel(talk, found);
      if (paid?.kind !== 'send') throw new Error(`no channel: ${JSON.stringify(paid)}`);
      await this.#side.commit(paid.persist);
      target = (await talk.redeem(paid.payment)).target;
    }
  }

  stop(): Promise<void> {
    return this.#host.stop();
  }
}

/** REDEEM and RECEIPT with one hop of a circuit; nothing is checked. */
export class RedeemTalk {
  readonly circuit: DishonestCircuit;
  readonly hop: number;
  readonly #assembler = new FragmentAssembler();
  #lastMessage = 0;

  constructor(circuit: DishonestCircuit, hop: number) {
    this.circuit = circuit;
    this.hop = hop;
  }

  /** Price, balance and target, for the asking. */
  ask(): Promise<Receipt> {
    return this.redeem(new Uint8Array(0));
  }

  /** Sends any bytes as a payment; what the hop answers. */
  redeem(payment: Uint8Array): Promise<Receipt> {
    this.#lastMessage += 1;
    for (const body of fragment(this.#lastMessage, payment)) this.sendBody(body);
    return this.#receipt();
  }

  /** The body of one REDEEM cell, whatever it holds. */
  sendBody(body: Uint8Array): void {
    this.circuit.send(this.hop, relayCommand.redeem, body);
  }

  async #receipt(): Promise<Receipt> {
    for (;;) {
      const added = this.#assembler.add((await this.circuit.next(relayCommand.receipt)).body);
      if (!added.ok) throw new Error(added.fault.code);
      const receipt = added.value && decodeReceipt(added.value.bytes);
      if (receipt !== undefined) return receipt;
      if (added.value !== undefined) throw new Error('a RECEIPT that cannot be read');
    }
  }
}

/** An open channel and its keys, in the hands of somebody who signs anything. */
export class DishonestChannel {
  /** With the hop that it pays. */
  readonly talk: RedeemTalk;
  readonly #channel: Channel;

  constructor(talk: RedeemTalk, channel: Channel) {
    this.talk = talk;
    this.#channel = channel;
  }

  /** The channel's name on the wire. */
  get id(): Uint8Array {
    return this.#channel.id;
  }

  /** The most that it can pay. */
  get satMax(): bigint {
    return this.#channel.payments.satMax;
  }

  /** PAY of a cumulative amount. One above satMax is signed as if the contract held more. */
  payment(sat: bigint): Uint8Array {
    const { terms } = this.#channel.record;
    const capacitySat = terms.capacitySat + (sat > this.satMax ? sat - this.satMax : 0n);
    const digest = new PaymentTemplate({ ...terms, capacitySat }).digest(sat);
    const signature = signDigest(this.#channel.keys.secret, digest);
    const { best } = this.#channel;
    // It knows what it has signed: a payment that it could not remember would tell it that its records are old.
    if (sat > best.paidSat && sat <= this.satMax)
      this.#channel.best = { paidSat: sat, signature, payments: best.payments + 1 };
    const { id } = this;
    return payMessage.encode({ scheme: schemeId, op: paymentOp.pay, channel: id, paidSat: sat, signature });
  }

  /** Pays a cumulative amount as it should be done. */
  pay(sat: bigint): Promise<Receipt> {
    return this.talk.redeem(this.payment(sat));
  }
}

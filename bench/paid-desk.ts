import { setImmediate as turn } from 'node:timers/promises';
import { assert } from '../src/base/assert.ts';
import { exitCode, OperatorError } from '../src/base/fault.ts';
import { decodeReceipt, FragmentAssembler, fragment, type Receipt } from '../src/cell/payment-messages.ts';
import { Ed25519Key } from '../src/crypto/ed25519.ts';
import { FileStore } from '../src/node-io/file-store.ts';
import { SystemEntropy } from '../src/node-io/system-entropy.ts';
import { CellBalance } from '../src/payment/cell-balance.ts';
import { PayeeDesk } from '../src/payment/payee-desk.ts';
import type { PayeeSession, PayeeSessionHost } from '../src/payment/payee-session.ts';
import { type Paid, type Payee, type Payer, paymentStatus, type SessionId } from '../src/payment/scheme.ts';
import type { StorePort } from '../src/ports.ts';
import { bitcoinChannel } from '../src/schemes/bitcoin-channel/index.ts';
import { SimChain } from '../src/sim/sim-chain.ts';
import { SimChainPort } from '../src/sim/sim-chain-port.ts';
import { SimNode } from '../src/sim/sim-node.ts';
import { SimStore } from '../src/sim/sim-store.ts';
import { VirtualClock } from '../src/sim/virtual-clock.ts';
import { World } from '../src/sim/world.ts';

const priceMsat = 50_000_000n;
const coinSat = 1_000_000n;
const budgetMsat = 500_000_000n;
const firstPaymentMsat = 1_000_000n;
/** What can be told apart: a satoshi. */
const nextPaymentMsat = 1_000n;
/** Turns in which nothing happens and nothing is under way to the disk: all that is left to wait for is a block. */
const quietTurnsMax = 20;
const blocksMax = 20;

/**
 * A relay's desk for payments, with its records on a real disk and its contracts on a simulated chain, and a payer with
 * an open channel for each session. No cell and no link stands between them: what is measured is the payment alone.
 */
export class PaidDesk {
  readonly sessions: PaidSession[] = [];
  readonly #world = new World({ seed: 'bench' });
  readonly #chain = new SimChain();
  readonly #relay = new SimNode(this.#world, 'relay');
  readonly #client = new SimNode(this.#world, 'client');
  readonly #store: FileStore;
  readonly #desk: PayeeDesk;
  readonly #scheme = bitcoinChannel({ network: 'regtest' });
  readonly #payer: Payer;
  readonly #identity: Uint8Array;
  readonly #outcomes = new Map<SessionId, Paid>();
  #payee: Payee | undefined;
  #lastAsk = 0;
  /** Under way to the disk. */
  #commits = 0;
  /** Set-up talks to the chain, which is simulated and takes calls in turns of the node alone; payments do not. */
  #settingUp = true;

  /** @param directory where the records are. */
  constructor(directory: string) {
    this.#store = new FileStore({
      directory,
      onBroken: why => {
        throw why;
      },
    });
    this.#store.attach({
      onAnswer: answer => {
        this.#commits -= 1;
        if (this.#settingUp) this.#relay.turn(() => this.#desk.onAnswer(answer));
        else this.#desk.onAnswer(answer);
      },
    });
    const store: StorePort = {
      get: key => this.#store.get(key),
      list: prefix => this.#store.list(prefix),
      commit: (writes, ask) => {
        this.#commits += 1;
        this.#store.commit(writes, ask);
      },
    };
    const identity = new Ed25519Key(new SystemEntropy().bytes(32));
    const chain = new SimChainPort(this.#relay, this.#chain);
    const scheme = bitcoinChannel({ network: 'regtest' });
    const payee = (...given: Parameters<typeof scheme.payee>): Payee => {
      this.#payee = scheme.payee(...given);
      return this.#payee;
    };
    this.#desk = this.#relay.turn(
      () =>
        new PayeeDesk({
          schemes: [{ ...scheme, payee }],
          signer: { ed25519: identity.publicKey, sign: message => identity.sign(message) },
          // The chain's time: it stands still once channels are open, so that the chain is never silent for too long.
          clock: new VirtualClock(this.#relay),
          entropy: new SystemEntropy(),
          chain,
          store,
          observer: { log() {}, count() {} },
          newAsk: () => ++this.#lastAsk,
        }),
    );
    this.#relay.turn(() =>
      chain.attach({
        onAnswer: answer => void this.#desk.onAnswer(answer),
        onChain: event => this.#desk.onChain(event),
      }),
    );
    this.#identity = identity.publicKey;
    this.#payer = this.#startPayer();
  }

  #startPayer(): Payer {
    const node = this.#client;
    const chain = new SimChainPort(node, this.#chain);
    const store = new SimStore(node);
    let asks = 0;
    const clock = new VirtualClock(node);
    const { entropy, observer } = node;
    const host = { clock, entropy, chain, store, observer, newAsk: () => ++asks };
    const payer = node.turn(() => this.#scheme.payer(host));
    const handler: Parameters<SimStore['attach']>[0] = {
      onAnswer: answer => {
        const outcome = payer.onAnswer(answer);
        if (outcome !== undefined) this.#outcomes.set(outcome.session, outcome.result);
      },
      onChain: event => payer.onChain(event),
    };
    store.attach(handler);
    node.turn(() => chain.attach(handler));
    return payer;
  }

  /** Opens channels, each with a first payment that was credited. */
  async open(sessions: number): Promise<void> {
    const wallet = this.#scheme.desk.wallet('payer');
    assert(wallet !== undefined, 'a payer has a wallet');
    for (let coin = 0; coin < sessions; coin++) this.#chain.issue(wallet.address.script, coinSat);
    this.#chain.mine();
    this.#world.runUntilIdle();
    for (let id = 1; id <= sessions; id++) this.sessions.push(this.#newSession(id));
    let open = 0;
    const opening = Promise.all(
      this.sessions.map(async session => {
        await this.#setUp(session);
        open += 1;
      }),
    );
    for (let quiet = 0, blocks = 0; open < sessions; ) {
      const stepsBefore = this.#world.steps;
      this.#world.runUntilIdle();
      await Promise.race([turn(), opening]);
      quiet = this.#world.steps === stepsBefore && this.#commits === 0 ? quiet + 1 : 0;
      if (quiet < quietTurnsMax) continue;
      quiet = 0;
      blocks += 1;
      assert(blocks <= blocksMax, 'channels open within some blocks');
      this.#chain.mine();
    }
    await opening;
    this.#settingUp = false;
  }

  /** The next payments of a session, signed ahead; the desk has not seen them. */
  sign(session: PaidSession, count: number): Uint8Array[] {
    return Array.from({ length: count }, () => {
      const paid = this.#payer.pay(session.id, session.target, nextPaymentMsat);
      if (paid.kind !== 'send') throw refusal(paid);
      return paid.payment;
    });
  }

  /** Verifies payments, without making them durable and without a receipt: what the scheme's own part costs. */
  verify(session: PaidSession, payments: readonly Uint8Array[]): void {
    for (const payment of payments) {
      const redeemed = this.#payee?.redeem(session.id, payment);
      assert(redeemed?.kind === 'added' && redeemed.value === nextPaymentMsat, 'a payment of one satoshi');
    }
  }

  async stop(): Promise<void> {
    await this.#store.close();
  }

  #newSession(id: SessionId): PaidSession {
    const balance = new CellBalance(priceMsat);
    const session = this.#relay.turn(() => new PaidSession(id, host => this.#desk.open(host, balance)));
    this.#client.turn(() => this.#payer.begin(id, { ed25519: this.#identity }, budgetMsat));
    return session;
  }

  /** What a client does with its receipts, until its first payment was credited. */
  async #setUp(session: PaidSession): Promise<void> {
    await this.#redeem(session, new Uint8Array(0));
    for (;;) {
      const paid = await this.#pay(session.id, session.target);
      if (paid.kind !== 'send') throw refusal(paid);
      const { status } = await this.#redeem(session, paid.payment);
      if (status === paymentStatus.ok && paid.value > 0n) return;
      if (status === paymentStatus.ok) continue;
      assert(status === paymentStatus.unconfirmed, 'a payee that waits for the contract');
      this.#client.turn(() => this.#payer.onRefused(session.id, { code: 'unconfirmed' }));
    }
  }

  #redeem(session: PaidSession, payment: Uint8Array): Promise<Receipt> {
    return new Promise(credited =>
      this.#relay.turn(() => session.redeem(payment, receipt => credited(receipt))),
    );
  }

  async #pay(id: SessionId, target: Uint8Array): Promise<Paid> {
    const paid = this.#client.turn(() => this.#payer.pay(id, target, firstPaymentMsat));
    if (paid.kind !== 'pending') return paid;
    for (;;) {
      const outcome = this.#outcomes.get(id);
      this.#outcomes.delete(id);
      if (outcome !== undefined && outcome.kind !== 'pending') return outcome;
      await turn();
    }
  }
}

/** One paid circuit, without its cells. */
export class PaidSession implements PayeeSessionHost {
  readonly id: SessionId;
  target: Uint8Array = new Uint8Array(0);
  readonly #payee: PayeeSession;
  readonly #receipts = new FragmentAssembler();
  #messages = 0;
  #onReceipt: ((receipt: Receipt) => void) | undefined;

  constructor(id: SessionId, open: (host: PayeeSessionHost) => PayeeSession) {
    this.id = id;
    this.#payee = open(this);
  }

  /** As the bodies of REDEEM cells; `then` gets the receipt, which follows once the payment is durable. */
  redeem(payment: Uint8Array, then: (receipt: Receipt) => void): void {
    this.#onReceipt = then;
    this.#messages = (this.#messages + 1) % 65_536;
    for (const body of fragment(this.#messages, payment)) this.#payee.onRedeem(body);
  }

  sendReceipt(body: Uint8Array): void {
    const whole = this.#receipts.add(body);
    if (!whole.ok || whole.value === undefined) return;
    const receipt = decodeReceipt(whole.value.bytes);
    if (receipt === undefined) return;
    if (receipt.target.length > 0) this.target = receipt.target;
    this.#onReceipt?.(receipt);
  }

  fail(fault: { readonly code: string }): void {
    throw new OperatorError('BENCH_UNPAID', `the desk ends a circuit: ${fault.code}`, exitCode.unpaid);
  }
}

function refusal(paid: Paid): OperatorError {
  const why = paid.kind === 'refused' ? `${paid.fault.code} ${paid.fault.detail ?? ''}` : paid.kind;
  return new OperatorError('BENCH_UNPAID', `the payer does not pay: ${why}`, exitCode.unpaid);
}

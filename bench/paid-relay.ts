import { setImmediate as turn } from 'node:timers/promises';
import { RelayCore } from '../relay/relay-core.ts';
import { defaultRelaySettings } from '../relay/relay-settings.ts';
import { assert } from '../src/base/assert.ts';
import { exitCode, OperatorError } from '../src/base/fault.ts';
import { makeNodeKeys } from '../src/crypto/node-keys.ts';
import { RsaKey } from '../src/crypto/rsa.ts';
import { makeTlsCertificate } from '../src/link/link-certificates.ts';
import { FileStore } from '../src/node-io/file-store.ts';
import { noParties } from '../src/node-io/no-parties.ts';
import { SystemEntropy } from '../src/node-io/system-entropy.ts';
import { type Paid, type Payee, type Payer, paymentStatus, type SessionId } from '../src/payment/scheme.ts';
import type { LinkId, LinkPort, StorePort } from '../src/ports.ts';
import { bitcoinChannel } from '../src/schemes/bitcoin-channel/index.ts';
import { type RsaFixture, rsaFixture } from '../src/sim/rsa-fixtures.ts';
import { SimChain } from '../src/sim/sim-chain.ts';
import { SimChainPort } from '../src/sim/sim-chain-port.ts';
import { SimNetwork } from '../src/sim/sim-network.ts';
import { SimStore } from '../src/sim/sim-store.ts';
import { VirtualClock } from '../src/sim/virtual-clock.ts';
import { World } from '../src/sim/world.ts';
import type { PaidCircuit } from './paid-circuit.ts';
import { PaidClient } from './paid-client.ts';

const relayAt = { host: '11.0.0.1', port: 9_001 };
const priceMsat = 50_000_000n;
const coinSat = 1_000_000n;
const budgetMsat = 500_000_000n;
const firstPaymentMsat = 1_000_000n;
/** What can be told apart: a satoshi. */
const nextPaymentMsat = 1_000n;
/** Turns in which nothing happens and nothing is under way to the disk: all that is left to wait for is a block. */
const quietTurnsMax = 20;
/** A coinbase of the simulated chain has room for so many, and some more. */
const coinsPerBlock = 500;
const blocksMax = 20;
/** So much virtual time may pass in a turn: the longest that anything but a link's end waits. */
const turnVirtualMs = 100;
const quiet = { log() {}, count() {} };

/**
 * A whole relay core, with its records on a real disk, and a payer with an open channel over a circuit of its own for
 * each session. The chain is simulated, and so are the links until the channels are open; then cells are handed to the
 * core as its links' port would (`bring`), so that what is measured is the relay without TLS and sockets.
 */
export class PaidRelay {
  readonly circuits: PaidCircuit[] = [];
  /** What the core writes to a link, once channels are open; valid during the call. */
  onWritten: (link: LinkId, cells: Uint8Array) => void = () => {};
  readonly #world = new World({ seed: 'bench' });
  readonly #network = new SimNetwork(this.#world, { splitChance: 0 });
  readonly #chain = new SimChain();
  readonly #relay = this.#network.host('relay', { ip: relayAt.host });
  readonly #client = new PaidClient(this.#network.host('client', { ip: '11.1.0.1' }), relayAt);
  readonly #store: FileStore;
  readonly #core: RelayCore;
  readonly #scheme = bitcoinChannel({ network: 'regtest' });
  readonly #payer: Payer;
  readonly #identity: Uint8Array;
  readonly #outcomes = new Map<SessionId, Paid>();
  #payee: Payee | undefined;
  /** Under way to the disk. */
  #commits = 0;
  /** Set-up talks to chain and network, which are simulated and take calls in turns of the node alone. */
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
        if (this.#settingUp) this.#relay.node.turn(() => this.#core.onAnswer(answer));
        else this.#core.onAnswer(answer);
      },
    });
    const rsa = (kind: RsaFixture) => new RsaKey(rsaFixture(kind, 0));
    const keys = makeNodeKeys(new SystemEntropy(), {
      rsaIdentity: rsa('identity'),
      tls: rsa('tls'),
      tap: rsa('tap'),
    });
    this.#identity = keys.identity.publicKey;
    this.#core = this.#startCore(keys);
    const { links, node } = this.#relay;
    links.listen(
      relayAt.port,
      node.turn(() => makeTlsCertificate(keys, new VirtualClock(node).wallMs())),
    );
    this.#payer = this.#startPayer();
  }

  #startCore(keys: ReturnType<typeof makeNodeKeys>): RelayCore {
    const { node, links, streams } = this.#relay;
    const chain = new SimChainPort(node, this.#chain);
    const scheme = bitcoinChannel({ network: 'regtest' });
    const payee = (...given: Parameters<typeof scheme.payee>): Payee => {
      this.#payee = scheme.payee(...given);
      return this.#payee;
    };
    const settings = {
      ...defaultRelaySettings,
      nickname: 'relay',
      address: relayAt,
      authorities: [],
      priceMsatPer2Pow20: priceMsat,
    };
    const ports = {
      links: this.#linksOf(links),
      streams,
      clock: new VirtualClock(node),
      entropy: new SystemEntropy(),
      store: this.#storePort(),
      chain,
      parties: noParties,
      observer: quiet,
    };
    const core = node.turn(() => new RelayCore(settings, keys, ports, [{ ...scheme, payee }]));
    links.attach(core.linkHandler);
    streams.attach(core);
    node.turn(() => chain.attach(core));
    return core;
  }

  #storePort(): StorePort {
    return {
      get: key => this.#store.get(key),
      list: prefix => this.#store.list(prefix),
      commit: (writes, ask) => {
        this.#commits += 1;
        this.#store.commit(writes, ask);
      },
    };
  }

  #linksOf(port: LinkPort): LinkPort {
    return {
      open: to => port.open(to),
      write: (link, bytes) => {
        if (this.#settingUp) return port.write(link, bytes);
        this.onWritten(link, bytes);
        return true;
      },
      pendingBytes: link => port.pendingBytes(link),
      pause: link => port.pause(link),
      resume: link => port.resume(link),
      close: (link, why) => port.close(link, why),
      facts: link => port.facts(link),
    };
  }

  #startPayer(): Payer {
    const { node } = this.#client.host;
    const chain = new SimChainPort(node, this.#chain);
    const store = new SimStore(node);
    let asks = 0;
    const clock = new VirtualClock(node);
    const { entropy, observer } = node;
    const host = { clock, entropy, chain, store, parties: noParties, observer, newAsk: () => ++asks };
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

  /** Opens channels, each over a circuit of its own, with a first payment that was credited. */
  async open(circuits: number): Promise<void> {
    const wallet = this.#scheme.desk.wallet('payer');
    assert(wallet !== undefined, 'a payer has a wallet');
    const { script } = this.#client.host.node.turn(() => wallet.address);
    for (let coin = 1; coin <= circuits; coin++) {
      this.#chain.issue(script, coinSat);
      if (coin % coinsPerBlock === 0 || coin === circuits) this.#chain.mine();
    }
    let open = 0;
    const opening = Promise.all(
      Array.from({ length: circuits }, async (_, at) => {
        const circuit = await this.#newCircuit(at + 1);
        this.circuits[at] = circuit;
        await this.#setUp(circuit);
        open += 1;
      }),
    );
    for (let quiet = 0, blocks = 0; open < circuits; ) {
      const stepsBefore = this.#world.steps;
      this.#world.runUntil(() => false, { virtualMs: turnVirtualMs });
      await Promise.race([turn(), opening]);
      quiet = this.#world.steps === stepsBefore && this.#commits === 0 ? quiet + 1 : 0;
      if (quiet < quietTurnsMax) continue;
      quiet = 0;
      blocks += 1;
      assert(blocks <= blocksMax, 'channels open within some blocks');
      this.#chain.mine();
    }
    await opening;
    // From here on time stands still, soon after news of the chain, so that nobody wonders at its silence.
    this.#chain.mine();
    this.#world.runUntil(() => false, { virtualMs: turnVirtualMs });
    this.#settingUp = false;
  }

  /** Cells as one read of a link brings them. */
  bring(link: LinkId, cells: Uint8Array): void {
    this.#core.linkHandler.onBytes(link, cells);
  }

  /** The next payments of a circuit, signed ahead; the relay has not seen them. */
  sign(circuit: PaidCircuit, count: number): Uint8Array[] {
    return Array.from({ length: count }, () => {
      const paid = this.#payer.pay(circuit.session, circuit.target, nextPaymentMsat);
      if (paid.kind !== 'send') throw refusal(paid);
      return paid.payment;
    });
  }

  /** Verifies payments, without making them durable and without a receipt: what the scheme's own part costs. */
  verify(circuit: PaidCircuit, payments: readonly Uint8Array[]): void {
    for (const payment of payments) {
      const redeemed = this.#payee?.redeem(circuit.session, payment);
      assert(redeemed?.kind === 'added' && redeemed.value === nextPaymentMsat, 'a payment of one satoshi');
    }
  }

  async stop(): Promise<void> {
    await this.#store.close();
  }

  async #newCircuit(session: SessionId): Promise<PaidCircuit> {
    const circuit = await this.#client.newCircuit(session);
    this.#client.host.node.turn(() => this.#payer.begin(session, { ed25519: this.#identity }, budgetMsat));
    return circuit;
  }

  /** What a client does with its receipts, until its first payment was credited. */
  async #setUp(circuit: PaidCircuit): Promise<void> {
    await this.#client.redeem(circuit, new Uint8Array(0));
    for (;;) {
      const paid = await this.#pay(circuit.session, circuit.target);
      if (paid.kind !== 'send') throw refusal(paid);
      const { status } = await this.#client.redeem(circuit, paid.payment);
      if (status === paymentStatus.ok && paid.value > 0n) return;
      if (status === paymentStatus.ok) continue;
      assert(status === paymentStatus.unconfirmed, 'a payee that waits for the contract');
      const { node } = this.#client.host;
      node.turn(() => this.#payer.onRefused(circuit.session, { code: 'unconfirmed' }));
    }
  }

  async #pay(id: SessionId, target: Uint8Array): Promise<Paid> {
    const paid = this.#client.host.node.turn(() => this.#payer.pay(id, target, firstPaymentMsat));
    if (paid.kind !== 'pending') return paid;
    for (;;) {
      const outcome = this.#outcomes.get(id);
      this.#outcomes.delete(id);
      if (outcome !== undefined && outcome.kind !== 'pending') return outcome;
      await turn();
    }
  }
}

function refusal(paid: Paid): OperatorError {
  const why = paid.kind === 'refused' ? `${paid.fault.code} ${paid.fault.detail ?? ''}` : paid.kind;
  return new OperatorError('BENCH_UNPAID', `the payer does not pay: ${why}`, exitCode.unpaid);
}

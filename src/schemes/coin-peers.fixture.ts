import { assert } from '../base/assert.ts';
import { scriptOfAddress } from '../bitcoin/wallet.ts';
import { type BrokerDisk, BrokerLab } from '../broker/broker-lab.fixture.ts';
import { SigningKey } from '../crypto/ecdsa.ts';
import { Ed25519Key } from '../crypto/ed25519.ts';
import type { BrokeredScheme } from '../payment/brokered.ts';
import { CommitQueue } from '../payment/commit-queue.ts';
import { PartyDesk, partiesOf } from '../payment/party-desk.ts';
import type { Outcome, Paid, Payee, Payer, PaymentScheme, Redeemed, Value } from '../payment/scheme.ts';
import type {
  Answer,
  AnswerHandler,
  AskId,
  Endpoint,
  RequestHandler,
  RequestId,
  StoreWrite,
} from '../ports.ts';
import type { PartyTrouble, SimParties } from '../sim/sim-parties.ts';
import type { SimProcess } from '../sim/sim-process.ts';
import type { World } from '../sim/world.ts';

const startSat = 1_000_000n;

/** Peers that pay each other by coins, and their broker, in a simulated world. */
export class CoinWorld {
  readonly broker: CoinBroker;
  readonly scheme: BrokeredScheme;
  readonly #troubles = new Map<string, PartyTrouble>();
  #peers = 0;

  constructor(scheme: BrokeredScheme, seed: string, disk?: BrokerDisk) {
    this.scheme = scheme;
    this.broker = new CoinBroker(seed, scheme, disk);
    this.parties.trouble = ({ port }) => this.#troubles.get(String(port));
  }

  get world(): World {
    return this.broker.world;
  }

  get parties(): SimParties {
    return this.broker.parties;
  }

  /** A node with an account of 10^9 msat. */
  peer(name: string, variant?: string): Peer {
    this.#peers += 1;
    const number = 100 + this.#peers;
    // Before it begins: an assistant needs a bond.
    const script = scriptOfAddress(this.broker.addressFor(accountOf(number)));
    assert(script !== undefined, 'the broker gives an address to an account');
    this.broker.chain.issue(script, startSat);
    this.broker.mine();
    return new Peer(this, name, number, variant);
  }

  trouble(at: Endpoint, trouble: PartyTrouble | undefined): void {
    if (trouble === undefined) this.#troubles.delete(String(at.port));
    else this.#troubles.set(String(at.port), trouble);
  }

  /** From now on whoever is asked there says this, whatever it is asked. */
  answerAt(at: Endpoint, bytes: Uint8Array): void {
    const { parties } = this.broker.start('liar');
    parties.attach({
      onAnswer() {},
      onChain() {},
      onRequest: request => parties.answer(request, { kind: 'reply', bytes }),
    });
    parties.listen(at);
  }

  /** Names of those that were asked since, as `asker > asked`. */
  watch(): string[] {
    const seen: string[] = [];
    this.parties.tap = ({ from, to }) => seen.push(`${from} > ${to}`);
    return seen;
  }

  /** Lets all happen that is under way, for so long at most. Every coin is backed then. */
  settle(virtualMs = 60_000): void {
    this.world.runUntilIdle({ virtualMs });
    this.broker.expectBacked();
  }
}

/** A node in its present life: it pays, is paid, and is asked by others. */
export class Peer implements AnswerHandler, RequestHandler {
  readonly name: string;
  readonly account: SigningKey;
  readonly at: Endpoint;
  readonly identity: Ed25519Key;
  process: SimProcess;
  payer!: Payer;
  payee!: Payee;
  scheme!: PaymentScheme;
  readonly #coins: CoinWorld;
  readonly #variant: string | undefined;
  #commits!: CommitQueue;
  #desk!: PartyDesk;
  readonly #asked = new Map<AskId, Answer>();
  #paid = new Map<number, Paid>();
  #redeemed = new Map<number, Redeemed>();
  #sessions = 0;
  #pays = true;

  constructor(coins: CoinWorld, name: string, number: number, variant: string | undefined) {
    this.name = name;
    this.account = accountOf(number);
    this.identity = new Ed25519Key(new Uint8Array(32).fill(number));
    this.at = { host: '127.0.0.1', port: number };
    this.#coins = coins;
    this.#variant = variant;
    this.process = coins.broker.start(name);
    this.#live();
  }

  /**
   * @param pays false: it is only paid from then on.
   * @param records an older copy of its records that is put back.
   */
  restart(pays = true, records?: ReadonlyMap<string, Uint8Array>): void {
    this.process = this.process.restart(records);
    this.#live(pays);
  }

  /** For good: nobody answers there any more. */
  die(): void {
    this.process = this.process.restart();
  }

  onAnswer(answer: Answer): void {
    if (this.#commits.onAnswer(answer)) return;
    if (answer.kind === 'party') this.#asked.set(answer.ask, answer);
    const paid: Outcome<Paid> | undefined = this.#pays ? this.payer.onAnswer(answer) : undefined;
    if (paid !== undefined) this.#paid.set(paid.session, paid.result);
    const redeemed = this.payee.onAnswer(answer);
    if (redeemed !== undefined) this.#redeemed.set(redeemed.session, redeemed.result);
    this.#desk.onAnswer(answer);
  }

  onChain(): void {}

  onRequest(request: RequestId, scheme: number, bytes: Uint8Array): void {
    this.#desk.onRequest(request, scheme, bytes);
  }

  /** Does something as the one thing that happens now, and lets follow what follows. */
  do(run: () => void): void {
    this.process.turn(run);
    this.#coins.settle();
  }

  /** What a request of its own making is answered with: bytes, or a word. */
  ask(to: Endpoint, request: Uint8Array): Uint8Array | string {
    const ask = this.process.host.newAsk();
    this.do(() => this.process.parties.ask(to, this.#coins.scheme.id, request, ask));
    const answer = this.#asked.get(ask);
    assert(answer?.kind === 'party', 'a party answers, or its port says why not');
    return answer.reply ?? answer.fault ?? '';
  }

  /** The next payment to that peer, made and durable; what else came of it otherwise. */
  makePayment(to: Peer, value: Value, budget = value): { readonly session: number; readonly paid: Paid } {
    this.#sessions += 1;
    const session = 1_000 * to.at.port + this.#sessions;
    const target = to.process.turn(() => to.payee.target(session));
    this.process.turn(() => this.payer.begin(session, { ed25519: to.identity.publicKey }, budget));
    return { session, paid: this.payOn(session, target, value) };
  }

  /** The same in a session that has begun, in answer to its latest target. */
  payOn(session: number, target: Uint8Array, value: Value): Paid {
    const first = this.process.turn(() => this.payer.pay(session, target, value));
    if (first.kind === 'pending') this.#coins.settle();
    const paid = first.kind === 'pending' ? this.#paid.get(session) : first;
    assert(paid !== undefined, 'a payment is made or refused');
    if (paid.kind === 'send') this.#persist(paid.persist);
    return paid;
  }

  /** What became of the last payment of a session that had to wait. */
  paidIn(session: number): Paid | undefined {
    return this.#paid.get(session);
  }

  /** What a payment comes to here. What it adds is durable then. */
  take(session: number, payment: Uint8Array): Redeemed {
    const first = this.process.turn(() => this.payee.redeem(session, payment));
    if (first.kind === 'pending') this.#coins.settle();
    const redeemed = first.kind === 'pending' ? this.#redeemed.get(session) : first;
    assert(redeemed !== undefined, 'a payment is taken or refused');
    if (redeemed.kind === 'added') this.#persist(redeemed.persist);
    return redeemed;
  }

  /** Pays: the value that was added, or why nothing was. */
  pay(to: Peer, value: Value): Value | string {
    const { session, paid } = this.makePayment(to, value);
    if (paid.kind !== 'send') return paid.kind === 'refused' ? paid.fault.code : paid.kind;
    const redeemed = to.take(session, paid.payment);
    if (redeemed.kind === 'refused') this.process.turn(() => this.payer.onRefused(session, redeemed.fault));
    this.#coins.settle();
    if (redeemed.kind === 'refused') return redeemed.fault.code;
    return redeemed.kind === 'added' ? redeemed.value : '';
  }

  #persist(writes: readonly StoreWrite[]): void {
    let durable = false;
    this.process.turn(() =>
      this.#commits.commit(writes, () => {
        durable = true;
      }),
    );
    this.#coins.settle();
    assert(durable, 'what is written becomes durable');
  }

  #live(pays = true): void {
    const { scheme, broker } = this.#coins;
    this.#pays = pays;
    this.scheme = scheme.node({
      broker: { endpoint: broker.at, key: broker.key.publicKey },
      account: this.account,
      self: this.at,
      variant: this.#variant,
    });
    const signer = {
      ed25519: this.identity.publicKey,
      sign: (message: Uint8Array) => this.identity.sign(message),
    };
    const { host, parties } = this.process;
    this.#commits = new CommitQueue(host.store, host.newAsk);
    this.process.attach(this);
    this.process.turn(() => {
      if (pays) this.payer = this.scheme.payer(host);
      this.payee = this.scheme.payee(host, signer);
      this.#desk = new PartyDesk(partiesOf([this.scheme], host), parties, this.#commits);
    });
    parties.listen(this.at);
    this.#coins.settle();
  }
}

function accountOf(number: number): SigningKey {
  return new SigningKey(new Uint8Array(32).fill(number));
}

/** The broker of peers that pay by one scheme. It looks at its deadlines when it is told to: tests of many days last less so. */
class CoinBroker extends BrokerLab {
  readonly #scheme: number;

  constructor(seed: string, scheme: BrokeredScheme, disk: BrokerDisk | undefined) {
    super(seed, [scheme], 1, false, disk);
    this.#scheme = scheme.id;
  }

  /** Value of all coins that were sold and have not come back. */
  get outstandingMsat(): Value {
    return this.core.outstandingMsat.get(this.#scheme) ?? 0n;
  }

  balanceOf({ account }: Peer): Value {
    return this.heldMsat(account.publicKey);
  }

  tick(): void {
    this.process.turn(() => this.core.tick());
    this.run(1_000);
  }
}

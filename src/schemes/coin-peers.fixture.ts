import { assert } from '../base/assert.ts';
import { toHex } from '../base/bytes.ts';
import { SigningKey } from '../crypto/ecdsa.ts';
import { Ed25519Key } from '../crypto/ed25519.ts';
import { accountRequest } from '../payment/account-request.ts';
import type { BrokerHost, BrokerSide } from '../payment/broker-side.ts';
import type { BrokeredScheme } from '../payment/brokered.ts';
import { CommitQueue } from '../payment/commit-queue.ts';
import type { SchemeWorld } from '../payment/compliance-talk.ts';
import { PartyDesk, partiesOf } from '../payment/party-desk.ts';
import type { CheatProof } from '../payment/proof.ts';
import type {
  Outcome,
  Paid,
  Payee,
  Payer,
  PaymentScheme,
  Redeemed,
  Served,
  Value,
} from '../payment/scheme.ts';
import type {
  Answer,
  AnswerHandler,
  AskId,
  Endpoint,
  RequestHandler,
  RequestId,
  StoreWrite,
} from '../ports.ts';
import { SimChain } from '../sim/sim-chain.ts';
import { type PartyTrouble, SimParties } from '../sim/sim-parties.ts';
import { SimProcess } from '../sim/sim-process.ts';
import { World } from '../sim/world.ts';

const startMsat = 10n ** 9n;

/** Peers that pay each other by coins, and their broker, in a simulated world. */
export class CoinWorld {
  readonly world: World;
  readonly chain = new SimChain();
  readonly parties = new SimParties();
  readonly broker: TestBroker;
  readonly scheme: BrokeredScheme;
  readonly #troubles = new Map<string, PartyTrouble>();
  #peers = 0;

  constructor(scheme: BrokeredScheme, seed: string) {
    this.world = new World({ seed });
    this.scheme = scheme;
    this.parties.trouble = ({ port }) => this.#troubles.get(String(port));
    this.broker = new TestBroker(this, scheme);
  }

  /** A node with an account of 10^9 msat. */
  peer(name: string, variant?: string): Peer {
    this.#peers += 1;
    const peer = new Peer(this, name, 100 + this.#peers, variant);
    this.broker.books.set(toHex(peer.account.publicKey), startMsat);
    return peer;
  }

  trouble(at: Endpoint, trouble: PartyTrouble | undefined): void {
    if (trouble === undefined) this.#troubles.delete(String(at.port));
    else this.#troubles.set(String(at.port), trouble);
  }

  /** Names of those that were asked since, as `asker > asked`. */
  watch(): string[] {
    const seen: string[] = [];
    this.parties.tap = ({ from, to }) => seen.push(`${from} > ${to}`);
    return seen;
  }

  /** Lets all happen that is under way, for so long at most. */
  settle(virtualMs = 60_000): void {
    this.world.runUntilIdle({ virtualMs });
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

  constructor(coins: CoinWorld, name: string, number: number, variant: string | undefined) {
    this.name = name;
    this.account = new SigningKey(new Uint8Array(32).fill(number));
    this.identity = new Ed25519Key(new Uint8Array(32).fill(number));
    this.at = { host: '127.0.0.1', port: number };
    this.#coins = coins;
    this.#variant = variant;
    this.process = SimProcess.start(coins.world, name, coins.chain, coins.parties);
    this.#live();
  }

  restart(): void {
    this.process = this.process.restart();
    this.#live();
  }

  onAnswer(answer: Answer): void {
    if (this.#commits.onAnswer(answer)) return;
    if (answer.kind === 'party') this.#asked.set(answer.ask, answer);
    const paid: Outcome<Paid> | undefined = this.payer.onAnswer(answer);
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
  makePayment(to: Peer, value: Value): { readonly session: number; readonly paid: Paid } {
    this.#sessions += 1;
    const session = 1_000 * to.at.port + this.#sessions;
    const target = to.process.turn(() => to.payee.target(session));
    const first = this.process.turn(() => {
      this.payer.begin(session, { ed25519: to.identity.publicKey }, value);
      return this.payer.pay(session, target, value);
    });
    if (first.kind === 'pending') this.#coins.settle();
    const paid = first.kind === 'pending' ? this.#paid.get(session) : first;
    assert(paid !== undefined, 'a payment is made or refused');
    if (paid.kind === 'send') this.#persist(paid.persist);
    return { session, paid };
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
    this.#coins.settle();
    return redeemed.kind === 'added'
      ? redeemed.value
      : redeemed.kind === 'refused'
        ? redeemed.fault.code
        : '';
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

  #live(): void {
    const { scheme, broker } = this.#coins;
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
      this.payer = this.scheme.payer(host);
      this.payee = this.scheme.payee(host, signer);
      this.#desk = new PartyDesk(partiesOf([this.scheme], host), parties, this.#commits);
    });
    parties.listen(this.at);
    this.#coins.settle();
  }
}

/** A broker with its accounts in memory, and all else in its store. */
class TestBroker implements AnswerHandler, RequestHandler {
  readonly key = new SigningKey(new Uint8Array(32).fill(77));
  readonly at: Endpoint = { host: '127.0.0.1', port: 77 };
  /** Msat by account, in hex. */
  readonly books = new Map<string, Value>();
  readonly proofs: CheatProof[] = [];
  side!: BrokerSide;
  process: SimProcess;
  readonly #coins: CoinWorld;
  readonly #scheme: BrokeredScheme;
  readonly #served = new Map<string, Served>();
  #commits!: CommitQueue;
  #desk!: PartyDesk;

  constructor(coins: CoinWorld, scheme: BrokeredScheme) {
    this.#coins = coins;
    this.#scheme = scheme;
    this.process = SimProcess.start(coins.world, 'broker', coins.chain, coins.parties);
    this.#live();
  }

  balanceOf(peer: Peer): Value {
    return this.books.get(toHex(peer.account.publicKey)) ?? 0n;
  }

  restart(): void {
    this.process = this.process.restart();
    this.#live();
  }

  tick(): void {
    const writes = this.process.turn(() => this.side.onTick?.() ?? []);
    this.process.turn(() => this.#commits.commit(writes, () => {}));
    this.#coins.settle();
  }

  onAnswer(answer: Answer): void {
    if (!this.#commits.onAnswer(answer)) this.#desk.onAnswer(answer);
  }

  onChain(): void {}

  onRequest(request: RequestId, scheme: number, bytes: Uint8Array): void {
    this.#desk.onRequest(request, scheme, bytes);
  }

  #live(): void {
    const { host, parties } = this.process;
    this.#commits = new CommitQueue(host.store, host.newAsk);
    this.process.attach(this);
    this.process.turn(() => {
      this.side = this.#scheme.broker({ ...host, ...this.#brokerHost() } as BrokerHost);
      const party = { serve: (request: Uint8Array) => this.side.serve(request), onAnswer: () => undefined };
      this.#desk = new PartyDesk(new Map([[this.#scheme.id, party]]), parties, this.#commits);
    });
    parties.listen(this.at);
  }

  #brokerHost(): Pick<BrokerHost, 'key' | 'accounts' | 'once' | 'file'> {
    const add = (account: Uint8Array, msat: Value) => {
      this.books.set(toHex(account), (this.books.get(toHex(account)) ?? 0n) + msat);
      return [];
    };
    return {
      key: this.key,
      accounts: {
        balanceMsat: account => this.books.get(toHex(account)),
        issue: (_scheme, account, msat) =>
          (this.books.get(toHex(account)) ?? 0n) < msat ? undefined : add(account, -msat),
        deposit: (_scheme, account, msat) => add(account, msat),
        charge: (account, msat) => add(account, -msat),
      },
      once: (request, serve) => {
        const read = accountRequest.decode(request);
        if (read === undefined || !accountRequest.isBy(read.account, read))
          return { kind: 'refused', fault: { code: 'badSignature' } };
        const id = toHex(read.id);
        const served = this.#served.get(id) ?? serve(read.account, read.body);
        this.#served.set(id, served.kind === 'reply' ? { ...served, persist: [] } : served);
        return served;
      },
      file: proof => {
        this.proofs.push(proof);
        return [];
      },
    };
  }
}

/** What a node has in coins by its own records, for its owner and for tests. */
interface CoinScheme extends PaymentScheme {
  readonly desk: { readonly receivedMsat: Value; readonly partedMsat: Value };
}

/** The same world for the kit of all payment systems: one payer, one payee. */
export async function coinKitWorld(scheme: BrokeredScheme, variant?: string): Promise<SchemeWorld> {
  const coins = new CoinWorld(scheme, `kit of ${scheme.name}`);
  const identity = new Ed25519Key(new Uint8Array(32).fill(7));
  const made = new Map<string, CoinScheme>();
  const start = (name: string, port: number) =>
    SimProcess.start(coins.world, name, coins.chain, coins.parties, { host: '127.0.0.1', port });
  const accounts = {
    payer: new SigningKey(new Uint8Array(32).fill(8)),
    payee: new SigningKey(new Uint8Array(32).fill(9)),
  };
  coins.broker.books.set(toHex(accounts.payer.publicKey), startMsat);
  return {
    payer: start('payer', 8),
    payee: start('payee', 9),
    signer: { ed25519: identity.publicKey, sign: message => identity.sign(message) },
    scheme: side => {
      const node = scheme.node({
        broker: { endpoint: coins.broker.at, key: coins.broker.key.publicKey },
        account: accounts[side],
        self: { host: '127.0.0.1', port: side === 'payer' ? 8 : 9 },
        variant,
      }) as CoinScheme;
      made.set(side, node);
      return node;
    },
    settle: async () => coins.settle(),
    mine: async () => {},
    firstMsat: 1n,
    budgetMsat: 1_000_000n,
    beyondMsat: startMsat + 1n,
    held: () => made.get('payee')?.desk.receivedMsat ?? 0n,
    parted: () => made.get('payer')?.desk.partedMsat ?? 0n,
    breakParties: how => {
      coins.parties.trouble = () => how;
    },
  };
}

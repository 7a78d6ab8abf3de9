import { assert } from '../../src/base/assert.ts';
import { SigningKey } from '../../src/crypto/ecdsa.ts';
import { Ed25519Key } from '../../src/crypto/ed25519.ts';
import type { BrokeredScheme } from '../../src/payment/brokered.ts';
import { CommitQueue } from '../../src/payment/commit-queue.ts';
import { PartyDesk, partiesOf } from '../../src/payment/party-desk.ts';
import type { Outcome, Paid, Payee, Payer, Redeemed, SessionId, Value } from '../../src/payment/scheme.ts';
import type {
  Answer,
  AnswerHandler,
  AskId,
  ChainEvent,
  Endpoint,
  Entropy,
  RequestHandler,
  RequestId,
  StoreWrite,
} from '../../src/ports.ts';
import type { SimChain } from '../../src/sim/sim-chain.ts';
import type { SimParties } from '../../src/sim/sim-parties.ts';
import { SimProcess } from '../../src/sim/sim-process.ts';
import type { World } from '../../src/sim/world.ts';
import { accountPurse, channelPurse, type Purse } from './purse.ts';

interface Session {
  readonly id: SessionId;
  /** What the payee said last of how to pay. */
  target: Uint8Array;
}

/** What became of one payment. */
export type Bargain =
  | { readonly kind: 'credited'; readonly value: Value; readonly wire: Wire }
  | { readonly kind: 'refused'; readonly by: 'payer' | 'payee'; readonly code: string };

/** What passed between payer and payee over the circuit: the payments' bytes, and those of the targets in the answers. */
export interface Wire {
  readonly payments: Uint8Array[];
  readonly targets: Uint8Array[];
}

/** What surrounds a peer. */
export interface Surroundings {
  readonly world: World;
  readonly chain: SimChain;
  readonly parties: SimParties;
  /** Absent: peers pay each other over Bitcoin channels, and there is no broker. */
  readonly brokered:
    | {
        readonly scheme: BrokeredScheme;
        readonly variant: string | undefined;
        readonly at: Endpoint;
        readonly key: SigningKey;
      }
    | undefined;
  peer(name: string): Peer;
  /** Lets time pass until `done`, as long as anybody would wait; without it, for a second. */
  settle(done?: () => boolean): void;
}

/** Set-up steps that a payment may take before it has value. */
const stepsMax = 12;
/** What a circuit is announced with: so many payments like the first. */
const paymentsPerCircuit = 64;

/** A node in its present life: it pays, is paid, and is asked by others. */
export class Peer implements AnswerHandler, RequestHandler {
  readonly name: string;
  readonly account: SigningKey;
  readonly at: Endpoint;
  readonly identity: Ed25519Key;
  readonly process: SimProcess;
  readonly number: number;
  readonly #market: Surroundings;
  readonly #payer: Payer;
  readonly #payee: Payee;
  readonly #commits: CommitQueue;
  readonly #desk: PartyDesk;
  readonly #purse: Purse;
  readonly #paid = new Map<SessionId, Paid>();
  readonly #redeemed = new Map<SessionId, Redeemed>();
  /** By the name of who is paid. */
  readonly #sessions = new Map<string, Session>();
  /** Circuits that have ended, and whose payees do not know it. */
  readonly #left: { readonly name: string; readonly id: SessionId }[] = [];
  readonly #asked = new Map<AskId, Uint8Array | undefined>();
  #lastSession = 0;

  /**
   * @param number tells its keys and address from all others of its market.
   * @param records what it remembers of a former life, or of another's.
   */
  constructor(
    market: Surroundings,
    name: string,
    number: number,
    records: ReadonlyMap<string, Uint8Array> = new Map(),
  ) {
    const seed = new Uint8Array(32);
    new DataView(seed.buffer).setUint32(0, number);
    seed[31] = 1;
    this.name = name;
    this.number = number;
    this.account = new SigningKey(seed);
    this.identity = new Ed25519Key(seed);
    this.at = { host: `10.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}`, port: 80 };
    this.#market = market;
    this.process = SimProcess.start(market.world, name, market.chain, market.parties, this.at);
    this.#remember(records);
    this.#purse = this.#makePurse();
    const { node } = this.#purse;
    const signer = {
      ed25519: this.identity.publicKey,
      sign: (message: Uint8Array) => this.identity.sign(message),
    };
    const { host, parties } = this.process;
    this.#commits = new CommitQueue(host.store, host.newAsk);
    [this.#payer, this.#payee, this.#desk] = this.process.turn(() => [
      node.payer(host),
      node.payee(host, signer),
      new PartyDesk(partiesOf([node], host), parties, this.#commits),
    ]);
    this.process.attach(this);
  }

  #makePurse(): Purse {
    const turn = <T>(run: () => T): T => this.process.turn(run);
    const { brokered } = this.#market;
    if (brokered === undefined) return channelPurse(turn);
    const { scheme, variant, at, key } = brokered;
    const broker = { endpoint: at, key: key.publicKey };
    return accountPurse(scheme, { broker, account: this.account, self: this.at, variant }, turn, (...asked) =>
      this.ask(...asked),
    );
  }

  get ownerKeys(): readonly Uint8Array[] {
    return this.#purse.ownerKeys;
  }

  /** Bitcoins that are paid to it are this peer's. */
  address(): Uint8Array {
    return this.#purse.address();
  }

  onAnswer(answer: Answer): void {
    if (this.#commits.onAnswer(answer)) return;
    if (answer.kind === 'party' && this.#asked.has(answer.ask)) this.#asked.set(answer.ask, answer.reply);
    keep(this.#paid, this.#payer.onAnswer(answer));
    keep(this.#redeemed, this.#payee.onAnswer(answer));
    this.#desk.onAnswer(answer);
  }

  onChain(event: ChainEvent): void {
    this.#payer.onChain(event);
    this.#payee.onChain(event);
  }

  onRequest(request: RequestId, scheme: number, bytes: Uint8Array): void {
    this.#desk.onRequest(request, scheme, bytes);
  }

  /** Pays `value` or somewhat more, set-up steps and all. */
  pay(to: Peer, value: Value): Bargain {
    const session = this.#sessionWith(to, value);
    const wire: Wire = { payments: [], targets: [] };
    for (let step = 0; step < stepsMax; step++) {
      const paid = this.#outcome(this.#paid, session.id, () =>
        this.#payer.pay(session.id, session.target, value),
      );
      if (paid === undefined) return { kind: 'refused', by: 'payer', code: 'waiting' };
      if (paid.kind === 'refused') return { kind: 'refused', by: 'payer', code: paid.fault.code };
      if (paid.kind !== 'send') continue;
      const redeemed = this.#send(to, session, paid, wire);
      if (redeemed === undefined) return { kind: 'refused', by: 'payee', code: 'waiting' };
      if (redeemed.kind === 'refused') {
        this.process.turn(() => this.#payer.onRefused(session.id, redeemed.fault));
        // The contract is in no block yet: the payer tries again when it is.
        if (redeemed.fault.code === 'unconfirmed') continue;
        return { kind: 'refused', by: 'payee', code: redeemed.fault.code };
      }
      if (redeemed.value > 0n) return { kind: 'credited', value: redeemed.value, wire };
    }
    return { kind: 'refused', by: 'payer', code: 'set-up' };
  }

  /** What another party replies to a request of our own making. */
  ask(to: Endpoint, scheme: number, make: (entropy: Entropy) => Uint8Array): Uint8Array {
    const { host } = this.process;
    const ask = host.newAsk();
    this.#asked.set(ask, undefined);
    this.process.turn(() => host.parties.ask(to, scheme, make(host.entropy), ask));
    this.#market.settle(() => this.#asked.get(ask) !== undefined);
    const reply = this.#asked.get(ask);
    this.#asked.delete(ask);
    assert(reply !== undefined, 'it replies');
    return reply;
  }

  /** Hands in all that was earned. */
  deposit(): void {
    this.#purse.deposit();
  }

  /** What it could have paid out. */
  balanceMsat(): Value {
    return this.#purse.balanceMsat();
  }

  /** The circuits to all payees end in order: what is said at their ends. */
  part(): Wire {
    const wire = this.leave();
    for (const { name, id } of this.#left.splice(0)) {
      const payee = this.#market.peer(name);
      payee.process.turn(() => payee.#payee.ended(sessionOf(this.name, id)));
    }
    return wire;
  }

  /** The same, and payees, who may hand in what they have when a circuit ends, take note of it later, when this one parts. */
  leave(): Wire {
    const wire: Wire = { payments: [], targets: [] };
    for (const [name, session] of this.#sessions) {
      const { id } = session;
      const last = this.process.turn(() => this.#payer.finish(id));
      if (last?.kind === 'send') this.#send(this.#market.peer(name), session, last, wire);
      this.process.turn(() => this.#payer.ended(id));
      this.#left.push({ name, id });
    }
    this.#sessions.clear();
    return wire;
  }

  /** Over the circuit; what the payee makes of it, undefined for nothing. */
  #send(to: Peer, session: Session, paid: Extract<Paid, { kind: 'send' }>, wire: Wire) {
    this.#persist(paid.persist);
    wire.payments.push(paid.payment);
    const redeemed = to.#take(this.name, session.id, paid.payment);
    if (redeemed === undefined) return undefined;
    if (redeemed.reply !== undefined && redeemed.reply.length > 0) session.target = redeemed.reply;
    wire.targets.push(redeemed.reply ?? new Uint8Array(0));
    return redeemed;
  }

  #take(from: string, session: SessionId, payment: Uint8Array) {
    const id = sessionOf(from, session);
    const redeemed = this.#outcome(this.#redeemed, id, () => this.#payee.redeem(id, payment));
    if (redeemed === undefined || redeemed.kind === 'pending') return undefined;
    if (redeemed.kind === 'added') this.#persist(redeemed.persist);
    return redeemed;
  }

  #sessionWith(to: Peer, budget: Value): Session {
    const known = this.#sessions.get(to.name);
    if (known !== undefined) return known;
    this.#lastSession += 1;
    const id = this.#lastSession;
    this.process.turn(() =>
      this.#payer.begin(id, { ed25519: to.identity.publicKey }, BigInt(paymentsPerCircuit) * budget),
    );
    const target = to.process.turn(() => to.#payee.target(sessionOf(this.name, id)));
    const session = { id, target };
    this.#sessions.set(to.name, session);
    return session;
  }

  /** What a call comes to, now or later; undefined: nothing, however long one waits. */
  #outcome<R extends Paid | Redeemed>(later: Map<SessionId, R>, id: SessionId, call: () => R): R | undefined {
    const first = this.process.turn(call);
    if (first.kind !== 'pending') return first;
    this.#market.settle(() => later.has(id));
    const outcome = later.get(id);
    later.delete(id);
    return outcome;
  }

  #remember(records: ReadonlyMap<string, Uint8Array>): void {
    if (records.size === 0) return;
    const { process } = this;
    let durable = false;
    process.store.attach({
      onAnswer: () => {
        durable = true;
      },
      onChain() {},
    });
    const writes = [...records].map(([key, value]) => ({ key, value }));
    process.turn(() => process.host.store.commit(writes, process.host.newAsk()));
    this.#market.settle(() => durable);
  }

  #persist(writes: readonly StoreWrite[]): void {
    let durable = false;
    this.process.turn(() =>
      this.#commits.commit(writes, () => {
        durable = true;
      }),
    );
    this.#market.settle(() => durable);
    assert(durable, 'what is written becomes durable');
  }
}

function keep<R>(into: Map<SessionId, R>, outcome: Outcome<R> | undefined): void {
  if (outcome !== undefined) into.set(outcome.session, outcome.result);
}

const sessionIds = new Map<string, SessionId>();

/** A payee numbers sessions by itself; ours are told apart by who pays. */
function sessionOf(from: string, id: SessionId): SessionId {
  const name = `${from} ${id}`;
  const known = sessionIds.get(name) ?? sessionIds.size + 1;
  sessionIds.set(name, known);
  return known;
}

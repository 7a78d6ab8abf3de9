import { assert } from '../base/assert.ts';
import type {
  Answer,
  AnswerHandler,
  AskId,
  ChainEvent,
  PartyPort,
  RequestHandler,
  RequestId,
  StoreWrite,
} from '../ports.ts';
import { CommitQueue } from './commit-queue.ts';
import { PartyDesk, partiesOf } from './party-desk.ts';
import type {
  Outcome,
  Paid,
  Payee,
  PayeeSigner,
  Payer,
  PayFault,
  PaymentFault,
  PaymentScheme,
  Redeemed,
  SchemeHost,
  SessionId,
  Value,
} from './scheme.ts';

/** The two sides of a scheme. */
export type SideName = 'payer' | 'payee';

/** A process that runs one side of a scheme: its ports, and what becomes of it. */
export interface SchemeProcess {
  readonly host: SchemeHost;
  /** How it answers other parties, if there are any. */
  readonly parties?: PartyPort;
  /** Who hears answers and news from now on. */
  attach(handler: AnswerHandler & RequestHandler): void;
  /** Calls into the scheme, as the one thing that happens now. */
  turn<T>(run: () => T): T;
  /** Its records, as a copy of the disk has them. */
  durable(): ReadonlyMap<string, Uint8Array>;
  /**
   * Dies and starts again. What was durable is left, and maybe some of what was being written.
   * @param records an older copy that was put back in their place.
   */
  restart(records?: ReadonlyMap<string, Uint8Array>): SchemeProcess;
}

/** A payer with something to pay with, a payee, and what lies between and below them. */
export interface SchemeWorld {
  readonly payer: SchemeProcess;
  readonly payee: SchemeProcess;
  readonly signer: PayeeSigner;
  /** The scheme as each new life of a process makes it. */
  scheme(side: SideName): PaymentScheme;
  /** Lets all happen that is under way. */
  settle(): Promise<void>;
  /** Lets the chain go on by a block, for schemes that have one. */
  mine(): Promise<void>;
  /** The least first payment. */
  readonly firstMsat: Value;
  /** What one session is announced with, and what nobody could pay. */
  readonly budgetMsat: Value;
  readonly beyondMsat: Value;
  /** All value that the payee's records say it holds. */
  held(): Value;
  /** All value that the payer's records say it has parted with. */
  parted(): Value;
  /** Makes the chain fail, or work again. */
  breakChain?(broken: boolean): void;
  /** Does this to every other party that is asked from now on, for schemes that have some; undefined: all is well. */
  breakParties?(how: PartyBreak | undefined): void;
}

/** Nobody is there; answers come too late; answers are changed on the way or made up. */
export type PartyBreak = 'absent' | 'late' | 'lying';

/** A place where a process may die; the run that comes to it says whether it does. */
export type CrashPoint = (side: SideName, when: 'before' | 'during' | 'after') => boolean;

/** Ends a conversation whose one side has died. */
export class Died extends Error {
  override name = 'Died';
  readonly side: SideName;
  constructor(side: SideName) {
    super(`the ${side} dies here`);
    this.side = side;
  }
}

const patience = 12;

type SideOf = { payer: Payer; payee: Payee };

/** One side in one life, with the outcomes that its sessions wait for. */
class Side<N extends SideName> implements AnswerHandler, RequestHandler {
  readonly name: N;
  readonly process: SchemeProcess;
  readonly side: SideOf[N];
  readonly #world: SchemeWorld;
  readonly #outcomes = new Map<SessionId, unknown>();
  readonly #ownAsks = new Set<AskId>();
  readonly #commits: CommitQueue;
  readonly #desk: PartyDesk | undefined;

  constructor(name: N, world: SchemeWorld, process: SchemeProcess) {
    this.name = name;
    this.#world = world;
    this.process = process;
    const scheme = world.scheme(name);
    const made = process.turn<Payer | Payee>(() =>
      name === 'payer' ? scheme.payer(process.host) : scheme.payee(process.host, world.signer),
    );
    this.side = made as SideOf[N];
    const { host, parties } = process;
    this.#commits = new CommitQueue(host.store, () => host.newAsk());
    this.#desk =
      parties === undefined
        ? undefined
        : new PartyDesk(
            process.turn(() => partiesOf([scheme], host)),
            parties,
            this.#commits,
          );
    process.attach(this);
  }

  onAnswer(answer: Answer): void {
    if (this.#ownAsks.delete(answer.ask) || this.#commits.onAnswer(answer)) return;
    const outcome: Outcome<unknown> | undefined = this.side.onAnswer(answer);
    if (outcome === undefined) this.#desk?.onAnswer(answer);
    else this.#outcomes.set(outcome.session, outcome.result);
  }

  onRequest(request: RequestId, scheme: number, bytes: Uint8Array): void {
    this.#desk?.onRequest(request, scheme, bytes);
  }

  onChain(event: ChainEvent): void {
    this.side.onChain(event);
  }

  call<T>(run: (side: SideOf[N]) => T): T {
    return this.process.turn(() => run(this.side));
  }

  /** The result of a call, once it is no longer pending; undefined when it stays so, whatever the chain does. */
  async result<R extends Paid | Redeemed>(
    session: SessionId,
    run: (side: SideOf[N]) => R,
    dies: CrashPoint,
  ): Promise<Exclude<R, { kind: 'pending' }> | undefined> {
    const first = this.call(run);
    if (first.kind !== 'pending') return first as Exclude<R, { kind: 'pending' }>;
    if (dies(this.name, 'during')) throw new Died(this.name);
    for (let turn = 0; turn < patience; turn++) {
      await this.#world.settle();
      const outcome = this.#outcomes.get(session);
      this.#outcomes.delete(session);
      if (outcome !== undefined) return outcome as Exclude<R, { kind: 'pending' }>;
      await this.#world.mine();
    }
    return undefined;
  }

  /** Makes writes durable, as a session does between a result and acting on it. */
  async persist(writes: readonly StoreWrite[], dies: CrashPoint): Promise<void> {
    if (dies(this.name, 'before')) throw new Died(this.name);
    if (writes.length > 0) {
      const ask = this.process.host.newAsk();
      this.#ownAsks.add(ask);
      this.process.turn(() => this.process.host.store.commit(writes, ask));
      if (dies(this.name, 'during')) throw new Died(this.name);
      await this.#world.settle();
      assert(!this.#ownAsks.has(ask), 'what is written becomes durable');
    }
    if (dies(this.name, 'after')) throw new Died(this.name);
  }
}

export type PayEnd =
  | { readonly kind: 'credited'; readonly promised: Value; readonly value: Value }
  /** No value was asked, and there is nothing left to set up. */
  | { readonly kind: 'ready' }
  | { readonly kind: 'refused'; readonly by: SideName; readonly fault: PayFault | PaymentFault }
  /** One of them waits for something that does not come. */
  | { readonly kind: 'waiting' };

const never: CrashPoint = () => false;
const stepsMax = 20;

/** Both sides over their lives, and the sum of what was credited. */
export class Lab {
  readonly world: SchemeWorld;
  payer: Side<'payer'>;
  payee: Side<'payee'>;
  /** All payments that were made, the oldest first. */
  readonly sent: Uint8Array[] = [];
  credited: Value = 0n;
  #lastSession = 0;

  constructor(world: SchemeWorld) {
    this.world = world;
    this.payer = new Side('payer', world, world.payer);
    this.payee = new Side('payee', world, world.payee);
  }

  /** A session that both sides have begun. */
  talk(budget: Value = this.world.budgetMsat): Talk {
    this.#lastSession += 1;
    return new Talk(this, this.#lastSession, budget);
  }

  /** Several conversations of one payer must not share a session's number. */
  skipTo(session: SessionId): void {
    this.#lastSession = session - 1;
  }

  /** @param records an older copy that the side starts with. */
  restart(side: SideName, records?: ReadonlyMap<string, Uint8Array>): void {
    if (side === 'payer') this.payer = new Side('payer', this.world, this.payer.process.restart(records));
    else this.payee = new Side('payee', this.world, this.payee.process.restart(records));
  }
}

/** A session carried by hand: what the sessions on both sides, and a circuit between them, do. */
export class Talk {
  readonly session: SessionId;
  readonly #lab: Lab;
  #target: Uint8Array | undefined;

  constructor(lab: Lab, session: SessionId, budget: Value) {
    this.#lab = lab;
    this.session = session;
    const { ed25519 } = lab.world.signer;
    lab.payer.call(payer => payer.begin(session, { ed25519 }, budget));
  }

  /** The latest target that the payee has handed out in this session. */
  get target(): Uint8Array {
    this.#target ??= this.#lab.payee.call(payee => payee.target(this.session));
    return this.#target;
  }

  /** Goes through set-up steps until a payment with value is credited, or a side refuses. */
  async pay(value: Value, dies: CrashPoint = never, most?: Value): Promise<PayEnd> {
    for (let step = 0; step < stepsMax; step++) {
      const paid = await this.make(value, dies, most);
      if (paid === undefined) return { kind: 'waiting' };
      if (paid.kind === 'refused') return { kind: 'refused', by: 'payer', fault: paid.fault };
      if (paid.kind === 'ready') return paid;
      const redeemed = await this.deliver(paid.payment, dies);
      if (redeemed === undefined) return { kind: 'waiting' };
      if (redeemed.kind === 'added') {
        if (paid.value > 0n) return { kind: 'credited', promised: paid.value, value: redeemed.value };
        continue;
      }
      const { fault } = redeemed;
      this.#lab.payer.call(payer => payer.onRefused(this.session, fault));
      if (fault.code !== 'unconfirmed') return { kind: 'refused', by: 'payee', fault };
      await this.#lab.world.mine();
    }
    return { kind: 'waiting' };
  }

  /** The payer's next payment, ready to be sent. */
  async make(
    value: Value,
    dies: CrashPoint = never,
    most?: Value,
  ): Promise<Exclude<Paid, { kind: 'pending' }> | undefined> {
    const { payer } = this.#lab;
    const { target } = this;
    const pay = (side: Payer): Paid => side.pay(this.session, target, value, most);
    const paid = await payer.result<Paid>(this.session, pay, dies);
    if (paid?.kind !== 'send') return paid;
    await payer.persist(paid.persist, dies);
    this.#lab.sent.push(paid.payment);
    return paid;
  }

  /** Makes payments until one has value; the set-up steps are delivered, that one is not. */
  async makeWithValue(value: Value): Promise<Extract<Paid, { kind: 'send' }>> {
    for (let step = 0; step < stepsMax; step++) {
      const paid = await this.make(value);
      assert(paid?.kind === 'send', `a payment of ${value} msat is made`);
      if (paid.value > 0n) return paid;
      await this.deliver(paid.payment);
    }
    throw new Error('set-up never ends');
  }

  /** A REDEEM with these bytes: credits what they are worth once that is durable, and takes over the new target. */
  async deliver(
    payment: Uint8Array,
    dies: CrashPoint = never,
  ): Promise<Exclude<Redeemed, { kind: 'pending' }> | undefined> {
    const redeemed = await this.redeem(payment, dies);
    const reply = redeemed?.reply;
    if (reply !== undefined && reply.length > 0) this.#target = reply;
    return redeemed;
  }

  /** The same, of which the payer hears nothing. */
  async redeem(
    payment: Uint8Array,
    dies: CrashPoint = never,
  ): Promise<Exclude<Redeemed, { kind: 'pending' }> | undefined> {
    const { payee } = this.#lab;
    const bytes = payment.slice();
    const redeemed = await payee.result<Redeemed>(
      this.session,
      side => side.redeem(this.session, bytes),
      dies,
    );
    if (redeemed?.kind !== 'added') return redeemed;
    assert(redeemed.value >= 0n, 'a payment takes nothing away');
    await payee.persist(redeemed.persist, dies);
    this.#lab.credited += redeemed.value;
    return redeemed;
  }

  /** The circuit is gone: both sides that live are told. */
  lose(): void {
    this.#lab.payer.call(payer => payer.ended(this.session));
    this.#lab.payee.call(payee => payee.ended(this.session));
  }
}

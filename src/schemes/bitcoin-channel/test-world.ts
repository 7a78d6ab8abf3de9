import { assert } from '../../base/assert.ts';
import type {
  Outcome,
  Paid,
  Payee,
  PayeeSigner,
  Payer,
  PayFault,
  PaymentFault,
  Redeemed,
  SchemeHost,
  SessionId,
  Value,
} from '../../payment/scheme.ts';
import type { Answer, AnswerHandler, AskId, ChainEvent, StoreWrite } from '../../ports.ts';

/** What a test needs of the world below a scheme: virtual time and a simulated chain, or real time and a bitcoind. */
export interface TestHost {
  readonly host: SchemeHost;
  attach(handler: AnswerHandler): void;
  /** Calls into the scheme, as the one thing that happens now. */
  turn<T>(run: () => T): T;
  /** Lets the world go on until the condition holds; false when it never will. */
  until(done: () => boolean): Promise<boolean>;
  /** The process dies and starts again: what was durable is left. */
  restart(): TestHost;
}

type Side = Pick<Payee, 'onChain'> & { onAnswer(answer: Answer): Outcome<Paid | Redeemed> | undefined };

/** One side of a scheme on its host, with the outcomes that sessions wait for. */
export class TestSide<S extends Side> implements AnswerHandler {
  readonly world: TestHost;
  readonly side: S;
  readonly events: ChainEvent[] = [];
  #outcomes = new Map<SessionId, unknown>();
  #stored = new Set<AskId>();
  #own = new Set<AskId>();

  constructor(world: TestHost, make: (host: SchemeHost) => S) {
    this.world = world;
    this.side = world.turn(() => make(world.host));
    world.attach(this);
  }

  onAnswer(answer: Answer): void {
    if (this.#own.delete(answer.ask)) {
      this.#stored.add(answer.ask);
      return;
    }
    const outcome = this.side.onAnswer(answer);
    // What waits once more has another outcome to come.
    if (outcome !== undefined && outcome.result.kind !== 'pending')
      this.#outcomes.set(outcome.session, outcome.result);
  }

  onChain(event: ChainEvent): void {
    this.events.push(event);
    this.side.onChain(event);
  }

  /** The call's result, once it is no longer pending; undefined when it stays so. */
  async result<R extends Paid | Redeemed>(session: SessionId, call: (side: S) => R): Promise<R | undefined> {
    const first = this.world.turn(() => call(this.side));
    if (first.kind !== 'pending') return first;
    const came = await this.world.until(() => this.#outcomes.has(session));
    const outcome = this.#outcomes.get(session) as R;
    this.#outcomes.delete(session);
    return came ? outcome : undefined;
  }

  /** What a call that was left waiting has come to since. */
  lateResult<R extends Paid | Redeemed>(session: SessionId): R | undefined {
    const outcome = this.#outcomes.get(session) as R | undefined;
    this.#outcomes.delete(session);
    return outcome;
  }

  async commit(writes: readonly StoreWrite[]): Promise<void> {
    if (writes.length === 0) return;
    const ask = this.world.turn(() => {
      const fresh = this.world.host.newAsk();
      this.#own.add(fresh);
      this.world.host.store.commit(writes, fresh);
      return fresh;
    });
    assert(await this.world.until(() => this.#stored.has(ask)), 'a commit becomes durable');
  }
}

export type PayEnd =
  | { readonly kind: 'credited'; readonly value: Value; readonly promised: Value }
  | { readonly kind: 'ready' }
  | { readonly kind: 'refusedByPayee'; readonly fault: PaymentFault }
  | { readonly kind: 'refusedByPayer'; readonly fault: PayFault }
  /** One of them waits for the chain. */
  | { readonly kind: 'waiting' };

const stepsMax = 20;

/** A session carried by hand: what PayerSession, PayeeSession and a circuit between them do. */
export class Conversation {
  readonly payer: TestSide<Payer>;
  readonly payee: TestSide<Payee>;
  readonly session: SessionId;
  target: Uint8Array = new Uint8Array(0);
  /** Payments as they were sent, for replays. */
  readonly sent: Uint8Array[] = [];
  credited: Value = 0n;

  constructor(
    payer: TestSide<Payer>,
    payee: TestSide<Payee>,
    signer: Pick<PayeeSigner, 'ed25519'>,
    session: SessionId,
    budget: Value,
  ) {
    this.payer = payer;
    this.payee = payee;
    this.session = session;
    payer.world.turn(() => payer.side.begin(session, { ed25519: signer.ed25519 }, budget));
  }

  /** Goes on until a payment with value is credited, or somebody refuses. `until` stops before that step. */
  async pay(value: Value, steps = stepsMax): Promise<PayEnd> {
    if (this.target.length === 0) {
      this.target = this.payee.world.turn(() => this.payee.side.target(this.session));
    }
    for (let step = 0; step < steps; step++) {
      const late = this.payer.lateResult<Paid>(this.session);
      const ask = (side: Payer) => side.pay(this.session, this.target, value);
      const paid = late ?? (await this.payer.result<Paid>(this.session, ask));
      if (paid === undefined || paid.kind === 'pending') return { kind: 'waiting' };
      if (paid.kind === 'refused') return { kind: 'refusedByPayer', fault: paid.fault };
      if (paid.kind === 'ready') return paid;
      const end = await this.#deliver(paid);
      if (end !== undefined) return end;
    }
    return { kind: 'waiting' };
  }

  async #deliver(paid: Extract<Paid, { kind: 'send' }>): Promise<PayEnd | undefined> {
    await this.payer.commit(paid.persist);
    const redeemed = await this.send(paid.payment);
    if (redeemed === undefined) return { kind: 'waiting' };
    if (redeemed.kind === 'refused') {
      this.payer.world.turn(() => this.payer.side.onRefused(this.session, redeemed.fault));
      if (redeemed.fault.code !== 'unconfirmed') return { kind: 'refusedByPayee', fault: redeemed.fault };
      return undefined;
    }
    return paid.value > 0n ? { kind: 'credited', value: redeemed.value, promised: paid.value } : undefined;
  }

  /** Hands bytes to the payee, as a REDEEM would; credits what they are worth once that is durable. */
  async send(payment: Uint8Array): Promise<Exclude<Redeemed, { kind: 'pending' }> | undefined> {
    this.sent.push(payment);
    const redeemed = await this.payee.result<Redeemed>(this.session, side =>
      side.redeem(this.session, payment),
    );
    if (redeemed === undefined || redeemed.kind === 'pending') return undefined;
    if (redeemed.kind === 'added') {
      await this.payee.commit(redeemed.persist);
      this.credited += redeemed.value;
    }
    if (redeemed.reply !== undefined) this.target = redeemed.reply;
    return redeemed;
  }

  /** Ends in order; true if the scheme had a last message and the payee took it. */
  async close(): Promise<boolean> {
    const last = this.payer.world.turn(() => this.payer.side.finish(this.session));
    if (last?.kind !== 'send') return false;
    const end = await this.#deliver(last);
    this.lose();
    return end === undefined || end.kind === 'credited';
  }

  /** The circuit is gone. */
  lose(): void {
    this.payer.world.turn(() => this.payer.side.ended(this.session));
    this.payee.world.turn(() => this.payee.side.ended(this.session));
  }
}

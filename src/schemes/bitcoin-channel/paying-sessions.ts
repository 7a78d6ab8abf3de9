import type { Outcome, Paid, PayeeIdentity, SessionId, Value } from '../../payment/scheme.ts';
import type { Channel } from './channel.ts';
import type { ChannelBook } from './channel-book.ts';
import { newSession, type PayingSession } from './paying-session.ts';

/** A payer's sessions: which channel each has, one at a time, and what it waits for. */
export class PayingSessions {
  readonly #book: ChannelBook;
  readonly #byId = new Map<SessionId, PayingSession>();

  constructor(book: ChannelBook) {
    this.#book = book;
  }

  begin(id: SessionId, payee: PayeeIdentity, budget: Value): void {
    this.#byId.set(id, newSession(id, payee, budget));
  }

  get(id: SessionId): PayingSession | undefined {
    return this.#byId.get(id);
  }

  all(): IterableIterator<PayingSession> {
    return this.#byId.values();
  }

  /** False once it has ended. */
  has(session: PayingSession): boolean {
    return this.#byId.get(session.id) === session;
  }

  ended(id: SessionId): void {
    const session = this.#byId.get(id);
    this.#byId.delete(id);
    if (session !== undefined) this.detach(session);
  }

  attach(session: PayingSession, channel: Channel): void {
    session.channel = channel;
    channel.session = session.id;
    this.#book.step(channel, { kind: 'attached' });
  }

  /** Its channel, if it has one, is another's to take up. */
  detach(session: PayingSession): void {
    const { channel } = session;
    if (channel === undefined) return;
    session.channel = undefined;
    channel.session = undefined;
    this.#book.step(channel, { kind: 'detached' });
  }

  /** Marks the session as waiting; `send` asks, and hands its answer's result to `then`. */
  wait(session: PayingSession, send: (then: (result: Paid) => Outcome<Paid> | undefined) => number): Paid {
    const ask = send(result => {
      session.pending = undefined;
      if (this.has(session)) return { session: session.id, result };
      // The session ended while its contract was being made.
      this.detach(session);
      return undefined;
    });
    session.pending = { kind: 'pending', ask };
    return session.pending;
  }
}

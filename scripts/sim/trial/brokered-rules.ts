import { toHex } from '../../../src/base/bytes.ts';
import { bookProblems } from '../../../src/broker/account-book.ts';
import { filedProofs } from '../../../src/broker/broker-core.ts';
import type { BrokeredScheme } from '../../../src/payment/brokered.ts';
import { parseProof } from '../../../src/payment/proof.ts';
import type { Paid, Payee, Payer, PaymentScheme, Redeemed, SessionId } from '../../../src/payment/scheme.ts';
import type { StoreWrite } from '../../../src/ports.ts';
import type { SimChain } from '../../../src/sim/sim-chain.ts';
import { payeeLike, payerLike, schemeLike } from '../scheme-like.ts';
import { Durability } from './durability.ts';
import { holdConserved, type MoneyRules, type Role } from './money-rules.ts';
import type { RuleBook } from './rule-book.ts';
import type { SecretRules } from './secret-rules.ts';
import type { SimBroker } from './sim-broker.ts';

/** One session of a payer: what it has promised, and what its payee has made of that. */
interface Talk {
  promisedMsat: bigint;
  redeemedMsat: bigint;
}

/** A payment as its payer made it. */
interface Made {
  readonly talk: Talk;
  /** What the session had promised with it, in all. */
  readonly promisedMsat: bigint;
  readonly isDurable: () => boolean;
}

/** Value that a payee has found in a payment. */
interface Found {
  readonly msat: bigint;
  readonly isDurable: () => boolean;
}

/** Who is who at the broker. */
export interface Accounts {
  /** The account of a node, as hex. */
  of(role: Role, index: number): string;
  /** Of those who break rules, by themselves or by their owner's hand. */
  readonly suspects: Set<string>;
}

/**
 * Rules I1, I3, I4, I6 and I7 for whatever is paid through a broker, which know no message of any scheme: payments are
 * known by their bytes, records by what the seam says must be durable, money by the broker's books.
 */
export class BrokeredRules implements MoneyRules {
  /** What each relay has earned and has on its disk. */
  readonly earnedMsat: bigint[] = [];
  readonly races = 0;
  readonly #book: RuleBook;
  readonly #secrets: SecretRules;
  readonly #scheme: BrokeredScheme;
  readonly #accounts: Accounts;
  readonly #chain: () => SimChain;
  readonly #broker: () => SimBroker | undefined;
  readonly #made = new Map<string, Made>();
  /** Values that a session at a relay will be credited, in order. */
  readonly #found = new Map<string, Found[]>();
  readonly #disks = new Durability();
  readonly #judged = new Set<string>();
  readonly #putBack = new Set<string>();

  constructor(
    book: RuleBook,
    secrets: SecretRules,
    scheme: BrokeredScheme,
    accounts: Accounts,
    chain: () => SimChain,
    broker: () => SimBroker | undefined,
  ) {
    this.#book = book;
    this.#secrets = secrets;
    this.#scheme = scheme;
    this.#accounts = accounts;
    this.#chain = chain;
    this.#broker = broker;
  }

  watched(scheme: PaymentScheme, role: Role, index: number, life: string): PaymentScheme {
    this.#disks.nextLife(`${role}${index}`);
    return schemeLike(
      scheme,
      role === 'payee'
        ? { payee: (host, signer) => this.#payee(scheme.payee(host, signer), index, life) }
        : { payer: host => this.#payer(scheme.payer(host), index) },
    );
  }

  stored(role: Role, index: number, writes: readonly StoreWrite[]): void {
    this.#disks.stored(`${role}${index}`, writes);
  }

  putBack(role: Role, index: number): void {
    this.#putBack.add(`${role}${index}`);
    // It will sign once more what it has forgotten that it signed.
    this.#accounts.suspects.add(this.#accounts.of(role, index));
  }

  credited(life: string, session: SessionId, msat: bigint): void {
    if (msat === 0n) return;
    const found = this.#found.get(`${life}/${session}`)?.shift();
    this.#book.hold(
      found?.msat === msat,
      'I7',
      () =>
        `${life}: ${msat} msat credited to session ${session}, whose payment was worth ${found?.msat ?? 0}`,
    );
    this.#book.hold(
      found?.isDurable() === true,
      'I3',
      () => `${life}: ${msat} msat credited to session ${session} before they were durable`,
    );
  }

  all(): void {
    holdConserved(this.#book, this.#chain());
    const broker = this.#broker();
    if (broker === undefined) return;
    const { books, outstandingMsat } = broker.core;
    const [problem] = bookProblems(books, outstandingMsat);
    this.#book.hold(problem === undefined, 'I1', () => `the broker: ${problem}`);
    for (const [index, earned] of this.earnedMsat.entries()) {
      const balance = books.balancesMsat.get(this.#accounts.of('payee', index)) ?? 0n;
      this.#book.hold(
        this.#putBack.has(`payee${index}`) || balance <= (earned ?? 0n),
        'I6',
        () => `relay${index} has ${balance} msat at the broker, having earned ${earned ?? 0n}`,
      );
    }
    this.#judge(broker);
  }

  /** What somebody earned and does not have at the broker; for when all has come to rest. */
  unfinished(): readonly string[] {
    const broker = this.#broker();
    if (broker === undefined) return [];
    const problems = broker.core.problems().map(problem => `the broker: ${problem}`);
    // What somebody spent twice, because it had forgotten the first time, was earned by one alone.
    if (this.#putBack.size > 0) return problems;
    const { balancesMsat } = broker.core.books;
    const lacking = [...this.earnedMsat.entries()].flatMap(([index, earned]) => {
      const balance = balancesMsat.get(this.#accounts.of('payee', index)) ?? 0n;
      return balance === (earned ?? 0n)
        ? []
        : [`relay${index} has ${balance} of ${earned} msat that it earned`];
    });
    return [...problems, ...lacking];
  }

  /** Nobody is named by a proof who has kept the rules. */
  #judge({ machine }: SimBroker): void {
    const records = machine.store.durable();
    const list = (prefix: string) => [...records].filter(([key]) => key.startsWith(prefix));
    for (const [name, text] of filedProofs({ list })) {
      if (this.#judged.has(name)) continue;
      this.#judged.add(name);
      const proof = parseProof(new TextDecoder().decode(text));
      const verdict = proof.ok ? this.#scheme.judge(proof.value) : undefined;
      const guilty = verdict?.guilty && toHex(verdict.guilty);
      const role = verdict?.guilty && verdict.role;
      this.#book.hold(
        guilty !== undefined && (this.#accounts.suspects.has(guilty) || this.#maySignOnce(role)),
        'honest',
        () =>
          `a proof of ${proof.ok ? proof.value.cheat : 'nothing'} names ${guilty ?? 'nobody'}, who is honest`,
      );
    }
  }

  /** Chains are signed by keys of their own, which are no accounts: of a payer that has forgotten where it took one, perhaps. */
  #maySignOnce(role: string | undefined): boolean {
    return role === 'payer' && [...this.#putBack].some(name => name.startsWith('payer'));
  }

  #payer(payer: Payer, index: number): Payer {
    const talks = new Map<SessionId, Talk>();
    const note = (session: SessionId, paid: Paid | undefined): void => {
      if (paid?.kind !== 'send' || paid.value === 0n) return;
      const talk = talks.get(session);
      if (talk === undefined) return;
      talk.promisedMsat += paid.value;
      const isDurable = this.#disks.awaits(`payer${index}`, paid.persist, () => {});
      this.#made.set(toHex(paid.payment), { talk, promisedMsat: talk.promisedMsat, isDurable });
    };
    return payerLike(payer, {
      begin: (session, identity, budget) => {
        talks.set(session, { promisedMsat: 0n, redeemedMsat: 0n });
        payer.begin(session, identity, budget);
      },
      pay: (session, target, value, most) => {
        const paid = payer.pay(session, target, value, most);
        note(session, paid);
        return paid;
      },
      onAnswer: answer => {
        const outcome = payer.onAnswer(answer);
        if (outcome !== undefined) note(outcome.session, outcome.result);
        return outcome;
      },
      finish: session => {
        const paid = payer.finish(session);
        note(session, paid);
        return paid;
      },
    });
  }

  #payee(payee: Payee, index: number, life: string): Payee {
    const asked = new Map<SessionId, Uint8Array>();
    return payeeLike(payee, {
      redeem: (session, payment) => {
        asked.set(session, payment.slice());
        this.#secrets.shown('a payment', payment);
        const redeemed = payee.redeem(session, payment);
        this.#onRedeemed(index, `${life}/${session}`, payment, redeemed);
        return redeemed;
      },
      onAnswer: answer => {
        const outcome = payee.onAnswer(answer);
        const payment = outcome && asked.get(outcome.session);
        if (outcome !== undefined && payment !== undefined)
          this.#onRedeemed(index, `${life}/${outcome.session}`, payment, outcome.result);
        return outcome;
      },
    });
  }

  #onRedeemed(index: number, session: string, payment: Uint8Array, redeemed: Redeemed): void {
    if (redeemed.kind !== 'added' || redeemed.value === 0n) return;
    const { value, persist } = redeemed;
    const isDurable = this.#disks.awaits(`payee${index}`, persist, () => {
      this.earnedMsat[index] = (this.earnedMsat[index] ?? 0n) + value;
    });
    const found = this.#found.get(session) ?? [];
    this.#found.set(session, found);
    found.push({ msat: value, isDurable });
    const made = this.#made.get(toHex(payment));
    if (made === undefined) {
      this.#book.break('I4', `${session}: ${value} msat for a payment that no payer made`);
      return;
    }
    this.#book.hold(made.isDurable(), 'I4', () => `${session}: paid before it was durable at its payer`);
    made.talk.redeemedMsat += value;
    const { redeemedMsat } = made.talk;
    this.#book.hold(
      redeemedMsat <= made.promisedMsat || this.#putBack.has(`payee${index}`),
      'I7',
      () => `${session}: ${redeemedMsat} msat redeemed of ${made.promisedMsat} that its payer promised`,
    );
  }
}

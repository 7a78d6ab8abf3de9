import { toHex, utf8 } from '../base/bytes.ts';
import { brokerTickMs } from '../base/limits.ts';
import type { SigningKey } from '../crypto/ecdsa.ts';
import { sha256 } from '../crypto/sha.ts';
import { BatchedParty } from '../payment/batches.ts';
import type { AccountKey, BrokerHost, BrokerSide } from '../payment/broker-side.ts';
import type { BrokeredScheme } from '../payment/brokered.ts';
import { CommitQueue } from '../payment/commit-queue.ts';
import { PartyDesk } from '../payment/party-desk.ts';
import { type CheatProof, formatProof } from '../payment/proof.ts';
import type { Party, Served, Value } from '../payment/scheme.ts';
import type {
  Answer,
  AnswerHandler,
  AskId,
  ChainEvent,
  ChainPort,
  Clock,
  Entropy,
  Observer,
  PartyPort,
  RequestHandler,
  RequestId,
  StorePort,
  StoreWrite,
} from '../ports.ts';
import { AccountBook, type Books, bookProblems } from './account-book.ts';
import { tillScheme } from './money-messages.ts';
import { ServedOnce } from './served-once.ts';
import { Till } from './till.ts';

/** All that a broker needs of the world. */
export interface BrokerPorts {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly store: StorePort;
  readonly chain: ChainPort;
  readonly parties: PartyPort;
  readonly observer: Observer;
}

/** What a broker is, whatever it runs on. */
export interface BrokerSettings {
  /** Signs what is issued; its account is the broker's own. */
  readonly key: SigningKey;
  /** All addresses follow from it. */
  readonly walletSeed: Uint8Array;
  /** From how many on a deposit counts. */
  readonly minConfirmations: number;
  /** The most that is ever lent to an account, msat. Absent: nothing is lent. */
  readonly lendsMsat?: (account: AccountKey) => Value;
}

/**
 * A broker: accounts that bitcoins are paid into and out of, and its side of each scheme. Knows no socket, clock or disk
 * but its ports.
 *
 * | request of scheme | goes to |
 * |---|---|
 * | 0 | Till: balance, address, withdrawal |
 * | any other | that scheme's broker side |
 */
export class BrokerCore implements RequestHandler, AnswerHandler {
  readonly #ports: BrokerPorts;
  readonly #commits: CommitQueue;
  readonly #accounts: AccountBook;
  readonly #once: ServedOnce;
  readonly #till: Till;
  readonly #sides: ReadonlyMap<number, BrokerSide>;
  readonly #desk: PartyDesk;
  #lastAsk = 0;
  #feerateAsk: AskId | undefined;

  constructor(settings: BrokerSettings, ports: BrokerPorts, schemes: readonly BrokeredScheme[]) {
    this.#ports = ports;
    const { clock, store, chain, parties } = ports;
    const { key, walletSeed: seed, minConfirmations, lendsMsat = () => 0n } = settings;
    const accounts = new AccountBook(store, key.publicKey);
    this.#accounts = accounts;
    this.#once = new ServedOnce(store, key => accounts.balanceMsat(key));
    this.#commits = new CommitQueue(store, () => this.#newAsk());
    const once: BrokerHost['once'] = (request, serve) => this.#once.serve(request, serve);
    this.#till = new Till({
      store,
      accounts,
      chain: openEnded(this.#commits.chain(chain), () => this.#newAsk()),
      seed,
      house: key.publicKey,
      minConfirmations,
      once,
      persist: writes => this.#commits.commit(writes, nothing),
      later: run => void clock.after(0, run),
    });
    const host: BrokerHost = { ...ports, key, accounts, lendsMsat, once, file: fileProof };
    this.#sides = new Map(schemes.map(scheme => [scheme.id, scheme.broker(host)]));
    const served = new Map<number, Party>([[tillScheme, asParty(request => this.#till.serve(request))]]);
    for (const [id, side] of this.#sides)
      served.set(
        id,
        new BatchedParty(
          asParty(request => side.serve(request)),
          () => this.#newAsk(),
        ),
      );
    this.#desk = new PartyDesk(served, parties, this.#commits);
  }

  /** After the ports are attached: deadlines are looked at from now on. */
  start(): void {
    this.tick();
    this.#ports.clock.after(brokerTickMs, () => this.start());
  }

  /** What has expired by now, in any scheme. */
  tick(): void {
    for (const side of this.#sides.values()) {
      const writes = side.onTick?.() ?? [];
      if (writes.length > 0) this.#commits.commit(writes, nothing);
    }
  }

  get books(): Books {
    return this.#accounts.books;
  }

  /** By scheme, counted from the scheme's own records. */
  get outstandingMsat(): ReadonlyMap<number, Value> {
    return new Map([...this.#sides].map(([id, side]) => [id, side.outstandingMsat()]));
  }

  /** What the wallet holds on the chain, deposits that do not count yet left out. */
  get reserveSat(): bigint {
    const { confirmedSat, unconfirmedSat } = this.#till.wallet.balance;
    return confirmedSat + unconfirmedSat - this.#till.waitingSat;
  }

  /** What does not agree: the books with themselves, with the schemes' records, with the coins of the wallet. */
  problems(): readonly string[] {
    const { books, outstandingMsat, reserveSat } = this;
    const owedMsat = books.receivedMsat - books.paidOutMsat;
    const backing = reserveSat * 1_000n === owedMsat ? [] : [`${owedMsat} msat owed, ${reserveSat} sat held`];
    return [...bookProblems(books, outstandingMsat), ...backing];
  }

  onRequest(request: RequestId, scheme: number, bytes: Uint8Array): void {
    this.#desk.onRequest(request, scheme, bytes);
  }

  onAnswer(answer: Answer): void {
    if (answer.kind === 'feerate' && answer.ask === this.#feerateAsk) this.#till.onFeerate(answer.satPerKvb);
    else this.#commits.onAnswer(answer);
  }

  onChain(event: ChainEvent): void {
    this.#till.onChain(event);
    if (event.kind !== 'block') return;
    this.#feerateAsk = this.#newAsk();
    this.#ports.chain.feerate(this.#feerateAsk);
  }

  #newAsk(): AskId {
    this.#lastAsk += 1;
    return this.#lastAsk;
  }
}

function nothing(): void {}

/** The till broadcasts without waiting for what comes of it: it does so again with the next block. */
function openEnded(chain: ChainPort, newAsk: () => AskId): ChainPort {
  return {
    broadcast: transactions => chain.broadcast(transactions, newAsk()),
    output: (outpoint, ask) => chain.output(outpoint, ask),
    feerate: ask => chain.feerate(ask),
    watch: (script, fromHeight) => chain.watch(script, fromHeight),
    unwatch: script => chain.unwatch(script),
  };
}

function asParty(serve: (request: Uint8Array) => Served): Party {
  return { serve, onAnswer: () => undefined };
}

const proofPrefix = 'broker/proof/';

/** Under the name of its contents: evidence that comes again is kept once. */
function fileProof(proof: CheatProof): readonly StoreWrite[] {
  const text = utf8(formatProof(proof));
  return [{ key: `${proofPrefix}${toHex(sha256(text)).slice(0, 16)}`, value: text }];
}

/** The proofs that a broker has on file. */
export function filedProofs(
  store: Pick<StorePort, 'list'>,
): readonly (readonly [name: string, text: Uint8Array])[] {
  return store.list(proofPrefix).map(([key, text]) => [key.slice(proofPrefix.length), text]);
}

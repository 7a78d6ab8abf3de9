import { Transaction } from 'bitcoinjs-lib';
import { expect } from 'vitest';
import { fromUtf8, toHex } from '../base/bytes.ts';
import { scriptOfAddress } from '../bitcoin/wallet.ts';
import { SigningKey } from '../crypto/ecdsa.ts';
import { makeAccountRequest } from '../payment/account-request.ts';
import type { BrokeredScheme } from '../payment/brokered.ts';
import { type CheatProof, parseProof } from '../payment/proof.ts';
import type { Answer, AnswerHandler, Endpoint, StorePort } from '../ports.ts';
import { SimChain } from '../sim/sim-chain.ts';
import { SimParties } from '../sim/sim-parties.ts';
import { SimProcess } from '../sim/sim-process.ts';
import { World } from '../sim/world.ts';
import { BrokerCore, filedProofs } from './broker-core.ts';
import { addressReply, balanceReply, plainBody, tillOperation, tillScheme } from './money-messages.ts';

const wordsMs = 8_000;

/** What every broker of a lab issues under. */
export const brokerKey = new SigningKey(new Uint8Array(32).fill(11));

/** Where a broker keeps its records, if not on the simulated disk of its process. */
export interface BrokerDisk {
  /** For a broker that begins; the one before it writes no more. */
  open(process: SimProcess, onAnswer: (answer: Answer) => void): StorePort;
}

/** A party of a simulated world with an account, which asks and is told. */
export class AccountHolder implements AnswerHandler {
  readonly key: SigningKey;
  readonly process: SimProcess;
  readonly answers = new Map<number, Extract<Answer, { kind: 'party' }>>();

  constructor(lab: BrokerLab, name: string, key?: SigningKey) {
    this.process = lab.start(name);
    this.key = key ?? SigningKey.fresh(this.process.host.entropy);
    this.process.attach(this);
  }

  onAnswer(answer: Answer): void {
    if (answer.kind === 'party') this.answers.set(answer.ask, answer);
  }

  onChain(): void {}
}

/** A broker in virtual time, with a chain that it watches and parties around it. */
export class BrokerLab {
  readonly world: World;
  readonly chain = new SimChain();
  readonly parties = new SimParties();
  readonly at: Endpoint = { host: '10.0.0.1', port: 80 };
  readonly key = brokerKey;
  process: SimProcess;
  store!: StorePort;
  core: BrokerCore;
  readonly #disk: BrokerDisk | undefined;
  readonly #schemes: readonly BrokeredScheme[];
  readonly #minConfirmations: number;
  readonly #ticking: boolean;
  /** What is lent to any account, msat. */
  lendsMsat = 0n;
  #helpers = 0;

  /** @param ticking the broker looks at its deadlines by itself; else, for tests of many days, when it is told to tick. */
  constructor(
    seed: string,
    schemes: readonly BrokeredScheme[],
    minConfirmations = 1,
    ticking = true,
    disk?: BrokerDisk,
  ) {
    this.world = new World({ seed });
    this.#disk = disk;
    this.#schemes = schemes;
    this.#minConfirmations = minConfirmations;
    this.#ticking = ticking;
    this.process = this.start('broker');
    this.core = this.#begin();
    this.run(100);
  }

  /** @param at where others ask it, if they do. */
  start(name: string, at?: Endpoint): SimProcess {
    return SimProcess.start(this.world, name, this.chain, this.parties, at);
  }

  run(virtualMs: number): void {
    this.world.runFor(virtualMs);
  }

  /** Lets the chain go on by so many blocks, and everybody hear of them. */
  mine(blocks = 1): void {
    this.chain.mine(blocks);
    this.run(200);
  }

  /** The broker dies and starts again with what was durable. @param meanwhile what happens while it is down. */
  restart(meanwhile = () => {}): void {
    this.process.parties.node.die();
    meanwhile();
    this.process = this.process.restart();
    this.core = this.#begin();
    this.run(200);
  }

  /** Asks as `holder`; ends with the answer. */
  ask(holder: AccountHolder, scheme: number, request: Uint8Array): Extract<Answer, { kind: 'party' }> {
    const { process, answers } = holder;
    const ask = process.turn(() => {
      const id = process.host.newAsk();
      process.host.parties.ask(this.at, scheme, request, id);
      return id;
    });
    this.world.runUntil(() => answers.has(ask), { virtualMs: wordsMs });
    const answer = answers.get(ask);
    expect(answer).toBeDefined();
    return answer as Extract<Answer, { kind: 'party' }>;
  }

  request(holder: AccountHolder, body: Uint8Array): Uint8Array {
    return makeAccountRequest(holder.key, holder.process.host.entropy, body);
  }

  /** The address of an account whose holder does not run yet. */
  addressFor(account: SigningKey): string {
    this.#helpers += 1;
    return this.addressOf(new AccountHolder(this, `helper ${this.#helpers}`, account));
  }

  addressOf(holder: AccountHolder): string {
    const body = plainBody.encode({ operation: tillOperation.address });
    const { reply } = this.ask(holder, tillScheme, this.request(holder, body));
    return fromUtf8(addressReply.decode(reply ?? new Uint8Array(0))?.address ?? new Uint8Array(0));
  }

  balanceMsat(holder: AccountHolder): bigint {
    const body = plainBody.encode({ operation: tillOperation.balance });
    const { reply } = this.ask(holder, tillScheme, this.request(holder, body));
    const said = balanceReply.decode(reply ?? new Uint8Array(0));
    return (said?.heldMsat ?? 0n) - (said?.owedMsat ?? 0n);
  }

  /** Bitcoins are paid into an account, and confirmed. */
  fund(holder: AccountHolder, sat: bigint): void {
    const script = scriptOfAddress(this.addressOf(holder));
    expect(script).toBeDefined();
    this.chain.issue(script as Uint8Array, sat);
    this.mine(this.#minConfirmations);
  }

  /** Pays into an account by a transaction that a reorganisation may leave out; its id. In the next block. */
  pay(holder: AccountHolder, sat: bigint): string {
    const from = Uint8Array.of(0, 20, ...holder.key.publicKey.subarray(13));
    this.chain.issue(from, sat + 1_000n);
    this.mine();
    const paying = new Transaction();
    const { txid } = this.chain.tip.transactions[0];
    paying.addInput(txid, 0);
    paying.addOutput(scriptOfAddress(this.addressOf(holder)) as Uint8Array, sat);
    expect(this.chain.offer([paying.toBuffer()])).toBeUndefined();
    return toHex(paying.getHash());
  }

  /** What the books say of an account. */
  heldMsat(account: Uint8Array): bigint {
    return this.core.books.balancesMsat.get(toHex(account)) ?? 0n;
  }

  /** The proofs on file. */
  get proofs(): readonly CheatProof[] {
    return this.process.turn(() =>
      filedProofs(this.store).flatMap(([, text]) => {
        const proof = parseProof(fromUtf8(text));
        return proof.ok ? [proof.value] : [];
      }),
    );
  }

  /** Every e-coin is backed: the books agree with themselves, with each scheme and with the chain. */
  expectBacked(): void {
    expect(this.core.problems()).toEqual([]);
  }

  #begin(): BrokerCore {
    const { process } = this;
    const store = this.#disk?.open(process, answer => core.onAnswer(answer)) ?? process.store;
    const core: BrokerCore = process.turn(
      () =>
        new BrokerCore(
          {
            key: this.key,
            walletSeed: new Uint8Array(32).fill(12),
            minConfirmations: this.#minConfirmations,
            lendsMsat: () => this.lendsMsat,
          },
          { ...process.host, store, parties: process.parties },
          this.#schemes,
        ),
    );
    this.store = store;
    process.attach({
      onAnswer: answer => core.onAnswer(answer),
      onChain: event => core.onChain(event),
      onRequest: (request, scheme, bytes) => core.onRequest(request, scheme, bytes),
    });
    process.parties.listen(this.at);
    if (this.#ticking) process.turn(() => core.start());
    return core;
  }
}

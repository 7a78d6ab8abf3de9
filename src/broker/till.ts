import { assert } from '../base/assert.ts';
import { toHex, utf8 } from '../base/bytes.ts';
import { accountsMax, changeAddressesMin } from '../base/limits.ts';
import { leastFeeSat } from '../bitcoin/coin-choice.ts';
import { outpointKey } from '../bitcoin/outpoint.ts';
import { dustSatOf } from '../bitcoin/output-scripts.ts';
import { idOf, rawOf, transactionOf } from '../bitcoin/raw-transaction.ts';
import { Wallet } from '../bitcoin/wallet.ts';
import { accountRequest } from '../payment/account-request.ts';
import type { AccountKey } from '../payment/broker-side.ts';
import { refused, type Served } from '../payment/scheme.ts';
import type { ChainEvent, ChainPort, Outpoint, StorePort, StoreWrite } from '../ports.ts';
import type { AccountBook } from './account-book.ts';
import {
  addressReply,
  balanceReply,
  plainBody,
  tillOperation,
  withdrawBody,
  withdrawReply,
} from './money-messages.ts';
import { PayoutFees, type Waiting } from './payout-fees.ts';
import {
  addressBook,
  type Deposit,
  depositBook,
  type Withdrawal,
  walletPrefix,
  withdrawalBook,
  withdrawnBook,
} from './till-records.ts';

export interface TillOptions {
  readonly store: Pick<StorePort, 'get' | 'list'>;
  readonly accounts: AccountBook;
  readonly chain: ChainPort;
  readonly seed: Uint8Array;
  /** The broker's own account. */
  readonly house: AccountKey;
  /** From how many on a deposit counts. */
  readonly minConfirmations: number;
  /** Makes records durable, in order. */
  readonly persist: (writes: readonly StoreWrite[]) => void;
  readonly once: (request: Uint8Array, serve: (account: AccountKey, body: Uint8Array) => Served) => Served;
  /** Runs later, in a turn of its own. */
  readonly later: (run: () => void) => void;
}

/** What withdrawals pay where bitcoind has no better word. */
const satPerKvbMin = 1_000n;
/** Blocks a withdrawal is offered again for. */
const settledBlocks = 100;

/**
 * Where bitcoins become money of accounts, and money bitcoins: an account is told an address; what is paid to it counts
 * once it is confirmed, and no longer when a reorganisation takes it back. A withdrawal is durable before it is sent,
 * and sent again with every block until it is deep in the chain. One that waits long has its fee raised, out of the house's money.
 */
export class Till {
  readonly #options: TillOptions;
  readonly wallet: Wallet;
  /** By index of the address in the wallet. */
  readonly #addresses: ReturnType<typeof addressBook>;
  readonly #deposits: ReturnType<typeof depositBook>;
  readonly #withdrawals: ReturnType<typeof withdrawalBook>;
  readonly #withdrawn: ReturnType<typeof withdrawnBook>;
  readonly #fees: PayoutFees;
  /** Deposits that the records hold, and of which the chain has not spoken since this process began. */
  readonly #unproven: Set<string>;
  /** Deposits that do not count yet. */
  readonly #uncredited = new Set<string>();
  /** Withdrawals that are not deep in the chain yet. */
  readonly #unsettled = new Set<string>();
  /** Heights of the blocks that hold withdrawals, by transaction id. */
  readonly #paidOut = new Map<string, number>();
  readonly #indexOfScript = new Map<string, number>();
  readonly #addressOf = new Map<string, string>();
  #satPerKvb = satPerKvbMin;
  #tip = 0;

  constructor(options: TillOptions) {
    this.#options = options;
    const { store, seed, minConfirmations } = options;
    this.wallet = new Wallet({ seed, prefix: walletPrefix, minConfirmations }, store);
    this.#fees = new PayoutFees(this.wallet);
    this.#addresses = addressBook(store);
    this.#deposits = depositBook(store);
    this.#withdrawals = withdrawalBook(store);
    this.#withdrawn = withdrawnBook(store);
    this.#unproven = new Set([...this.#deposits.entries()].map(([id]) => id));
    for (const [id, { credited }] of this.#deposits.entries()) if (credited === 0) this.#uncredited.add(id);
    for (const [index, { account, used }] of this.#addresses.entries()) {
      this.#indexOfScript.set(toHex(this.wallet.scriptAt(Number(index))), Number(index));
      if (used === 0) this.#addressOf.set(toHex(account), index);
    }
    for (const [id, { raw }] of this.#withdrawals.entries()) {
      this.#unsettled.add(id);
      this.wallet.adopt(transactionOf(raw));
    }
    this.wallet.watch(options.chain);
  }

  /** Received, and not yet deep enough to count. */
  get waitingSat(): bigint {
    let sum = 0n;
    for (const { sat } of this.#waitingDeposits()) sum += sat;
    return sum;
  }

  *#waitingDeposits(): Iterable<Deposit> {
    for (const id of this.#uncredited) yield this.#deposits.get(id) as Deposit;
  }

  #keepDeposit(id: string, deposit: Deposit): StoreWrite {
    if (deposit.credited === 1) this.#uncredited.delete(id);
    else this.#uncredited.add(id);
    return this.#deposits.put(id, deposit);
  }

  #keepWithdrawal(id: string, withdrawal: Withdrawal): StoreWrite {
    this.#unsettled.add(id);
    return this.#withdrawals.put(id, withdrawal);
  }

  serve(request: Uint8Array): Served {
    const said = accountRequest.decode(request);
    const operation = said === undefined ? undefined : said.body[0];
    if (said === undefined || operation === undefined) return refused('malformed');
    if (operation === tillOperation.balance) {
      if (!accountRequest.isBy(said.account, said)) return refused('badSignature');
      return { kind: 'reply', reply: this.#balance(said.account), persist: [] };
    }
    const done = this.#withdrawn.get(withdrawalName(said));
    if (done !== undefined && accountRequest.isBy(said.account, said))
      return { kind: 'reply', reply: withdrawReply.encode(done), persist: [] };
    return this.#options.once(request, (account, body) => {
      if (operation === tillOperation.address) return this.#address(account, body);
      if (operation === tillOperation.withdraw) return this.#withdraw(said);
      return refused('malformed');
    });
  }

  onChain(event: ChainEvent): void {
    this.wallet.onChain(event);
    if (event.kind === 'paid') this.#onPaid(event.script, event.outpoint, event.valueSat, event.height);
    if (event.kind === 'spent') this.#onSpent(event.transaction, event.height);
    if (event.kind === 'reorg') this.#onReorg(event.height);
    if (event.kind === 'block') this.#onBlock(event.height);
  }

  /** After each block. */
  onFeerate(satPerKvb: bigint | undefined): void {
    if (satPerKvb === undefined) return;
    if (satPerKvb > satPerKvbMin) this.#satPerKvb = satPerKvb;
    const { accounts, house, persist } = this.#options;
    const child = this.#fees.childFor(this.#waiting(), this.#tip, satPerKvb);
    if (child === undefined) return;
    const { transaction, feeSat, writes } = child;
    this.wallet.adopt(transaction);
    const raw = rawOf(transaction);
    const record = this.#keepWithdrawal(toHex(idOf(transaction)), { account: house, paidSat: feeSat, raw });
    persist([...writes, ...accounts.payFee(feeSat * 1_000n), record]);
    this.#offer(raw);
  }

  /** Those in no block. A child of ours pays the house's own wallet, and no more than its fee is counted as paid out. */
  #waiting(): readonly Waiting[] {
    return [...this.#unsettled].flatMap(id => {
      if (this.#paidOut.has(id)) return [];
      const { paidSat, raw } = this.#withdrawals.get(id) as Withdrawal;
      const transaction = transactionOf(raw);
      const isChild = this.wallet.feeSatOf(transaction) === paidSat;
      return [{ id, transaction, addedSat: isChild ? paidSat : undefined }];
    });
  }

  /** With what it spends that waits too: alone, what pays little may not be taken. */
  #offer(raw: Uint8Array): void {
    const parents = new Set(transactionOf(raw).ins.map(({ hash }) => toHex(hash)));
    const waiting = [...parents].flatMap(id => {
      const parent = this.#paidOut.has(id) ? undefined : this.#withdrawals.get(id);
      return parent === undefined ? [] : [parent.raw];
    });
    this.#options.chain.broadcast([...waiting, raw], 0);
  }

  #balance(account: AccountKey): Uint8Array {
    const balance = this.#options.accounts.balanceMsat(account) ?? 0n;
    const name = toHex(account);
    let waitingSat = 0n;
    for (const { account: of, sat } of this.#waitingDeposits()) if (toHex(of) === name) waitingSat += sat;
    return balanceReply.encode({
      heldMsat: balance < 0n ? 0n : balance,
      owedMsat: balance < 0n ? -balance : 0n,
      waitingSat,
      confirmations: this.#options.minConfirmations,
    });
  }

  /** The one that nothing was paid to yet, or a fresh one. */
  #address(account: AccountKey, body: Uint8Array): Served {
    if (plainBody.decode(body) === undefined) return refused('malformed');
    const known = this.#addressOf.get(toHex(account));
    const text = (address: string) => addressReply.encode({ address: utf8(address) });
    if (known !== undefined)
      return { kind: 'reply', reply: text(this.wallet.addressAt(Number(known))), persist: [] };
    const { accounts } = this.#options;
    // Withdrawals need addresses for their change.
    if (this.#addresses.size >= accountsMax || this.wallet.addressesLeft <= changeAddressesMin)
      return refused('busy');
    const { index, address, script, writes } = this.wallet.takeAddress();
    this.#indexOfScript.set(toHex(script), index);
    this.#addressOf.set(toHex(account), String(index));
    const persist = [
      ...writes,
      ...accounts.open(account),
      this.#addresses.put(String(index), { account, used: 0 }),
    ];
    return { kind: 'reply', reply: text(address), persist };
  }

  #withdraw(request: WithdrawalRequest): Served {
    const { account } = request;
    const said = withdrawBody.decode(request.body);
    const leastSat = said && dustSatOf(said.script);
    if (said === undefined || leastSat === undefined) return refused('malformed');
    if (said.sat < leastSat) return refused('tooSmall');
    const { accounts, later, chain } = this.#options;
    const balanceMsat = accounts.balanceMsat(account) ?? 0n;
    // Before coins are looked for: an account that has not as much need not hear of the broker's.
    if (balanceMsat < said.sat * 1_000n) return refused('overspent');
    // And before they are taken: change uses up an address.
    const leavesSat = this.wallet.feeToPay(said.sat, this.#satPerKvb) ?? leastFeeSat(this.#satPerKvb);
    if (balanceMsat < (said.sat + leavesSat) * 1_000n) return refused('overspent');
    const funded = this.wallet.fund(said.script, said.sat, this.#satPerKvb);
    if (!funded.ok) return refused('frozen');
    const { transaction, feeSat, writes } = funded.value;
    this.wallet.adopt(transaction);
    const paidSat = said.sat + feeSat;
    const paid = accounts.payOut(account, paidSat * 1_000n);
    assert(paid !== undefined, 'the balance was looked at before');
    const raw = rawOf(transaction);
    const txid = idOf(transaction);
    const record = this.#keepWithdrawal(toHex(txid), { account, paidSat, raw });
    // The records of this turn are written at its end, and the chain is offered nothing before they are durable.
    later(() => chain.broadcast([raw], 0));
    return {
      kind: 'reply',
      reply: withdrawReply.encode({ txid, feeSat }),
      persist: [...writes, ...paid, record, this.#withdrawn.put(withdrawalName(request), { txid, feeSat })],
    };
  }

  #onPaid(script: Uint8Array, outpoint: Outpoint, sat: bigint, height: number): void {
    const index = this.#indexOfScript.get(toHex(script));
    const address = index === undefined ? undefined : this.#addresses.get(String(index));
    if (index === undefined || address === undefined) return;
    const id = outpointKey(outpoint);
    this.#unproven.delete(id);
    const before = this.#deposits.get(id);
    // In the same block as before.
    if (before?.height === height) return;
    const { account } = address;
    this.#addressOf.delete(toHex(account));
    this.#options.persist([
      this.#addresses.put(String(index), { account, used: 1 }),
      this.#keepDeposit(id, { account, sat, height, credited: before?.credited ?? 0 }),
    ]);
    this.#credit();
  }

  #onSpent(raw: Uint8Array, height: number): void {
    const id = toHex(idOf(transactionOf(raw)));
    if (this.#withdrawals.get(id) !== undefined) this.#paidOut.set(id, height);
  }

  #onBlock(height: number): void {
    this.#tip = height;
    // What past blocks did not hold was taken by a reorganisation while this process was down.
    for (const id of this.#unproven) this.#takeBack(id);
    this.#credit();
    for (const id of this.#unsettled) {
      const paidHeight = this.#paidOut.get(id);
      if (paidHeight === undefined || height - paidHeight < settledBlocks)
        this.#offer((this.#withdrawals.get(id) as Withdrawal).raw);
      else this.#unsettled.delete(id);
    }
  }

  /** What has become deep enough counts from now on. */
  #credit(): void {
    const { accounts, persist, minConfirmations } = this.#options;
    for (const id of this.#uncredited) {
      const deposit = this.#deposits.get(id) as Deposit;
      const { account, sat, height } = deposit;
      if (this.#tip - height + 1 < minConfirmations) continue;
      persist([
        ...accounts.receive(account, sat * 1_000n),
        this.#keepDeposit(id, { ...deposit, credited: 1 }),
      ]);
    }
  }

  /** What the blocks above `height` held is not there: it does not count until it is in a block again. */
  #onReorg(height: number): void {
    for (const [id, paidHeight] of this.#paidOut) {
      if (paidHeight <= height) continue;
      this.#paidOut.delete(id);
      this.#unsettled.add(id);
    }
    for (const [id, deposit] of [...this.#deposits.entries()])
      if (deposit.height > height) this.#takeBack(id);
  }

  #takeBack(id: string): void {
    this.#unproven.delete(id);
    const deposit = this.#deposits.get(id);
    if (deposit === undefined) return;
    const { accounts, persist } = this.#options;
    const { account, sat, credited } = deposit;
    const back = credited === 1 ? accounts.receive(account, -sat * 1_000n) : [];
    this.#uncredited.delete(id);
    persist([...back, this.#deposits.drop(id)]);
  }
}

interface WithdrawalRequest {
  readonly account: AccountKey;
  readonly id: Uint8Array;
  readonly body: Uint8Array;
}

/** It is answered the same for ever: later replies push the first one out, and whoever saw the request go by may send it again. */
function withdrawalName({ account, id }: WithdrawalRequest): string {
  return `${toHex(account)}/${toHex(id)}`;
}

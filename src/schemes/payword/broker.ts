import { equalBytes, toHex } from '../../base/bytes.ts';
import { fixedBytes, type Holds, restBytes, struct, u8, u32, u64 } from '../../base/struct.ts';
import type { AccountKey, BrokerHost, BrokerSide } from '../../payment/broker-side.ts';
import { leadsTo, wordBytes } from '../../payment/hash-chain.ts';
import { RecordBook } from '../../payment/record-book.ts';
import { refused, type Served, type Value } from '../../payment/scheme.ts';
import type { StoreWrite } from '../../ports.ts';
import {
  brokerOperation,
  certificate,
  certifyBody,
  commitment,
  escrow,
  lockBody,
  schemeId,
  settleBody,
  settledReply,
} from './messages.ts';
import { overspent } from './proofs.ts';
import {
  badWordsMax,
  type Certificate,
  type Commitment,
  chainId,
  countMax,
  graceSeconds,
  hashOf,
  holdSeconds,
  isBacked,
  marginSeconds,
  secondsOf,
  settleableTo,
  unitMsat,
  worthMsat,
} from './terms.ts';

const word = fixedBytes(wordBytes);
const lockRecord = struct({ commitment, expiry: u32, settled: u32, word });
const creditRecord = struct({ certificate, paidMsat: u64 });
const claimRecord = struct({
  serial: fixedBytes(16),
  index: u32,
  word,
  commitment,
  creditedMsat: u64,
});
const bannedRecord = struct({ why: u8, rest: restBytes });

type Claimed = Holds<typeof settleBody>;

interface Lock {
  readonly commitment: Commitment;
  readonly expiry: number;
  /** Words that the payee was paid for, and the last of them: the root, while there are none. */
  readonly settled: number;
  readonly word: Uint8Array;
}

interface Credit {
  readonly certificate: Certificate;
  readonly paidMsat: Value;
}

interface Claim {
  readonly serial: Uint8Array;
  readonly index: number;
  readonly word: Uint8Array;
  readonly commitment: Commitment;
  /** What its payee was given: less than it asked where the certificate was overspent. */
  readonly creditedMsat: Value;
}

/**
 * The broker's side. Prepaid: what a commitment may come to is put aside, its payee is paid out of that, the rest goes
 * back. On credit: the broker puts its own money aside for a certificate and collects from the payer what was spent; a
 * payer that promised more than its limit is proven to have done so, and gets no credit again.
 */
export class PaywordBroker implements BrokerSide {
  readonly #host: BrokerHost;
  /** Seconds since 1970. */
  readonly #begun: number;
  readonly #locks: RecordBook<Lock>;
  readonly #credits: RecordBook<Credit>;
  /** What payees handed in under certificates that still hold. */
  readonly #claims: RecordBook<Claim>;
  readonly #banned: RecordBook<{ readonly why: number; readonly rest: Uint8Array }>;
  /** Serials of certificates that were not given back yet, by payer. */
  readonly #serials = new Map<string, Set<string>>();
  /** By chain of which words were settled: those that came after them and lead nowhere. */
  readonly #badWords = new Map<string, number>();

  constructor(host: BrokerHost) {
    this.#host = host;
    this.#begun = this.#now;
    this.#locks = new RecordBook(host.store, 'payword/broker/lock/', lockRecord);
    this.#credits = new RecordBook(host.store, 'payword/broker/credit/', creditRecord);
    this.#claims = new RecordBook(host.store, 'payword/broker/claim/', claimRecord);
    this.#banned = new RecordBook(host.store, 'payword/broker/banned/', bannedRecord);
    for (const [serial, { certificate: granted }] of this.#credits.entries())
      this.#serialsOf(granted.payer).add(serial);
  }

  serve(request: Uint8Array): Served {
    return this.#host.once(request, (account, body) => {
      if (body[0] === brokerOperation.certify) return this.#certify(account, body);
      if (body[0] === brokerOperation.lock) return this.#lock(account, body);
      if (body[0] === brokerOperation.settle) return this.#settle(account, body);
      return refused('malformed');
    });
  }

  outstandingMsat(): Value {
    let sum = 0n;
    for (const [, { commitment: said, settled }] of this.#locks.entries())
      sum += worthMsat(said) - said.unitMsat * BigInt(settled);
    for (const [, { certificate: granted, paidMsat }] of this.#credits.entries())
      sum += granted.limitMsat - paidMsat;
    return sum;
  }

  /** What has expired goes back to whom it came from. */
  onTick(): readonly StoreWrite[] {
    const now = this.#now;
    if (now < this.#begun + graceSeconds) return [];
    const writes: StoreWrite[] = [];
    for (const [id, lock] of [...this.#locks.entries()])
      if (lock.expiry < now) writes.push(...this.#release(id, lock));
    for (const [serial, { certificate: granted, paidMsat }] of [...this.#credits.entries()]) {
      if (granted.expiry >= now) continue;
      const left = granted.limitMsat - paidMsat;
      writes.push(...this.#host.accounts.deposit(schemeId, this.#host.key.publicKey, left));
      writes.push(this.#credits.drop(serial));
      this.#serialsOf(granted.payer).delete(serial);
      if (this.#serialsOf(granted.payer).size === 0) this.#serials.delete(toHex(granted.payer));
      for (const [id, claim] of [...this.#claims.entries()]) {
        if (toHex(claim.serial) !== serial) continue;
        writes.push(this.#claims.drop(id));
        this.#badWords.delete(id);
      }
    }
    return writes;
  }

  get #now(): number {
    return secondsOf(this.#host.clock.wallMs());
  }

  #certify(account: AccountKey, body: Uint8Array): Served {
    const said = certifyBody.decode(body);
    if (said === undefined || said.limitMsat === 0n) return refused('malformed');
    const { accounts, key, entropy } = this.#host;
    const balance = accounts.balanceMsat(account);
    // Credit is for whom the operator lends to, who have an account and owe nothing.
    if (balance === undefined || balance < 0n) return refused('overspent');
    if (this.#banned.get(toHex(account)) !== undefined) return refused('overspent');
    const lentMsat = this.#host.lendsMsat(account);
    // One certificate gives way to the next before it ends, so each is good for half.
    const limitMsat = said.limitMsat < lentMsat / 2n ? said.limitMsat : lentMsat / 2n;
    if (limitMsat === 0n) return refused('overspent');
    const untouched = this.#untouchedCredit(account);
    // Whoever never heard of its certificate asks again. It is not taken back for another: payees may have promises under it.
    if (untouched?.limitMsat === limitMsat)
      return { kind: 'reply', reply: certificate.encode(untouched), persist: [] };
    if (untouched !== undefined || this.#promisedMsat(account) + limitMsat > lentMsat)
      return refused('overspent');
    const issued = accounts.issue(schemeId, key.publicKey, limitMsat);
    if (issued === undefined) return refused('overspent');
    const granted = certificate.sign(key, {
      payer: account,
      serial: entropy.bytes(16),
      limitMsat,
      expiry: this.#now + holdSeconds,
    });
    const serial = toHex(granted.serial);
    this.#serialsOf(account).add(serial);
    const record = this.#credits.put(serial, { certificate: granted, paidMsat: 0n });
    return { kind: 'reply', reply: certificate.encode(granted), persist: [...issued, record] };
  }

  /** A payer's certificate that it can promise under, and that nothing was collected under. Near its end the next one is due. */
  #untouchedCredit(payer: AccountKey): Certificate | undefined {
    const ends = this.#now + 2 * marginSeconds;
    for (const serial of this.#serials.get(toHex(payer)) ?? []) {
      const credit = this.#credits.get(serial);
      if (credit?.paidMsat === 0n && credit.certificate.expiry >= ends) return credit.certificate;
    }
    return undefined;
  }

  /** What payees may yet claim under all certificates of a payer. */
  #promisedMsat(payer: AccountKey): Value {
    let sum = 0n;
    for (const serial of this.#serials.get(toHex(payer)) ?? []) {
      const credit = this.#credits.get(serial);
      if (credit !== undefined) sum += credit.certificate.limitMsat - credit.paidMsat;
    }
    return sum;
  }

  #serialsOf(payer: AccountKey): Set<string> {
    const id = toHex(payer);
    const serials = this.#serials.get(id) ?? new Set<string>();
    this.#serials.set(id, serials);
    return serials;
  }

  #lock(account: AccountKey, body: Uint8Array): Served {
    const said = lockBody.decode(body)?.commitment;
    if (said === undefined || said.count === 0 || said.count > countMax || said.unitMsat === 0n)
      return refused('malformed');
    if (said.unitMsat < unitMsat) return refused('badTerms');
    if (!equalBytes(said.payer, account) || !commitment.isBy(account, said)) return refused('badSignature');
    const now = this.#now;
    if (said.expiry < now || said.expiry > now + 2 * holdSeconds) return refused('badTerms');
    const id = chainId(said);
    if (this.#locks.get(id) !== undefined) return refused('stale');
    const issued = this.#host.accounts.issue(schemeId, account, worthMsat(said));
    if (issued === undefined) return refused('overspent');
    const locked = escrow.sign(this.#host.key, {
      commitment: hashOf(commitment.encode(said)),
      expiry: said.expiry,
    });
    const lock = { commitment: said, expiry: said.expiry, settled: 0, word: said.root };
    const record = this.#locks.put(id, lock);
    return { kind: 'reply', reply: escrow.encode(locked), persist: [...issued, record] };
  }

  /** What is promised is looked up before a word is hashed, and hashed from the last word that was settled. */
  #settle(account: AccountKey, body: Uint8Array): Served {
    const claim = settleBody.decode(body);
    if (claim === undefined) return refused('malformed');
    const { commitment: said, index } = claim;
    if (!equalBytes(said.payee, account)) return refused('unknownChannel');
    if (index > said.count || said.count > countMax) return refused('overspent');
    const lock = this.#locks.get(chainId(said));
    if (lock !== undefined) return this.#settleLock(account, claim, lock);
    return this.#settleCredit(account, claim);
  }

  /** What is wrong with a word, when so many are settled, up to that one. */
  #judgeWord({ commitment: said, index, word }: Claimed, settled: number, last: Uint8Array) {
    // What was settled before is worth nothing more.
    if (index <= settled) return undefined;
    if (index > settleableTo(settled)) return 'overspent';
    const id = chainId(said);
    const bad = this.#badWords.get(id) ?? 0;
    if (bad < badWordsMax && leadsTo(said.name, last, word, index - settled)) return undefined;
    if (settled > 0) this.#badWords.set(id, bad + 1);
    return 'badSignature';
  }

  #settleLock(account: AccountKey, claim: Claimed, lock: Lock): Served {
    const { index, final, word } = claim;
    const { commitment: said } = lock;
    if (!equalBytes(commitment.encode(said), commitment.encode(claim.commitment)))
      return refused('unknownChannel');
    const fault = this.#judgeWord(claim, lock.settled, lock.word);
    if (fault !== undefined) return refused(fault);
    const id = chainId(said);
    const settled = index > lock.settled ? { ...lock, settled: index, word } : lock;
    const more = said.unitMsat * BigInt(settled.settled - lock.settled);
    const paid = this.#host.accounts.deposit(schemeId, account, more);
    const rest = final === 1 ? this.#release(id, settled) : [this.#locks.put(id, settled)];
    return reply(index, said.unitMsat * BigInt(index), [...paid, ...rest]);
  }

  /** What is left of an escrow goes back to its payer. */
  #release(id: string, { commitment: said, settled }: Lock): readonly StoreWrite[] {
    const left = worthMsat(said) - said.unitMsat * BigInt(settled);
    this.#badWords.delete(id);
    return [...this.#host.accounts.deposit(schemeId, said.payer, left), this.#locks.drop(id)];
  }

  #settleCredit(account: AccountKey, claim: Claimed): Served {
    const { commitment: said, backing, index, word } = claim;
    const granted = certificate.decode(backing);
    const credit = granted === undefined ? undefined : this.#credits.get(toHex(granted.serial));
    if (granted === undefined || credit === undefined) return refused('unknownChannel');
    if (!equalBytes(said.payer, granted.payer) || !commitment.isBy(said.payer, said))
      return refused('badSignature');
    if (!isBacked(said, false, backing, this.#host.key.publicKey)) return refused('badSignature');
    const id = chainId(said);
    const known = this.#claims.get(id);
    const [before, creditedMsat] = [known?.index ?? 0, known?.creditedMsat ?? 0n];
    // A payee takes one promise for a chain: two would be worth less together than each.
    if (known !== undefined && !equalBytes(commitment.encode(known.commitment), commitment.encode(said)))
      return refused('badTerms');
    const left = granted.limitMsat - credit.paidMsat;
    // Nothing is left, and that is proven: more of it would be hashed and kept for nothing.
    if (left === 0n && this.#banned.get(toHex(said.payer)) !== undefined)
      return reply(index, creditedMsat, []);
    const fault = this.#judgeWord(claim, before, known?.word ?? said.root);
    if (fault !== undefined) return refused(fault);
    if (index <= before) return reply(index, creditedMsat, []);
    const asked = said.unitMsat * BigInt(index - before);
    const given = asked < left ? asked : left;
    const { accounts } = this.#host;
    const claimed = { serial: granted.serial, index, word, commitment: said };
    const writes: StoreWrite[] = [
      ...accounts.deposit(schemeId, account, given),
      ...accounts.charge(said.payer, given),
      this.#credits.put(toHex(granted.serial), { ...credit, paidMsat: credit.paidMsat + given }),
      this.#claims.put(id, { ...claimed, creditedMsat: creditedMsat + given }),
    ];
    if (asked > left) writes.push(...this.#convict(granted));
    return reply(index, creditedMsat + given, writes);
  }

  /** More was promised under the certificate than it is good for: its holder's own signatures say so. */
  #convict(granted: Certificate): readonly StoreWrite[] {
    const claims = [...this.#claims.entries()].filter(([, { serial }]) => equalBytes(serial, granted.serial));
    const proof = overspent(
      granted,
      claims.map(([, claim]) => claim),
    );
    const banned = this.#banned.put(toHex(granted.payer), { why: 1, rest: new Uint8Array(0) });
    return [...this.#host.file(proof), banned];
  }
}

function reply(index: number, creditedMsat: Value, persist: readonly StoreWrite[]): Served {
  return { kind: 'reply', reply: settledReply.encode({ index, creditedMsat }), persist };
}

import { toHex } from '../../src/base/bytes.ts';
import { paymentMsat } from './costs.ts';
import { Market } from './market.ts';
import type { Bargain, Peer } from './peer.ts';
import type { SchemeSubject } from './subjects.ts';

/** Below the bond of those who assist: whoever spends twice authorises nothing itself. */
const payerSat = 9_000n;
const richSat = 100_000n;
/** Peers with bonds, who manage what others pay. */
const helpers = ['helper 1', 'helper 2', 'helper 3', 'helper 4', 'helper 5'];
const spentTwice = 3;
/** More than half of all that is lent to one account, or that is in it. */
const largeMsat = 60_000_000n;
/** Within this after its first payment a payer has sent its contract. */
const contractSentMs = 5_000;
/** Clients take no new stream to a circuit of this age, and it ends. */
const circuitMs = 600_000;
/**
 * Payees hand in what they have some seconds after the last circuit has ended, or, where they may spend it themselves, a day later, and
 * assistants are asked in the day after that; so long after it nothing comes to light any more.
 */
const settleMs = 49 * 3_600_000;

type Found = 'at once' | 'later' | 'nothing to find' | 'never';

interface DoubleSpend {
  /**
   * At once: somebody refuses the second life before it has paid. Later: what both paid was credited, and then the broker had
   * a proof. Nothing to find: nobody refuses anything, and everybody got what was credited.
   */
  readonly found: Found;
  /** Between the beginning of the second life's payment and that refusal or proof, in virtual time. */
  readonly afterMs: number | undefined;
  /** What payees had credited and the broker, or the chain, does not pay. */
  readonly lostMsat: bigint;
  /** All that honest payees had credited. */
  readonly creditedMsat: bigint;
  /** The broker's proofs convict somebody; … */
  readonly proved: boolean;
  /** … by the account of whoever spent twice. */
  readonly named: boolean;
}

/** Who spends twice: whoever bought the money, a holder who was paid it, or a payer with a payee who lives twice too. */
export type Cheat = 'buyer' | 'holder' | 'payer and payee';

/** What each way of paying is spent twice by. */
export function cheatsOf({ scheme }: SchemeSubject): readonly Cheat[] {
  if (scheme === undefined || scheme.name === 'payword') return ['buyer'];
  return scheme.name === 'p2p-netpay' ? ['buyer', 'payer and payee'] : ['buyer', 'holder'];
}

/**
 * A payer that lives twice: its second life remembers all up to a moment and nothing after it. The first pays one payee, then
 * the second pays another by the same money. All circuits last as long as a client's do, and payees hand in on their own.
 */
export function doubleSpendOf(subject: SchemeSubject, repeat: number, cheat: Cheat = 'buyer'): DoubleSpend {
  const market = new Market({ ...subject, seed: `double spend ${subject.name} ${repeat} ${cheat}` });
  const payword = subject.scheme?.name === 'payword';
  market.open(helpers, subject.scheme === undefined ? 0n : richSat);
  const [payer] = market.open(['payer'], payword || subject.scheme === undefined ? richSat : payerSat);
  const payees = market.open(['first', 'second', 'third'], 0n);
  const trial = new Trial(market, payees);
  if (cheat === 'buyer') trial.buyerForks(payer, subject);
  else if (cheat === 'holder') trial.holderForks(payer);
  else trial.payeeHandsOverTwice(payer);
  return trial.outcome();
}

class Trial {
  readonly #market: Market;
  readonly #payees: readonly Peer[];
  readonly #lives: Peer[] = [];
  /** Of those, the ones that earned it: what they hold is not what a payee lost. */
  readonly #guilty = new Set<Peer>();
  #creditedMsat = 0n;
  #startMs: number | undefined;
  #refusedMs: number | undefined;
  #provedMs: number | undefined;
  /** When the second life had paid all that it meant to. */
  #paidMs = Number.POSITIVE_INFINITY;

  constructor(market: Market, payees: readonly Peer[]) {
    this.#market = market;
    this.#payees = payees;
    market.whenProved(() => {
      this.#provedMs ??= market.nowMs;
    });
  }

  /** By the money that it bought: a chain that its first payee has, coins, a line of credit, a coin of the chain. */
  buyerForks(payer: Peer, { scheme }: SchemeSubject): void {
    const [first, second, third] = this.#payees;
    const [value, times] = scheme?.name === 'payword' ? [largeMsat / 10n, 10] : [paymentMsat, spentTwice];
    const pays = (life: Peer, payee: Peer) => {
      for (let i = 0; i < times && this.#pay(life, payee, value); i++);
    };
    this.#pay(payer, first, paymentMsat);
    this.#market.settle();
    const twin = this.#market.twinOf(payer);
    this.#lives.push(payer, twin);
    const again = () => this.#again(twin, third, () => pays(twin, third));
    if (scheme === undefined) whileNoBlockComes(this.#market, again);
    pays(payer, second);
    if (scheme !== undefined) again();
  }

  /** By a coin that it was paid, which somebody else owns or assists. */
  holderForks(buyer: Peer): void {
    const [holder, second, third] = this.#payees;
    this.#guilty.add(holder);
    this.#pay(buyer, holder, paymentMsat);
    this.#market.settle();
    const twin = this.#market.twinOf(holder);
    this.#lives.push(buyer, holder, twin);
    this.#pay(holder, second, paymentMsat);
    this.#again(twin, third, () => this.#pay(twin, third, paymentMsat));
  }

  /** A payee whom both know says of one chain twice where it goes on. */
  payeeHandsOverTwice(payer: Peer): void {
    const [vendor, second, third] = this.#payees;
    this.#pay(payer, vendor, paymentMsat);
    payer.leave();
    this.#market.settle();
    const remembered = vendor.process.store.durable();
    const twin = this.#market.twinOf(payer);
    this.#lives.push(payer, twin);
    for (let i = 0; i < spentTwice; i++) this.#pay(payer, second, paymentMsat);
    this.#market.twinOf(vendor, remembered);
    this.#again(twin, third, () => {
      for (let i = 0; i < spentTwice && this.#pay(twin, third, paymentMsat); i++);
    });
  }

  outcome(): DoubleSpend {
    const market = this.#market;
    market.runFor(circuitMs);
    for (const life of this.#lives) life.part();
    market.runFor(settleMs);
    const { convicts } = market;
    const honest = this.#payees.filter(payee => !this.#guilty.has(payee));
    const lostMsat = honest.reduce((lost, payee) => lost - payee.balanceMsat(), this.#creditedMsat);
    const found = this.#found(lostMsat);
    return {
      found,
      afterMs: found === 'at once' || found === 'later' ? this.#firstMs - (this.#startMs ?? 0) : undefined,
      lostMsat,
      creditedMsat: this.#creditedMsat,
      proved: convicts.size > 0,
      named: this.#lives.some(({ account }) => convicts.has(toHex(account.publicKey))),
    };
  }

  /** When somebody first refused it, or the broker first had a proof. */
  get #firstMs(): number {
    return Math.min(this.#refusedMs ?? Number.POSITIVE_INFINITY, this.#provedMs ?? Number.POSITIVE_INFINITY);
  }

  #found(lostMsat: bigint): Found {
    // Whoever refuses does so before it has paid.
    if (this.#refusedMs !== undefined || this.#firstMs < this.#paidMs) return 'at once';
    if (this.#provedMs !== undefined) return 'later';
    return lostMsat > 0n ? 'never' : 'nothing to find';
  }

  /** The second life pays: whoever refuses it, or whom it pays, anything meanwhile has found it out. */
  #again(twin: Peer, payee: Peer, pays: () => void): void {
    const market = this.#market;
    this.#startMs = market.nowMs;
    const side = new Set([twin.name, payee.name]);
    market.parties.tap = ({ from, reply }) => {
      if (reply === undefined && side.has(from)) this.#refusedMs ??= market.nowMs;
    };
    pays();
    this.#paidMs = market.nowMs;
    market.parties.tap = undefined;
  }

  #pay(payer: Peer, payee: Peer, value: bigint): boolean {
    const bargain: Bargain = payer.pay(payee, value);
    if (bargain.kind === 'credited') {
      if (!this.#guilty.has(payee)) this.#creditedMsat += bargain.value;
      return true;
    }
    if (this.#startMs !== undefined && bargain.code !== 'waiting') this.#refusedMs ??= this.#market.nowMs;
    return false;
  }
}

/** Does it when the next payment's contract is sent, and no block has it yet. */
function whileNoBlockComes(market: Market, work: () => void): void {
  market.blocksHeld = true;
  market.world.after(contractSentMs * 1_000, () => {
    work();
    market.blocksHeld = false;
  });
}

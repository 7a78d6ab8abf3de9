import { toHex } from '../../../src/base/bytes.ts';
import type { CellBalance } from '../../../src/payment/cell-balance.ts';
import type { PaymentScheme } from '../../../src/payment/scheme.ts';
import { restoredWrites } from '../../../src/schemes/bitcoin-channel/went-back.ts';
import type { SeededEntropy } from '../../../src/sim/seeded-entropy.ts';
import type { TraceLine } from '../../../src/sim/trace-hash.ts';
import { ChannelNetwork } from '../channel-network.ts';
import type { NetworkWatch, SimClient, SimRelay } from '../paid-network.ts';
import { schemeLike } from '../scheme-like.ts';
import { CellRules } from './cell-rules.ts';
import { rivalOf } from './double-spend.ts';
import { forging, payingOnce, rideFree } from './hostile-clients.ts';
import { MoneyRules, type Weather } from './money-rules.ts';
import { PurseRules } from './purse-rules.ts';
import { lying, overcharge } from './rogue-relays.ts';
import { RuleBook } from './rule-book.ts';
import { type ClientKind, kindOf, relayKindOf, type TrialPlan } from './trial-plan.ts';
import { TrustRules } from './trust-rules.ts';

/** All rules of a trial, and the ears by which they hear of the network. */
export class TrialRules {
  network: TrialNetwork | undefined;
  readonly book: RuleBook;
  readonly money: MoneyRules;
  readonly cells: CellRules;
  readonly purses: PurseRules;
  readonly trust: TrustRules;
  /** Rogues are honest from now on, as faults stop. */
  reformed = false;
  readonly #plan: TrialPlan;
  #relays: SimRelay[] = [];
  #lives: number[] = [];
  #sessions: number[] = [];

  constructor(plan: TrialPlan) {
    this.#plan = plan;
    this.book = new RuleBook(() => {
      const { steps = 0, nowUs = 0 } = this.network?.world ?? {};
      return { step: steps, virtualMs: nowUs / 1_000 };
    });
    const weather: Weather = {
      lies: relay => relayKindOf(plan, relay) === 'liar',
      hindered: (relay, from, to) => this.network?.hindered(relay, from, to) ?? false,
    };
    const network = (): TrialNetwork => this.network as TrialNetwork;
    this.money = new MoneyRules(this.book, () => network().chain, weather);
    this.cells = new CellRules(this.book, network);
    this.purses = new PurseRules(this.book, plan);
    this.trust = new TrustRules(this.book);
  }

  lifeOf(relay: number): string {
    return `relay${relay}.${this.#lives[relay] ?? 0}`;
  }

  nextLife(relay: number): string {
    this.#lives[relay] = (this.#lives[relay] ?? 0) + 1;
    this.#sessions[relay] = 0;
    return this.lifeOf(relay);
  }

  /** Asked now and then. */
  all(): void {
    this.money.all();
    this.cells.all();
    this.purses.all();
  }

  readonly watch: NetworkWatch = {
    relayBegan: relay => {
      this.#relays[relay.index] = relay;
      this.cells.relayBegan(relay);
      relay.machine.store.tap = writes => this.money.stored('payee', relay.index, writes);
      relay.machine.host.node.onPowerCut = () => this.network?.killRelay(relay.index, 0);
      relay.machine.store.onBroken = () => this.network?.killRelay(relay.index, brokenDownMs);
    },
    relayDied: index => this.cells.relayDied(this.#relays[index]),
    circuitBegan: (index, circuit, balance) => {
      if (!balance.metered) return;
      this.#sessions[index] += 1;
      const [life, session] = [this.lifeOf(index), this.#sessions[index]];
      const counted =
        relayKindOf(this.#plan, index) === 'overcharger'
          ? this.#overcharged(life, balance)
          : this.cells.circuitBegan(this.#relays[index], circuit, balance);
      const credit = balance.credit.bind(balance);
      balance.credit = msat => {
        this.money.credited(life, session, msat);
        counted(msat);
        return credit(msat);
      };
    },
    clientBegan: client => {
      client.machine.store.tap = writes => this.money.stored('payer', client.index, writes);
      client.machine.host.node.onPowerCut = () => this.network?.restartClient(client.index, 0);
    },
    circuitOpened: (client, circuit) => {
      const kind = kindOf(this.#plan, client);
      if (kind === 'rider' || kind === 'beggar') rideFree(circuit, kind === 'rider');
      else this.purses.circuitOpened(client, circuit);
    },
    circuitEnded: (client, { path }, { code, detail }) => {
      const rogue = path.some(({ nickname }) => this.#isRogue(nickname));
      if (kindOf(this.#plan, client) !== 'honest' || rogue) return;
      const blames = code === 'CIRCUIT_CHEATED' || code === 'CIRCUIT_PROTOCOL';
      this.book.hold(!blames, 'honest', () => `client${client} says ${code}: ${detail}`);
    },
  };

  #isRogue(nickname: string): boolean {
    return this.#plan.rogues.some((kind, index) => kind !== 'honest' && nickname === `relay${index}`);
  }

  /** What such a relay counts is its own affair; whether it is paid on is not. */
  #overcharged(life: string, balance: CellBalance): (msat: bigint) => void {
    const { stolen, credited } = this.trust.charged(life);
    overcharge(balance, () => !this.reformed, stolen);
    return credited;
  }
}

/** A relay whose disk has broken, or was put back, begins again after so long. */
const brokenDownMs = 500;

const coinsEach = 6;
const reorgDepthMax = 8;
const reserveSat = 200_000n;

/** The network of a trial, with what can be done to it. */
export class TrialNetwork extends ChannelNetwork {
  readonly plan: TrialPlan;
  readonly rules: TrialRules;
  readonly #startHeight: number;
  /** Heights at which something stood in a relay's way; the chain's troubles stand in everybody's. */
  #hindered = new Map<number, Set<number>>();
  /** Of disks, by their node. */
  #copies = new Map<string, ReadonlyMap<string, Uint8Array>>();

  constructor(plan: TrialPlan, rules: TrialRules, trace?: TraceLine) {
    super({
      ...plan,
      channels: { reusePaidChannels: plan.reusePaidChannels },
      paying: { channelMsat: plan.channelSat * 1_000n },
      wrap: (scheme, role, index) => {
        const life = role === 'payee' ? rules.nextLife(index) : '';
        const seen = rules.money.watched(scheme, role, life);
        if (role === 'payer') return misused(seen, kindOf(plan, index), rules.trust);
        return relayKindOf(plan, index) === 'liar' ? lying(seen, () => !rules.reformed) : seen;
      },
      watch: rules.watch,
      onLog: line => rules.money.secrets.logged(line),
      ...(trace === undefined ? {} : { trace }),
    });
    this.plan = plan;
    this.rules = rules;
    this.#startHeight = this.chain.height;
    rules.network = this;
    this.chain.listen(rules.money);
  }

  get blocksMined(): number {
    return this.chain.height - this.#startHeight;
  }

  get honestClients(): readonly SimClient[] {
    return this.clients.filter(({ index }) => kindOf(this.plan, index) === 'honest');
  }

  get anyDown(): boolean {
    return [...this.relays, ...this.clients].some(node => this.isDown(node));
  }

  /** Whatever a fault left behind is put right: the chain answers and takes cheap transactions again. */
  heal(): void {
    this.chain.minedSatPerKvb = 0n;
    for (const { machine } of [...this.relays, ...this.clients]) {
      machine.chain.reach(true);
      machine.store.mend();
      machine.host.node.cutPower(() => false);
    }
    this.rules.reformed = true;
  }

  /** The next commit of the node finds no room; there is some again after a while. */
  fillDisk({ machine }: SimRelay | SimClient, ms: number): void {
    machine.store.fill();
    this.world.after(ms * 1_000, () => machine.store.empty());
  }

  /**
   * Kills the node and puts back what its disk held when this was last asked of it; the first time takes that copy.
   * @returns false when there is none yet.
   */
  putBackDisk(node: SimRelay | SimClient): boolean {
    const { store, host } = node.machine;
    const kept = this.#copies.get(host.node.name);
    const now = new Map(store.durable());
    // Without its seed it would be another node.
    if ([...now.keys()].some(key => key.endsWith('/seed'))) this.#copies.set(host.node.name, now);
    if (kept === undefined) return false;
    const role = 'keys' in node ? 'payee' : 'payer';
    if (role === 'payee') this.killRelay(node.index, brokenDownMs);
    else this.restartClient(node.index, brokenDownMs);
    const restored = new Map(kept);
    // Whoever puts back an old disk says so, as by naulon restore: a node that finds it out by itself serves nobody.
    for (const { key, value } of restoredWrites(kept))
      if (value === undefined) restored.delete(key);
      else restored.set(key, value);
    store.putBack(restored);
    this.rules.money.putBack(role, node.index, restored);
    return true;
  }

  /** A client that cheats has the coins of a contract that is in a block spent elsewhere, by a longer branch without it. */
  doubleSpend(draw: SeededEntropy): boolean {
    const { chain, plan, rules } = this;
    const mine = [...rules.money.channels.all].filter(
      ({ payer, terms }) =>
        payer !== undefined &&
        kindOf(plan, payer) === 'spender' &&
        chain.unspent(terms.outpoint) !== undefined,
    );
    if (mine.length === 0) return false;
    const { terms, payer = 0 } = draw.pick(mine);
    const seed = this.clients[payer].machine.store.durable().get('bitcoin-channel/payer/seed');
    const rival = seed && rivalOf(chain, terms.outpoint, seed);
    if (rival === undefined || rival.depth > reorgDepthMax || rival.depth >= this.blocksMined) return false;
    this.#hinderReorg(rival.depth);
    chain.reorg(rival.depth, { without: rival.without, with: [rival.transaction] });
    return true;
  }

  #hinderReorg(depth: number): void {
    for (let height = this.chain.height - depth; height <= this.chain.height + 1; height++)
      this.#hinder(undefined, height);
  }

  /** Coins for the clients, and for the relays what raises the fees of their settlements. */
  endow(): void {
    for (let coin = 0; coin < coinsEach; coin++) {
      for (const scheme of this.payers) {
        const wallet = scheme.desk.wallet('payer');
        if (wallet !== undefined) this.chain.issue(wallet.address.script, 4n * this.plan.channelSat);
      }
      for (const scheme of this.payees) {
        const wallet = scheme.desk.wallet('payee');
        if (wallet !== undefined) this.chain.issue(wallet.address.script, reserveSat);
      }
      this.chain.mine();
      this.world.runFor(500);
    }
  }

  killRelay(index: number, downMs: number): void {
    this.#hinder(index);
    this.restartRelay(index, downMs);
  }

  burst(blocks: number): void {
    for (let block = 0; block < blocks; block++) {
      this.#hinder(undefined);
      this.chain.mine();
    }
    this.#hinder(undefined);
  }

  /** The new branch may leave some of the old one's transactions out. */
  reorg(depth: number, draw: SeededEntropy): void {
    const gone = this.chain.blocksFrom(this.chain.height - depth + 1);
    const without = gone
      .flatMap(({ transactions }) => transactions.slice(1))
      .filter(() => draw.chance(0.3))
      .map(({ id }) => id);
    this.#hinderReorg(depth);
    this.chain.reorg(depth, { without });
  }

  feeSpike(blocks: number, satPerKvb: bigint): void {
    this.chain.minedSatPerKvb = satPerKvb;
    const end = this.chain.height + blocks;
    for (let height = this.chain.height; height <= end + 1; height++) this.#hinder(undefined, height);
    const stop = this.chain.listen({
      connected: ({ height }) => {
        if (height < end) return;
        this.chain.minedSatPerKvb = 0n;
        stop();
      },
      disconnected: () => {},
    });
  }

  chainDown(node: SimRelay | SimClient, ms: number): void {
    const { chain } = node.machine;
    chain.reach(false);
    if ('keys' in node) this.#hinder(node.index);
    this.world.after(ms * 1_000, () => {
      if ('keys' in node) this.#hinder(node.index);
      chain.reach(true);
    });
  }

  hindered(relay: number, fromHeight: number, toHeight: number): boolean {
    for (let height = fromHeight; height <= toHeight; height++) {
      if (this.#hindered.get(height)?.has(relay) || this.#hindered.get(height)?.has(-1)) return true;
    }
    return false;
  }

  /** @param relay all of them when undefined. */
  #hinder(relay = -1, height = this.chain.height): void {
    const at = this.#hindered.get(height) ?? new Set();
    this.#hindered.set(height, at.add(relay));
  }

  /** Ids of contracts of which a client has not yet got its money. */
  unfinished(): string[] {
    return (
      [...this.rules.money.channels.all]
        // The refund of a channel that its payer was put back behind is gone with its record.
        .filter(({ confirmed, putBack }) => confirmed && !putBack.has('payer'))
        .flatMap(({ id, terms }) => {
          const unspent = this.chain.unspent(terms.outpoint);
          return unspent === undefined
            ? []
            : [`${id.slice(0, 8)} (${toHex(terms.outpoint.txid).slice(0, 8)})`];
        })
    );
  }
}

/** The scheme as a client of that kind uses it. */
function misused(scheme: PaymentScheme, kind: ClientKind, trust: TrustRules): PaymentScheme {
  if (kind === 'honest') return schemeLike(scheme, { payer: host => trust.watched(scheme.payer(host)) });
  if (kind === 'spender') return scheme;
  return kind === 'forger' ? forging(scheme) : payingOnce(scheme);
}

import type { CellBalance } from '../../../src/payment/cell-balance.ts';
import type { PaymentScheme } from '../../../src/payment/scheme.ts';
import type { StoreWrite } from '../../../src/ports.ts';
import { restoredWrites } from '../../../src/schemes/bitcoin-channel/went-back.ts';
import type { SeededEntropy } from '../../../src/sim/seeded-entropy.ts';
import type { LoggedLine } from '../../../src/sim/sim-node.ts';
import type { PartyTrouble } from '../../../src/sim/sim-parties.ts';
import type { TraceLine } from '../../../src/sim/trace-hash.ts';
import type { Machine } from '../machine-room.ts';
import { type NetworkWatch, PaidNetwork, type SimClient, type SimRelay } from '../paid-network.ts';
import { schemeLike } from '../scheme-like.ts';
import { BrokeredMoney } from './brokered-money.ts';
import { CellRules } from './cell-rules.ts';
import { ChannelMoney } from './channel-money.ts';
import { forging, payingOnce, rideFree } from './hostile-clients.ts';
import type { Role, Weather } from './money-rules.ts';
import { PurseRules } from './purse-rules.ts';
import { lying, overcharge } from './rogue-relays.ts';
import { RuleBook } from './rule-book.ts';
import { SecretRules } from './secret-rules.ts';
import type { TrialMoney } from './trial-money.ts';
import { type ClientKind, channelScheme, kindOf, relayKindOf, type TrialPlan } from './trial-plan.ts';
import { TrustRules } from './trust-rules.ts';

/** All rules of a trial, and the ears by which they hear of the network. */
export class TrialRules {
  network: TrialNetwork | undefined;
  readonly book: RuleBook;
  readonly money: TrialMoney;
  readonly secrets: SecretRules;
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
    this.secrets = new SecretRules(this.book);
    this.money =
      plan.scheme === channelScheme
        ? new ChannelMoney(plan, network, this.book, this.secrets, weather)
        : new BrokeredMoney(plan, network, this.book, this.secrets);
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

  /** Who was put back was told so: nobody has a reason to take its records for old. */
  logged(line: LoggedLine): void {
    this.secrets.logged(line);
    this.book.hold(
      line.event !== 'store_went_back',
      'honest',
      () => `${line.node} takes its records for old`,
    );
  }

  /** Asked now and then. */
  all(): void {
    this.money.rules.all();
    this.cells.all();
    this.purses.all();
  }

  readonly watch: NetworkWatch = {
    relayBegan: relay => {
      this.#relays[relay.index] = relay;
      this.cells.relayBegan(relay);
      relay.machine.store.tap = writes => this.#stored('payee', relay.index, writes);
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
        this.money.rules.credited(life, session, msat);
        counted(msat);
        return credit(msat);
      };
    },
    clientBegan: client => {
      client.machine.store.tap = writes => this.#stored('payer', client.index, writes);
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

  #stored(role: Role, index: number, writes: readonly StoreWrite[]): void {
    this.secrets.stored(writes);
    this.money.rules.stored(role, index, writes);
  }

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

const reorgDepthMax = 8;

/** A node in its present life, whatever it does. */
interface TrialNode {
  readonly machine: Machine;
}

/** The network of a trial, with what can be done to it. */
export class TrialNetwork extends PaidNetwork {
  readonly plan: TrialPlan;
  readonly rules: TrialRules;
  /** Those by which a contract was spent twice are not among them. */
  reorgs = 0;
  doubleSpends = 0;
  readonly #startHeight: number;
  /** Heights at which something stood in a relay's way; the chain's troubles stand in everybody's. */
  #hindered = new Map<number, Set<number>>();
  /** Of disks, by their node. */
  #copies = new Map<string, ReadonlyMap<string, Uint8Array>>();
  /** By address. */
  #troubles = new Map<string, PartyTrouble>();

  constructor(plan: TrialPlan, rules: TrialRules, trace?: TraceLine) {
    super({
      ...plan,
      paying: { channelMsat: plan.channelSat * 1_000n },
      schemeFor: (role, index) => {
        const { money } = rules;
        const life = role === 'payee' ? rules.nextLife(index) : '';
        const seen = money.rules.watched(money.scheme(role, index), role, index, life);
        if (role === 'payer') return misused(seen, kindOf(plan, index), rules.trust);
        return relayKindOf(plan, index) === 'liar' ? lying(seen, () => !rules.reformed) : seen;
      },
      watch: rules.watch,
      onLog: line => rules.logged(line),
      ...(trace === undefined ? {} : { trace }),
    });
    this.plan = plan;
    this.rules = rules;
    this.#startHeight = this.chain.height;
    rules.network = this;
    this.chain.listen(rules.secrets);
    this.parties.trouble = ({ host }) => this.#troubles.get(host);
    this.#mineEach(plan.blockMs);
  }

  #mineEach(blockMs: number): void {
    this.world.after(blockMs * 1_000, () => {
      this.chain.mine();
      this.#mineEach(blockMs);
    });
  }

  /** Nodes with a disk and a view of the chain, by name; the broker among them, if there is one. */
  get nodes(): readonly TrialNode[] {
    const { broker } = this.rules.money;
    return [...this.relays, ...this.clients, ...(broker === undefined ? [] : [broker])];
  }

  get blocksMined(): number {
    return this.chain.height - this.#startHeight;
  }

  get honestClients(): readonly SimClient[] {
    return this.clients.filter(({ index }) => kindOf(this.plan, index) === 'honest');
  }

  get anyDown(): boolean {
    return this.nodes.some(node => this.isDown(node));
  }

  /**
   * Whatever a fault left behind is put right: the chain answers and takes cheap transactions again, and whoever said that
   * something unexpected happened is started again.
   */
  heal(): void {
    this.chain.minedSatPerKvb = 0n;
    this.#troubles.clear();
    for (const { machine } of this.nodes) {
      machine.chain.reach(true);
      machine.store.mend();
      const { node } = machine.host;
      node.cutPower(() => false);
      node.mishap(() => false);
      if (node.scarred) node.onPowerCut?.();
    }
    this.rules.reformed = true;
  }

  /** The next commit of the node finds no room; there is some again after a while. */
  fillDisk({ machine }: TrialNode, ms: number): void {
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
    if (this.plan.scheme !== channelScheme || [...now.keys()].some(key => key.endsWith('/seed')))
      this.#copies.set(host.node.name, now);
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
    this.rules.secrets.stored([...kept].map(([key, value]) => ({ key, value })));
    this.rules.money.rules.putBack(role, node.index);
    return true;
  }

  /** A client that cheats has the coins of a contract that is in a block spent elsewhere, by a longer branch without it. */
  doubleSpend(draw: SeededEntropy): boolean {
    const rival = this.rules.money.rival(draw);
    if (rival === undefined || rival.depth > reorgDepthMax || rival.depth >= this.blocksMined) return false;
    this.#hinderReorg(rival.depth);
    this.doubleSpends += 1;
    this.chain.reorg(rival.depth, { without: rival.without, with: [rival.transaction] });
    return true;
  }

  #hinderReorg(depth: number): void {
    for (let height = this.chain.height - depth; height <= this.chain.height + 1; height++)
      this.#hinder(undefined, height);
  }

  /** Who asks that node something gets no answer, a late one or a false one, for a while. */
  troubleParty({ machine }: TrialNode, trouble: PartyTrouble, ms: number): void {
    const { ip } = machine.host;
    this.#troubles.set(ip, trouble);
    this.world.after(ms * 1_000, () => this.#troubles.delete(ip));
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
    this.reorgs += 1;
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

  chainDown(node: TrialNode, ms: number): void {
    const { chain } = node.machine;
    const hinder = (): void => {
      for (const relay of this.relays) if (relay === node) this.#hinder(relay.index);
    };
    chain.reach(false);
    hinder();
    this.world.after(ms * 1_000, () => {
      hinder();
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
}

/** The scheme as a client of that kind uses it. */
function misused(scheme: PaymentScheme, kind: ClientKind, trust: TrustRules): PaymentScheme {
  if (kind === 'honest' && scheme.name !== channelScheme) return scheme;
  if (kind === 'honest') return schemeLike(scheme, { payer: host => trust.watched(scheme.payer(host)) });
  if (kind === 'spender') return scheme;
  return kind === 'forger' ? forging(scheme) : payingOnce(scheme);
}

import type { SeededEntropy } from '../../../src/sim/seeded-entropy.ts';
import type { SimNode } from '../../../src/sim/sim-node.ts';
import type { PartyTrouble } from '../../../src/sim/sim-parties.ts';
import type { Download } from '../socks-users.ts';
import type { TrialNetwork } from './trial-network.ts';
import type { ActKind, TrialPlan } from './trial-plan.ts';

/** One thing that was done, for a person who reads along. */
export interface DoneAct {
  readonly number: number;
  readonly kind: ActKind;
  readonly atMs: number;
  readonly what: string;
}

const downMsMax = 3_000;
const chainDownMsMax = 4_000;
const diskFullMsMax = 3_000;
/** Calls at which a node dies, or a mistake shows: each is a point between two effects of one turn. */
const cutPoints = [
  'store write',
  'link write',
  'chain broadcast',
  'chain output',
  'stream write',
  'after',
  'party ask',
  'party answer',
];
const mishapPoints = [...cutPoints, 'count', 'log', 'stream pause', 'link resume'];
const partyTroubles: readonly PartyTrouble[] = ['absent', 'late', 'lying'];
const partyTroubleMsMax = 8_000;

/**
 * What users, operators, miners and bad luck do to a network, one act after the other at random times. Each act draws
 * from a stream of its own, so that leaving some of them out changes nothing about the others.
 */
export class Acts {
  readonly done: DoneAct[] = [];
  readonly #network: TrialNetwork;
  readonly #plan: TrialPlan;
  #number = 0;
  #stopped = false;
  #downloads: Download[] = [];

  constructor(network: TrialNetwork) {
    this.#network = network;
    this.#plan = network.plan;
  }

  start(): void {
    this.#next();
  }

  stop(): void {
    this.#stopped = true;
  }

  #next(): void {
    const { acts, actMs, kinds, seed } = this.#plan;
    this.#number += 1;
    const number = this.#number;
    const draw = this.#network.world.entropy.fork(`act/${seed}/${number}`);
    const kind = draw.chance(0.6) ? 'download' : draw.pick(kinds);
    this.#network.world.after(draw.between(1, 2 * actMs * 1_000), () => {
      if (this.#stopped) return;
      if (acts === undefined || acts.includes(number)) {
        const what = this.#do[kind](draw);
        this.done.push({ number, kind, atMs: this.#network.world.nowUs / 1_000, what });
      }
      this.#next();
    });
  }

  readonly #do: Readonly<Record<ActKind, (draw: SeededEntropy) => string>> = {
    download: draw => {
      const client = draw.pick(this.#network.clients);
      if (this.#network.isDown(client)) return 'client is down';
      const bytes = draw.between(1, this.#plan.downloadBytesMax);
      this.#downloads.push(this.#network.fetch(client, bytes));
      return `${bytes} bytes by client${client.index}`;
    },
    hangUp: draw => {
      const running = this.#downloads.filter(({ state }) => state === 'running');
      this.#downloads = running;
      if (running.length === 0) return 'nobody downloads';
      this.#network.users.hangUp(draw.pick(running));
      return 'one download';
    },
    newCircuits: draw => {
      const client = draw.pick(this.#network.clients);
      if (this.#network.isDown(client)) return 'client is down';
      client.machine.host.node.turn(() => client.core.pool.renew());
      return `client${client.index}`;
    },
    killRelay: draw => {
      const [index, downMs] = [draw.below(this.#plan.relays), draw.below(downMsMax)];
      this.#network.killRelay(index, downMs);
      return `relay${index} for ${downMs} ms`;
    },
    killClient: draw => {
      const [index, downMs] = [draw.below(this.#plan.clients), draw.below(downMsMax)];
      this.#network.restartClient(index, downMs);
      return `client${index} for ${downMs} ms`;
    },
    killBroker: draw => {
      const { broker } = this.#network.rules.money;
      if (broker === undefined) return 'there is none';
      const downMs = draw.below(downMsMax);
      broker.restart(downMs);
      return `for ${downMs} ms`;
    },
    partyTrouble: draw => {
      const node = this.#network.rules.money.broker ?? draw.pick(this.#network.relays);
      const victim = draw.chance(0.5) ? node : draw.pick(this.#network.relays);
      const [trouble, ms] = [draw.pick(partyTroubles), draw.between(1, partyTroubleMsMax)];
      this.#network.troubleParty(victim, trouble, ms);
      return `${victim.machine.host.node.name} is ${trouble} for ${ms} ms`;
    },
    cutPower: draw => this.#endTurn(draw, cutPoints, (node, at) => node.cutPower(at)),
    mishap: draw => this.#endTurn(draw, mishapPoints, (node, at) => node.mishap(at)),
    reorg: draw => {
      const depth = Math.min(draw.between(1, 8), this.#network.blocksMined - 1);
      if (depth < 1) return 'no blocks yet';
      // Whoever is down does not see it happen.
      if (draw.chance(0.4))
        for (let relay = 0; relay < this.#plan.relays; relay++)
          if (draw.chance(0.5)) this.#network.killRelay(relay, draw.between(1, 1_000));
      this.#network.reorg(depth, draw);
      return `${depth} blocks`;
    },
    blocks: draw => {
      const blocks = draw.chance(0.8) ? draw.between(1, 6) : draw.between(7, 60);
      this.#network.burst(blocks);
      return String(blocks);
    },
    feeSpike: draw => {
      const blocks = draw.between(1, 5);
      this.#network.feeSpike(blocks, BigInt(draw.between(2, 50)) * 1_000n);
      return `${blocks} blocks`;
    },
    evict: draw => {
      const pool = this.#network.chain.mempool.transactions;
      if (pool.length === 0) return 'the mempool is empty';
      this.#network.chain.mempool.evict(draw.pick(pool).transaction.id);
      return 'one transaction';
    },
    chainDown: draw => {
      const node = draw.pick(this.#network.nodes);
      const ms = draw.below(chainDownMsMax);
      this.#network.chainDown(node, ms);
      return `${node.machine.host.node.name} for ${ms} ms`;
    },
    swizzle: draw => {
      const hosts = [...this.#network.network.hosts];
      for (const host of hosts) {
        if (!draw.chance(0.5)) continue;
        const lastsMs = draw.between(100, 2_000);
        this.#network.world.after(draw.below(1_000_000), () => this.#network.network.cutOff(host, lastsMs));
      }
      return 'links clog one by one';
    },
    clockJump: draw => {
      const node = draw.pick(this.#network.nodes);
      const ms = draw.between(-20_000, 20_000);
      node.machine.clock.jumpWall(ms);
      return `${node.machine.host.node.name} by ${ms} ms`;
    },
    fullDisk: draw => {
      const node = draw.pick(this.#network.nodes);
      const ms = draw.between(1, diskFullMsMax);
      this.#network.fillDisk(node, ms);
      return `that of ${node.machine.host.node.name} for ${ms} ms`;
    },
    oldDisk: draw => {
      const node = draw.pick([...this.#network.relays, ...this.#network.clients]);
      const { name } = node.machine.host.node;
      if (this.#network.isDown(node)) return `${name} is down`;
      return this.#network.putBackDisk(node) ? `${name} gets its old one back` : `a copy of that of ${name}`;
    },
    doubleSpend: draw => (this.#network.doubleSpend(draw) ? 'a contract is undone' : 'nobody can'),
  };

  #endTurn(
    draw: SeededEntropy,
    points: readonly string[],
    end: (node: SimNode, at: (call: string) => boolean) => void,
  ): string {
    const victim = draw.pick(this.#network.nodes);
    if (this.#network.isDown(victim)) return 'it is down already';
    const { node } = victim.machine.host;
    const [point, skip] = [draw.pick(points), draw.below(4)];
    let passed = 0;
    end(node, call => call.startsWith(point) && passed++ === skip);
    return `${node.name} at its ${skip + 1}. ${point}`;
  }
}

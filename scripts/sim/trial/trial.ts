import type { TraceLine } from '../../../src/sim/trace-hash.ts';
import { Acts, type DoneAct } from './acts.ts';
import { rememberPublicKeys } from './known-keys.ts';
import type { Breach } from './rule-book.ts';
import { TrialNetwork, TrialRules } from './trial-network.ts';
import type { TrialPlan } from './trial-plan.ts';

/** A stream may be lost with the circuit that it was given, whose channel came to its end; its user tries again. */
const attempts = 3;
const demandedBytes = 50_000;

/** What was done to the chain, so often that it took effect. */
export interface Hardships {
  readonly reorgs: number;
  readonly doubleSpends: number;
  readonly races: number;
}

/** How a trial went. */
export interface TrialResult {
  readonly plan: TrialPlan;
  readonly steps: number;
  readonly virtualMs: number;
  readonly payments: number;
  readonly blocks: number;
  readonly hardships: Hardships;
  readonly acts: readonly DoneAct[];
  /** Over every call of every port. */
  readonly digest: string;
  readonly breach: Breach | undefined;
}

/** All rules are asked this often; what they concern is looked at as it happens. */
const stepsBetweenRules = 1_024;
const settleBlocks = 200;
/** A channel that nobody uses ends within so many. */
const refundBlocks = 150;

/** One world from its seed to its end: faults first, then none, and demands. */
export function runTrial(plan: TrialPlan, trace?: TraceLine): TrialResult {
  const rules = new TrialRules(plan);
  const network = new TrialNetwork(plan, rules, trace);
  const acts = new Acts(network);
  const forgetPublicKeys = rememberPublicKeys();
  try {
    runPhases(network, acts);
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause;
    rules.book.break('honest', cause.message);
  } finally {
    forgetPublicKeys();
  }
  const { world, audit } = network;
  return {
    plan,
    steps: world.steps,
    virtualMs: world.nowUs / 1_000,
    payments: audit.payments,
    blocks: network.blocksMined,
    hardships: {
      reorgs: network.reorgs,
      doubleSpends: network.doubleSpends,
      races: rules.money.rules.races,
    },
    acts: acts.done,
    digest: world.trace.digest(),
    breach: rules.book.breach,
  };
}

function runPhases(network: TrialNetwork, acts: Acts): void {
  const { world, plan, rules } = network;
  rules.money.endow(network);
  acts.start();
  watchedUntil(network, () => world.steps >= plan.steps);
  acts.stop();
  network.faults.stop();
  network.heal();
  demandProgress(network);
}

/** Runs until `done`, with all rules asked on the way; a breach ends it. */
function watchedUntil(network: TrialNetwork, done: () => boolean, virtualMs?: number): void {
  const { world, rules } = network;
  const { book } = rules;
  let next = world.steps + stepsBetweenRules;
  const limits = virtualMs === undefined ? {} : { virtualMs };
  world.runUntil(() => {
    if (world.steps >= next) {
      next = world.steps + stepsBetweenRules;
      rules.all();
    }
    return book.breach !== undefined || done();
  }, limits);
}

/** Everybody is served, then leaves, and all money comes to where it belongs. */
function demandProgress(network: TrialNetwork): void {
  const { rules, users } = network;
  const { book } = rules;
  watchedUntil(network, () => network.clients.every(({ core }) => core.ready) && !network.anyDown, 600_000);
  const honest = network.honestClients;
  book.hold(
    honest.every(({ core }) => core.ready),
    'live',
    () => 'a client finds no circuit once faults have stopped',
  );
  rules.money.refill();
  // Coins that were locked up when nodes died are free again after this.
  mine(network, refundBlocks);
  watchedUntil(network, () => users.finished === users.downloads.length, 600_000);
  let [unserved, why] = [honest, ''];
  for (let attempt = 0; attempt < attempts && unserved.length > 0; attempt++) {
    const tries = unserved.map(client => ({ client, download: network.fetch(client, demandedBytes) }));
    watchedUntil(network, () => users.finished === users.downloads.length, 600_000);
    const failed = tries.filter(({ download }) => download.state !== 'complete');
    why = failed[0]?.download.why ?? '';
    unserved = failed.map(({ client }) => client);
  }
  book.hold(
    unserved.length === 0,
    'live',
    () => `${unserved.length} of ${honest.length} clients are not served: ${why}`,
  );
  if (book.breach !== undefined) return;
  network.stopClients();
  mine(network, settleBlocks);
  rules.all();
  const left = rules.money.unfinished();
  book.hold(left.length === 0, 'live', () => `${settleBlocks} blocks later, of ${left.length}: ${left[0]}`);
  const kept = network.relays.reduce((sum, { core }) => sum + core.circuits.size, 0);
  book.hold(kept === 0, 'live', () => `relays keep ${kept} circuits of clients that have left`);
}

function mine(network: TrialNetwork, blocks: number): void {
  for (let block = 0; block < blocks && network.rules.book.breach === undefined; block++) {
    network.chain.mine();
    watchedUntil(network, () => false, 300);
  }
}

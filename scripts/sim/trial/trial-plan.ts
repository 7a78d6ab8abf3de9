import type { ContractVariant } from '../../../src/bitcoin/contract-tx.ts';
import { brokeredScheme, brokeredSchemes } from '../../../src/schemes/brokered.ts';
import { drawFaults, type Faults } from '../../../src/sim/faults.ts';
import { SeededEntropy } from '../../../src/sim/seeded-entropy.ts';

/**
 * A client that breaks rules: `rider` pays once and goes on, `beggar` does not even wait for that, `forger` sends
 * payments that are worth nothing, `spender` spends the coins of its contracts once more.
 */
const hostileKinds = ['rider', 'beggar', 'forger', 'spender'] as const;
export type ClientKind = 'honest' | (typeof hostileKinds)[number];

/** A relay that breaks rules until faults stop: it charges each cell twice, or shows targets that are none. */
const rogueKinds = ['overcharger', 'liar'] as const;
export type RelayKind = 'honest' | (typeof rogueKinds)[number];

/** What happens in a trial besides the weather, at random times. */
export const actKinds = [
  'download',
  'hangUp',
  'newCircuits',
  'killRelay',
  'killClient',
  'cutPower',
  'reorg',
  'blocks',
  'feeSpike',
  'evict',
  'chainDown',
  'swizzle',
  'clockJump',
  'fullDisk',
  'oldDisk',
  'doubleSpend',
  'killBroker',
  'partyTrouble',
  'mishap',
] as const;
export type ActKind = (typeof actKinds)[number];

/** Everything that a seed decides about one trial but the course of its events. */
export interface TrialPlan {
  readonly seed: number;
  /** Steps until faults stop and progress is demanded. */
  readonly steps: number;
  readonly relays: number;
  readonly exits: number;
  readonly clients: number;
  /** Of the clients, from the last one on. */
  readonly hostile: readonly ClientKind[];
  /** Of the relays, from the first one on. */
  readonly rogues: readonly RelayKind[];
  /** Name of the payment system. */
  readonly scheme: string;
  /** Of one with a broker. */
  readonly schemeVariant: string | undefined;
  /** Of contracts, where channels are paid with. */
  readonly variant: ContractVariant;
  readonly priceMsatPer2Pow20: bigint;
  readonly window: number;
  readonly channelSat: bigint;
  readonly blockMs: number;
  readonly reusePaidChannels: boolean;
  /** Kinds that this trial knows; users download in all of them. */
  readonly kinds: readonly ActKind[];
  /** Between acts, on average. */
  readonly actMs: number;
  /** Downloads are up to this long. */
  readonly downloadBytesMax: number;
  readonly faults: Faults;
  /** Numbers of the acts that are done; all when undefined. */
  readonly acts: readonly number[] | undefined;
}

/** What a replay may set otherwise than the seed does. */
export type PlanChanges = Partial<
  Pick<TrialPlan, 'steps' | 'scheme' | 'clients' | 'relays' | 'acts' | 'kinds'>
>;

/** The payment system without a broker. */
export const channelScheme = 'bitcoin-channel';
/** All that a trial can be about. */
export const trialSchemes: readonly string[] = [channelScheme, ...brokeredSchemes.map(({ name }) => name)];

export const trialSteps = 150_000;
const relaysLeast = 4;

/** Draws a plan, each seed its own mix (swarm testing): a world in which everything happens hides what a rarer one shows. */
export function drawPlan(seed: number, changes: PlanChanges = {}): TrialPlan {
  const draw = new SeededEntropy(`plan/${seed}`);
  const clients = draw.between(1, 4);
  const schemeDraw = draw.fork('scheme');
  const scheme =
    changes.scheme ?? (schemeDraw.chance(0.5) ? channelScheme : schemeDraw.pick(brokeredSchemes).name);
  const mishaps = draw.fork('mishaps');
  const priceMsatPer2Pow20 = BigInt(draw.between(200, 5_000)) * 1_000_003n;
  const drawn = {
    seed,
    steps: trialSteps,
    relays: draw.between(relaysLeast, 7),
    exits: 2,
    clients,
    hostile: hostileOf(draw, clients),
    rogues: roguesOf(draw.fork('rogues')),
    scheme,
    schemeVariant: variantOf(scheme, schemeDraw),
    variant: draw.pick(['spillman', 'cltv'] as const),
    priceMsatPer2Pow20,
    window: draw.pick([64, 256, 512, 2_048]),
    channelSat: channelSatOf(draw.pick([8_000, 20_000, 100_000]), priceMsatPer2Pow20),
    blockMs: draw.pick([500, 2_000, 6_000]),
    reusePaidChannels: draw.chance(0.5),
    kinds: actKinds.filter(kind => kind === 'download' || (kind === 'mishap' ? mishaps : draw).chance(0.5)),
    actMs: draw.pick([200, 800, 3_000]),
    downloadBytesMax: draw.pick([100_000, 500_000, 3_000_000]),
    faults: frayed(drawFaults(draw.fork('faults')), draw.between(200, 1_400)),
    acts: undefined,
  };
  return { ...drawn, ...changes };
}

/** Credit is for a day, and lost for as long with each crash: those who never crash are all that live on it. */
const untried = 'credit';

function variantOf(name: string, draw: SeededEntropy): string | undefined {
  const variants = brokeredScheme(name)?.variants.filter(variant => variant !== untried) ?? [];
  return variants.length === 0 ? undefined : draw.pick(variants);
}

/** No less than a circuit keeps prepaid, and a few windows; the smallest are soon used up. */
function channelSatOf(cells: number, priceMsatPer2Pow20: bigint): bigint {
  const leastSat = cells === 8_000 ? 2_500n : 10_000n;
  return leastSat + (priceMsatPer2Pow20 * BigInt(cells)) / 2n ** 20n / 1_000n;
}

function hostileOf(draw: SeededEntropy, clients: number): ClientKind[] {
  if (!draw.chance(0.4)) return [];
  return Array.from({ length: draw.between(1, clients) }, () => draw.pick(hostileKinds));
}

/** At most one of those that make up a path can be avoided by a client that has few relays to choose from. */
function roguesOf(draw: SeededEntropy): RelayKind[] {
  return draw.chance(0.25) ? [draw.pick(rogueKinds)] : [];
}

/** Segments are small, so that cells come in pieces and more happens between two of them. */
function frayed(faults: Faults, segmentBytesMax: number): Faults {
  return { ...faults, network: { ...faults.network, segmentBytesMax } };
}

export function relayKindOf(plan: TrialPlan, relay: number): RelayKind {
  return plan.rogues[relay] ?? 'honest';
}

export function kindOf(plan: TrialPlan, client: number): ClientKind {
  return plan.hostile[plan.clients - 1 - client] ?? 'honest';
}

import type { Torrc } from '../src/config/torrc.ts';
import type { ParamReader } from '../src/flow/congestion-params.ts';

/** How much one address, or one circuit, may ask of a relay. Names, defaults and bounds are C tor's. */
export interface DosRules {
  /** CREATE cells of clients at one address that has so many links, or more. */
  readonly circuits: {
    readonly enabled: boolean;
    readonly linksMin: number;
    readonly perSecond: number;
    readonly burst: number;
    /** Whoever exceeded it is refused all circuits for so long, or up to half as long again. */
    readonly refusedMs: number;
  };
  /** Links from one address, at once and begun. */
  readonly links: {
    readonly enabled: boolean;
    readonly atOnce: number;
    readonly perSecond: number;
    readonly burst: number;
    readonly refusedMs: number;
  };
  /** BEGINs and RESOLVEs of one circuit. */
  readonly streams: {
    readonly enabled: boolean;
    readonly perSecond: number;
    readonly burst: number;
    /** The circuit ends; otherwise the stream alone. */
    readonly endsCircuit: boolean;
  };
}

const int32Max = 2 ** 31 - 1;
/** Kinds of defence: 1 is none, the next refuses, and a third ends the circuit. */
const refuses = 2;
const endsCircuit = 3;

/** Reads them as the consensus has them; `own` has the relay's own words, which come first: options of torrc by name. */
export function readDosRules(consensus: ParamReader, own: ReadonlyMap<string, number>): DosRules {
  const param: ParamReader = (name, otherwise, low, high) =>
    own.get(name) ?? consensus(name, otherwise, low, high);
  const enabled = (what: string): boolean =>
    param(`DoS${what}Enabled`, 0, 0, 1) === 1 && param(`DoS${what}DefenseType`, refuses, 1, 3) >= refuses;
  const second = 1_000;
  return {
    circuits: {
      enabled: enabled('CircuitCreation'),
      linksMin: param('DoSCircuitCreationMinConnections', 3, 1, int32Max),
      perSecond: param('DoSCircuitCreationRate', 3, 1, int32Max),
      burst: param('DoSCircuitCreationBurst', 90, 1, int32Max),
      refusedMs: param('DoSCircuitCreationDefenseTimePeriod', 3_600, 0, int32Max) * second,
    },
    links: {
      enabled: enabled('Connection'),
      atOnce: param('DoSConnectionMaxConcurrentCount', 100, 1, int32Max),
      perSecond: param('DoSConnectionConnectRate', 20, 1, int32Max),
      burst: param('DoSConnectionConnectBurst', 40, 1, int32Max),
      refusedMs: param('DoSConnectionConnectDefenseTimePeriod', 86_400, 10, int32Max) * second,
    },
    streams: {
      enabled: enabled('StreamCreation'),
      perSecond: param('DoSStreamCreationRate', 100, 1, int32Max),
      burst: param('DoSStreamCreationBurst', 300, 1, int32Max),
      endsCircuit: param('DoSStreamCreationDefenseType', refuses, 1, 3) === endsCircuit,
    },
  };
}

/** What torrc says; 0 leaves a number to the consensus, and so does `auto`. */
export function dosOptionsOf(torrc: Torrc): ReadonlyMap<string, number> {
  const own = new Map<string, number>();
  for (const option of switches) {
    const enabled = torrc.autoflag(option);
    if (enabled !== undefined) own.set(option, enabled ? 1 : 0);
  }
  for (const option of numbers) {
    const value = torrc.count(option) ?? 0;
    if (value > 0) own.set(option, value);
  }
  for (const option of periods) {
    const seconds = Math.round((torrc.intervalMs(option) ?? 0) / 1_000);
    if (seconds > 0) own.set(option, seconds);
  }
  return own;
}

const switches = ['DoSCircuitCreationEnabled', 'DoSConnectionEnabled', 'DoSStreamCreationEnabled'] as const;
const numbers = [
  'DoSCircuitCreationMinConnections',
  'DoSCircuitCreationRate',
  'DoSCircuitCreationBurst',
  'DoSCircuitCreationDefenseType',
  'DoSConnectionMaxConcurrentCount',
  'DoSConnectionDefenseType',
  'DoSConnectionConnectRate',
  'DoSConnectionConnectBurst',
  'DoSStreamCreationRate',
  'DoSStreamCreationBurst',
  'DoSStreamCreationDefenseType',
] as const;
const periods = ['DoSCircuitCreationDefenseTimePeriod', 'DoSConnectionConnectDefenseTimePeriod'] as const;

import { Transaction } from 'bitcoinjs-lib';
import type { StoreWrite } from '../../src/ports.ts';
import {
  type ChannelRecord,
  type Role,
  readChannels,
  rolePrefix,
} from '../../src/schemes/bitcoin-channel/channel-record.ts';
import type { PlantedModule } from '../sim/plants/plant-hooks.ts';

/** Which of the two ends of a channel dies. */
export type Party = 'relay' | 'client';
export const parties: readonly Party[] = ['relay', 'client'];

/**
 * A moment in the life of a channel at which its relay or client can be killed: what it asks of disk, link or chain, and
 * how far that has come.
 */
export interface CrashPoint {
  readonly party: Party;
  readonly act: 'persist' | 'send' | 'broadcast';
  readonly what: string;
  readonly moment: string;
}

/** What a node is told that is to kill itself. */
export interface CrashPlan {
  /** Absent: it lives until somebody kills it. */
  readonly at?: CrashPoint;
  /** It dies when it gets there for the n-th time. */
  readonly nth?: number;
  /** The client notes here, a line each, how many msat a RECEIPT has acknowledged. */
  readonly receipts: string;
  /** The height of the last block that it has treated, in this life of its. */
  readonly followed: string;
  readonly plant?: PlantedModule;
}

/** What each party makes durable, in the order of a channel's life; some of it is answered over the link once it is. */
const persisted: Readonly<Record<Party, Readonly<Record<string, string | undefined>>>> = {
  client: {
    seed: undefined,
    address: undefined,
    contract: 'OPEN',
    refund: undefined,
    acceptance: undefined,
    payment: 'REDEEM',
    close: 'CLOSE',
    child: undefined,
    ending: undefined,
  },
  relay: {
    seed: undefined,
    terms: 'ACCEPTED',
    acceptance: 'STATUS',
    payment: 'RECEIPT',
    close: 'CLOSING',
    child: undefined,
    ending: undefined,
  },
};
const broadcasts: Readonly<Record<Party, readonly string[]>> = {
  client: ['contract', 'refund', 'refund with child'],
  relay: ['settlement', 'settlement with child'],
};

/** Every persist, send and broadcast of both parties. */
export const crashPoints: readonly CrashPoint[] = parties.flatMap(party => {
  const at = (act: CrashPoint['act'], moments: readonly string[]) => (what: string) =>
    moments.map((moment): CrashPoint => ({ party, act, what, moment }));
  const kept = Object.entries(persisted[party]);
  return [
    ...kept.flatMap(([what]) => at('persist', ['asked', 'under way', 'durable'])(what)),
    ...kept.flatMap(([, message]) =>
      message === undefined ? [] : at('send', ['written', 'on its way'])(message),
    ),
    ...broadcasts[party].flatMap(at('broadcast', ['asked', 'under way', 'answered', 'told'])),
  ];
});

export function pointName({ party, act, what, moment }: CrashPoint): string {
  return `${party}: ${act} ${what}, ${moment}`;
}

/** What of a party's channels a commit makes durable, by the names of `crashPoints`. */
export function recordsIn(writes: readonly StoreWrite[]): ReadonlySet<string> {
  const found = new Set<string>();
  for (const role of ['payer', 'payee'] as const) {
    const prefix = rolePrefix(role);
    for (const { key, value } of writes) {
      if (value === undefined || !key.startsWith(prefix)) continue;
      const [kind] = key.slice(prefix.length).split('/');
      if (kind === 'seed') found.add('seed');
      else if (kind === 'wallet') found.add('address');
      else if (kind === 'best') found.add('payment');
      else if (kind === 'child') found.add('child');
      else if (kind === 'channel') for (const name of statesIn(role, key, value)) found.add(name);
    }
  }
  return found;
}

function statesIn(role: Role, key: string, value: Uint8Array): readonly string[] {
  const only = {
    get: () => undefined,
    list: (prefix: string) => (key.startsWith(prefix) ? [[key, value] as const] : []),
  };
  return readChannels(only, role).flatMap(({ record }) =>
    record === undefined ? [] : [stateOf(role, record)],
  );
}

function stateOf(role: Role, { ending, closeAsked, accepted, stored }: ChannelRecord): string {
  if (ending !== undefined) return 'ending';
  if (closeAsked) return 'close';
  if (accepted) return 'acceptance';
  if (role === 'payee') return 'terms';
  return stored ? 'refund' : 'contract';
}

/** What is sent once that record is durable. */
export function messageAfter(party: Party, record: string): string | undefined {
  return persisted[party][record];
}

/** What a party offers to the chain. */
export function broadcastName(party: Party, transactions: readonly Uint8Array[]): string {
  const withChild = transactions.length > 1 ? ' with child' : '';
  if (party === 'relay') return `settlement${withChild}`;
  return Transaction.fromBuffer(transactions[0]).locktime > 0 ? `refund${withChild}` : 'contract';
}

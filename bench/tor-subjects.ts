import type { PaidLab, Tariff } from './paid-lab.ts';
import type { TorLab } from './tor-lab.ts';
import type { Route } from './traffic.ts';

/** A network that is measured: ours, paid or free, or C tor's. */
export interface Subject {
  readonly name: string;
  /** Of C tor: it may drop a stream. */
  readonly unsteady?: boolean;
  readonly socks: string;
  readonly pids: Readonly<Record<'client' | 'guard' | 'middle' | 'exit', number>>;
  /** So many circuits of three hops, the same ones each time. */
  bulk(circuits: number): Route;
  /** The user of a circuit that carries no bulk. */
  readonly interactive: string;
}

export const ours: Readonly<Record<Tariff, string>> = { paid: 'naulon, paid', free: 'naulon, free' };

/** Circuits of one hop, of ours alone: C tor builds none. */
export const oneHopUser = 'one-hop';

const userOf = (circuit: number): string => `bulk-${circuit}`;
const routeOf = (socks: string, name: (circuit: number) => string, circuits: number): Route => ({
  socks,
  users: Array.from({ length: circuits }, (_, circuit) => name(circuit)),
});

/** Ours: every circuit is built and paid for here, before anything is timed. */
export async function ourSubject(lab: PaidLab, tariff: Tariff, circuitsMax: number): Promise<Subject> {
  const name = (circuit: number): string => `${tariff}-${userOf(circuit)}`;
  const interactive = `${tariff}-interactive`;
  const { socks } = lab.state;
  for (const user of [...routeOf(socks, name, circuitsMax).users, interactive])
    await lab.open(tariff, 3, user);
  if (tariff === 'paid') await lab.open(tariff, 1, oneHopUser);
  return {
    name: ours[tariff],
    socks,
    pids: lab.pids(tariff),
    bulk: circuits => routeOf(socks, name, circuits),
    interactive,
  };
}

/** C tor: a user of its own has it build a circuit at the first connection, and keep it. */
export function torSubject({ name, socks, pids }: TorLab): Subject {
  return {
    name,
    unsteady: true,
    socks,
    pids,
    bulk: circuits => routeOf(socks, userOf, circuits),
    interactive: 'interactive',
  };
}

import type { LinkState } from './link-state.ts';

/** Something whose end gives memory back: a circuit's queue on a link, or a client's whole link that stands still. */
interface Holding {
  readonly state: LinkState;
  /** Undefined: the link. */
  readonly circuit: number | undefined;
  /** How long what it holds has waited. */
  readonly waitedMs: number;
}

/**
 * All that holds cells, what has waited longest first: circuits by the oldest cell in their queues, as C tor has it. A client
 * that reads nothing is one with its link; another relay's link carries circuits of many, which end one by one.
 */
export function oldestFirst(links: Iterable<LinkState>, nowMs: number): Holding[] {
  const all: Holding[] = [];
  for (const state of links) {
    if (state.pendingBytes > 0 && state.peer?.kind !== 'relay') {
      all.push({ state, circuit: undefined, waitedMs: nowMs - state.waitingSinceMs });
      continue;
    }
    for (const [circuit, waitedMs] of state.scheduler.waits(nowMs)) all.push({ state, circuit, waitedMs });
  }
  return all.sort(
    (a, b) => b.waitedMs - a.waitedMs || a.state.id - b.state.id || (a.circuit ?? 0) - (b.circuit ?? 0),
  );
}

/** The link that somebody else opened and that has had no circuit for the longest, its handshake included. */
export function longestIdle(links: Iterable<LinkState>): LinkState | undefined {
  let longest: LinkState | undefined;
  for (const state of links) {
    if (state.initiator || (state.ids?.count ?? 0) > 0) continue;
    if (longest === undefined || state.idleSinceMs < longest.idleSinceMs) longest = state;
  }
  return longest;
}

import { relayLinkStallMs } from '../base/limits.ts';
import type { LinkState } from './link-state.ts';

/** Something whose end gives memory back. */
interface Waiting {
  /** How long what it holds has waited. */
  readonly waitedMs: number;
}

/** A circuit's queue on a link, or a whole link that stands still. */
interface WaitingCells extends Waiting {
  readonly state: LinkState;
  /** Undefined: the link. */
  readonly circuit: number | undefined;
}

export interface WaitingElsewhere extends Waiting {
  readonly state?: undefined;
  end(): void;
}

/** What waits in this node for its links to take it, and not on them. */
export interface HeldElsewhere {
  readonly bytes: number;
  /** All of it, in any order. */
  waits(nowMs: number): Iterable<WaitingElsewhere>;
}

/** Where that counts with what waits on the links: there is one measure for both, and the older gives way. */
export interface SharedRoom {
  /** Once. */
  share(elsewhere: HeldElsewhere): void;
  /** More is held there. Something of it may end for it, at the end of this turn. */
  taken(): void;
}

/**
 * All that holds cells, what has waited longest first: circuits by the oldest cell in their queues, as C tor has it. A client
 * that reads nothing is one with its link; another relay's link carries circuits of many, which end one by one until it has
 * stood still for long.
 */
export function oldestFirst(
  links: Iterable<LinkState>,
  elsewhere: HeldElsewhere | undefined,
  nowMs: number,
): (WaitingCells | WaitingElsewhere)[] {
  const all: WaitingCells[] = [];
  for (const state of links) {
    const stoodMs = stillMs(state, nowMs);
    if (stoodMs >= (state.peer?.kind === 'relay' ? relayLinkStallMs : 0)) {
      all.push({ state, circuit: undefined, waitedMs: stoodMs });
      continue;
    }
    for (const [circuit, waitedMs] of state.scheduler.waits(nowMs)) all.push({ state, circuit, waitedMs });
  }
  all.sort((a, b) => a.state.id - b.state.id || (a.circuit ?? 0) - (b.circuit ?? 0));
  return [...all, ...(elsewhere?.waits(nowMs) ?? [])].sort((a, b) => b.waitedMs - a.waitedMs);
}

/** Links that take no more now, what has stood still for longest first. */
export function longestFull(links: Iterable<LinkState>, nowMs: number): LinkState[] {
  const full = [...links].filter(state => state.full);
  return full.sort((a, b) => stillMs(b, nowMs) - stillMs(a, nowMs));
}

/** How long something that the link was given has waited for the network to take it; -1 when nothing does. */
function stillMs(state: LinkState, nowMs: number): number {
  return state.pendingBytes > 0 ? nowMs - state.waitingSinceMs : -1;
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

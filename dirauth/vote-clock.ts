/** When consensuses are made. Without other authorities there is no voting to wait for: a consensus is made when it is due. */
export interface VoteSchedule {
  /** Time from one consensus to the next; a consensus is fresh for that long. */
  readonly intervalMs: number;
  /** Intervals for which a consensus may be used. */
  readonly intervalsValid: number;
  /** In a lab, a changed set of relays is published after it has been still for this long; undefined: only when due. */
  readonly settleMs: number | undefined;
}

export interface ConsensusTimes {
  readonly validAfterMs: number;
  readonly freshUntilMs: number;
  readonly validUntilMs: number;
}

/** spec: dir-spec/voting (times are multiples of the interval since midnight) */
export function nextDueMs(schedule: VoteSchedule, wallMs: number): number {
  return (Math.floor(wallMs / schedule.intervalMs) + 1) * schedule.intervalMs;
}

/**
 * The times of a consensus made at `wallMs`: whole seconds, later than the previous one's, since nodes keep what they
 * have when another is not newer.
 */
export function consensusTimes(
  schedule: VoteSchedule,
  wallMs: number,
  previousMs: number | undefined,
): ConsensusTimes {
  const now = Math.floor(wallMs / 1_000) * 1_000;
  const validAfterMs = previousMs === undefined ? now : Math.max(now, previousMs + 1_000);
  return {
    validAfterMs,
    freshUntilMs: validAfterMs + schedule.intervalMs,
    validUntilMs: validAfterMs + schedule.intervalMs * schedule.intervalsValid,
  };
}

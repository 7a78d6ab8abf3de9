/** When consensuses are made, and how long each step towards one may take. */
export interface VoteSchedule {
  /** Time from one consensus to the next; a consensus is fresh for that long. */
  readonly intervalMs: number;
  /** Intervals for which a consensus may be used. */
  readonly intervalsValid: number;
  /** Time to exchange votes. */
  readonly voteMs: number;
  /** Time to exchange signatures. */
  readonly signMs: number;
  /**
   * In a lab, a changed set of relays is voted on at once, when it has been still for this long, and a consensus counts
   * as soon as it is signed; undefined: all has its time.
   */
  readonly settleMs: number | undefined;
}

/** The steps of one round, by the wall clock. spec: dir-spec/voting-schedule */
export interface RoundTimes {
  /** Votes are made and posted. */
  readonly opensMs: number;
  /** Votes that are missing are asked for. One that is posted later might not be known to all, so it is not taken. */
  readonly askVotesMs: number;
  /** The consensus is computed of the votes that are there. */
  readonly computeMs: number;
  /** Signatures that are missing are asked for. */
  readonly askSignaturesMs: number;
  /** The round is over: a consensus that most authorities have signed by now counts. */
  readonly endsMs: number;
}

/** A prompt round is named after the second in which it is called, so another second may have passed already. */
const promptGraceMs = 1_000;
/** Clocks of authorities may be so far apart in a prompt round. */
const promptSkewMs = 2_000;

/** The steps that lead to the consensus of that time: all authorities derive them from the time alone. */
export function roundTimes(schedule: VoteSchedule, validAfterMs: number): RoundTimes {
  const { voteMs, signMs } = schedule;
  const prompt = isPrompt(schedule, validAfterMs);
  const startMs = prompt ? validAfterMs + promptGraceMs : validAfterMs - voteMs - signMs;
  return {
    opensMs: prompt ? validAfterMs : startMs,
    askVotesMs: startMs + voteMs / 2,
    computeMs: startMs + voteMs,
    askSignaturesMs: startMs + voteMs + signMs / 2,
    endsMs: startMs + voteMs + signMs,
  };
}

/** A prompt round starts at its time instead of ending at it. */
function isPrompt({ settleMs, intervalMs }: VoteSchedule, validAfterMs: number): boolean {
  return settleMs !== undefined || validAfterMs % intervalMs !== 0;
}

/** The time of the next consensus that is due. spec: dir-spec/voting-schedule (multiples of the interval since midnight) */
export function nextDueMs({ intervalMs }: VoteSchedule, wallMs: number): number {
  return (Math.floor(wallMs / intervalMs) + 1) * intervalMs;
}

/** The time of a round that is called now: a whole second that is later than `previousMs`. */
export function promptMs(schedule: VoteSchedule, wallMs: number, previousMs: number | undefined): number {
  const now = Math.floor(wallMs / 1_000) * 1_000;
  const time = previousMs === undefined ? now : Math.max(now, previousMs + 1_000);
  return isPrompt(schedule, time) ? time : time + 1_000;
}

/**
 * Whether authorities may vote now on a consensus of that time.
 * @param currentMs the time of the consensus that holds now.
 */
export function mayVote(
  schedule: VoteSchedule,
  validAfterMs: number,
  wallMs: number,
  currentMs: number | undefined,
): boolean {
  if (currentMs !== undefined && validAfterMs <= currentMs) return false;
  const { opensMs, endsMs } = roundTimes(schedule, validAfterMs);
  if (wallMs >= endsMs) return false;
  if (!isPrompt(schedule, validAfterMs)) return validAfterMs === nextDueMs(schedule, wallMs);
  // On the public network nothing is made out of turn, unless there is nothing at all.
  const allowed = schedule.settleMs !== undefined || currentMs === undefined;
  return allowed && opensMs - wallMs <= promptSkewMs;
}

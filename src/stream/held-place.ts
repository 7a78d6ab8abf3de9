/** How much of what came for a stream waits, and since when: a record of its own, for it changes with every read. */
export interface HeldPlace {
  bytes: number;
  /** When the first of them came. Its connection is paused until the last is gone, so that none is much younger. */
  sinceMs: number;
  /** Where it stands among all that wait. */
  at: number;
}

export function newPlace(): HeldPlace {
  return { bytes: 0, sinceMs: 0, at: -1 };
}

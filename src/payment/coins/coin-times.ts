import type { Clock } from '../../ports.ts';

/** A coin is neither taken nor given when it expires within so long: its holder must have time to deposit it. */
const expiryMarginSeconds = 86_400;

/** How often a node looks for coins that expire. */
export const expiryLookMs = 86_400_000;
/** Coins that nobody pays on with, or that nobody was paid with, are handed in so long before they expire. */
const handInAheadSeconds = 7 * 86_400;

/** Until when a coin must last to be left alone today, in seconds since 1970. */
export function handInBy(clock: Clock): number {
  return secondsOf(clock) + handInAheadSeconds;
}

/** How long a coin lives that a broker sells. */
export const coinSeconds = 90 * 86_400;

/** So long after a coin has expired its owner may still show what became of it. */
export const answerSeconds = 7 * 86_400;

/** Coins expire, and are forgotten, by the day. */
export const daySeconds = 86_400;

export function secondsOf(clock: Clock): number {
  return Math.floor(clock.wallMs() / 1_000);
}

/** True when the broker takes a coin no more. */
export function hasExpired(expirySeconds: number, clock: Clock): boolean {
  return expirySeconds <= secondsOf(clock);
}

/** True when a coin can still change hands. */
export function lasts(expirySeconds: number, clock: Clock): boolean {
  return expirySeconds - expiryMarginSeconds > secondsOf(clock);
}

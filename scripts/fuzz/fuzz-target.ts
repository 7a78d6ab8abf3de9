import type { Dice } from './dice.ts';

/** What is told of each case: what became of it, in a word or two. Of what is new there, more is tried. */
export type Tell = (verdict: string) => void;

/** A decoder, or a node in some state, that takes anything. */
export interface FuzzSubject {
  /** Inputs that mean something; others are made of them. */
  readonly seeds: readonly Uint8Array[];
  /** What an input may have in it, such as keywords. */
  readonly words: readonly Uint8Array[];
  /** Takes an input, and tells of each case in it. Whatever it throws is a crash. */
  take(input: Uint8Array, tell: Tell): void;
  /** Throws when what took all that no longer serves whoever keeps the rules. */
  serves?(): void;
}

export interface FuzzTarget {
  readonly name: string;
  /** Cases that each run has to try. */
  readonly cases: number;
  readonly inputBytesMax: number;
  /** Longest time that one input may take; `slowMsMax` of a hunt otherwise. */
  readonly slowMsMax?: number;
  /** Sources that decide about inputs, by the beginnings of their paths: what they do guides the search. */
  readonly sources: readonly string[];
  /** @param dice for keys and the like: with equal dice a subject does the same. */
  open(dice: Dice): FuzzSubject;
}

import { BrokenInvariant } from '../base/assert.ts';
import type { PartyPort } from '../ports.ts';

/** What a node is given whose schemes know no other party than payer and payee. */
export const noParties: PartyPort = {
  ask: noQuestion,
  answer: noQuestion,
};

function noQuestion(): never {
  throw new BrokenInvariant('a node without other parties asks none');
}

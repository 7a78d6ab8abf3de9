import { BrokenInvariant } from '../base/assert.ts';
import type { ChainPort } from '../ports.ts';

/** What a node that watches no chain is given; its schemes have nothing to ask. */
export const noChain: ChainPort = {
  broadcast: noQuestion,
  output: noQuestion,
  feerate: noQuestion,
  watch: noQuestion,
  unwatch: noQuestion,
};

function noQuestion(): never {
  throw new BrokenInvariant('a node without a chain asks it nothing');
}

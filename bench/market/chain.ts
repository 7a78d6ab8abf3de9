import type { SimChain } from '../../src/sim/sim-chain.ts';

/** Transactions in blocks above `height`, those that make new bitcoins left out. */
export function transactionsSince(chain: SimChain, height: number) {
  const blocks = chain.blocksFrom(height + 1);
  const transactions = blocks.flatMap(block => block.transactions.slice(1));
  return { transactions, feesSat: Number(blocks.reduce((sum, { feesSat }) => sum + feesSat, 0n)) };
}
export type TransactionsSince = ReturnType<typeof transactionsSince>;

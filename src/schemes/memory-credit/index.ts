import type { PaymentScheme } from '../../payment/scheme.ts';
import { schemeId } from './messages.ts';
import { MemoryCreditPayee } from './payee.ts';
import { MemoryCreditPayer } from './payer.ts';

/** How much may be promised. */
export interface MemoryCreditOptions {
  /** What a payer may spend in all. */
  readonly purseMsat: bigint;
  /** What a payee takes under one target. */
  readonly limitMsat: bigint;
}

/**
 * Signed promises of value without anything behind them: the smallest scheme that the seam allows, for simulated
 * networks and for the tests of everything above the seam.
 */
export function memoryCredit(options: MemoryCreditOptions): PaymentScheme {
  return {
    id: schemeId,
    name: 'memory-credit',
    payee: host => new MemoryCreditPayee(host, options.limitMsat),
    payer: host => new MemoryCreditPayer(host, options.purseMsat),
  };
}

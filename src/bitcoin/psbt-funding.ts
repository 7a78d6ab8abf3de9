import { networks, Psbt, type Transaction } from 'bitcoinjs-lib';
import { equalBytes } from '../base/bytes.ts';
import { fail, ok, type Result } from '../base/fault.ts';
import type { Outpoint } from '../ports.ts';

/** A contract that another wallet pays for, signed and not sent. */
export interface SignedFunding {
  readonly transaction: Transaction;
  readonly outpoint: Outpoint;
}

/**
 * The transaction of a signed PSBT (base64), if it pays exactly that to that script and nobody can change its id: the
 * refund is signed for that id. spec: bip-0174
 */
export function fundingOfPsbt(text: string, script: Uint8Array, valueSat: bigint): Result<SignedFunding> {
  const psbt = psbtOf(text);
  if (psbt === undefined) return refused('that is no PSBT in base64');
  const transaction = signedTransaction(psbt);
  if (transaction === undefined) return refused('it is not signed in full; have the wallet finalize it');
  if (transaction.ins.some(({ witness }) => witness.length === 0)) {
    return refused('an input is a legacy coin, so that its id could change; spend coins of segwit addresses');
  }
  const index = transaction.outs.findIndex(out => equalBytes(out.script, script) && out.value === valueSat);
  if (index < 0) return refused(`no output pays exactly ${valueSat} sat to the address`);
  return ok({ transaction, outpoint: { txid: transaction.getHash(), index } });
}

function psbtOf(text: string): Psbt | undefined {
  try {
    return Psbt.fromBase64(text.trim(), { network: networks.regtest });
  } catch {
    return undefined;
  }
}

function signedTransaction(psbt: Psbt): Transaction | undefined {
  const finished = psbt.data.inputs.every(input => input.finalScriptWitness ?? input.finalScriptSig);
  try {
    if (!finished) psbt.finalizeAllInputs();
    return psbt.extractTransaction();
  } catch {
    return undefined;
  }
}

function refused(detail: string): Result<never> {
  return fail('PSBT_REFUSED', detail);
}

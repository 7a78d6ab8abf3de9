import { opcodes, payments, script } from 'bitcoinjs-lib';
import type { Outpoint } from '../ports.ts';
import { assertContractScript } from './second-look.ts';

/**
 * The contract: an output that payer and payee can only spend together, until height T.
 *
 * - `spillman`: 2-of-2; the payer is safe because it holds a refund that the payee signed before the contract was sent.
 * - `cltv`: the time lock is in the script (BIP65), so that no signature is needed beforehand.
 *
 * Payments are the same message in both.
 */
export type ContractVariant = 'spillman' | 'cltv';

/** All that fixes a channel's transactions: payer and payee build the same bytes from it, and never send any. */
export interface ChannelTerms {
  readonly variant: ContractVariant;
  /** The contract's output. */
  readonly outpoint: Outpoint;
  /** N: the contract's value. */
  readonly capacitySat: bigint;
  /** T: the height from which the refund is valid. */
  readonly refundHeight: number;
  /** What each payment and the refund leave to the miner. */
  readonly feeSat: bigint;
  /** K_A and K_B, 33 bytes, used in this channel and nowhere else. */
  readonly payerKey: Uint8Array;
  readonly payeeKey: Uint8Array;
  /** Where the payer's share goes, in payments and in the refund. */
  readonly refundScript: Uint8Array;
  /** Where the payee's share goes. */
  readonly payoutScript: Uint8Array;
}

type ScriptTerms = Pick<ChannelTerms, 'variant' | 'payerKey' | 'payeeKey' | 'refundHeight'>;

/** The script that the contract's output commits to. */
export function contractScript(terms: ScriptTerms): Uint8Array {
  const { payerKey, payeeKey, refundHeight } = terms;
  if (terms.variant === 'spillman') {
    const [first, second] = payerKeyFirst(terms) ? [payerKey, payeeKey] : [payeeKey, payerKey];
    // spec: bip-0067 orders the keys, so that both sides write one script.
    return script.compile([opcodes.OP_2, first, second, opcodes.OP_2, opcodes.OP_CHECKMULTISIG]);
  }
  return script.compile([
    opcodes.OP_IF,
    payeeKey,
    opcodes.OP_CHECKSIGVERIFY,
    opcodes.OP_ELSE,
    script.number.encode(refundHeight),
    opcodes.OP_CHECKLOCKTIMEVERIFY,
    opcodes.OP_DROP,
    opcodes.OP_ENDIF,
    payerKey,
    opcodes.OP_CHECKSIG,
  ]);
}

/** The output's script: P2WSH, 34 bytes. spec: bip-0141 */
export function contractOutputScript(terms: ScriptTerms): Uint8Array {
  const output = payments.p2wsh({ redeem: { output: contractScript(terms) } }).output as Uint8Array;
  assertContractScript(output, terms);
  return output;
}

/** The witness by which both spend the contract; signatures are 64 bytes compact. */
export function paymentWitness(
  terms: ScriptTerms,
  payerSignature: Uint8Array,
  payeeSignature: Uint8Array,
): Uint8Array[] {
  const payer = derSignature(payerSignature);
  const payee = derSignature(payeeSignature);
  if (terms.variant === 'cltv') return [payer, payee, Uint8Array.of(1), contractScript(terms)];
  // CHECKMULTISIG takes one item too many, and wants signatures in the order of the keys.
  const ordered = payerKeyFirst(terms) ? [payer, payee] : [payee, payer];
  return [new Uint8Array(0), ...ordered, contractScript(terms)];
}

/** The witness by which the payer alone takes the contract back; `payeeSignature` in the spillman variant only. */
export function refundWitness(
  terms: ScriptTerms,
  payerSignature: Uint8Array,
  payeeSignature: Uint8Array | undefined,
): Uint8Array[] {
  if (terms.variant === 'cltv') {
    return [derSignature(payerSignature), new Uint8Array(0), contractScript(terms)];
  }
  return paymentWitness(terms, payerSignature, payeeSignature as Uint8Array);
}

function payerKeyFirst({ payerKey, payeeKey }: ScriptTerms): boolean {
  return Buffer.compare(payerKey, payeeKey) < 0;
}

const sighashAll = 1;

function derSignature(compact: Uint8Array): Uint8Array {
  return script.signature.encode(compact, sighashAll);
}

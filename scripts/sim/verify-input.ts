import { createHash } from 'node:crypto';
import { opcodes, script as scripts, Transaction } from 'bitcoinjs-lib';
import secp256k1 from 'secp256k1';
import type { VerifyInput } from '../../src/sim/mempool.ts';

const sighashAll = 1;
const anchor = Buffer.from('51024e73', 'hex');
const finalSequence = 0xffffffff;

type Chunk = Uint8Array | number;

/** One input with what its scripts are run against. */
interface Spend {
  readonly transaction: Transaction;
  readonly input: number;
  readonly scriptCode: Uint8Array;
  readonly valueSat: bigint;
}

/**
 * Checks the spends that naulon makes, written apart from src/bitcoin so that one can find the other wrong: P2WPKH,
 * 2-of-2 P2WSH, the time-locked contract, pay-to-anchor. Anything else is refused.
 */
export const verifyInput: VerifyInput = ({ transaction: bytes, input, spent }) => {
  const transaction = Transaction.fromBuffer(bytes);
  const { script, valueSat } = spent[input];
  const { witness } = transaction.ins[input];
  if (anchor.equals(script)) return witness.length === 0 ? undefined : 'a witness for an anchor';
  if (script[0] === 0 && script[1] === 20) {
    if (witness.length !== 2 || !hash160(witness[1]).equals(script.subarray(2)))
      return 'wrong key for P2WPKH';
    const scriptCode = Buffer.concat([
      Buffer.from('76a914', 'hex'),
      script.subarray(2),
      Buffer.from('88ac', 'hex'),
    ]);
    return signed({ transaction, input, scriptCode, valueSat }, witness[0], witness[1]);
  }
  if (script[0] === 0 && script[1] === 32) {
    const scriptCode = witness[witness.length - 1];
    if (scriptCode === undefined || !sha256(scriptCode).equals(script.subarray(2)))
      return 'wrong witness script';
    return contractSpend({ transaction, input, scriptCode, valueSat }, witness.slice(0, -1));
  }
  return 'a script of unknown form';
};

function contractSpend(spend: Spend, stack: readonly Uint8Array[]): string | undefined {
  const chunks = scripts.decompile(spend.scriptCode) as Chunk[] | null;
  if (chunks === null) return 'a witness script that does not parse';
  if (chunks[chunks.length - 1] === opcodes.OP_CHECKMULTISIG) return multisig(spend, chunks, stack);
  return timeLocked(spend, chunks, stack);
}

/** `2 K1 K2 2 CHECKMULTISIG` */
function multisig(
  spend: Spend,
  [two, first, second, alsoTwo]: Chunk[],
  stack: readonly Uint8Array[],
): string | undefined {
  if (two !== opcodes.OP_2 || alsoTwo !== opcodes.OP_2 || stack.length !== 3 || stack[0].length !== 0) {
    return 'not a 2-of-2 spend';
  }
  return signed(spend, stack[1], first as Uint8Array) ?? signed(spend, stack[2], second as Uint8Array);
}

/** `IF <B> CHECKSIGVERIFY ELSE <T> CLTV DROP ENDIF <A> CHECKSIG` */
function timeLocked(spend: Spend, chunks: Chunk[], stack: readonly Uint8Array[]): string | undefined {
  const [, payee, , , lock] = chunks;
  const payer = chunks[chunks.length - 2] as Uint8Array;
  if (chunks[0] !== opcodes.OP_IF || stack.length < 2) return 'not a contract spend';
  const together = stack[stack.length - 1].length > 0;
  if (together) return signed(spend, stack[0], payer) ?? signed(spend, stack[1], payee as Uint8Array);
  const height = typeof lock === 'number' ? lock - opcodes.OP_1 + 1 : scripts.number.decode(lock);
  const { locktime, ins } = spend.transaction;
  if (ins[spend.input].sequence === finalSequence || locktime < height) return 'locked until its height';
  return signed(spend, stack[0], payer);
}

function signed(
  { transaction, input, scriptCode, valueSat }: Spend,
  signature: Uint8Array,
  key: Uint8Array,
): string | undefined {
  try {
    const decoded = scripts.signature.decode(signature);
    if (decoded.hashType !== sighashAll) return 'a sighash other than ALL';
    const digest = transaction.hashForWitnessV0(input, scriptCode, valueSat, sighashAll);
    return secp256k1.ecdsaVerify(decoded.signature, digest, key)
      ? undefined
      : 'a signature that does not verify';
  } catch {
    return 'a signature that does not parse';
  }
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}

function hash160(bytes: Uint8Array): Buffer {
  return createHash('ripemd160').update(sha256(bytes)).digest();
}

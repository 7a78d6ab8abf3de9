import { assert } from '../base/assert.ts';
import { toHex } from '../base/bytes.ts';
import { type ContractVariant, contractOutputScript } from './contract-tx.ts';
import { HdKey, harden, secretToWif } from './keys.ts';

/**
 * Output descriptors (BIP380): what bitcoind and other wallets must be told to find, and with secrets to spend, the same
 * coins as we do. Test networks alone.
 */

/** All receiving addresses of a wallet by their index. spec: bip-0084, bip-0381 (wpkh) */
export function walletDescriptor(seed: Uint8Array, withSecret: boolean): string {
  const root = HdKey.fromSeed(seed);
  const account = root.path(harden(84), harden(1), harden(0));
  const origin = `${toHex(root.fingerprint)}/84h/1h/0h`;
  return withChecksum(`wpkh([${origin}]${account.extendedKey(withSecret)}/0/*)`);
}

/** A contract's output, and who of its two parties may show a secret. */
export interface DescribedContract {
  readonly variant: ContractVariant;
  readonly payerKey: Uint8Array;
  readonly payeeKey: Uint8Array;
  readonly refundHeight: number;
  /** In place of the public key that belongs to it. */
  readonly secret?: { readonly of: 'payer' | 'payee'; readonly bytes: Uint8Array };
}

/** The spillman contract in words; the cltv script has none, so that it stands there as it is. spec: bip-0383 (sortedmulti) */
export function contractDescriptor(contract: DescribedContract): string {
  const { payerKey, payeeKey, secret } = contract;
  if (contract.variant === 'cltv') return withChecksum(`raw(${toHex(contractOutputScript(contract))})`);
  const key = (party: 'payer' | 'payee', publicKey: Uint8Array) =>
    secret?.of === party ? secretToWif(secret.bytes) : toHex(publicKey);
  return withChecksum(`wsh(sortedmulti(2,${key('payer', payerKey)},${key('payee', payeeKey)}))`);
}

/** Characters in the order of their values: those of keys first, in groups of 32. spec: bip-0380 (checksum) */
const inputCharset =
  '0123456789()[],\'/*abcdefgh@:$%{}IJKLMNOPQRSTUVWXYZ&+-.;<=>?!^_|~ijklmnopqrstuvwxyzABCDEFGH`#"\\ ';
const checksumCharset = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';
const generator = [0xf5dee51989n, 0xa9fdca3312n, 0x1bab10e32dn, 0x3706b1677an, 0x644d626ffdn];

/** The descriptor, #, and eight characters that guard it against slips of the pen. */
export function withChecksum(descriptor: string): string {
  const groups: number[] = [];
  const symbols = [...descriptor].map(character => {
    const value = inputCharset.indexOf(character);
    assert(value >= 0, 'descriptors are made of these characters');
    groups.push(value >> 5);
    return value & 31;
  });
  // Each symbol's five low bits, and after each third one what is above them of the three together.
  const all: number[] = [];
  for (let at = 0; at < symbols.length; at += 3) {
    all.push(...symbols.slice(at, at + 3));
    all.push(groups.slice(at, at + 3).reduce((sum, group) => sum * 3 + group, 0));
  }
  const state = [...all, 0, 0, 0, 0, 0, 0, 0, 0].reduce(polymod, 1n) ^ 1n;
  const checksum = Array.from({ length: 8 }, (_, at) => {
    return checksumCharset[Number((state >> BigInt(5 * (7 - at))) & 31n)];
  });
  return `${descriptor}#${checksum.join('')}`;
}

function polymod(state: bigint, value: number): bigint {
  const top = state >> 35n;
  const next = ((state & 0x7ffffffffn) << 5n) ^ BigInt(value);
  return generator.reduce((sum, term, bit) => ((top >> BigInt(bit)) & 1n ? sum ^ term : sum), next);
}

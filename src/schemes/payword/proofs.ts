import { equalBytes, toHex } from '../../base/bytes.ts';
import { fixedBytes, struct, u32 } from '../../base/struct.ts';
import { leadsTo, wordBytes } from '../../payment/hash-chain.ts';
import { type CheatProof, unproven, type Verdict } from '../../payment/proof.ts';
import type { Value } from '../../payment/scheme.ts';
import { certificate, commitment } from './messages.ts';
import { type Certificate, type Commitment, chainId, hashOf } from './terms.ts';

const spentPart = struct({ commitment, index: u32, word: fixedBytes(wordBytes) });

/** A commitment, and the furthest word of its chain that somebody was shown. */
export interface Spent {
  readonly commitment: Commitment;
  readonly index: number;
  readonly word: Uint8Array;
}

/** Words shown under one certificate that are worth more than its limit. */
export function overspent(granted: Certificate, spent: readonly Spent[]): CheatProof {
  return {
    scheme: 'payword',
    cheat: 'overspent',
    parts: [
      certificate.encode(granted),
      ...spent.map(({ commitment: said, index, word }) =>
        spentPart.encode({ commitment: said, index, word }),
      ),
    ],
  };
}

export function judge({ cheat, parts }: CheatProof): Verdict {
  if (cheat !== 'overspent') return unproven(`payword knows no cheat "${cheat}"`);
  const [first, ...rest] = parts;
  const granted = first === undefined ? undefined : certificate.decode(first);
  if (granted === undefined) return unproven('the certificate cannot be read');
  const backing = hashOf(certificate.encode(granted));
  const chains = new Set<string>();
  let sum: Value = 0n;
  for (const part of rest) {
    const spent = spentPart.decode(part);
    if (spent === undefined) return unproven('a commitment cannot be read');
    const { commitment: said, index, word } = spent;
    if (!equalBytes(said.payer, granted.payer) || !equalBytes(said.backing, backing))
      return unproven('a commitment is not under that certificate');
    if (!commitment.isBy(said.payer, said)) return unproven('a commitment is not signed by its payer');
    if (chains.has(chainId(said))) return unproven('a chain is counted twice');
    if (index > said.count || !leadsTo(said.name, said.root, word, index))
      return unproven('a word is not of the chain that was committed to');
    chains.add(chainId(said));
    sum += said.unitMsat * BigInt(index);
  }
  if (sum <= granted.limitMsat) return unproven(`${sum} msat are within the limit of ${granted.limitMsat}`);
  const what = `promised ${sum} msat to ${chains.size} payees under certificate ${toHex(granted.serial)}, which is good for ${granted.limitMsat}`;
  return { guilty: granted.payer, role: 'payer', what };
}

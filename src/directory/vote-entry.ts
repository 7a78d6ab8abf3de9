import { fromBase64, toBase64 } from '../base/bytes.ts';
import { consensusMethod } from './consensus-builder.ts';
import { type ConsensusEntry, formatRouter, readEntry } from './consensus-entry.ts';
import { argumentsOf, type DocumentLine, LineIndex } from './document-lines.ts';
import { parseCount } from './endpoint-text.ts';
import { formatPortPolicy } from './port-policy.ts';
import { formatPrice } from './price-line.ts';
import { formatProtocols } from './protocols.ts';

/** One relay in a vote: what its descriptor says, and what the authority thinks of it. spec: dir-spec/vote-formats */
export interface VoteEntry extends Omit<ConsensusEntry, 'unmeasured'> {
  readonly descriptorDigest: Uint8Array;
  readonly microdescriptorDigest: Uint8Array;
  readonly ed25519: Uint8Array;
  /** kB/s; undefined: this authority has not measured it. */
  readonly measured: number | undefined;
}

/** All that follows from the descriptor: equal at all authorities that list the same one. */
export function formatDescribed(entry: VoteEntry): string {
  const lines = formatRouter(entry, 'ns');
  if (entry.version !== '') lines.push(`v ${entry.version}`);
  lines.push(`pr ${formatProtocols(entry.protocols)}`);
  if (entry.exitPolicy !== undefined) lines.push(`p ${formatPortPolicy(entry.exitPolicy)}`);
  lines.push(`id ed25519 ${toBase64(entry.ed25519)}`);
  lines.push(`m ${consensusMethod} sha256=${toBase64(entry.microdescriptorDigest)}`);
  if (entry.price !== undefined) lines.push(`naulon-price ${formatPrice(entry.price)}`);
  return `${lines.join('\n')}\n`;
}

export function formatVoteEntry(entry: VoteEntry): string {
  const measured = entry.measured === undefined ? '' : ` Measured=${entry.measured}`;
  const flags = [...entry.flags].sort().join(' ');
  return `${formatDescribed(entry)}s ${flags}\nw Bandwidth=${entry.bandwidth}${measured}\n`;
}

/** The entry, or what is wrong with it. */
export function readVoteEntry(lines: readonly DocumentLine[]): VoteEntry | string {
  const read = readEntry(lines, 'ns');
  if (typeof read === 'string') return read;
  const { unmeasured: _, descriptorDigest, ...entry } = read;
  const index = new LineIndex(lines);
  const ed25519 = fromBase64(/^ed25519 (\S+)$/.exec(index.one('id')?.rest ?? '')?.[1] ?? '');
  if (ed25519?.length !== 32) return 'id';
  const microdescriptorDigest = readMicrodescriptorDigest(index.all('m'));
  if (microdescriptorDigest?.length !== 32) return 'm';
  const weights = index.all('w').flatMap(argumentsOf);
  const measuredText = weights.find(word => word.startsWith('Measured='));
  const measured = parseCount(measuredText?.slice('Measured='.length));
  if (measuredText !== undefined && (measured === undefined || measured > 0xffffffff)) return 'w';
  return {
    ...entry,
    descriptorDigest: descriptorDigest as Uint8Array,
    microdescriptorDigest,
    ed25519,
    measured,
  };
}

/** Of `m` lines, each for some consensus methods, the digest that ours leads to. */
function readMicrodescriptorDigest(lines: readonly DocumentLine[]): Uint8Array | undefined {
  for (const line of lines) {
    const [methods, digest] = argumentsOf(line);
    if (methods?.split(',').includes(String(consensusMethod)))
      return fromBase64(/^sha256=(.+)$/.exec(digest ?? '')?.[1] ?? '');
  }
  return undefined;
}

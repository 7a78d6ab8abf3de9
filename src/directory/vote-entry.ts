import { fromBase64, toBase64 } from '../base/bytes.ts';
import { type ConsensusEntry, formatRouter, readEntry } from './consensus-entry.ts';
import { type ConsensusMethod, consensusMethods } from './consensus-method.ts';
import { argumentsOf, type DocumentLine, LineIndex } from './document-lines.ts';
import { parseCount } from './endpoint-text.ts';
import { formatPortPolicy } from './port-policy.ts';
import { formatPrice } from './price-line.ts';
import { formatProtocols } from './protocols.ts';

/** One relay in a vote: what its descriptor says, and what the authority thinks of it. spec: dir-spec/vote-formats */
export interface VoteEntry extends Omit<ConsensusEntry, 'unmeasured' | 'microdescriptorDigest'> {
  readonly descriptorDigest: Uint8Array;
  /** SHA-256 of what each consensus method that we know makes of the descriptor; a method may be missing. */
  readonly microdescriptorDigests: ReadonlyMap<ConsensusMethod, Uint8Array>;
  /** Undefined: it has none, or another relay has the same. */
  readonly ed25519: Uint8Array | undefined;
  /** kB/s; undefined: this authority has not measured it. */
  readonly measured: number | undefined;
}

export function formatVoteEntry(entry: VoteEntry): string {
  const lines = formatRouter(entry, 'ns');
  lines.push(`s ${[...entry.flags].sort().join(' ')}`);
  if (entry.version !== '') lines.push(`v ${entry.version}`);
  lines.push(`pr ${formatProtocols(entry.protocols)}`);
  lines.push(
    `w Bandwidth=${entry.bandwidth}${entry.measured === undefined ? '' : ` Measured=${entry.measured}`}`,
  );
  if (entry.exitPolicy !== undefined) lines.push(`p ${formatPortPolicy(entry.exitPolicy)}`);
  lines.push(`id ed25519 ${entry.ed25519 === undefined ? 'none' : toBase64(entry.ed25519)}`);
  for (const [method, digest] of entry.microdescriptorDigests)
    lines.push(`m ${method} sha256=${toBase64(digest)}`);
  if (entry.price !== undefined) lines.push(`naulon-price ${formatPrice(entry.price)}`);
  return `${lines.join('\n')}\n`;
}

/** The entry, or what is wrong with it. */
export function readVoteEntry(lines: readonly DocumentLine[]): VoteEntry | string {
  const read = readEntry(lines, 'ns');
  if (typeof read === 'string') return read;
  const { unmeasured: _, microdescriptorDigest: __, descriptorDigest, ...entry } = read;
  const index = new LineIndex(lines);
  const idText = /^ed25519 (\S+)$/.exec(index.one('id')?.rest ?? '')?.[1];
  const ed25519 = idText === undefined || idText === 'none' ? undefined : fromBase64(idText);
  if (idText === undefined || (idText !== 'none' && ed25519?.length !== 32)) return 'id';
  const microdescriptorDigests = readMicrodescriptorDigests(index.all('m'));
  if (microdescriptorDigests === undefined) return 'm';
  const weights = index.all('w').flatMap(argumentsOf);
  const measuredText = weights.find(word => word.startsWith('Measured='));
  const measured = parseCount(measuredText?.slice('Measured='.length));
  if (measuredText !== undefined && (measured === undefined || measured > 0xffffffff)) return 'w';
  return {
    ...entry,
    descriptorDigest: descriptorDigest as Uint8Array,
    microdescriptorDigests,
    ed25519,
    measured,
  };
}

/** Each `m` line is for some consensus methods, of which those count that we know. */
function readMicrodescriptorDigests(
  lines: readonly DocumentLine[],
): VoteEntry['microdescriptorDigests'] | undefined {
  const digests = new Map<ConsensusMethod, Uint8Array>();
  for (const line of lines) {
    const [names, ...values] = argumentsOf(line);
    const value = values.find(each => each.startsWith('sha256='));
    const methods = consensusMethods.filter(method => names?.split(',').includes(String(method)));
    if (value === undefined || methods.length === 0) continue;
    const digest = fromBase64(value.slice('sha256='.length));
    if (digest?.length !== 32) return undefined;
    for (const method of methods) digests.set(method, digest);
  }
  return digests;
}

/** A list of TCP ports, as `p` lines, microdescriptors and `ipv6-policy` write it. spec: dir-spec/server-descriptor-format */

export interface PortRange {
  readonly low: number;
  readonly high: number;
}

/** `accept`: these ports and no others. `reject`: all ports but these. */
export interface PortPolicy {
  readonly kind: 'accept' | 'reject';
  readonly ranges: readonly PortRange[];
}

export const rejectsAllPorts: PortPolicy = { kind: 'reject', ranges: [{ low: 1, high: 65535 }] };

/** Ranges in one policy; C tor's own summaries end at 1,000 characters. */
const rangesMax = 500;

export function allowsPort(policy: PortPolicy, port: number): boolean {
  const listed = policy.ranges.some(range => port >= range.low && port <= range.high);
  return listed === (policy.kind === 'accept');
}

export function allowsAnyPort(policy: PortPolicy): boolean {
  if (policy.kind === 'accept') return policy.ranges.length > 0;
  let free = 1;
  for (const range of policy.ranges) {
    if (range.low > free) return true;
    free = Math.max(free, range.high + 1);
  }
  return free <= 65535;
}

/** Reads `accept 80,443,8000-8100`; undefined for anything else. Ranges come out sorted. */
export function parsePortPolicy(text: string): PortPolicy | undefined {
  const match = /^(accept|reject) ([0-9,-]{1,6000})$/.exec(text);
  if (match === null) return undefined;
  const parts = match[2].split(',');
  if (parts.length > rangesMax) return undefined;
  const ranges: PortRange[] = [];
  for (const part of parts) {
    const range = parsePortRange(part);
    if (range === undefined) return undefined;
    ranges.push(range);
  }
  ranges.sort((a, b) => a.low - b.low || a.high - b.high);
  return { kind: match[1] as 'accept' | 'reject', ranges };
}

/** `80` or `80-90`, both ends 1 to 65535 (0 is let pass as a lower end, since C tor writes 0-65535 at times). */
export function parsePortRange(text: string): PortRange | undefined {
  const match = /^(0|[1-9][0-9]{0,4})(?:-([1-9][0-9]{0,4}))?$/.exec(text);
  if (match === null) return undefined;
  const low = Number(match[1]);
  const high = match[2] === undefined ? low : Number(match[2]);
  if (high < 1 || high > 65535 || low > high) return undefined;
  return { low: Math.max(low, 1), high };
}

export function formatPortPolicy(policy: PortPolicy): string {
  const ranges = policy.ranges.map(({ low, high }) => (low === high ? `${low}` : `${low}-${high}`));
  return `${policy.kind} ${ranges.join(',')}`;
}

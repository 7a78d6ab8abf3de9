import { descriptorBytesMax } from '../base/limits.ts';

/** Subprotocol versions: `Cons=1-2 Link=3-5 Pay=1`. spec: tor-spec/subprotocol-versioning */
export type Protocols = ReadonlyMap<string, readonly { readonly low: number; readonly high: number }[]>;

const versionMax = 63;

/** What lists were read from: authorities of C tor repeat it to the byte, so all that sign with them must. */
const spelled = new WeakMap<Protocols, string>();

/**
 * Names that are not known here are kept; undefined when the text is no such list. As C tor reads it, however many names and
 * versions a relay's descriptor has: one entry that is refused is the end of a whole consensus.
 */
export function parseProtocols(text: string): Protocols | undefined {
  if (text.length > descriptorBytesMax) return undefined;
  const protocols = new Map<string, { low: number; high: number }[]>();
  for (const entry of text.split(' ').filter(each => each !== '')) {
    const match = /^([A-Za-z0-9-]{1,100})=([0-9,-]*)$/.exec(entry);
    if (match === null) return undefined;
    const ranges: { low: number; high: number }[] = [];
    for (const part of match[2] === '' ? [] : match[2].split(',')) {
      const range = /^0*([0-9]{1,2})(?:-0*([0-9]{1,2}))?$/.exec(part);
      if (range === null) return undefined;
      const low = Number(range[1]);
      const high = range[2] === undefined ? low : Number(range[2]);
      if (low > high || high > versionMax) return undefined;
      ranges.push({ low, high });
    }
    protocols.set(match[1], ranges);
  }
  spelled.set(protocols, text.replace(/^[ \t]+/, ''));
  return protocols;
}

export function supportsProtocol(protocols: Protocols, name: string, version: number): boolean {
  return (protocols.get(name) ?? []).some(range => version >= range.low && version <= range.high);
}

/** What is demanded and not supported. */
export function missingProtocols(demanded: Protocols, supported: Protocols): Protocols {
  const lacks = (name: string, version: number): boolean =>
    supportsProtocol(demanded, name, version) && !supportsProtocol(supported, name, version);
  return protocolsOf([...demanded.keys()].sort(), lacks);
}

/** As it was read; a list of our own sorted by name, as consensus documents want it. */
export function formatProtocols(protocols: Protocols): string {
  const text = spelled.get(protocols);
  if (text !== undefined) return text;
  const names = [...protocols.keys()].sort();
  return names
    .map(name => {
      const ranges = protocols.get(name) ?? [];
      return `${name}=${ranges.map(r => (r.low === r.high ? `${r.low}` : `${r.low}-${r.high}`)).join(',')}`;
    })
    .join(' ');
}

/** The protocols, of these names, whose versions are `listed`. */
export function protocolsOf(
  names: readonly string[],
  listed: (name: string, version: number) => boolean,
): Protocols {
  const protocols = new Map<string, { low: number; high: number }[]>();
  for (const name of new Set(names)) {
    const ranges: { low: number; high: number }[] = [];
    for (let version = 0; version <= versionMax; version++) {
      if (!listed(name, version)) continue;
      const last = ranges.at(-1);
      if (last?.high === version - 1) last.high = version;
      else ranges.push({ low: version, high: version });
    }
    if (ranges.length > 0) protocols.set(name, ranges);
  }
  return protocols;
}

import { formatIp, parseIp, parseIpv4 } from './ip.ts';

/** The name whose records name an address. spec: tor-spec/remote-hostname-lookup */
export function reverseName(host: string): string {
  const ip = [...(parseIp(host) ?? [])].reverse();
  if (ip.length === 4) return `${ip.join('.')}.in-addr.arpa`;
  const nibbles = ip.flatMap(byte => [(byte & 15).toString(16), (byte >> 4).toString(16)]);
  return `${nibbles.join('.')}.ip6.arpa`;
}

/** The address that an in-addr.arpa or ip6.arpa name asks about. spec: tor-spec/remote-hostname-lookup */
export function reverseAddress(name: string): string | undefined {
  const lower = name.toLowerCase();
  if (lower.endsWith('.in-addr.arpa')) {
    const ip = parseIpv4(lower.slice(0, -'.in-addr.arpa'.length).split('.').reverse().join('.'));
    return ip && formatIp(ip);
  }
  const nibbles = /^((?:[0-9a-f]\.){32})ip6\.arpa$/.exec(lower);
  if (nibbles === null) return undefined;
  const hex = nibbles[1].split('.').reverse().join('');
  return formatIp(new Uint8Array(Buffer.from(hex, 'hex')));
}

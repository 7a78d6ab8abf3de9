/** IPv4 and IPv6 addresses between text and bytes, without any lookup. */

/** The 4 or 16 bytes of an IP literal (IPv6 with or without brackets), or undefined for anything else. */
export function parseIp(text: string): Uint8Array | undefined {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text);
}

/** Dotted quad of four decimal numbers without leading zeros: spellings like 0177.1 are names, never addresses. */
export function parseIpv4(text: string): Uint8Array | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  const bytes = new Uint8Array(4);
  for (let i = 0; i < 4; i++) {
    if (!/^(0|[1-9][0-9]{0,2})$/.test(parts[i]) || Number(parts[i]) > 255) return undefined;
    bytes[i] = Number(parts[i]);
  }
  return bytes;
}

/** RFC 4291 text, with `::` and an embedded IPv4 tail; zone ids are refused. */
export function parseIpv6(text: string): Uint8Array | undefined {
  if (text.startsWith('[') && text.endsWith(']')) text = text.slice(1, -1);
  if (text.length > 45 || !/^[0-9a-fA-F:.]+$/.test(text)) return undefined;
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0], halves.length === 1);
  const tail = halves.length === 2 ? parseGroups(halves[1], true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 16 - head.length - tail.length;
  if (halves.length === 2 ? missing < 2 : missing !== 0) return undefined;
  return Uint8Array.from([...head, ...new Array<number>(missing).fill(0), ...tail]);
}

function parseGroups(text: string, last: boolean): number[] | undefined {
  if (text === '') return [];
  const bytes: number[] = [];
  const groups = text.split(':');
  for (const [index, group] of groups.entries()) {
    if (last && index === groups.length - 1 && group.includes('.')) {
      const ipv4 = parseIpv4(group);
      if (ipv4 === undefined) return undefined;
      bytes.push(...ipv4);
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return undefined;
      const value = Number.parseInt(group, 16);
      bytes.push(value >> 8, value & 0xff);
    }
  }
  return bytes;
}

/** Text of 4 or 16 bytes; IPv6 in RFC 5952 form, without brackets. */
export function formatIp(bytes: Uint8Array): string {
  return bytes.length === 4 ? bytes.join('.') : formatIpv6(bytes);
}

function formatIpv6(bytes: Uint8Array): string {
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push((bytes[i] << 8) | bytes[i + 1]);
  let runStart = -1;
  let runLength = 1;
  for (let start = 0; start < 8; start++) {
    let end = start;
    while (end < 8 && groups[end] === 0) end++;
    if (end - start > runLength) {
      runStart = start;
      runLength = end - start;
    }
  }
  const spell = (part: number[]): string => part.map(group => group.toString(16)).join(':');
  if (runStart < 0) return spell(groups);
  return `${spell(groups.slice(0, runStart))}::${spell(groups.slice(runStart + runLength))}`;
}

/** Of a network of one's own, or of nothing: what lies behind such an address differs from place to place. */
export function isInternalIp(ip: Uint8Array): boolean {
  const [a, b] = ip;
  if (ip.length === 4)
    return (
      [0, 10, 127].includes(a) ||
      (a === 169 && b === 254) ||
      (a === 172 && b >> 4 === 1) ||
      (a === 192 && b === 168)
    );
  const zeros = ip.findIndex(byte => byte !== 0);
  if (zeros < 0 || (zeros === 15 && ip[15] === 1)) return true;
  if (zeros === 10 && ip[10] === 0xff && ip[11] === 0xff) return isInternalIp(ip.subarray(12));
  // Unique local, link-local and site-local. spec: RFC 4193, RFC 4291
  return a >> 1 === 0x7e || (a === 0xfe && b >> 6 >= 2);
}

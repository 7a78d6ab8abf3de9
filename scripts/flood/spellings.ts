/** Ways of naming addresses inside somebody's own network, as programs have read them. */

/** Of each network that no exit may reach: its first, its last and one between. */
const ipv4 = [
  '0.0.0.0',
  '0.1.2.3',
  '10.0.0.1',
  '10.255.255.255',
  '100.64.0.1',
  '100.127.255.254',
  '127.0.0.1',
  '127.0.0.2',
  '127.255.255.254',
  '169.254.169.254',
  '172.16.0.1',
  '172.31.255.254',
  '192.0.0.8',
  '192.168.0.1',
  '192.168.255.254',
  '198.18.0.1',
  '198.19.255.254',
  '224.0.0.1',
  '239.255.255.250',
  '240.0.0.1',
  '255.255.255.255',
];

const ipv6 = [
  '::',
  '::1',
  '0:0:0:0:0:0:0:1',
  '0000:0000:0000:0000:0000:0000:0000:0001',
  'fc00::1',
  'fd12:3456:789a::1',
  'fe80::1',
  'febf::1',
  'fec0::1',
  'ff02::1',
  '64:ff9b::7f00:1',
  '64:ff9b::127.0.0.1',
  '2002:7f00:1::',
  '2002:c0a8:1::1',
  '::127.0.0.1',
  '::7f00:1',
];

/** Names that any exit's own resolver knows, or that people point at themselves. */
const names = [
  'localhost',
  'LOCALHOST',
  'localhost.',
  'localhost.localdomain',
  'ip6-localhost',
  'ip6-loopback',
  'broadcasthost',
  'n.inside.test',
  'n.mapped.test',
];

/** Every spelling, each once. */
export function spellings(): string[] {
  const all = [...ipv4.flatMap(spellingsOf), ...ipv6.flatMap(spellingsOf6), ...names];
  return [...new Set(all)];
}

function spellingsOf(address: string): string[] {
  const parts = address.split('.').map(Number);
  const [a, b, c, d] = parts;
  const number = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
  const hex = (part: number, width = 0): string => part.toString(16).padStart(width, '0');
  const octal = (part: number, width = 0): string => `0${part.toString(8).padStart(width, '0')}`;
  const tail = (number & 0xffff).toString(16);
  const head = (number >>> 16).toString(16);
  return [
    address,
    `${address}.`,
    String(number),
    String(number + 2 ** 32),
    `0x${hex(number)}`,
    `0X${hex(number, 8).toUpperCase()}`,
    octal(number),
    octal(number, 14),
    parts.map(part => `0x${hex(part)}`).join('.'),
    parts.map(part => `0x${hex(part, 8)}`).join('.'),
    parts.map(part => octal(part)).join('.'),
    parts.map(part => octal(part, 6)).join('.'),
    parts.map(part => String(part).padStart(3, '0')).join('.'),
    `${a}.${(b << 16) | (c << 8) | d}`,
    `${a}.${b}.${(c << 8) | d}`,
    `0x${hex(a)}.${(b << 16) | (c << 8) | d}`,
    `${octal(a)}.${b}.${c}.0x${hex(d)}`,
    `${a + 256}.${b}.${c}.${d}`,
    `${a}.${b}.${c}.${d + 256}`,
    `::ffff:${address}`,
    `::ffff:${head}:${tail}`,
    `0:0:0:0:0:ffff:${address}`,
    `::FFFF:${head.toUpperCase()}:${tail.toUpperCase()}`,
    `::${address}`,
    `64:ff9b::${address}`,
    `64:ff9b:1::${address}`,
    `2002:${head}:${tail}::`,
    `2002:${head}:${tail}::1`,
    `[${address}]`,
    `${address}.nip.io`,
    `${a}。${b}。${c}。${d}`,
    `${a}%2e${b}%2e${c}%2e${d}`,
    ` ${address}`,
    `+${address}`,
    `${address}/32`,
    `user@${address}`,
    `１２７.${b}.${c}.${d}`,
  ];
}

function spellingsOf6(address: string): string[] {
  return [address, address.toUpperCase(), `[${address}]`, `${address}%lo`, `${address}%1`, ` ${address}`];
}

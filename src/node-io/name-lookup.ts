import { promises as dns, type RecordWithTtl } from 'node:dns';
import { readFileSync } from 'node:fs';
import { formatIp, parseIp } from '../base/ip.ts';
import { resolveMsMax } from '../base/limits.ts';
import type { ResolvedAddress } from '../ports.ts';

export interface NameLookupOptions {
  /** Name servers as `ip` or `ip:port`; absent: those of the system. */
  readonly servers?: readonly string[];
  /** Absent: the system's. */
  readonly hostsFile?: string;
}

/** Told for what no name server says: lines of the hosts file, and names of addresses. */
const ttlSecondsUnknown = 300;
/** Addresses of one name that are worth knowing; the rest of an overlong answer is dropped. */
const addressesMax = 32;

/**
 * Looks names up by the system's hosts file, then by DNS. Not by getaddrinfo: it would hold a thread of the pool for each
 * slow name, and the threads are needed for the disk.
 */
export class NameLookup {
  readonly #resolver = new dns.Resolver({ timeout: resolveMsMax / 5, tries: 2 });
  readonly #hosts: ReadonlyMap<string, readonly string[]>;

  constructor(options: NameLookupOptions) {
    if (options.servers !== undefined) this.#resolver.setServers(options.servers);
    this.#hosts = readHosts(options.hostsFile ?? '/etc/hosts');
  }

  /** Never rejects: empty when there is no answer, for whatever reason. */
  async find(name: string, reverse: boolean): Promise<readonly ResolvedAddress[]> {
    if (reverse) return this.#namesOf(name);
    const listed = this.#hosts.get(name.toLowerCase().replace(/\.$/, ''));
    if (listed !== undefined) return listed.map(value => addressOf(value, ttlSecondsUnknown));
    const ttl = { ttl: true } as const;
    const [ipv4, ipv6] = await Promise.all([
      this.#resolver.resolve4(name, ttl).catch(() => []),
      this.#resolver.resolve6(name, ttl).catch(() => []),
    ]);
    const records: RecordWithTtl[] = [...ipv4, ...ipv6];
    return records.slice(0, addressesMax).map(record => addressOf(record.address, record.ttl));
  }

  async #namesOf(address: string): Promise<readonly ResolvedAddress[]> {
    if (parseIp(address) === undefined) return [];
    const names = await this.#resolver.reverse(address).catch(() => []);
    return names
      .slice(0, addressesMax)
      .map(value => ({ kind: 'name', value, ttlSeconds: ttlSecondsUnknown }));
  }

  /** Questions under way end without an answer. */
  stop(): void {
    this.#resolver.cancel();
  }
}

function addressOf(value: string, ttlSeconds: number): ResolvedAddress {
  return { kind: value.includes(':') ? 'ipv6' : 'ipv4', value, ttlSeconds };
}

/** Names of a hosts file, and localhost, which is always this machine. spec: RFC 6761, 6.3 */
function readHosts(file: string): ReadonlyMap<string, readonly string[]> {
  const hosts = new Map<string, string[]>();
  for (const line of readText(file).split('\n')) {
    const [literal = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    const ip = parseIp(literal);
    if (ip === undefined) continue;
    for (const name of names) {
      const listed = hosts.get(name.toLowerCase()) ?? [];
      hosts.set(name.toLowerCase(), [...listed, formatIp(ip)]);
    }
  }
  if (!hosts.has('localhost')) hosts.set('localhost', ['127.0.0.1']);
  return hosts;
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

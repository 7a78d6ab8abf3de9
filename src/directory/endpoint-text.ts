import { formatIp, parseIp, parseIpv4 } from '../base/ip.ts';
import type { Endpoint } from '../ports.ts';

/** `1.2.3.4:9001` or `[2001:db8::1]:9001`. */
export function formatEndpoint({ host, port }: Endpoint): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** An IPv6 address in brackets and a port other than 0, as `a` and `or-address` lines hold it. */
export function parseBracketedEndpoint(text: string): Endpoint | undefined {
  const match = /^\[([0-9a-fA-F:.]{2,45})\]:([0-9]{1,5})$/.exec(text);
  const ip = match === null ? undefined : parseIp(match[1]);
  const port = parsePort(match?.[2] ?? '');
  if (ip?.length !== 16 || port === undefined || port === 0) return undefined;
  return { host: formatIp(ip), port };
}

export function parseIpv4Endpoint(text: string): Endpoint | undefined {
  const colon = text.lastIndexOf(':');
  const port = parsePort(text.slice(colon + 1));
  if (colon < 0 || port === undefined || port === 0 || parseIpv4(text.slice(0, colon)) === undefined)
    return undefined;
  return { host: text.slice(0, colon), port };
}

/** 0 to 65535 in decimal without leading zeros. */
export function parsePort(text: string): number | undefined {
  if (!/^(0|[1-9][0-9]{0,4})$/.test(text)) return undefined;
  const port = Number(text);
  return port <= 65535 ? port : undefined;
}

/** A non-negative decimal number that JavaScript holds exactly. */
export function parseCount(text: string | undefined): number | undefined {
  if (text === undefined || !/^[0-9]{1,15}$/.test(text)) return undefined;
  return Number(text);
}

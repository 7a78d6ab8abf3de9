import { formatIp, parseIp } from '../base/ip.ts';

/** Values of torrc options: each parser gives undefined for what it cannot read. */

export function parseFlag(text: string): boolean | undefined {
  return text === '1' ? true : text === '0' ? false : undefined;
}

export function parseCount(text: string): number | undefined {
  return /^[0-9]{1,15}$/.test(text) ? Number(text) : undefined;
}

const msOfUnit: Readonly<Record<string, number>> = {
  msec: 1,
  millisecond: 1,
  second: 1_000,
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
  week: 604_800_000,
};

/** Milliseconds; a bare number counts seconds, as in C tor. */
export function parseInterval(text: string): number | undefined {
  const match = /^([0-9]{1,9})(?:\s*([a-z]+))?$/i.exec(text);
  if (match === null) return undefined;
  const unit = singular(match[2] ?? 'second');
  return Object.hasOwn(msOfUnit, unit) ? Number(match[1]) * msOfUnit[unit] : undefined;
}

const bytesOfUnit: Readonly<Record<string, number>> = {
  b: 1,
  byte: 1,
  kb: 1_024,
  kbyte: 1_024,
  kilobyte: 1_024,
  mb: 1_048_576,
  mbyte: 1_048_576,
  megabyte: 1_048_576,
  gb: 1_073_741_824,
  gbyte: 1_073_741_824,
  gigabyte: 1_073_741_824,
  kbit: 128,
  mbit: 131_072,
  gbit: 134_217_728,
};

/** Bytes; C tor's KB is 1024 bytes. */
export function parseBytes(text: string): number | undefined {
  const match = /^([0-9]{1,12})(?:\s*([a-z]+))?$/i.exec(text);
  if (match === null) return undefined;
  const unit = singular(match[2] ?? 'byte');
  return Object.hasOwn(bytesOfUnit, unit) ? Number(match[1]) * bytesOfUnit[unit] : undefined;
}

function singular(unit: string): string {
  const lower = unit.toLowerCase();
  return lower.length > 2 && lower.endsWith('s') ? lower.slice(0, -1) : lower;
}

export interface PortLine {
  /** IP text; undefined: the option's own default. */
  readonly host: string | undefined;
  /** 0 turns the port off. */
  readonly port: number | 'auto';
  readonly flags: readonly string[];
}

export function parsePort(text: string): PortLine | undefined {
  const [where, ...flags] = text.split(/\s+/);
  const match = /^(?:(.+):)?(auto|[0-9]{1,5})$/i.exec(where);
  if (match === null) return undefined;
  const port = match[2].toLowerCase() === 'auto' ? 'auto' : Number(match[2]);
  if (port !== 'auto' && port > 65_535) return undefined;
  if (match[1] === undefined) return { host: undefined, port, flags };
  const ip = match[1].toLowerCase() === 'localhost' ? parseIp('127.0.0.1') : parseIp(match[1]);
  return ip === undefined ? undefined : { host: formatIp(ip), port, flags };
}

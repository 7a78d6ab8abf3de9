import { closeSync, openSync, writeSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { dirname, resolve } from 'node:path';
import { pino } from 'pino';
import type { LogFields, Observer } from '../ports.ts';
import { makeFolders } from './data-directory.ts';
import { cannotWrite } from './output-file.ts';

export type LogLevel = Parameters<Observer['log']>[0];

export interface JsonLogOptions {
  /** Which node speaks: its nickname, or 'client'. */
  readonly name: string;
  /** The least level that is written. */
  readonly level: LogLevel | 'silent';
  /** A file to append to, made 0600; standard error when absent. */
  readonly file?: string;
}

/** An observer that writes one JSON object per line, and keeps counters as plain numbers. */
export interface JsonLog extends Observer {
  /** Every counter that was ever counted, by name. */
  counters(): Readonly<Record<string, number>>;
  close(): void;
}

/** C tor's names of levels, in our four; undefined for a word that is none. */
export function levelOfTorName(name: string): LogLevel | undefined {
  const levels: Record<string, LogLevel> = {
    debug: 'debug',
    info: 'debug',
    notice: 'info',
    warn: 'warn',
    err: 'error',
  };
  return levels[name];
}

/** Throws OperatorError for a file that cannot be opened. One that is full later is no reason to end: lines are lost. */
export function openJsonLog(options: JsonLogOptions): JsonLog {
  const file = options.file === undefined ? undefined : openFile(options.file);
  const counters = new Map<string, number>();
  const count = (counter: string, by = 1) => void counters.set(counter, (counters.get(counter) ?? 0) + by);
  let isTorn = false;
  // Written at once: the last line before a crash is the one that matters.
  const write = (line: string): void => {
    const bytes = Buffer.from(isTorn ? `\n${line}` : line);
    let written = 0;
    try {
      written = writeSync(file ?? 2, bytes);
    } catch {
      // Whoever logs must not hear of it: money may be half way through its books.
    }
    if (written === bytes.length) isTorn = false;
    else {
      isTorn ||= written > 0;
      count('naulon_log_lines_lost_total');
    }
  };
  const log = pino(
    {
      level: options.level,
      base: { node: options.name },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: label => ({ level: label }) },
      messageKey: 'event',
    },
    { write },
  );
  return {
    log: (level, event, fields) => {
      if (!log.isLevelEnabled(level)) return;
      if (fields === undefined) log[level](event);
      else log[level](scrubbed(fields), event);
    },
    count,
    counters: () => Object.fromEntries(counters),
    close: () => {
      log.level = 'silent';
      if (file !== undefined) closeSync(file);
    },
  };
}

function openFile(path: string): number {
  try {
    makeFolders(dirname(resolve(path)), 0o700);
    return openSync(path, 'a', 0o600);
  } catch (error) {
    throw cannotWrite(path, error);
  }
}

/** Fields that name public things: relays, and our own listeners. */
const publicFields = /^(relay|authority|fingerprint|listen|nickname|version|file|reason|code)$/;
const secretFields =
  /(secret|key|cookie|password|seed|preimage|signature|txid|channel|payment|address|client|host)/i;
const ipv4 = /\b\d{1,3}(?:\.\d{1,3}){3}\b(?::\d+)?/g;
const ipv6Like = /(?:[0-9a-f]{0,4}:){2,7}[0-9a-f.]*/gi;
const longHex = /\b[0-9a-f]{32,}\b/gi;

/**
 * The second line of defence, after cores that log nothing secret or linking: whatever looks like an address, a key
 * or a transaction id is left out of the values, and fields named as such lose their value altogether.
 */
export function scrubbed(fields: LogFields): LogFields {
  const clean: Record<string, string | number | boolean> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (publicFields.test(name)) clean[name] = value;
    else if (typeof value !== 'string') clean[name] = value;
    else if (secretFields.test(name)) clean[name] = '[removed]';
    else
      clean[name] = value
        .replace(ipv4, '[address]')
        .replace(ipv6Like, text => (isIPv6(text) ? '[address]' : text))
        .replace(longHex, '[hex]');
  }
  return clean;
}

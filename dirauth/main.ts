import { join } from 'node:path';
import { OperatorError } from '../src/base/fault.ts';
import { parseTorrc, type Torrc } from '../src/config/torrc.ts';
import { readInput } from '../src/node-io/input-file.ts';
import { type JsonLogOptions, levelOfTorName, openJsonLog } from '../src/node-io/json-log.ts';
import { type MountedBroker, mountBroker } from './broker-service.ts';
import { authorityConfig } from './config.ts';
import { type RunningAuthority, startAuthority } from './start-authority.ts';

/**
 * Runs an authority in the foreground until it is told to stop. Prints one line of JSON on standard output once it serves.
 * Throws OperatorError for what a person can mend.
 */
export async function dirauthMain(file: string, payFile?: string): Promise<void> {
  const torrc = readTorrc(file);
  const config = authorityConfig(torrc);
  if (!config.ok) throw new OperatorError(config.fault.code, config.fault.detail ?? '', 2);
  const log = openJsonLog({ name: config.value.nickname, ...logOf(torrc) });
  for (const option of torrc.unused()) log.log('warn', 'option without effect', { option });
  const broker = payFile === undefined ? undefined : await mountBroker(payFile, log);
  const authority = await startAuthority(config.value, log, why => {
    log.log('error', 'the store failed', { reason: why.message });
    process.exit(why.exitCode);
  }).catch(async error => {
    await broker?.stop();
    throw error;
  });
  console.log(readyLine(config.value.nickname, authority, broker));
  await told();
  await Promise.all([authority.stop(), broker?.stop()]);
  log.close();
}

/** The first line of standard output; `party` and `key` are those of the broker, if it has one. */
function readyLine(nickname: string, authority: RunningAuthority, broker: MountedBroker | undefined): string {
  const { dirAuthority, fingerprint, v3Ident, orPort, dirPort } = authority;
  const { party, key } = broker ?? {};
  const ready = { event: 'ready', nickname, orPort, dirPort, fingerprint, v3Ident, dirAuthority, party, key };
  return JSON.stringify(ready);
}

function readTorrc(file: string): Torrc {
  const torrc = parseTorrc(readInput(file), file);
  if (!torrc.ok) throw new OperatorError(torrc.fault.code, torrc.fault.detail ?? '', 2);
  return torrc.value;
}

/** `Log notice file PATH`, `Log debug stderr`; the last line counts. */
function logOf(torrc: Torrc): Pick<JsonLogOptions, 'level' | 'file'> {
  const line = torrc.lines('Log').at(-1);
  if (line === undefined) return { level: 'info' };
  const [level, kind, ...rest] = line.value.split(/\s+/);
  const known = levelOfTorName(level);
  if (known === undefined) {
    const { code, detail } = torrc.fault(
      'Log',
      `${level} is none of debug, info, notice, warn, err`,
      line.line,
    );
    throw new OperatorError(code, detail ?? '', 2);
  }
  if (kind !== 'file') return { level: known };
  return { level: known, file: join(rest.join(' ')) };
}

/** Resolves when somebody wants the program to end: a signal, or the end of the process that started it. */
function told(): Promise<void> {
  return new Promise(resolve => {
    process.once('SIGINT', () => resolve());
    process.once('SIGTERM', () => resolve());
    process.once('disconnect', () => resolve());
  });
}

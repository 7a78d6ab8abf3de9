import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { levelOfTorName, openJsonLog, scrubbed } from './json-log.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'naulon-log-test-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const linesOf = (file: string) =>
  readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map(line => JSON.parse(line));

describe('the log', () => {
  it('writes one object per line, at its level and above, readable by its owner alone', () => {
    const file = join(folder, 'deep', 'relay.log');
    const log = openJsonLog({ name: 'guard1', level: 'info', file });
    log.log('debug', 'cell seen');
    log.log('info', 'circuit built', { hops: 3 });
    log.log('error', 'store failed');
    log.close();
    const lines = linesOf(file);
    expect(lines).toMatchObject([
      { level: 'info', node: 'guard1', event: 'circuit built', hops: 3 },
      { level: 'error', node: 'guard1', event: 'store failed' },
    ]);
    expect(statSync(file).mode & 0o077).toBe(0);
  });

  it('appends to what an earlier run wrote', () => {
    const file = join(folder, 'relay.log');
    for (const event of ['first', 'second']) {
      const log = openJsonLog({ name: 'a', level: 'debug', file });
      log.log('info', event);
      log.close();
    }
    expect(linesOf(file).map(({ event }) => event)).toEqual(['first', 'second']);
  });

  it.runIf(process.platform === 'linux')('loses lines, and nothing else, while the disk is full', () => {
    const log = openJsonLog({ name: 'a', level: 'info', file: '/dev/full' });
    for (let line = 0; line < 10; line++) log.log('info', 'circuit built', { line });
    expect(log.counters()).toEqual({ naulon_log_lines_lost_total: 10 });
    log.close();
  });

  it('says in one line which file cannot be opened', () => {
    const file = join(folder, 'file');
    openJsonLog({ name: 'a', level: 'info', file }).close();
    const below = join(file, 'relay.log');
    expect(() => openJsonLog({ name: 'a', level: 'info', file: below })).toThrow(`cannot write to ${below}`);
  });

  it('keeps counters', () => {
    const log = openJsonLog({ name: 'a', level: 'silent' });
    log.count('naulon_cells_total');
    log.count('naulon_cells_total', 41);
    log.count('naulon_circuits_total', 0);
    expect(log.counters()).toEqual({ naulon_cells_total: 42, naulon_circuits_total: 0 });
  });
});

describe('scrubbing', () => {
  it('leaves out addresses, keys and transaction ids wherever they stand', () => {
    const clean = scrubbed({
      peer: '203.0.113.7:4711',
      detail: 'lost [2001:db8::1]:9001, then 10.0.0.1',
      id: 'a'.repeat(64),
      channelId: 'short',
      walletSeed: 'abandon',
      clientAddress: 'somewhere',
    });
    expect(JSON.stringify(clean)).not.toMatch(/203\.0|2001|10\.0\.0|aaaa|short|abandon|somewhere/);
  });

  it('keeps what is public and what is harmless', () => {
    const fields = { relay: 'B'.repeat(40), listen: '127.0.0.1:9050', at: '12:30:05', cells: 7, paid: true };
    expect(scrubbed(fields)).toEqual(fields);
  });
});

it("knows C tor's names of levels", () => {
  expect(['debug', 'info', 'notice', 'warn', 'err', 'loud'].map(levelOfTorName)).toEqual([
    'debug',
    'debug',
    'info',
    'warn',
    'error',
    undefined,
  ]);
});

import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OperatorError } from '../src/base/fault.ts';
import { readAnyBroker, readBrokerConfig } from './config.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'naulon-broker-config-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function written(name: string, text: string, mode = 0o600): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  chmodSync(file, mode);
  return file;
}

/** broker.yaml with a section `store`. */
function brokerYaml(store: string, mode?: number): string {
  const text = `data_directory: .\nchain: {rpc: http://127.0.0.1:18443, cookie: /c}\nstore: ${store}\n`;
  return written('broker.yaml', text, mode);
}

function refusal(store: string, mode?: number): OperatorError {
  try {
    readBrokerConfig(brokerYaml(store, mode));
  } catch (error) {
    if (error instanceof OperatorError) return error;
  }
  throw new Error(`it was taken: ${store}`);
}

describe('store of broker.yaml', () => {
  it.each([
    ['postgres://us@127.0.0.1/records', { host: '127.0.0.1', port: 5432, database: 'records', user: 'us' }],
    [
      'postgres://u%40s:p%2Fw@[::1]:5433/r',
      { host: '::1', port: 5433, database: 'r', user: 'u@s', password: 'p/w' },
    ],
    ['postgresql://db.example/r', { host: 'db.example', port: 5432, database: 'r', tls: {} }],
    ['postgres://db.example/r?sslmode=disable', { host: 'db.example', port: 5432, database: 'r' }],
    [
      'postgres:///r?host=/run/postgresql&user=us',
      { host: '/run/postgresql', port: 5432, database: 'r', user: 'us' },
    ],
  ])('reads %s', (url, server) => {
    expect(readBrokerConfig(brokerYaml(`{postgres: '${url}'}`)).store).toEqual(server);
  });

  it('reads a password and certificates from files beside it', () => {
    written('password', 'p w\n');
    written('roots.pem', 'PEM', 0o644);
    const url = 'postgres://us@db.example/r?sslmode=verify-full&sslrootcert=roots.pem';
    const file = brokerYaml(`{postgres: '${url}', password: password}`, 0o644);
    const server = {
      host: 'db.example',
      port: 5432,
      database: 'r',
      user: 'us',
      password: 'p w',
      tls: { ca: 'PEM' },
    };
    expect(readBrokerConfig(file).store).toEqual(server);
    const mounted = written('pay.yaml', `broker: {data_directory: ., chain: {rpc: 'http://a', cookie: c}}\n`);
    expect([readAnyBroker(file).store, readAnyBroker(mounted).store]).toEqual([server, undefined]);
  });

  it.each([
    ["{postgres: 'mysql://us:hidden@h/r'}", 'CONFIG_BAD_VALUE', 'a URL reads like postgres://'],
    ["{postgres: 'postgres://us:hidden@h'}", 'CONFIG_BAD_VALUE', 'it names server and database'],
    ["{postgres: 'postgres://us:hidden@h:99999/r'}", 'CONFIG_BAD_VALUE', 'a URL reads like'],
    ["{postgres: 'postgres://us:hid%den@h/r'}", 'CONFIG_BAD_VALUE', 'a URL reads like'],
    ["{postgres: 'postgres://us:hidden@h/r?sslmode=require'}", 'CONFIG_BAD_VALUE', 'verify-full or disable'],
    ["{postgres: 'postgres://us:hidden@h/r?timeout=1'}", 'CONFIG_BAD_VALUE', 'no parameter timeout'],
    ["{postgres: 'postgres://us@h/r', password: absent}", 'CONFIG_BAD_VALUE', 'there is no file'],
    ["{url: 'postgres://us:hidden@h/r'}", 'CONFIG_', 'store'],
  ])('refuses %s, without the password', (store, code, says) => {
    const why = refusal(store);
    expect(why.exitCode).toBe(2);
    expect(why.code).toContain(code);
    expect(why.message).toContain(says);
    expect(why.message).not.toMatch(/hid|\n/);
  });

  it('holds a password in a file that nobody else may read', () => {
    const why = refusal("{postgres: 'postgres://us:hidden@127.0.0.1/r'}", 0o644);
    expect(why.message).toMatch(/broker\.yaml is open to others; run: chmod 600/);
  });
});

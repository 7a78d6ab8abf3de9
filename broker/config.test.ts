import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readBrokerConfig } from './config.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'naulon-broker-credit-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function lends(more: string): ReadonlyMap<string, bigint> {
  const file = join(folder, 'broker.yaml');
  writeFileSync(file, `data_directory: .\nchain: {rpc: http://127.0.0.1:18443, cookie: /c}\n${more}\n`);
  return readBrokerConfig(file).lendsMsat;
}

describe('credit of broker.yaml', () => {
  const account = `02${'ab'.repeat(32)}`;

  it('names whom the broker lends to, and how many satoshi; left out, nobody', () => {
    expect([...lends(`credit: {${account}: 200000}`)]).toEqual([[account, 200_000_000n]]);
    expect([...lends('')]).toEqual([]);
  });

  it.each([`{02ab: 200000}`, `{${account}: -1}`, `{${account}: 1.5}`, `200000`])(
    'is refused as %s',
    credit => {
      expect(() => lends(`credit: ${credit}`)).toThrow(/credit/);
    },
  );
});

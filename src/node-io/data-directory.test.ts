import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDataDirectory, readSecretFile, writeSecretFile } from './data-directory.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'naulon-data-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe('data directory', () => {
  it('is made for its owner alone, and opened again', () => {
    const path = join(root, 'a', 'b');
    expect(openDataDirectory(path)).toBe(path);
    expect(statSync(path).mode & 0o777).toBe(0o700);
    expect(openDataDirectory(path)).toBe(path);
  });

  it.each([0o750, 0o705, 0o777, 0o701])('is refused with mode %o', mode => {
    const path = join(root, 'loose');
    mkdirSync(path);
    chmodSync(path, mode);
    expect(() => openDataDirectory(path)).toThrow('chmod 700');
  });

  it('is refused where everybody may write', () => {
    const parent = join(root, 'open');
    mkdirSync(parent);
    chmodSync(parent, 0o777);
    expect(() => openDataDirectory(join(parent, 'data'))).toThrow('everybody may write');
    chmodSync(parent, 0o1777);
    expect(openDataDirectory(join(parent, 'data'))).toBe(join(parent, 'data'));
  });

  it('is refused when it is a file', () => {
    writeFileSync(join(root, 'file'), '');
    expect(() => openDataDirectory(join(root, 'file'))).toThrow('is no directory');
    expect(() => openDataDirectory(join(root, 'file', 'data'))).toThrow('cannot make');
  });

  it.runIf(process.platform === 'linux')('is refused where nothing can be written', () => {
    expect(() => openDataDirectory('/proc/self/fd')).toThrow('cannot write to /proc/self/fd');
  });

  it.runIf(process.platform === 'linux')('is refused where the system takes no folders', () => {
    expect(() => openDataDirectory('/proc/naulon/data')).toThrow('cannot make');
  });
});

describe('secret file', () => {
  it('is written 0600 and read back', () => {
    const file = join(root, 'keys');
    expect(readSecretFile(file)).toBeUndefined();
    writeSecretFile(file, 'secret');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readSecretFile(file)).toBe('secret');
  });

  it.each([0o640, 0o604, 0o666])('is refused with mode %o', mode => {
    const file = join(root, 'keys');
    writeSecretFile(file, 'secret');
    chmodSync(file, mode);
    expect(() => readSecretFile(file)).toThrow('chmod 600');
  });
});

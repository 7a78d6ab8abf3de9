import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeOutputFolder, requireOutput, writtenFirst } from './output-file.ts';

let root: string;
let file: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'naulon-output-test-'));
  file = join(root, 'file');
  writeFileSync(file, '');
});
afterAll(() => rmSync(root, { recursive: true }));

it('takes what a file can be written as', () => {
  for (const good of [file, join(root, 'new'), '/dev/null']) requireOutput(good);
  expect([file, '/dev/null'].map(writtenFirst)).toEqual([`${file}.part`, '/dev/null']);
});

it('refuses folders, no name, and what lies in no folder', () => {
  for (const wrong of [root, ''])
    expect(() => requireOutput(wrong)).toThrow(expect.objectContaining({ code: 'OUTPUT_NO_FILE' }));
  for (const wrong of [join(root, 'no', 'file'), join(file, 'below')])
    expect(() => requireOutput(wrong)).toThrow(expect.objectContaining({ code: 'OUTPUT_NO_FOLDER' }));
});

it('makes a folder, and not where a file is', () => {
  makeOutputFolder(join(root, 'a', 'b'));
  requireOutput(join(root, 'a', 'b', 'c'));
  for (const wrong of [file, join(file, 'below')])
    expect(() => makeOutputFolder(wrong)).toThrow(expect.objectContaining({ code: 'OUTPUT_FAILED' }));
});

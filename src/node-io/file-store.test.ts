import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { expectKept, type StoreGround, startWriter, storeDeathKit } from '../../test/store-death-kit.ts';
import { equalBytes, utf8 } from '../base/bytes.ts';
import { storeRoomBytesMin } from '../base/limits.ts';
import type { Answer } from '../ports.ts';
import { FileStore, readFileStore } from './file-store.ts';

let directory: string;
let answers: Answer[];
let answered: () => void;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'naulon-store-'));
  answers = [];
  answered = () => {};
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function openStore(): FileStore {
  const store = new FileStore({
    directory,
    onBroken: error => {
      throw error;
    },
  });
  store.attach({
    onAnswer(answer) {
      answers.push(answer);
      answered();
    },
  });
  return store;
}

const untilAnswers = (count: number) =>
  new Promise<void>(resolve => {
    answered = () => {
      if (answers.length >= count) resolve();
    };
    answered();
  });

test('records survive, in the order of their keys, and nobody else may read the file', async () => {
  const store = openStore();
  store.commit(
    [
      { key: 'a/2', value: utf8('two') },
      { key: 'a/1', value: utf8('one') },
      { key: 'b/1', value: utf8('other') },
    ],
    7,
  );
  store.commit(
    [
      { key: 'a/3', value: utf8('three') },
      { key: 'a/2', value: undefined },
    ],
    8,
  );
  expect(answers).toEqual([]);
  await untilAnswers(2);
  expect(answers).toEqual([
    { kind: 'stored', ask: 7 },
    { kind: 'stored', ask: 8 },
  ]);
  await store.close();
  expect(statSync(join(directory, 'store', 'records.mdb')).mode & 0o777).toBe(0o600);
  expect(statSync(join(directory, 'store')).mode & 0o777).toBe(0o700);
  const again = openStore();
  expect(again.list('a/')).toEqual([
    ['a/1', utf8('one')],
    ['a/3', utf8('three')],
  ]);
  expect(again.get('b/1')).toEqual(utf8('other'));
  expect(again.get('a/2')).toBeUndefined();
  await again.close();
});

test('a second store on the directory is refused, a reader is not', async () => {
  const store = openStore();
  store.commit([{ key: 'k', value: utf8('v') }], 1);
  await untilAnswers(1);
  expect(openStore).toThrow(/is in use by process/);
  const reader = readFileStore(directory);
  expect(reader.get('k')).toEqual(utf8('v'));
  await reader.close();
  await store.close();
  await openStore().close();
});

test('a directory without records is named as such', () => {
  expect(() => readFileStore(directory)).toThrow(/holds no records/);
});

const ground = (): StoreGround => ({
  args: [directory],
  open: async () => openStore(),
  remove: async () => {},
});

storeDeathKit('FileStore', async () => ground());

test('a disk that takes no more ends the process with one line, and keeps what was answered', async () => {
  const { said, gone } = startWriter([directory], ['sh', '-c', 'ulimit -f 400; exec "$@"', 'sh']);
  expect(await gone).toBe(3);
  const lines = said.stderr.trim().split('\n');
  expect(lines.at(-1)).toBe(
    `the disk does not take what must be stored in ${directory}; make room there, then start again`,
  );
  expect(said.stdout.length).toBeGreaterThan(0);
  await expectKept(ground(), said.stdout);
});

test('a disk that is all but full ends the process before lmdb is asked to write', async () => {
  let left = storeRoomBytesMin;
  const broken: string[] = [];
  const onBroken = (why: Error) => void broken.push(why.message);
  const store = new FileStore({ directory, onBroken, room: () => left });
  store.attach({ onAnswer: answer => void answers.push(answer) });
  store.commit([{ key: 'a', value: utf8('kept') }], 1);
  left -= 1;
  store.commit([{ key: 'b', value: utf8('refused') }], 2);
  expect(broken).toEqual([expect.stringMatching(/does not take .*; make room there, then start again$/)]);
  await store.close();
  const opened = () => new FileStore({ directory, onBroken, room: () => left });
  expect(opened).toThrow(/make room there/);
  const reader = readFileStore(directory);
  expect(reader.list('').map(([key]) => key)).toEqual(['a']);
  await reader.close();
});

test('a disk that takes no more when a store is opened is said as well', async () => {
  await openStore().close();
  // Lmdb's lock and its first two pages fit; no record does.
  const { said, gone } = startWriter([directory], ['sh', '-c', 'ulimit -f 17; exec "$@"', 'sh']);
  expect(await gone).toBe(1);
  expect(said.stderr).toContain(
    `OperatorError: the disk does not take what must be stored in ${directory}; make room there`,
  );
  await openStore().close();
});

test.each([
  ['another file', () => new Uint8Array(20_000).fill(7)],
  ['the start of a store', (whole: Uint8Array) => whole.subarray(0, 5_000)],
])('%s is refused, and left as it is', async (_name, damaged) => {
  await openStore().close();
  const file = join(directory, 'store', 'records.mdb');
  const bytes = damaged(readFileSync(file));
  writeFileSync(file, bytes);
  expect(openStore).toThrow(/is damaged; restore it/);
  expect(() => readFileStore(directory)).toThrow(/is damaged; restore it/);
  expect(equalBytes(readFileSync(file), bytes)).toBe(true);
});

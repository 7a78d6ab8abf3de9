import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { open, type RootDatabase } from 'lmdb';
import { assert } from '../base/assert.ts';
import { OperatorError } from '../base/fault.ts';
import type { Answer, AskId, StorePort, StoreWrite } from '../ports.ts';
import { lockDirectory } from './directory-lock.ts';

/** Room in the address space, not on the disk; the file grows as it is filled. */
const mapBytes = 64 * 2 ** 30;
const folder = 'store';
const file = 'records.mdb';

type Records = RootDatabase<Buffer, string>;

export interface FileStoreOptions {
  /** The node's data directory; the store lives in a folder of it. */
  readonly directory: string;
  readonly onAnswer: (answer: Answer) => void;
  /** A write failed. What was promised can no longer be kept: the process must end at once. */
  readonly onFailure: (error: Error) => void;
}

/** Durable records in lmdb: commits that wait share one sync of the disk, which runs on lmdb's own thread. */
export class FileStore implements StorePort {
  readonly #records: Records;
  readonly #options: FileStoreOptions;
  readonly #unlock: () => void;
  #failed = false;
  #underWay: Promise<unknown> = Promise.resolve();

  /** Throws OperatorError (STORE_LOCKED) when another process has the directory. */
  constructor(options: FileStoreOptions) {
    this.#options = options;
    const path = join(options.directory, folder);
    mkdirSync(path, { recursive: true, mode: 0o700 });
    this.#unlock = lockDirectory(path);
    this.#records = openRecords(path, false);
    for (const name of [file, `${file}-lock`])
      if (existsSync(join(path, name))) chmodSync(join(path, name), 0o600);
  }

  get(key: string): Uint8Array | undefined {
    return copyOf(this.#records.get(key));
  }

  list(prefix: string): readonly (readonly [key: string, value: Uint8Array])[] {
    return listRecords(this.#records, prefix);
  }

  commit(writes: readonly StoreWrite[], ask: AskId): void {
    assert(writes.length > 0, 'a commit writes something');
    const written = this.#records.transaction(() => {
      for (const { key, value } of writes) {
        if (value === undefined) this.#records.removeSync(key);
        else this.#records.putSync(key, Buffer.from(value));
      }
    });
    // With overlappingSync off the transaction ends when its data has reached the disk.
    this.#underWay = written.then(
      () => {
        if (!this.#failed) this.#options.onAnswer({ kind: 'stored', ask });
      },
      (error: Error) => {
        if (!this.#failed) this.#options.onFailure(error);
        this.#failed = true;
      },
    );
  }

  /** Waits for what is under way, then gives the directory back. */
  async close(): Promise<void> {
    await this.#underWay;
    await this.#records.close();
    this.#unlock();
  }
}

/** A look at the records of a node that may be running. */
export interface StoreReader extends Pick<StorePort, 'get' | 'list'> {
  close(): Promise<void>;
}

/** @param directory a node's data directory. */
export function readFileStore(directory: string): StoreReader {
  const path = join(directory, folder);
  if (!existsSync(join(path, file)))
    throw new OperatorError(
      'STORE_ABSENT',
      `${directory} holds no records of a node; name its data directory`,
      2,
    );
  const records = openRecords(path, true);
  return {
    get: key => copyOf(records.get(key)),
    list: prefix => listRecords(records, prefix),
    close: () => records.close(),
  };
}

function openRecords(path: string, readOnly: boolean): Records {
  return open<Buffer, string>({
    path: join(path, file),
    encoding: 'binary',
    mapSize: mapBytes,
    overlappingSync: false,
    readOnly,
    noSubdir: true,
    keyEncoding: 'ordered-binary',
  });
}

function listRecords(
  records: Records,
  prefix: string,
): readonly (readonly [key: string, value: Uint8Array])[] {
  const found: [string, Uint8Array][] = [];
  for (const { key, value } of records.getRange({ start: prefix })) {
    if (!key.startsWith(prefix)) break;
    found.push([key, new Uint8Array(value)]);
  }
  return found;
}

function copyOf(value: Buffer | undefined): Uint8Array | undefined {
  return value === undefined ? undefined : new Uint8Array(value);
}

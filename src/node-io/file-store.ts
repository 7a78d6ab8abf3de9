import {
  chmodSync,
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  statfsSync,
} from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { type Database, open, type RootDatabase } from 'lmdb';
import { assert } from '../base/assert.ts';
import { OperatorError } from '../base/fault.ts';
import { storeRoomBytesMin } from '../base/limits.ts';
import type { Answer, AskId, StorePort, StoreWrite } from '../ports.ts';
import { identityOf, isRunning, type ProcessIdentity } from './process-identity.ts';
import { RunCount } from './run-count.ts';

/** Room in the address space, not on the disk; the file grows as it is filled. */
const mapBytes = 64 * 2 ** 30;
const folder = 'store';
const fileName = 'records.mdb';
/** Raised when another naulon would misread the records. */
const formatVersion = 1;
const headKey = 'head';
const diskFaults = ['ENOSPC', 'EDQUOT', 'EFBIG', 'EIO'] as const;

/** What the file says of itself. */
interface Head {
  readonly format: number;
  /** The process that writes; absent after an orderly end. */
  readonly owner?: ProcessIdentity;
  /** How often the store was opened for writing, this time included. */
  readonly runs?: number;
}

type Records = Database<Buffer, string>;

export interface FileStoreOptions {
  /** The node's data directory; the store lives in a folder of it. */
  readonly directory: string;
  /** A write failed. What was promised can no longer be kept: the process must end at once. */
  readonly onBroken: (why: OperatorError) => void;
  /** Records that are put back from a backup have been through so many runs. */
  readonly ranBefore?: number;
  /** Bytes that the disk of a folder still takes; the file system's own count when absent. */
  readonly room?: (folder: string) => number;
}

/**
 * Durable records in lmdb: commits that wait share one sync of the disk, which runs on lmdb's own thread. One process
 * writes; others may look (readFileStore).
 */
export class FileStore implements StorePort {
  readonly #root: RootDatabase;
  readonly #head: Database<Head, string>;
  readonly #records: Records;
  readonly #options: FileStoreOptions;
  readonly #runs: RunCount;
  #handler: { onAnswer(answer: Answer): void } | undefined;
  #broken = false;
  #underWay: Promise<unknown> = Promise.resolve();

  /**
   * Throws OperatorError: another process has the store (STORE_LOCKED), it is older than the one that ran here last
   * (STORE_WENT_BACK), or it is none that we can use.
   */
  constructor(options: FileStoreOptions) {
    this.#options = options;
    this.#runs = new RunCount(options.directory);
    const path = join(options.directory, folder);
    mkdirSync(path, { recursive: true, mode: 0o700 });
    if (!this.#hasRoom()) throw this.#brokenStore();
    this.#root = openRoot(path, false);
    for (const name of [fileName, `${fileName}-lock`]) chmodSync(join(path, name), 0o600);
    this.#head = this.#root.openDB({ name: 'head', encoding: 'json' });
    this.#records = openRecords(this.#root);
    const refusal = this.#tryToOwn(path);
    if (refusal === undefined) return;
    void this.#root.close();
    throw refusal;
  }

  /** Who hears of what is stored; before the first commit. */
  attach(handler: { onAnswer(answer: Answer): void }): void {
    this.#handler = handler;
  }

  get(key: string): Uint8Array | undefined {
    return copyOf(this.#records.get(key));
  }

  list(prefix: string): readonly (readonly [key: string, value: Uint8Array])[] {
    return listRecords(this.#records, prefix);
  }

  commit(writes: readonly StoreWrite[], ask: AskId): void {
    const handler = this.#handler;
    assert(handler !== undefined, 'somebody hears of what is stored');
    assert(writes.length > 0, 'a commit writes something');
    if (!this.#hasRoom()) {
      this.#break();
      return;
    }
    const written = this.#records.batch(() => {
      for (const { key, value } of writes) {
        if (value === undefined) void this.#records.remove(key);
        // A copy, since lmdb takes the bytes later, on its own thread.
        else void this.#records.put(key, Buffer.from(value));
      }
    });
    // With overlappingSync off a batch ends when its data has reached the disk.
    this.#underWay = written.then(
      () => {
        if (!this.#broken) handler.onAnswer({ kind: 'stored', ask });
      },
      (error: Error) => this.#break(error),
    );
  }

  /** Waits for what is under way, then gives the store back. */
  async close(): Promise<void> {
    await this.#underWay;
    if (!this.#broken) {
      const { runs } = this.#head.get(headKey) ?? {};
      await this.#head.put(headKey, { format: formatVersion, runs });
    }
    await this.#root.close();
  }

  #tryToOwn(path: string): OperatorError | undefined {
    try {
      return this.#own(path);
    } catch (error) {
      if (isDiskFault(error)) return this.#brokenStore();
      throw error;
    }
  }

  /** Reads who writes, and says who we are, in one transaction: lmdb lets one process at a time into it. */
  #own(path: string): OperatorError | undefined {
    let runs = 0;
    const refusal = this.#head.transactionSync(() => {
      const head = this.#head.get(headKey);
      if (head !== undefined && head.format !== formatVersion)
        return unusable(`${path} has format ${head.format}; run the naulon that wrote it`);
      if (head?.owner !== undefined && isRunning(head.owner)) {
        const what = `${path} is in use by process ${head.owner.pid}; stop it first`;
        return new OperatorError('STORE_LOCKED', what, 3);
      }
      const before = Math.max(head?.runs ?? 0, this.#options.ranBefore ?? 0);
      if (before < this.#runs.seen) return this.#wentBack(path, before);
      runs = before + 1;
      this.#head.putSync(headKey, { format: formatVersion, owner: identityOf(process.pid), runs });
      return undefined;
    });
    if (refusal === undefined) this.#runs.saw(runs);
    return refusal;
  }

  /** Payments and addresses that were promised since are missing from it: to go on would promise them again. */
  #wentBack(path: string, runs: number): OperatorError {
    const what = `${path} is an old copy: ${runs} runs are in it, ${this.#runs.seen} were here`;
    const cure =
      'put the newest records back; to go on with these, naulon backup them and naulon restore that into another directory';
    return new OperatorError('STORE_WENT_BACK', `${what}; ${cure}`, 3);
  }

  /** Lmdb is not asked to write what does not fit: where it fails it may overrun its own memory (3.5.6, mdb_page_flush). */
  #hasRoom(): boolean {
    const { directory, room = roomOf } = this.#options;
    return room(directory) >= storeRoomBytesMin;
  }

  #break(error?: Error & { readonly commitError?: Promise<unknown> }): void {
    // Lmdb tells the reason by another promise, too late for a process that must end now.
    error?.commitError?.catch(() => {});
    if (this.#broken) return;
    this.#broken = true;
    this.#options.onBroken(this.#brokenStore());
  }

  #brokenStore(): OperatorError {
    const what = `the disk does not take what must be stored in ${this.#options.directory}`;
    return new OperatorError('STORE_BROKEN', `${what}; make room there, then start again`, 3);
  }
}

/** A look at the records of a node that may be running. */
export interface StoreReader extends Pick<StorePort, 'get' | 'list'> {
  /** How often it was opened for writing. */
  readonly runs: number;
  close(): Promise<void>;
}

/** @param directory a node's data directory. */
export function readFileStore(directory: string): StoreReader {
  const path = join(directory, folder);
  if (!existsSync(join(path, fileName)))
    throw new OperatorError(
      'STORE_ABSENT',
      `${directory} holds no records of a node; name its data directory`,
      2,
    );
  const root = openRoot(path, true);
  const records = openRecords(root);
  const head: Database<Head, string> | undefined = root.openDB({ name: 'head', encoding: 'json' });
  return {
    runs: head?.get(headKey)?.runs ?? 0,
    get: key => copyOf(records.get(key)),
    list: prefix => listRecords(records, prefix),
    close: () => root.close(),
  };
}

function roomOf(folder: string): number {
  const { blocks, bavail, bsize } = statfsSync(folder);
  // File systems that do not count say 0 of 0.
  return blocks === 0 ? Number.POSITIVE_INFINITY : bavail * bsize;
}

function openRoot(path: string, readOnly: boolean): RootDatabase {
  const file = join(path, fileName);
  refuseForeign(file);
  return open({ path: file, mapSize: mapBytes, overlappingSync: false, readOnly, noSubdir: true });
}

function openRecords(root: RootDatabase): Records {
  return root.openDB({ name: 'records', encoding: 'binary', keyEncoding: 'ordered-binary' });
}

/** Lmdb maps a file into memory as it is, and takes the process down with it if it is none of its own. */
function refuseForeign(file: string): void {
  if (!existsSync(file)) return;
  const start = new Uint8Array(28);
  const handle = openSync(file, 'r');
  const { size } = fstatSync(handle);
  readSync(handle, start);
  closeSync(handle);
  if (size === 0) return;
  // Two pages at the least, each with a header of 24 bytes and MDB_MAGIC. Source: mdb.c.
  const magic = new DataView(start.buffer).getUint32(24, true);
  if (size < 8192 || magic !== 0xbeefc0de) throw unusable(`${file} is damaged; restore it from a backup`);
}

function unusable(what: string): OperatorError {
  return new OperatorError('STORE_UNUSABLE', what, 3);
}

/** The system took no more: lmdb gives its number for why, Node its name. */
function isDiskFault(error: unknown): boolean {
  const { code } = error as { readonly code?: unknown };
  return diskFaults.some(name => code === name || code === constants.errno[name]);
}

function listRecords(
  records: Records,
  prefix: string,
): readonly (readonly [key: string, value: Uint8Array])[] {
  const found: [string, Uint8Array][] = [];
  for (const { key, value } of records.getRange(prefix === '' ? {} : { start: prefix })) {
    if (!key.startsWith(prefix)) break;
    found.push([key, new Uint8Array(value)]);
  }
  return found;
}

function copyOf(value: Buffer | undefined): Uint8Array | undefined {
  return value === undefined ? undefined : new Uint8Array(value);
}

import type { Sql, TransactionSql } from 'postgres';
import { assert } from '../base/assert.ts';
import { OperatorError } from '../base/fault.ts';
import type { Answer, AskId, StorePort, StoreWrite } from '../ports.ts';
import type { StoreReader } from './file-store.ts';
import { LoadedRecords } from './loaded-records.ts';
import { type PostgresServer, placeOf, postgresProblem, postgresSession } from './postgres-session.ts';
import { RunCount } from './run-count.ts';

/** Raised when another naulon would misread the records. */
const formatVersion = 1;
/** Of the advisory lock that whoever writes holds: 'naul'. */
const lockKey = 0x6e61756c;
/** The server may take a moment to find out that a process is gone. */
const lockMsMax = 3_000;
const silentMsUsual = 15_000;
const endSeconds = 5;
const rowsAtOnce = 1_000;
// Numbers of types, and of an error. Source: PostgreSQL, pg_type.dat and errcodes.txt.
const textType = 25;
const bytesType = 17;
const lockNotAvailable = '55P03';

/** Records that were kept elsewhere until now. */
export interface EarlierRecords {
  /** How often they were opened for writing. */
  readonly runs: number;
  readonly records: readonly (readonly [key: string, value: Uint8Array])[];
}

export interface PostgresStoreOptions {
  readonly server: PostgresServer;
  /** The node's data directory, which counts how often the store was opened. */
  readonly directory: string;
  /** Whose records these are: a name that no other node has. */
  readonly owner: string;
  /** What a database without records begins with. */
  readonly earlier: () => Promise<EarlierRecords>;
  /** A write failed, or nobody knows whether it did. The process must end at once. */
  readonly onBroken: (why: OperatorError) => void;
  /** How long the server may say nothing. */
  readonly silentMsMax?: number;
}

/** What the database says of its records; one row. */
interface Head {
  readonly format: number;
  readonly owner: string;
  /** How often the store was opened for writing, this time included. */
  readonly runs: number;
}

/**
 * Durable records in PostgreSQL, all of them in memory too, since reads do not wait. One session writes, and holds a lock
 * while it lives; it is never replaced by another. Each commit is one statement, which takes effect only as the next one
 * of its run: none is done twice, none overtakes another, and none is done once another process has the store.
 */
export class PostgresStore implements StorePort {
  readonly #options: PostgresStoreOptions;
  readonly #sql: Sql;
  readonly #records = new LoadedRecords();
  #runs = 0;
  #commits = 0;
  #handler: { onAnswer(answer: Answer): void } | undefined;
  #life: 'begins' | 'lasts' | 'over' = 'begins';
  #underWay: Promise<unknown> = Promise.resolve();
  #watch: NodeJS.Timeout | undefined;

  private constructor(options: PostgresStoreOptions) {
    this.#options = options;
    this.#sql = postgresSession(options.server, () => this.#break(connectionClosed()));
  }

  /**
   * Throws OperatorError: the server cannot be reached or refuses (STORE_UNREACHABLE, STORE_REFUSED), another process has
   * the store (STORE_LOCKED), it is older than the one that ran here last (STORE_WENT_BACK), or none that we can use.
   */
  static async open(options: PostgresStoreOptions): Promise<PostgresStore> {
    const store = new PostgresStore(options);
    try {
      await store.#begin();
      return store;
    } catch (error) {
      store.#life = 'over';
      await store.#sql.end({ timeout: 0 });
      throw postgresProblem(options.server, error);
    }
  }

  /** Who hears of what is stored; before the first commit. */
  attach(handler: { onAnswer(answer: Answer): void }): void {
    this.#handler = handler;
  }

  get(key: string): Uint8Array | undefined {
    return this.#records.get(key);
  }

  list(prefix: string): readonly (readonly [key: string, value: Uint8Array])[] {
    return this.#records.list(prefix);
  }

  commit(writes: readonly StoreWrite[], ask: AskId): void {
    const handler = this.#handler;
    assert(handler !== undefined, 'somebody hears of what is stored');
    assert(writes.length > 0, 'a commit writes something');
    if (this.#life === 'over') return;
    // Of several writes to one key the last counts.
    const changes = new Map(writes.map(({ key, value }) => [key, value?.slice()]));
    this.#commits += 1;
    this.#underWay = this.#save(this.#commits, changes).then(
      () => {
        if (this.#life === 'over') return;
        this.#records.change(changes);
        handler.onAnswer({ kind: 'stored', ask });
      },
      (error: unknown) => this.#break(error),
    );
  }

  /** Waits for what is under way, then gives the store back. */
  async close(): Promise<void> {
    await this.#underWay;
    clearInterval(this.#watch);
    this.#life = 'over';
    await this.#sql.end({ timeout: endSeconds });
  }

  async #begin(): Promise<void> {
    const { server, directory, owner } = this.#options;
    await lock(this.#sql, server);
    const [{ fsync }] = await this.#sql<{ fsync: string }[]>`show fsync`;
    if (fsync !== 'on') throw unusable(server, 'has fsync off: a power cut would take records; turn it on');
    const head = (await headOf(this.#sql, server)) ?? (await this.#make());
    if (head.owner !== owner)
      throw unusable(server, `holds the records of another broker, ${head.owner}; name another database`);
    const counter = new RunCount(directory);
    if (head.runs < counter.seen) throw wentBack(server, head.runs, counter);
    this.#runs = head.runs + 1;
    // Whoever has written until now, and does not know yet that its session is over, writes no more from here on.
    await this.#sql`update naulon.head set runs = ${this.#runs}, commits = 0`;
    counter.saw(this.#runs);
    await loadRecords(this.#sql, this.#records);
    // Closed since its last answer.
    if (this.#life === 'over') throw connectionClosed();
    this.#life = 'lasts';
    this.#listen();
  }

  /** Tables, with what was kept elsewhere until now; all or nothing. */
  async #make(): Promise<Head> {
    const { owner, earlier } = this.#options;
    const { runs, records } = await earlier();
    await this.#sql.begin(async sql => {
      // Somebody who may not make a schema may have been given this one.
      const [{ absent }] = await sql<
        { absent: boolean }[]
      >`select to_regnamespace('naulon') is null as absent`;
      if (absent) await sql`create schema naulon`;
      await sql`create table naulon.head
        (format integer not null, owner text not null, runs integer not null, commits bigint not null)`;
      await sql`create table naulon.records (key text collate "C" primary key, value bytea not null)`;
      await sql`insert into naulon.head values (${formatVersion}, ${owner}, ${runs}, 0)`;
      for (let from = 0; from < records.length; from += rowsAtOnce) {
        const some = records.slice(from, from + rowsAtOnce);
        await sql`insert into naulon.records select * from unnest(${keysOf(sql, some)}, ${valuesOf(sql, some)})`;
      }
    });
    return { format: formatVersion, owner, runs };
  }

  /** One statement, hence one transaction; done once it is answered, for it waits for the disk. */
  async #save(commit: number, changes: ReadonlyMap<string, Uint8Array | undefined>): Promise<void> {
    const sql = this.#sql;
    const kept = [...changes].flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const]));
    const gone = [...changes].filter(([, value]) => value === undefined);
    const turns = await sql`
      with turn as (
        update naulon.head set commits = ${commit}
        where runs = ${this.#runs} and commits = ${commit - 1} returning runs
      ), removed as (
        delete from naulon.records using unnest(${keysOf(sql, gone)}) as gone
        where key = gone and exists (select from turn)
      ), written as (
        insert into naulon.records
        select * from unnest(${keysOf(sql, kept)}, ${valuesOf(sql, kept)}) where exists (select from turn)
        on conflict (key) do update set value = excluded.value
      )
      select runs from turn`;
    if (turns.length === 1) return;
    const { server } = this.#options;
    throw new OperatorError('STORE_LOCKED', `${placeOf(server)} was taken over by another broker`, 3);
  }

  /** A connection can be dead without anybody telling: a server that says nothing is one that is lost. */
  #listen(): void {
    const { silentMsMax = silentMsUsual } = this.#options;
    let waiting = false;
    this.#watch = setInterval(() => {
      if (waiting) return this.#break(new Error(`it has said nothing for ${silentMsMax} ms`));
      waiting = true;
      this.#sql`select 1`.then(
        () => {
          waiting = false;
        },
        (error: unknown) => this.#break(error),
      );
    }, silentMsMax);
  }

  /** What the last commits came to is not known, and not asked: the next start reads what is there. */
  #break(error: unknown): void {
    const told = this.#life === 'lasts';
    this.#life = 'over';
    if (!told) return;
    clearInterval(this.#watch);
    void this.#sql.end({ timeout: 0 });
    const { code, message, exitCode } = postgresProblem(this.#options.server, error);
    const lost = code === 'STORE_UNREACHABLE' ? '; all that was answered is stored there' : '';
    this.#options.onBroken(new OperatorError(code, `${message}${lost}`, exitCode));
  }
}

/**
 * A look at the records of a node that may be running, as they are at this moment. Throws OperatorError as
 * PostgresStore.open does, and where there are none (STORE_ABSENT).
 */
export async function readPostgresStore(server: PostgresServer): Promise<StoreReader> {
  const sql = postgresSession(server, () => {});
  const records = new LoadedRecords();
  try {
    const runs = await sql.begin('isolation level repeatable read read only', async sql => {
      const head = await headOf(sql, server);
      if (head === undefined)
        throw new OperatorError('STORE_ABSENT', `${placeOf(server)} holds no records of a broker`, 3);
      await loadRecords(sql, records);
      return head.runs;
    });
    return {
      runs,
      get: key => records.get(key),
      list: prefix => records.list(prefix),
      close: async () => {},
    };
  } catch (error) {
    throw postgresProblem(server, error);
  } finally {
    await sql.end({ timeout: endSeconds });
  }
}

/** Of each session that writes, for as long as it lives; whoever has it is named to others. */
async function lock(sql: Sql, server: PostgresServer): Promise<void> {
  try {
    await sql.begin(async sql => {
      await sql.unsafe(`set local lock_timeout = ${lockMsMax}`);
      await sql`select pg_advisory_lock(${lockKey})`;
    });
  } catch (error) {
    if ((error as { code?: string }).code !== lockNotAvailable) throw error;
    const [holder] = await sql<{ name: string }[]>`
      select application_name as name from pg_locks join pg_stat_activity using (pid)
      where locktype = 'advisory' and objid = ${lockKey} and granted and datname = current_database()`;
    const who = holder?.name || 'another broker';
    throw new OperatorError('STORE_LOCKED', `${placeOf(server)} is in use by ${who}; stop it first`, 3);
  }
}

async function headOf(sql: Sql | TransactionSql, server: PostgresServer): Promise<Head | undefined> {
  const [{ there }] = await sql<{ there: boolean }[]>`select to_regclass('naulon.head') is not null as there`;
  if (!there) return undefined;
  const [head] = await sql<Head[]>`select * from naulon.head`;
  if (head?.format === formatVersion) return head;
  throw unusable(server, `has format ${head?.format}; run the naulon that wrote it`);
}

async function loadRecords(sql: Sql | TransactionSql, into: LoadedRecords): Promise<void> {
  const rows = sql<{ key: string; value: Buffer }[]>`select key, value from naulon.records`;
  // Copies: a Buffer may be a piece of a larger one.
  for await (const some of rows.cursor(rowsAtOnce))
    into.change(some.map(({ key, value }) => [key, new Uint8Array(value)]));
}

type Keyed = readonly (readonly [key: string, ...unknown[]])[];

function keysOf(sql: Sql | TransactionSql, records: Keyed) {
  return sql.array(
    records.map(([key]) => key),
    textType,
  );
}

function valuesOf(sql: Sql | TransactionSql, records: readonly (readonly [string, Uint8Array])[]) {
  return sql.array(
    records.map(([, value]) => value),
    bytesType,
  );
}

function connectionClosed(): Error {
  return new Error('the connection was closed');
}

function unusable(server: PostgresServer, what: string): OperatorError {
  return new OperatorError('STORE_UNUSABLE', `${placeOf(server)} ${what}`, 3);
}

/** Payments and addresses that were promised since are missing from it: to go on would promise them again. */
function wentBack(server: PostgresServer, runs: number, counter: RunCount): OperatorError {
  const what = `${placeOf(server)} holds an old copy: ${runs} runs are in it, ${counter.seen} were here`;
  const cure = `put the newest records back; to go on with these, delete ${counter.file}`;
  return new OperatorError('STORE_WENT_BACK', `${what}; ${cure}`, 3);
}

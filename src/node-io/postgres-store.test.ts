import { randomBytes, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { hasPostgres, Postgres } from '../../test/postgres.fixture.ts';
import { storeDeathKit } from '../../test/store-death-kit.ts';
import { utf8 } from '../base/bytes.ts';
import type { OperatorError } from '../base/fault.ts';
import { generateRsaKey } from '../crypto/rsa.ts';
import { selfSignedCertificate } from '../crypto/x509.ts';
import type { AskId } from '../ports.ts';
import type { PostgresServer } from './postgres-session.ts';
import { PostgresStore, type PostgresStoreOptions, readPostgresStore } from './postgres-store.ts';

const otherSession = "application_name like 'naulon on%' and pid <> pg_backend_pid()";

describe.runIf(hasPostgres())('records in PostgreSQL', () => {
  let postgres: Postgres;
  let directory: string;
  const stores: PostgresStore[] = [];

  beforeAll(async () => {
    postgres = await Postgres.start();
  });
  afterAll(() => postgres.stop());
  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'naulon-postgres-store-'));
    await postgres.ask('drop schema if exists naulon cascade');
  });
  afterEach(async () => {
    for (const store of stores.splice(0)) await store.close();
    rmSync(directory, { recursive: true, force: true });
  });

  /** An open store, what it has answered, and how it broke. */
  async function opened(options: Partial<PostgresStoreOptions> = {}) {
    const answers: AskId[] = [];
    let broke: (why: OperatorError) => void = () => {};
    let wake = () => {};
    const broken = new Promise<OperatorError>(resolve => {
      broke = resolve;
    });
    const store = await PostgresStore.open({
      server: postgres.access,
      directory,
      owner: 'us',
      earlier: async () => ({ runs: 0, records: [] }),
      onBroken: why => broke(why),
      ...options,
    });
    stores.push(store);
    store.attach({
      onAnswer: ({ ask }) => {
        answers.push(ask);
        wake();
      },
    });
    const put = (ask: AskId, text = 'v') => store.commit([{ key: `k/${ask}`, value: utf8(text) }], ask);
    const answered = async (count: number) => {
      while (answers.length < count)
        await new Promise<void>(resolve => {
          wake = resolve;
        });
    };
    return { store, answers, broken, put, answered };
  }

  const refusal = (options: Partial<PostgresStoreOptions> = {}): Promise<OperatorError> =>
    opened(options).then(
      () => Promise.reject(new Error('it was opened')),
      (error: OperatorError) => error,
    );

  const keysIn = async (): Promise<readonly string[]> => {
    const { list } = await readPostgresStore(postgres.access);
    return list('').map(([key]) => key);
  };

  storeDeathKit('PostgresStore', async () => {
    const access = postgres.access;
    return {
      args: [directory, JSON.stringify(access)],
      open: async () => (await opened({ owner: 'writer' })).store,
      remove: async () => {},
    };
  });

  it('lets one write and others read, and names who writes', async () => {
    const { put, answered } = await opened();
    put(1);
    await answered(1);
    const { code, exitCode, message } = await refusal();
    expect({ code, exitCode }).toEqual({ code: 'STORE_LOCKED', exitCode: 3 });
    expect(message).toContain(`process ${process.pid}; stop it first`);
    const reader = await readPostgresStore(postgres.access);
    expect([reader.runs, reader.get('k/1')]).toEqual([1, utf8('v')]);
  });

  it('takes over what was kept elsewhere, once, and whole', async () => {
    const records = Array.from({ length: 2_500 }, (_, i) => [`k/${i}`, new Uint8Array(i % 300)] as const);
    const failing = async () => Promise.reject(new Error('unreadable'));
    expect((await refusal({ earlier: failing })).message).toContain('unreadable');
    const { store } = await opened({ earlier: async () => ({ runs: 6, records }) });
    expect(store.list('')).toHaveLength(2_500);
    expect(store.get('k/299')).toHaveLength(299);
    await store.close();
    const again = await opened({ earlier: failing });
    expect(again.store.list('')).toHaveLength(2_500);
    expect(readFileSync(join(directory, 'store-runs'), 'utf8')).toBe('8\n');
  });

  it('refuses records that went back, of another broker, of another format, and a server that may lose them', async () => {
    await (await opened()).store.close();
    await (await opened()).store.close();
    await postgres.ask('update naulon.head set runs = 1');
    const old = await refusal();
    expect(old.code).toBe('STORE_WENT_BACK');
    expect(old.message).toContain('holds an old copy: 1 runs are in it, 2 were here');
    rmSync(join(directory, 'store-runs'));
    await (await opened()).store.close();
    expect(await refusal({ owner: 'others' })).toMatchObject({
      code: 'STORE_UNUSABLE',
      message: expect.stringContaining('holds the records of another broker, us;'),
    });
    await postgres.ask('update naulon.head set format = 2');
    const other = {
      code: 'STORE_UNUSABLE',
      message: expect.stringContaining('has format 2; run the naulon'),
    };
    expect(await refusal()).toMatchObject(other);
    await expect(readPostgresStore(postgres.access)).rejects.toMatchObject(other);
    await postgres.ask('drop schema naulon cascade');
    await expect(readPostgresStore(postgres.access)).rejects.toMatchObject({ code: 'STORE_ABSENT' });
    // The counter of runs knows that there were some.
    expect((await refusal()).code).toBe('STORE_WENT_BACK');
  });

  it('says in one line why a server does not take it, without the password', async () => {
    await postgres.ask(`drop role if exists guest`);
    await postgres.ask(`create role guest login password 'guest'`);
    const { access } = postgres;
    const cases: readonly (readonly [PostgresServer, string, RegExp])[] = [
      [
        { ...access, port: 1 },
        'STORE_UNREACHABLE',
        /at 127\.0\.0\.1:1\/naulon cannot be reached \(ECONNREFUSED\)/,
      ],
      [{ ...access, host: '/nowhere' }, 'STORE_UNREACHABLE', /\(ENOENT\)/],
      [{ ...access, password: 'secret' }, 'STORE_REFUSED', /password authentication failed .*28P01/],
      [{ ...access, database: 'other' }, 'STORE_REFUSED', /database "other" does not exist \(3D000\)/],
      [{ ...access, user: 'guest', password: 'guest' }, 'STORE_REFUSED', /permission denied .*42501/],
      [{ ...access, tls: {} }, 'STORE_UNREACHABLE', /cannot be reached/],
    ];
    for (const [server, code, says] of cases) {
      const why = await refusal({ server });
      expect(why).toMatchObject({ code, exitCode: 3, message: expect.stringMatching(says) });
      expect(why.message).not.toMatch(/\n|secret|guest'/);
    }
  });

  it('refuses a server that would lose records with its power', async () => {
    await postgres.set('fsync', 'off');
    expect(await refusal()).toMatchObject({
      code: 'STORE_UNUSABLE',
      message: expect.stringContaining('has fsync off'),
    });
    await postgres.set('fsync', 'on');
  });

  it('speaks TLS with whom the certificate is for', async () => {
    const key = generateRsaKey(2048);
    const day = 86_400_000;
    const certificate = selfSignedCertificate({
      key,
      commonName: 'localhost',
      notBeforeMs: Date.now() - day,
      notAfterMs: Date.now() + day,
      serial: Uint8Array.of(1),
    });
    const ca = new X509Certificate(certificate).toString();
    await postgres.set('ssl_key_file', postgres.write('tls.key', key.pem));
    await postgres.set('ssl_cert_file', postgres.write('tls.crt', ca));
    await postgres.set('ssl', 'on');
    const named = { ...postgres.access, host: 'localhost' };
    const { store } = await opened({ server: { ...named, tls: { ca } } });
    const sealed = 'select ssl from pg_stat_ssl join pg_stat_activity using (pid)';
    expect(await postgres.ask(`${sealed} where ${otherSession}`)).toEqual({ ssl: true });
    await store.close();
    expect((await refusal({ server: { ...named, tls: {} } })).message).toContain(
      'DEPTH_ZERO_SELF_SIGNED_CERT',
    );
    const otherName = await refusal({ server: { ...postgres.access, tls: { ca } } });
    expect(otherName.message).toContain('ERR_TLS_CERT_ALTNAME_INVALID');
  });

  it('is over when its session is, and says nothing that it does not know', async () => {
    const { store, answers, broken, put, answered } = await opened();
    put(1);
    await answered(1);
    put(2);
    await postgres.ask(`select pg_terminate_backend(pid) from pg_stat_activity where ${otherSession}`);
    const why = await broken;
    expect(why).toMatchObject({ code: 'STORE_UNREACHABLE', exitCode: 3 });
    put(3);
    await store.close();
    const kept = await keysIn();
    expect(kept).toEqual(expect.arrayContaining(answers.map(ask => `k/${ask}`)));
    expect(kept).not.toContain('k/3');
  });

  it('loses nothing that it answered when the server is killed with all its processes', async () => {
    const { answers, broken, put, answered } = await opened();
    for (let ask = 1; ask <= 2_000; ask++) put(ask);
    await answered(100);
    await postgres.kill();
    expect((await broken).code).toBe('STORE_UNREACHABLE');
    const promised = answers.length;
    expect((await refusal()).code).toBe('STORE_UNREACHABLE');
    await postgres.begin();
    const { store } = await opened();
    const kept = store.list('k/').length;
    // In order and without a gap: the first ones are there, as many as were answered or more.
    expect(
      store
        .list('k/')
        .map(([key]) => Number(key.slice(2)))
        .sort((a, b) => a - b),
    ).toEqual(Array.from({ length: kept }, (_, i) => i + 1));
    expect(kept).toBeGreaterThanOrEqual(promised);
    expect(answers).toEqual(Array.from({ length: promised }, (_, i) => i + 1));
  });

  it('writes no more once another process has the store, even by a session that still lives', async () => {
    const { broken, put, answered } = await opened();
    put(1);
    await answered(1);
    await postgres.ask('update naulon.head set runs = runs + 1, commits = 0');
    put(2);
    expect(await broken).toMatchObject({
      code: 'STORE_LOCKED',
      message: expect.stringContaining('was taken over'),
    });
    expect(await keysIn()).toEqual(['k/1']);
  });

  it('does not wait for a server that says nothing', async () => {
    const { broken, put, answered } = await opened({ silentMsMax: 300 });
    put(1);
    await answered(1);
    const { pid } = await postgres.ask(`select pid from pg_stat_activity where ${otherSession}`);
    process.kill(Number(pid), 'SIGSTOP');
    const why = await broken;
    process.kill(Number(pid), 'SIGCONT');
    expect(why).toMatchObject({ code: 'STORE_UNREACHABLE', message: expect.stringContaining('nothing') });
  });

  it('ends with one line when the disk takes no more, and has what was answered', async () => {
    const full = await Postgres.start({ fileBytesMax: 1_500_000 });
    try {
      const { store, answers, broken } = await opened({ server: full.access });
      for (let ask = 1; ask <= 200; ask++)
        store.commit([{ key: `k/${ask}`, value: randomBytes(20_000) }], ask);
      expect(await broken).toMatchObject({
        code: 'STORE_BROKEN',
        exitCode: 3,
        message: expect.stringMatching(
          / does not take what must be stored: .*; mend that, then start again$/,
        ),
      });
      const kept = (await readPostgresStore(full.access)).list('k/');
      expect(kept.map(([key]) => key).sort()).toEqual(answers.map(ask => `k/${ask}`).sort());
      expect(kept.length).toBeGreaterThan(10);
    } finally {
      await full.stop();
    }
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { equalBytes, utf8 } from '../src/base/bytes.ts';
import type { Answer, AskId, StorePort, StoreWrite } from '../src/ports.ts';

/** A store as a node sees it between its start and its end. */
export interface OpenStore {
  readonly port: StorePort;
  /** Makes port calls as a core does, in a turn of its own. */
  turn<T>(run: () => T): T;
  /** Lets things happen until `holds`; fails when they never bring it about. */
  until(holds: () => boolean): Promise<void>;
  close(): Promise<void>;
}

/** One disk, on which a store is opened again and again, once at a time. */
export interface StoreDisk {
  open(onAnswer: (answer: Answer) => void): Promise<OpenStore>;
  remove(): Promise<void>;
}

/** What is heard of a store that answers in its own time, over a disk or a network. */
export class StoreEar {
  #failed: Error | undefined;
  #wake = (): void => {};
  readonly onAnswer: (answer: Answer) => void;

  constructor(onAnswer: (answer: Answer) => void) {
    this.onAnswer = answer => {
      onAnswer(answer);
      this.#wake();
    };
  }

  readonly onBroken = (why: Error): void => {
    this.#failed = why;
    this.#wake();
  };

  readonly until = async (holds: () => boolean): Promise<void> => {
    while (!holds()) {
      if (this.#failed !== undefined) throw this.#failed;
      await new Promise<void>(resolve => {
        this.#wake = resolve;
      });
    }
  };
}

/** An open store, and what it has answered. */
class Client {
  readonly answers: AskId[] = [];
  store!: OpenStore;
  inCall = false;
  calledBack = 0;
  #lastAsk = 0;

  static async open(disk: StoreDisk): Promise<Client> {
    const client = new Client();
    client.store = await disk.open(answer => {
      if (client.inCall) client.calledBack += 1;
      expect(answer.kind).toBe('stored');
      client.answers.push(answer.ask);
    });
    return client;
  }

  call<T>(run: (port: StorePort) => T): T {
    return this.store.turn(() => {
      this.inCall = true;
      try {
        return run(this.store.port);
      } finally {
        this.inCall = false;
      }
    });
  }

  /** Commits, and does not wait. */
  commit(...writes: readonly StoreWrite[]): AskId {
    this.#lastAsk += 1;
    const ask = this.#lastAsk;
    this.call(port => port.commit(writes, ask));
    return ask;
  }

  /** Waits until all commits are answered. */
  async stored(): Promise<void> {
    await this.store.until(() => this.answers.length === this.#lastAsk);
  }

  all(): [string, string][] {
    return this.call(port => port.list('')).map(([key, value]) => [key, Buffer.from(value).toString('hex')]);
  }
}

const put = (key: string, text: string): StoreWrite => ({ key, value: utf8(text) });
const remove = (key: string): StoreWrite => ({ key, value: undefined });

type OnDisk = (check: (client: Client, disk: StoreDisk) => Promise<void>) => () => Promise<void>;

/** What every StorePort must do, on a real disk and in virtual time alike. */
export function storePortKit(name: string, make: () => Promise<StoreDisk>): void {
  const onDisk: OnDisk = check => async () => {
    const disk = await make();
    try {
      const client = await Client.open(disk);
      await check(client, disk);
      expect(client.calledBack).toBe(0);
    } finally {
      await disk.remove();
    }
  };
  describe(`${name} as a store port`, () => {
    answerCases(onDisk);
    readCases(onDisk);
    modelCase(make);
  });
}

function answerCases(onDisk: OnDisk): void {
  it(
    'answers each commit once, in order, and never inside the call',
    onDisk(async client => {
      const asks = Array.from({ length: 50 }, (_, i) => client.commit(put(`k${i}`, 'v')));
      expect(client.answers).toEqual([]);
      await client.stored();
      expect(client.answers).toEqual(asks);
      await client.store.close();
    }),
  );

  it(
    'has after a new start what it had answered',
    onDisk(async (client, disk) => {
      client.commit(put('kept', 'one'), put('gone', 'x'));
      client.commit(remove('gone'), put('kept', 'two'));
      await client.stored();
      await client.store.close();
      const again = await Client.open(disk);
      expect(again.all()).toEqual([['kept', Buffer.from('two').toString('hex')]]);
      await again.store.close();
    }),
  );

  it(
    'owns what is committed: changing the bytes after the call changes nothing',
    onDisk(async client => {
      const value = utf8('before');
      const writes = [{ key: 'k', value }];
      client.call(port => {
        port.commit(writes, 1_000);
        value.fill(0);
        writes.length = 0;
      });
      await client.store.until(() => client.answers.includes(1_000));
      expect(client.call(port => port.get('k'))).toEqual(utf8('before'));
      await client.store.close();
    }),
  );

  it(
    'takes many writes and long values in one commit',
    onDisk(async client => {
      const long = new Uint8Array(1_000_000).fill(7);
      const many = Array.from({ length: 2_000 }, (_, i) => put(`many/${i}/${'x'.repeat(200)}`, String(i)));
      client.commit(...many, { key: 'long', value: long });
      await client.stored();
      expect(client.call(port => port.list('many/'))).toHaveLength(2_000);
      expect(equalBytes(client.call(port => port.get('long'))!, long)).toBe(true);
      await client.store.close();
    }),
  );
}

function readCases(onDisk: OnDisk): void {
  it(
    'lists what starts with a prefix, by key',
    onDisk(async client => {
      client.commit(...['b', 'a/2', 'a', 'a/10', 'a0', 'A', 'a/', 'a/1'].map(key => put(key, key)));
      await client.stored();
      const keys = (prefix: string) => client.call(port => port.list(prefix)).map(([key]) => key);
      expect(keys('a/')).toEqual(['a/', 'a/1', 'a/10', 'a/2']);
      expect(keys('')).toEqual(['A', 'a', 'a/', 'a/1', 'a/10', 'a/2', 'a0', 'b']);
      expect(keys('c')).toEqual([]);
      expect(client.call(port => port.list('b'))).toEqual([['b', utf8('b')]]);
      await client.store.close();
    }),
  );

  it(
    'tells an empty record from none',
    onDisk(async client => {
      client.commit({ key: 'empty', value: new Uint8Array(0) });
      await client.stored();
      expect(client.call(port => port.get('empty'))).toEqual(new Uint8Array(0));
      expect(client.call(port => port.get('none'))).toBeUndefined();
      await client.store.close();
    }),
  );

  it(
    'removes what is not there, and obeys the last of several writes to one key',
    onDisk(async client => {
      client.commit(remove('nothing'));
      client.commit(put('a', '1'), remove('a'), put('b', '1'), put('b', '2'), remove('c'), put('c', '3'));
      await client.stored();
      expect(client.all().map(([key]) => key)).toEqual(['b', 'c']);
      expect(client.call(port => port.get('b'))).toEqual(utf8('2'));
      await client.store.close();
    }),
  );

  it(
    'hands out copies',
    onDisk(async client => {
      client.commit(put('k', 'value'));
      await client.stored();
      client.call(port => port.get('k'))?.fill(0);
      for (const [, value] of client.call(port => port.list('k'))) value.fill(0);
      expect(client.call(port => port.get('k'))).toEqual(utf8('value'));
      await client.store.close();
    }),
  );
}

function modelCase(make: () => Promise<StoreDisk>): void {
  const key = fc.constantFrom('a', 'b', 'b/1', 'b/2', 'c');
  const write = fc.record({ key, value: fc.option(fc.uint8Array({ maxLength: 40 }), { nil: undefined }) });
  const lives = fc.array(fc.array(fc.array(write, { minLength: 1, maxLength: 5 }), { maxLength: 6 }), {
    maxLength: 3,
  });

  it('is a map that lasts, whatever is written', async () => {
    await fc.assert(
      fc.asyncProperty(lives, async commitsOfLives => {
        const disk = await make();
        const model = new Map<string, string>();
        for (const commits of commitsOfLives) {
          const client = await Client.open(disk);
          for (const writes of commits) {
            client.commit(...writes);
            for (const { key, value } of writes) {
              if (value === undefined) model.delete(key);
              else model.set(key, Buffer.from(value).toString('hex'));
            }
          }
          await client.stored();
          expect(client.all()).toEqual([...model].sort(([a], [b]) => (a < b ? -1 : 1)));
          await client.store.close();
        }
        await disk.remove();
      }),
      { numRuns: 30 },
    );
  });
}

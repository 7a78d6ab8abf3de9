import { describe, expect, it } from 'vitest';
import { toHex } from '../base/bytes.ts';
import { SigningKey } from '../crypto/ecdsa.ts';
import { accountRequest } from '../payment/account-request.ts';
import { refused, type Served } from '../payment/scheme.ts';
import type { StoreWrite } from '../ports.ts';
import { ServedOnce } from './served-once.ts';

const [holder, stranger] = [1, 2].map(byte => new SigningKey(new Uint8Array(32).fill(byte)));
const write: StoreWrite = { key: 'money', value: Uint8Array.of(1) };

function requestOf(key: SigningKey, id = 1): Uint8Array {
  const values = { account: key.publicKey, id: new Uint8Array(16).fill(id), body: new Uint8Array(0) };
  return accountRequest.encode(accountRequest.sign(key, values));
}

/** A broker at which the holder alone has an account. `answer` is what it would say now. */
function desk() {
  const disk = new Map<string, Uint8Array>();
  const accounts = new Map([[toHex(holder.publicKey), 100n]]);
  const open = () => {
    const list = (prefix: string) => [...disk].filter(([key]) => key.startsWith(prefix));
    const store = { list, get: (key: string) => disk.get(key) };
    return new ServedOnce(store, key => accounts.get(toHex(key)));
  };
  let [once, times] = [open(), 0];
  return {
    accounts,
    restart: () => {
      once = open();
    },
    times: () => times,
    records: () => disk.size,
    ask(request: Uint8Array, answer: Served): string {
      const served = once.serve(request, () => {
        times += 1;
        return answer;
      });
      if (served.kind !== 'reply') return served.kind === 'refused' ? served.fault.code : served.kind;
      for (const { key, value } of served.persist) if (value !== undefined) disk.set(key, value);
      return toHex(served.reply);
    },
  };
}

const reply = (byte: number, persist: readonly StoreWrite[] = []): Served => ({
  kind: 'reply',
  reply: Uint8Array.of(byte),
  persist,
});

describe('a request to a broker', () => {
  it('of an account is served once, and answered the same in every later life', () => {
    const broker = desk();
    expect(broker.ask(requestOf(holder), reply(7, [write]))).toBe('07');
    broker.restart();
    expect(broker.ask(requestOf(holder), reply(8, [write]))).toBe('07');
    expect(broker.times()).toBe(1);
  });

  it('by which a key comes to its account is served once', () => {
    const broker = desk();
    expect(broker.ask(requestOf(stranger), reply(7, [write]))).toBe('07');
    broker.accounts.set(toHex(stranger.publicKey), 0n);
    broker.restart();
    expect(broker.ask(requestOf(stranger), reply(8, [write]))).toBe('07');
    expect(broker.times()).toBe(1);
  });

  it('that was refused may be made again, and is served then', () => {
    const broker = desk();
    expect(broker.ask(requestOf(holder), refused('overspent'))).toBe('overspent');
    expect(broker.ask(requestOf(holder), reply(7, [write]))).toBe('07');
    expect(broker.ask(requestOf(holder), reply(8, [write]))).toBe('07');
    expect(broker.times()).toBe(2);
  });

  it('of keys without accounts that changes nothing takes no room on the disk', () => {
    const broker = desk();
    for (let id = 0; id < 200; id++) {
      expect(broker.ask(requestOf(stranger, id), reply(7))).toBe('07');
      expect(broker.ask(requestOf(stranger, id), refused('overspent'))).toBe('overspent');
    }
    expect(broker.records()).toBe(0);
  });
});

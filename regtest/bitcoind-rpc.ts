import { readFileSync } from 'node:fs';
import Client from 'bitcoin-core';

/** What bitcoind answers instead of a result; `code` is its own, such as -5 or -28 while it warms up. */
export class RpcFault extends Error {
  override name = 'RpcFault';
  readonly code: number;

  constructor(method: string, code: number, message: string) {
    super(`${method}: ${message} (${code})`);
    this.code = code;
  }
}

/** Calls one method of bitcoind; the result is what the caller knows the method to return. */
export type RpcCall = <T>(method: string, ...parameters: unknown[]) => Promise<T>;

/** The parts of bitcoin-core's client that are used here; its own declarations leave every result untyped. */
interface CoreClient {
  command(method: string, ...parameters: unknown[]): Promise<unknown>;
}

/**
 * An RPC client of a regtest bitcoind. The cookie is read at each call, since bitcoind makes a new one at every
 * start. Numbers of more than 15 digits come as strings.
 */
export function regtestRpc(url: string, cookieFile: string, wallet?: string): RpcCall {
  let cookie = '';
  let client: CoreClient | undefined;
  return async <T>(method: string, ...parameters: unknown[]): Promise<T> => {
    const current = readFileSync(cookieFile, 'utf8').trim();
    if (client === undefined || current !== cookie) {
      cookie = current;
      const [username, password] = [
        current.slice(0, current.indexOf(':')),
        current.slice(current.indexOf(':') + 1),
      ];
      client = new Client({ host: url, username, password, wallet, timeout: 60_000 }) as CoreClient;
    }
    try {
      return (await client.command(method, ...parameters)) as T;
    } catch (error) {
      const { code, message } = error as { code?: unknown; message?: string };
      if (typeof code === 'number') throw new RpcFault(method, code, message ?? '');
      throw error;
    }
  };
}

/** Satoshi of an amount that bitcoind writes in bitcoin, exactly. */
export function satoshiOf(amount: number | string): bigint {
  const text = typeof amount === 'number' ? amount.toFixed(8) : amount;
  const [, sign, whole, fraction = ''] = /^(-?)(\d+)(?:\.(\d{1,8}))?$/.exec(text) ?? [];
  if (whole === undefined) throw new Error(`not an amount of bitcoin: ${text}`);
  const value = BigInt(whole) * 100_000_000n + BigInt(fraction.padEnd(8, '0'));
  return sign === '-' ? -value : value;
}

/** The amount as bitcoind reads it, in bitcoin with 8 places. */
export function bitcoinOf(satoshi: bigint): string {
  const digits = satoshi.toString().padStart(9, '0');
  return `${digits.slice(0, -8)}.${digits.slice(-8)}`;
}

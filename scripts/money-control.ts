import { setTimeout as pause } from 'node:timers/promises';
import type { ToldChannel, ToldChannels, ToldCoin } from '../client/channel-money.ts';
import { openControl } from '../client/control-client.ts';
import { exitCode, OperatorError } from '../src/base/fault.ts';

/** What `wallet.balance` answers. */
export interface WalletBalance {
  readonly confirmedSat: bigint;
  readonly unconfirmedSat: bigint;
  /** In contracts that are not over. */
  readonly lockedSat: bigint;
  readonly coins: number;
  /** Of the best chain; null: the client has not heard of it yet. */
  readonly height: number | null;
}

/** A contract that another wallet is to pay for. */
export interface UnpaidContract {
  /** Names it to `fund`. */
  readonly session: number;
  readonly address: string;
  readonly capacitySat: bigint;
}

/** Wallet and channels of a running client. */
export interface MoneyControl {
  /** A fresh one each time. */
  address(): Promise<string>;
  balance(): Promise<WalletBalance>;
  coins(): Promise<readonly ToldCoin[]>;
  channels(): Promise<ToldChannels>;
  /**
   * Waits until the relay takes payments over it. @param onUnpaid another wallet pays for the contract: told what and
   * where to, upon which `fund` is called.
   */
  open(
    relay: string,
    capacitySat: bigint,
    onUnpaid?: (contract: UnpaidContract) => void,
  ): Promise<ToldChannel>;
  /** A signed PSBT, in base64, for such a contract. */
  fund(session: number, psbt: string): Promise<void>;
  /** Waits until the relay has said that it settles. @param now also when streams use the channel's circuit. */
  close(channel: string, now: boolean): Promise<ToldChannel>;
  refund(channel: string): Promise<ToldChannel>;
  disconnect(): void;
}

const seenMsMax = 120_000;

/**
 * Waits until a client's wallet has seen a coin of each of these transactions in a block. Its balance would not tell:
 * the client may spend the first coins before the last are there.
 */
export async function untilSeen(
  coins: () => Promise<readonly Pick<ToldCoin, 'txid' | 'height'>[]>,
  txids: readonly string[],
  signal?: AbortSignal,
): Promise<void> {
  const missing = new Set(txids);
  for (const deadline = performance.now() + seenMsMax; ; await pause(50)) {
    for (const { txid, height } of await coins()) if (height !== null) missing.delete(txid);
    if (missing.size === 0) return;
    signal?.throwIfAborted();
    if (performance.now() > deadline) break;
  }
  const what = `the client's wallet does not see its coins of ${[...missing].join(', ')}`;
  throw new OperatorError('WALLET_BLIND', what, exitCode.timeout);
}

/** @param path of the client's control socket. */
export async function moneyControl(path: string): Promise<MoneyControl> {
  const control = await openControl(path);
  const call = async <T>(method: string, params = {}): Promise<T> =>
    withAmounts(await control.call<T>(method, params));
  return {
    address: async () => (await call<{ address: string }>('wallet.address')).address,
    balance: () => call('wallet.balance'),
    coins: () => call('wallet.coins'),
    channels: () => call('channel.list'),
    open: async (relay, capacitySat, onUnpaid) => {
      const psbt = onUnpaid !== undefined;
      const opened = control.call<ToldChannel>('channel.open', { relay, capacitySat, psbt }, event => {
        if (event.event === 'unpaid') onUnpaid?.(withAmounts(event as unknown as UnpaidContract));
      });
      return withAmounts(await opened);
    },
    fund: (session, psbt) => call('channel.fund', { session, psbt }),
    close: (channel, now) => call('channel.close', { channel, now }),
    refund: channel => call('channel.refund', { channel }),
    disconnect: () => control.close(),
  };
}

/** Fields named …Sat travel as decimal strings. */
function withAmounts<T>(sent: T): T {
  return JSON.parse(JSON.stringify(sent), (name, value) =>
    name.endsWith('Sat') && typeof value === 'string' ? BigInt(value) : value,
  );
}

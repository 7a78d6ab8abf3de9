import type { ToldChannel, ToldChannels, ToldCoin } from '../client/channel-money.ts';
import { openControl } from '../client/control-client.ts';

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

/** Wallet and channels of a running client. */
export interface MoneyControl {
  /** A fresh one each time. */
  address(): Promise<string>;
  balance(): Promise<WalletBalance>;
  coins(): Promise<readonly ToldCoin[]>;
  channels(): Promise<ToldChannels>;
  /** Waits until the relay takes payments over it. */
  open(relay: string, capacitySat: bigint): Promise<ToldChannel>;
  /** Waits until the relay has said that it settles. @param now also when streams use the channel's circuit. */
  close(channel: string, now: boolean): Promise<ToldChannel>;
  refund(channel: string): Promise<ToldChannel>;
  disconnect(): void;
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
    open: (relay, capacitySat) => call('channel.open', { relay, capacitySat }),
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

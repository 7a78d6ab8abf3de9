import { assert } from '../src/base/assert.ts';
import { fail, ok, type Result } from '../src/base/fault.ts';
import { txidText } from '../src/bitcoin/outpoint.ts';
import { addressOfScript, type Wallet, type WalletCoin } from '../src/bitcoin/wallet.ts';
import type { SessionId } from '../src/payment/scheme.ts';
import type { StoreWrite } from '../src/ports.ts';
import type { ChannelDesk, ChannelRow } from '../src/schemes/bitcoin-channel/index.ts';
import type { ChannelCircuits } from './channel-circuits.ts';
import type { ControlParams } from './control-params.ts';
import type { ControlTalk, MoneyDesk } from './control-service.ts';
import type { HopMoney } from './managed-circuit.ts';

type Answer<T = unknown> = (result: Result<T>) => void;

export interface ChannelMoneyHost {
  readonly circuits: Pick<ChannelCircuits, 'openOver' | 'closeOver' | 'closeUser'>;
  /** Runs `stored` once `writes` are durable. */
  commit(writes: readonly StoreWrite[], stored: () => void): void;
  /** Nickname of a relay by its identity in hex. */
  nicknameOf(peer: string): string | undefined;
}

/** A coin of the wallet as the control socket tells of it. */
export interface ToldCoin {
  readonly txid: string;
  readonly index: number;
  readonly valueSat: bigint;
  /** Null: in no block yet. */
  readonly height: number | null;
  readonly change: boolean;
  readonly spent: boolean;
}

/** A channel as the control socket tells of it. */
export interface ToldChannel extends ChannelRow {
  /** The payee's nickname; null: not in the consensus. */
  readonly relay: string | null;
}

/** The answer to `channel.list`. */
export interface ToldChannels {
  /** Of the best chain; null: not heard of yet. */
  readonly height: number | null;
  readonly channels: readonly ToldChannel[];
}

/** Wallet and channels of the bitcoin-channel scheme, as the control socket offers them. */
export class ChannelMoney implements MoneyDesk {
  readonly #desk: ChannelDesk;
  readonly #host: ChannelMoneyHost;
  /** Sessions whose contract waits to be paid for by another wallet. */
  readonly #unpaid = new Set<SessionId>();

  constructor(desk: ChannelDesk, host: ChannelMoneyHost) {
    this.#desk = desk;
    this.#host = host;
  }

  call(method: string, params: ControlParams, talk: ControlTalk): boolean {
    const { answer } = talk;
    switch (method) {
      case 'wallet.address':
        this.#address(answer);
        return true;
      case 'wallet.balance':
        this.#balance(answer);
        return true;
      case 'wallet.coins':
        answer(ok(this.#wallet.coins.map(toldCoin)));
        return true;
      case 'channel.list':
        answer(ok(this.#list()));
        return true;
      case 'channel.open':
        this.#open(params, talk);
        return true;
      case 'channel.fund':
        this.#fund(params, answer);
        return true;
      case 'channel.close':
        this.#withChannel(params, answer, row => this.close(row, answer, params.flag('now')));
        return true;
      case 'channel.refund':
        this.#withChannel(params, answer, row => answer(this.#after(row, this.#desk.refund(row.channel))));
        return true;
      default:
        return false;
    }
  }

  /** The contract output that a session pays from. */
  contractOf(session: number): HopMoney['contract'] {
    const outpoint = this.#desk.contractOf(session);
    return outpoint && { txid: txidText(outpoint.txid), index: outpoint.index };
  }

  /** Channels that wait to be closed. */
  leftOver(): readonly ChannelRow[] {
    return this.#desk.leftOver();
  }

  /** Has the relay settle the channel: with the circuit that pays from it (`now`: under its streams), or over a new one. */
  close(row: ChannelRow, answer: Answer, now = false): void {
    const done: Answer<undefined> = result => answer(this.#after(row, result));
    if (row.inSession) {
      this.#host.circuits.closeUser(contractOf(row), now, done);
      return;
    }
    const taken = this.#desk.close(row.channel);
    if (taken.ok) this.#host.circuits.closeOver(row.peer, done);
    else answer(taken);
  }

  #open(params: ControlParams, talk: ControlTalk): void {
    const relay = params.require('relay', params.text('relay'));
    const capacity = params.require('capacitySat', params.amount('capacitySat'));
    const psbt = params.flag('psbt') ?? false;
    const read = params.result({ relay: relay ?? '', capacitySat: capacity ?? 0n });
    if (!read.ok) {
      talk.answer(read);
      return;
    }
    const { capacitySat } = read.value;
    let opening: SessionId | undefined;
    const begin = (session: SessionId): boolean => {
      opening = session;
      const onUnpaid = ({ script }: { script: Uint8Array }): void => {
        this.#unpaid.add(session);
        talk.tell('unpaid', { session, address: addressOfScript(script), capacitySat });
      };
      return this.#desk.open(session, psbt ? { capacitySat, onUnpaid } : { capacitySat });
    };
    const giveUp = this.#host.circuits.openOver(read.value.relay, begin, opened => {
      const row = opened.ok ? this.#desk.channelOf(opened.value) : undefined;
      talk.answer(row === undefined ? opened : ok(this.#told(row)));
    });
    // Once it is paid for, a channel is opened whether or not somebody waits for it.
    talk.onGone(() => {
      if (opening !== undefined && this.#unpaid.delete(opening)) giveUp();
    });
  }

  /** A PSBT for the contract that `channel.open` told was unpaid. One that is refused may be followed by another. */
  #fund(params: ControlParams, answer: Answer): void {
    const session = params.require('session', params.integer('session', 1, Number.MAX_SAFE_INTEGER));
    const psbt = params.require('psbt', params.text('psbt'));
    const read = params.result({ session: session ?? 0, psbt: psbt ?? '' });
    if (!read.ok) {
      answer(read);
      return;
    }
    const funded = this.#desk.fund(read.value.session, read.value.psbt);
    if (funded.ok) this.#unpaid.delete(read.value.session);
    answer(funded);
  }

  get #wallet(): Wallet {
    const wallet = this.#desk.wallet('payer');
    assert(wallet !== undefined, 'a client that has the scheme is a payer');
    return wallet;
  }

  #list(): ToldChannels {
    const rows = this.#desk.channels().filter(row => row.role === 'payer');
    return { height: this.#desk.tip ?? null, channels: rows.map(row => this.#told(row)) };
  }

  /** The channel as it stands once something was done about it. */
  #after(before: ChannelRow, result: Result<undefined>): Result<ToldChannel> {
    if (!result.ok) return result;
    return ok(this.#told(this.#desk.channel('payer', before.channel) ?? before));
  }

  #told(row: ChannelRow): ToldChannel {
    return { ...row, relay: this.#host.nicknameOf(row.peer) ?? null };
  }

  #address(answer: Answer): void {
    const { address, index, writes } = this.#wallet.takeAddress();
    // An address that was told must be found again after a crash, or coins sent there would seem lost.
    this.#host.commit(writes, () => answer(ok({ address, index })));
  }

  #balance(answer: Answer): void {
    const { balance, coins: all } = this.#wallet;
    const lockedSat = this.#desk.lockedSat('payer');
    const coins = all.filter(coin => coin.spentBy === undefined).length;
    answer(ok({ ...balance, lockedSat, coins, height: this.#desk.tip ?? null }));
  }

  #withChannel(params: ControlParams, answer: Answer, act: (row: ChannelRow) => void): void {
    const read = params.result(params.require('channel', params.text('channel')));
    const row = read.ok ? this.#desk.channel('payer', read.value ?? '') : undefined;
    if (row !== undefined) act(row);
    else answer(read.ok ? fail('CHANNEL_UNKNOWN', read.value) : read);
  }
}

function toldCoin({ outpoint, valueSat, height, own, spentBy }: WalletCoin): ToldCoin {
  return {
    txid: txidText(outpoint.txid),
    index: outpoint.index,
    valueSat,
    height: height ?? null,
    change: own,
    spent: spentBy !== undefined,
  };
}

function contractOf(row: ChannelRow): NonNullable<HopMoney['contract']> {
  return { txid: row.contractTxid, index: row.contractIndex };
}

import { fail, ok, type Result } from '../src/base/fault.ts';
import type { AskId, StorePort } from '../src/ports.ts';
import type { ChannelDesk, ChannelRow } from '../src/schemes/bitcoin-channel/index.ts';
import type { ControlParams } from './control-params.ts';
import type { MoneyDesk } from './control-service.ts';
import type { HopMoney } from './managed-circuit.ts';

type Answer = (result: Result<unknown>) => void;

export interface ChannelMoneyHost {
  readonly store: StorePort;
  newAsk(): AskId;
  /** Calls back when what was committed under `ask` is durable. */
  whenStored(ask: AskId, run: () => void): void;
  /** Begins and ends a session with the relay of that Ed25519 identity (hex), so that it closes a channel. */
  closeOver(peer: string, answer: (result: Result<undefined>) => void): void;
  /** Nickname of a relay by its identity in hex. */
  nicknameOf(peer: string): string | undefined;
}

/** Wallet and channels of the bitcoin-channel scheme, as the control socket offers them. */
export class ChannelMoney implements MoneyDesk {
  readonly #desk: ChannelDesk;
  readonly #host: ChannelMoneyHost;

  constructor(desk: ChannelDesk, host: ChannelMoneyHost) {
    this.#desk = desk;
    this.#host = host;
  }

  call(method: string, params: ControlParams, answer: Answer): boolean {
    switch (method) {
      case 'wallet.address':
        this.#address(answer);
        return true;
      case 'wallet.balance':
        this.#balance(answer);
        return true;
      case 'wallet.coins':
        this.#coins(answer);
        return true;
      case 'channel.list':
      case 'ledger.list':
        answer(ok(this.#payerRows().map(row => this.#told(row))));
        return true;
      case 'channel.close':
        this.#withChannel(params, answer, channel => this.#close(channel, answer));
        return true;
      case 'channel.refund':
        this.#withChannel(params, answer, channel => answer(this.#desk.refund(channel)));
        return true;
      default:
        return false;
    }
  }

  /** The contract output that a session pays from. */
  contractOf(session: number): HopMoney['contract'] {
    const row = this.#payerRows().find(each => each.session === session);
    return row === undefined ? undefined : { txid: row.contractTxid, index: row.contractIndex };
  }

  /** Channels that were paid on and that no circuit uses any more, as after a crash: they wait to be closed. */
  leftOver(): readonly ChannelRow[] {
    return this.#payerRows().filter(
      row => !row.inSession && row.ending === undefined && row.paidSat > 0n && row.phase === 'open',
    );
  }

  close(row: ChannelRow, answer: (result: Result<undefined>) => void): void {
    this.#close(row.channel, answer);
  }

  #payerRows(): readonly ChannelRow[] {
    return this.#desk.channels().filter(row => row.role === 'payer');
  }

  #told(row: ChannelRow): unknown {
    return { ...row, relay: this.#host.nicknameOf(row.peer) ?? null };
  }

  #address(answer: Answer): void {
    const wallet = this.#desk.wallet('payer');
    if (wallet === undefined) {
      answer(noWallet);
      return;
    }
    const { address, index, writes } = wallet.takeAddress();
    const ask = this.#host.newAsk();
    // An address that was told must be found again after a crash, or coins sent there would seem lost.
    this.#host.whenStored(ask, () => answer(ok({ address, index })));
    this.#host.store.commit(writes, ask);
  }

  #balance(answer: Answer): void {
    const wallet = this.#desk.wallet('payer');
    if (wallet === undefined) {
      answer(noWallet);
      return;
    }
    const { confirmedSat, unconfirmedSat } = wallet.balance;
    const open = this.#payerRows().filter(row => row.ending === undefined);
    const lockedSat = open.reduce((sum, row) => sum + row.capacitySat, 0n);
    const coins = wallet.coins.filter(coin => coin.spentBy === undefined).length;
    answer(ok({ confirmedSat, unconfirmedSat, lockedSat, coins, height: this.#desk.tip ?? null }));
  }

  #coins(answer: Answer): void {
    const wallet = this.#desk.wallet('payer');
    if (wallet === undefined) {
      answer(noWallet);
      return;
    }
    const coins = wallet.coins.filter(coin => coin.spentBy === undefined);
    answer(ok(coins.map(({ valueSat, height, own }) => ({ valueSat, height: height ?? null, change: own }))));
  }

  #close(channel: string, answer: (result: Result<undefined>) => void): void {
    const row = this.#payerRows().find(each => each.channel === channel);
    const taken = this.#desk.close(channel);
    if (!taken.ok) answer(taken);
    else if (taken.value.needsSession && row !== undefined) this.#host.closeOver(row.peer, answer);
    else answer(ok(undefined));
  }

  #withChannel(params: ControlParams, answer: Answer, act: (channel: string) => void): void {
    const read = params.result(params.require('channel', params.text('channel')));
    if (!read.ok) answer(read);
    else act(read.value ?? '');
  }
}

const noWallet = fail('WALLET_ABSENT', 'pay.yaml names no chain, so this client has no wallet');

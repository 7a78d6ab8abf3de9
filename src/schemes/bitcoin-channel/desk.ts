import { fromHex, toHex } from '../../base/bytes.ts';
import { fail, ok, type Result } from '../../base/fault.ts';
import type { Wallet } from '../../bitcoin/wallet.ts';
import type { SessionId } from '../../payment/scheme.ts';
import type { Outpoint } from '../../ports.ts';
import type { Channel } from './channel.ts';
import type { ChannelBook } from './channel-book.ts';
import type { Role } from './channel-record.ts';
import { type LedgerRow, ledgerRow } from './ledger-row.ts';
import type { Network } from './messages.ts';
import type { ChannelPayee } from './payee.ts';
import type { ChannelPayer } from './payer.ts';
import type { OpenWish } from './paying-session.ts';

/** A channel as it stands now. */
export interface ChannelRow extends LedgerRow {
  /** Of the contract, 0 while in no block; at least so many where it is over. */
  readonly confirmations: number;
  /** Of the transaction that spent it. */
  readonly endingConfirmations: number;
  /** A circuit pays with it. */
  readonly inSession: boolean;
  /** The payer's or payee's session that does. */
  readonly session: SessionId | undefined;
}

/** What an owner may see and ask of its channels and wallet, for the commands of a node. */
export interface ChannelDesk {
  /** All that ever were, each for a record read and several hashes: not for what happens often. */
  channels(): readonly ChannelRow[];
  channel(role: Role, channel: string): ChannelRow | undefined;
  /** Payer: that which a session pays with. */
  channelOf(session: SessionId): ChannelRow | undefined;
  /** What is in contracts that nothing has spent yet, or that the own wallet pays for. */
  lockedSat(role: Role): bigint;
  /** The contract's output that a session pays from. */
  contractOf(session: SessionId): Outpoint | undefined;
  /** Those that were paid on and that no circuit uses any more, as after a crash: they wait to be closed. */
  leftOver(): readonly ChannelRow[];
  /** Payer: a session that has begun and not started opens a channel of its own. */
  open(session: SessionId, wish: OpenWish): boolean;
  /** Payer: another wallet's signed PSBT (base64) for the contract that the session told was unpaid. */
  fund(session: SessionId, psbt: string): Result<undefined>;
  /** Payee: settles now. Payer: the next session with the channel's peer that finishes closes it; begin one. */
  close(channel: string): Result<{ readonly needsSession: boolean }>;
  /** Payer: offers the refund to the chain; before T that is a fault. From T on it happens by itself. */
  refund(channel: string): Result<undefined>;
  wallet(role: Role): Wallet | undefined;
  /** Height of the best chain, once heard of. */
  readonly tip: number | undefined;
}

interface Sides {
  readonly payer: { readonly side: ChannelPayer; readonly wallet: Wallet } | undefined;
  readonly payee: { readonly side: ChannelPayee; readonly wallet: Wallet } | undefined;
}

export function makeDesk(network: Network, sides: () => Sides): ChannelDesk {
  const books = (): readonly (readonly [Role, ChannelBook])[] => {
    const { payer, payee } = sides();
    return [
      ...(payer === undefined ? [] : [['payer', payer.side.book] as const]),
      ...(payee === undefined ? [] : [['payee', payee.side.book] as const]),
    ];
  };
  const find = (role: Role, text: string): Channel | undefined => {
    const id = fromHex(text);
    const side = sides()[role];
    return id === undefined ? undefined : side?.side.book.get(id);
  };
  const live = (role: Role): Iterable<Channel> => sides()[role]?.side.book.live ?? [];
  const payingFor = (session: SessionId): Channel | undefined => {
    for (const channel of live('payer')) if (channel.session === session) return channel;
    return undefined;
  };
  return {
    get tip() {
      return books()[0]?.[1].tip;
    },
    channels: () =>
      books().flatMap(([role, book]) => book.all.map(channel => rowOf(role, network, channel, book.tip))),
    channel(role, text) {
      const channel = find(role, text);
      return channel && rowOf(role, network, channel, books()[0]?.[1].tip);
    },
    channelOf(session) {
      const channel = payingFor(session);
      return channel && rowOf('payer', network, channel, sides().payer?.side.book.tip);
    },
    lockedSat: role => lockedSat(live(role), sides()[role]?.wallet),
    contractOf: session => payingFor(session)?.record.terms.outpoint,
    leftOver: () =>
      books().flatMap(([role, book]) =>
        [...book.live].filter(isLeftOver).map(channel => rowOf(role, network, channel, book.tip)),
      ),
    open: (session, wish) => sides().payer?.side.openNew(session, wish) ?? false,
    fund: (session, psbt) => sides().payer?.side.fundNew(session, psbt) ?? fail('CHANNEL_UNKNOWN'),
    close(text) {
      const asPayer = find('payer', text);
      if (asPayer !== undefined) {
        const taken = sides().payer?.side.closeNext(asPayer);
        return taken ? ok({ needsSession: true }) : fail('CHANNEL_NOT_IDLE', 'in use, ended, or never sent');
      }
      const asPayee = find('payee', text);
      if (asPayee === undefined) return fail('CHANNEL_UNKNOWN');
      const taken = sides().payee?.side.settle(asPayee);
      return taken ? ok({ needsSession: false }) : fail('CHANNEL_UNPAID', 'nothing was paid on it');
    },
    refund(text) {
      const channel = find('payer', text);
      if (channel === undefined) return fail('CHANNEL_UNKNOWN');
      const { refundHeight } = channel.record.terms;
      const taken = sides().payer?.side.refund(channel);
      return taken ? ok(undefined) : fail('REFUND_EARLY', `not before height ${refundHeight}`);
    },
    wallet: role => sides()[role]?.wallet,
  };
}

/** A contract in no block locks what the wallet holds back for it; if that is nothing, it is somebody's word alone. */
function lockedSat(channels: Iterable<Channel>, wallet: Wallet | undefined): bigint {
  const reservedFor = new Set(wallet?.coins.map(({ spentBy }) => spentBy));
  let sum = 0n;
  for (const { record, state } of channels) {
    const { outpoint, capacitySat } = record.terms;
    if (record.ending !== undefined) continue;
    if (state.contractHeight !== undefined || reservedFor.has(toHex(outpoint.txid))) sum += capacitySat;
  }
  return sum;
}

function isLeftOver({ best, record, session, state }: Channel): boolean {
  return session === undefined && record.ending === undefined && best.paidSat > 0n && state.phase === 'open';
}

function rowOf(role: Role, network: Network, channel: Channel, tip: number | undefined): ChannelRow {
  const depth = (height: number | undefined) =>
    tip === undefined || height === undefined ? 0 : Math.max(0, tip - height + 1);
  const { state, record, best } = channel;
  return {
    ...ledgerRow(role, network, record, best),
    phase: state.phase,
    // Of a contract that is over long since the store alone knows, and not its block.
    confirmations: depth(state.contractHeight ?? state.ending?.height),
    endingConfirmations: depth(state.ending?.height),
    inSession: channel.session !== undefined,
    session: channel.session,
  };
}

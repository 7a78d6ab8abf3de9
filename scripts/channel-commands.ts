import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import type { ToldChannel } from '../client/channel-money.ts';
import { exitCode, OperatorError } from '../src/base/fault.ts';
import { halfOpenMsMax } from '../src/base/limits.ts';
import type { GlobalOptions } from './global-options.ts';
import { interruption } from './interruption.ts';
import { type MoneyControl, moneyControl, type UnpaidContract } from './money-control.ts';
import { counted, grouped, type Terminal, table } from './terminal.ts';
import { controlSocket } from './use-commands.ts';

const streamGraceMs = 2_000;

interface ClientOptions extends GlobalOptions {
  readonly control?: string;
}

interface ChosenOptions extends ClientOptions {
  readonly all?: boolean;
}

/** Opens a channel at a relay and leaves it open, for a later circuit to pay from. */
export async function open(
  options: ClientOptions & { size: number; psbt?: boolean },
  terminal: Terminal,
  [relay]: string[],
): Promise<number> {
  return withMoney(options, terminal, async money => {
    const size = BigInt(options.size);
    terminal.say(`opening a channel of ${grouped(size)} sat at ${relay}; waiting for its contract`);
    const channel = await (options.psbt
      ? openFromPsbt(money, relay, size, terminal)
      : money.open(relay, size));
    terminal.object(channel);
    const { height } = await money.channels();
    for (const line of channelTable([channel], height)) terminal.print(line);
    return exitCode.ok;
  });
}

/** Tells what is to be paid and where to, and reads PSBTs, one a line, until one will do. */
async function openFromPsbt(
  money: MoneyControl,
  relay: string,
  size: bigint,
  terminal: Terminal,
): Promise<ToldChannel> {
  const done = new AbortController();
  const refusals: Error[] = [];
  const onUnpaid = (contract: UnpaidContract): void => {
    terminal.object({ address: contract.address, sat: contract.capacitySat });
    terminal.print(`${contract.address}  ${grouped(contract.capacitySat)} sat`);
    terminal.say(
      'Have a wallet pay exactly that there: sign the PSBT, do not send it, give it here in base64.',
    );
    payFromPsbt(money, contract, terminal, done.signal).catch((refusal: Error) => {
      if (done.signal.aborted) return;
      refusals.push(refusal);
      // A client whose command is gone gives up what is not paid for.
      money.disconnect();
    });
  };
  try {
    return await money.open(relay, size, onUnpaid);
  } catch (error) {
    throw refusals[0] ?? error;
  } finally {
    done.abort();
  }
}

async function payFromPsbt(
  money: MoneyControl,
  { session }: UnpaidContract,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<void> {
  for await (const line of createInterface({ input: process.stdin, signal })) {
    if (line.trim() === '') continue;
    try {
      await money.fund(session, line);
      return;
    } catch (error) {
      // A person may try again; what comes from a pipe will not get better.
      if (!(error instanceof OperatorError) || !process.stdin.isTTY) throw error;
      terminal.say(error.message);
    }
  }
  throw new OperatorError('PSBT_REFUSED', 'no PSBT was given; nothing was sent', exitCode.usage);
}

export async function ls(options: ChosenOptions, terminal: Terminal): Promise<number> {
  return withMoney(options, terminal, async money => {
    const { height, channels } = await money.channels();
    const shown = options.all ? channels : channels.filter(isOpen);
    terminal.object({ height, channels: shown });
    if (shown.length > 0) for (const line of channelTable(shown, height)) terminal.print(line);
    const ended = channels.length - channels.filter(isOpen).length;
    const rest = options.all || ended === 0 ? '' : `; ${ended} ended (--all)`;
    terminal.print(`${counted(shown.length, 'channel')}${rest}, height ${height ?? 'not heard of yet'}`);
    return exitCode.ok;
  });
}

/** Has relays settle channels. What stands in the way of one does not keep the others open. */
export async function close(
  options: ChosenOptions & { now?: boolean; dryRun?: boolean },
  terminal: Terminal,
  names: string[],
): Promise<number> {
  return withMoney(options, terminal, async money => {
    const { channels } = await money.channels();
    const chosen = choose(channels, options, names);
    if (chosen.length > 0) for (const line of closingTable(chosen)) terminal.say(line);
    if (options.dryRun) {
      terminal.object({ channels: chosen, dryRun: true });
      terminal.print(`${counted(chosen.length, 'channel')} to close; nothing was sent`);
      return exitCode.ok;
    }
    const closed: ToldChannel[] = [];
    const failed: (Pick<ToldChannel, 'relay' | 'contractTxid'> & { code: string; message: string })[] = [];
    let answer: number = exitCode.ok;
    for (const channel of chosen) {
      try {
        closed.push(await closeOne(money, channel, options.now ?? false));
      } catch (error) {
        if (!(error instanceof OperatorError)) throw error;
        const { relay, contractTxid } = channel;
        failed.push({ relay, contractTxid, code: error.code, message: error.message });
        answer ||= error.exitCode;
      }
    }
    terminal.object({ channels: closed, failed });
    for (const { relay, settlementTxid, paidSat, leftSat } of closed) {
      const shares = `${grouped(paidSat)} sat to it, ${grouped(leftSat)} back`;
      terminal.print(`${relay ?? 'a relay'} settles by ${settlementTxid}: ${shares}`);
    }
    for (const { relay, message } of failed)
      terminal.print(`${relay ?? 'a relay'} does not settle: ${message}`);
    if (closed.length + failed.length === 0) terminal.print('no open channels');
    return answer;
  });
}

/** A stream that its program has left is waited for as long as the client does; one that is in use is not ended. */
async function closeOne(
  money: MoneyControl,
  { channel, phase }: ToldChannel,
  now: boolean,
): Promise<ToldChannel> {
  for (const deadline = performance.now() + halfOpenMsMax + streamGraceMs; ; await pause(100)) {
    const { channels } = await money.channels();
    const current = channels.find(each => each.channel === channel);
    // A circuit closes all its channels when it is asked to close one.
    if (current !== undefined && current.phase !== phase) return current;
    try {
      return await money.close(channel, now);
    } catch (error) {
      const used = error instanceof OperatorError && error.code === 'CHANNEL_IN_USE';
      if (!used || performance.now() > deadline) throw error;
    }
  }
}

/** Offers refunds to the chain; before T says how many blocks remain, exit code 1. */
export async function refund(options: ChosenOptions, terminal: Terminal, names: string[]): Promise<number> {
  return withMoney(options, terminal, async money => {
    const { height, channels } = await money.channels();
    const told = [];
    for (const channel of choose(channels, options, names)) {
      const blocksLeft = Math.max(0, channel.refundHeight - (height ?? 0));
      if (blocksLeft === 0) await money.refund(channel.channel);
      told.push({ ...channel, blocksLeft, offered: blocksLeft === 0 });
    }
    terminal.object({ height, channels: told });
    for (const { relay, refundTxid, refundHeight, blocksLeft } of told) {
      const what =
        blocksLeft === 0
          ? `refund ${refundTxid} offered to the chain`
          : `too early, ${blocksLeft} blocks remain until ${refundHeight} (now ${height})`;
      terminal.print(`${relay ?? 'a relay'}: ${what}`);
    }
    if (told.length === 0) terminal.print('no open channels');
    return told.every(({ offered }) => offered) ? exitCode.ok : exitCode.badAnswer;
  });
}

async function withMoney(
  options: ClientOptions,
  terminal: Terminal,
  act: (money: MoneyControl) => Promise<number>,
): Promise<number> {
  const money = await moneyControl(controlSocket(options));
  const stopping = interruption();
  const stop = () => money.disconnect();
  stopping.signal.addEventListener('abort', stop, { once: true });
  try {
    return await act(money);
  } catch (error) {
    if (!stopping.signal.aborted) throw error;
    terminal.say('The client goes on with what was asked; see: naulon channel ls');
    return exitCode.interrupted;
  } finally {
    stopping.done();
    money.disconnect();
  }
}

/** Of a contract that is nowhere nothing can be settled or taken back. */
function isOpen({ ending, phase }: ToldChannel): boolean {
  return ending === undefined && phase !== 'void';
}

/** Hex digits of a transaction id that are enough to mean it. */
const idDigitsMin = 8;

/** The open channels that are meant: by relay, or by their contract's transaction id or its beginning. */
function choose(
  channels: readonly ToldChannel[],
  { all }: ChosenOptions,
  names: readonly string[],
): readonly ToldChannel[] {
  const open = channels.filter(isOpen);
  if (all && names.length === 0) return open;
  if (all || names.length === 0) {
    const what = 'name relays, or transaction ids of contracts, or say --all';
    throw new OperatorError('USAGE', what, exitCode.usage);
  }
  const means = (name: string, { relay, contractTxid }: ToldChannel) =>
    relay === name || (name.length >= idDigitsMin && contractTxid.startsWith(name));
  for (const name of names) {
    if (open.some(channel => means(name, channel))) continue;
    const known = open.map(({ relay, contractTxid }) => `${relay} (${contractTxid.slice(0, 12)})`).join(', ');
    const what = `no open channel of ${name}; open: ${known || 'none'}`;
    throw new OperatorError('CHANNEL_UNKNOWN', what, exitCode.usage);
  }
  return open.filter(channel => names.some(name => means(name, channel)));
}

/** What the settlement of each pays to whom. */
function closingTable(channels: readonly ToldChannel[]): string[] {
  const rows = channels.map(({ relay, peer, paidSat, leftSat, capacitySat, contractTxid }) => [
    relay ?? `${peer.slice(0, 12)}…`,
    grouped(capacitySat),
    grouped(paidSat),
    grouped(leftSat),
    grouped(capacitySat - paidSat - leftSat),
    contractTxid.slice(0, 12),
  ]);
  return table(['relay', 'capacity', 'to the relay', 'back', 'fee+anchor', 'contract'], rows);
}

/** @param height of the best chain, from which the blocks until T are counted. */
function channelTable(channels: readonly ToldChannel[], height: number | null): string[] {
  const rows = channels.map(channel => [
    channel.relay ?? `${channel.peer.slice(0, 12)}…`,
    channel.phase,
    grouped(channel.capacitySat),
    grouped(channel.paidSat),
    grouped(channel.leftSat),
    String(channel.refundHeight),
    height === null || !isOpen(channel) ? '' : String(Math.max(0, channel.refundHeight - height)),
    String(channel.confirmations),
    channel.contractTxid,
  ]);
  const headings = [
    'relay',
    'phase',
    'capacity',
    'paid',
    'remaining',
    'ends',
    'in blocks',
    'confirmations',
    'contract',
  ];
  return table(headings, rows);
}

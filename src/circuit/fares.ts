import { relayCommand } from '../cell/commands.ts';
import type { RelayStream } from '../stream/relay-stream.ts';
import type { CircuitBalance } from './relay-circuit-host.ts';

/** How a cell is paid for: by any cell of the balance, by a paid one, or not at all. */
export type Fare = 'any' | 'paid' | 'none';

/** What a directory stream is made of. A cell that only names such a stream is paid for like any other. */
const unmetered: ReadonlySet<number> = new Set([
  relayCommand.data,
  relayCommand.sendme,
  relayCommand.xoff,
  relayCommand.xon,
  relayCommand.end,
]);

/** @param kind of the stream that the cell belongs to, if there is one. */
export function fareOf(command: number, kind: RelayStream['kind'] | undefined): Fare {
  if (command === relayCommand.beginDir) return 'none';
  if (kind === 'directory' && unmetered.has(command)) return 'none';
  return kind === 'exit' && command === relayCommand.data ? 'paid' : 'any';
}

/** Debits as many of `count` cells as the balance has. */
export function debitUpTo(balance: CircuitBalance, fare: Fare, count: number): number {
  if (fare === 'none') return count;
  const debit = (cells: number): boolean =>
    fare === 'paid' ? balance.debitExit(cells) : balance.debit(cells);
  if (debit(count)) return count;
  let paid = 0;
  while (paid < count - 1 && debit(1)) paid += 1;
  return paid;
}

/** What SIGNAL takes; a name and its alias ask for the same. spec: control-spec 3.7 */
export type SignalName = 'RELOAD' | 'SHUTDOWN' | 'HALT' | 'DUMP' | 'NEWNYM' | 'CLEARDNSCACHE' | 'HEARTBEAT';

const signals: Readonly<Record<string, SignalName>> = {
  RELOAD: 'RELOAD',
  HUP: 'RELOAD',
  SHUTDOWN: 'SHUTDOWN',
  INT: 'SHUTDOWN',
  HALT: 'HALT',
  TERM: 'HALT',
  DUMP: 'DUMP',
  USR1: 'DUMP',
  NEWNYM: 'NEWNYM',
  CLEARDNSCACHE: 'CLEARDNSCACHE',
  HEARTBEAT: 'HEARTBEAT',
};

export const signalNames: readonly string[] = Object.keys(signals);

/** Undefined: there is no such signal. */
export function signalOf(word: string): SignalName | undefined {
  const name = word.toUpperCase();
  return Object.hasOwn(signals, name) ? signals[name] : undefined;
}

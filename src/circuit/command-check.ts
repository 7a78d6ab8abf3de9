import { relayCommand } from '../cell/commands.ts';

/**
 * Which relay commands may come from which end, on stream 0 (control) or on a stream.
 *
 * | command            | from the client | from a relay | on stream |
 * |--------------------|-----------------|--------------|-----------|
 * | BEGIN, BEGIN_DIR   | x |   | not 0 |
 * | RESOLVE            | x |   | not 0 |
 * | DATA, END          | x | x | not 0 |
 * | CONNECTED, RESOLVED|   | x | not 0 |
 * | SENDME             | x | x | any   |
 * | XOFF, XON          | x | x | not 0 |
 * | EXTEND2            | x |   | 0     |
 * | TRUNCATE           | x |   | any   |
 * | EXTENDED2, TRUNCATED |  | x | 0     |
 * | REDEEM             | x |   | 0     |
 * | RECEIPT            |   | x | 0     |
 *
 * Others say nothing: DROP is padding, and later versions may know the rest. spec: tor-spec/relay-cells
 *
 * A client ends a circuit whose relay breaks these rules, since what should not come may be there to mark it. A relay passes
 * over most of what a client should not send, as C tor's does.
 */
type Origin = 'client' | 'relay' | 'both';
type Stream = 'zero' | 'some' | 'any';

const rules = new Map<number, { readonly origin: Origin; readonly stream: Stream }>([
  [relayCommand.begin, { origin: 'client', stream: 'some' }],
  [relayCommand.beginDir, { origin: 'client', stream: 'some' }],
  [relayCommand.resolve, { origin: 'client', stream: 'some' }],
  [relayCommand.data, { origin: 'both', stream: 'some' }],
  [relayCommand.end, { origin: 'both', stream: 'some' }],
  [relayCommand.connected, { origin: 'relay', stream: 'some' }],
  [relayCommand.resolved, { origin: 'relay', stream: 'some' }],
  [relayCommand.sendme, { origin: 'both', stream: 'any' }],
  [relayCommand.xoff, { origin: 'both', stream: 'some' }],
  [relayCommand.xon, { origin: 'both', stream: 'some' }],
  [relayCommand.extend2, { origin: 'client', stream: 'zero' }],
  [relayCommand.truncate, { origin: 'client', stream: 'any' }],
  [relayCommand.extended2, { origin: 'relay', stream: 'zero' }],
  [relayCommand.truncated, { origin: 'relay', stream: 'zero' }],
  [relayCommand.redeem, { origin: 'client', stream: 'zero' }],
  [relayCommand.receipt, { origin: 'relay', stream: 'zero' }],
]);

/** What a client may ask of other relays, never of ours: the retired EXTEND, conflux, onion services. */
const unserved: ReadonlySet<number> = new Set([
  relayCommand.extend,
  relayCommand.confluxLink,
  relayCommand.confluxLinked,
  relayCommand.confluxLinkedAck,
  relayCommand.confluxSwitch,
  relayCommand.establishIntro,
  relayCommand.establishRendezvous,
  relayCommand.introduce1,
  relayCommand.rendezvous1,
]);
/** naulon's own, about which nobody is in doubt. */
const payment: ReadonlySet<number> = new Set([relayCommand.redeem, relayCommand.receipt]);

export type CommandVerdict = 'legal' | 'idle' | 'illegal';

/** `illegal` ends the circuit, `idle` is paid for and passed over. */
export function checkCommand(from: 'client' | 'relay', command: number, streamId: number): CommandVerdict {
  if (from === 'client' && unserved.has(command)) return 'illegal';
  const rule = rules.get(command);
  if (rule === undefined) return 'idle';
  const fromRight = rule.origin === 'both' || rule.origin === from;
  const onRight = rule.stream === 'any' || (rule.stream === 'zero') === (streamId === 0);
  if (fromRight && onRight) return 'legal';
  return from === 'relay' || payment.has(command) ? 'illegal' : 'idle';
}

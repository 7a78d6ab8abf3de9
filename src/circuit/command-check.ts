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
 * Most of what breaks these rules is passed over, as C tor does.
 */
type Sender = 'client' | 'relay';
type Origin = Sender | 'both';
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

/** Of circuits that none of ours is: conflux, onion services. */
const ofOthers: readonly number[] = [
  relayCommand.confluxLink,
  relayCommand.confluxLinked,
  relayCommand.confluxLinkedAck,
  relayCommand.confluxSwitch,
  relayCommand.establishIntro,
  relayCommand.establishRendezvous,
  relayCommand.introduce1,
  relayCommand.rendezvous1,
];
/** What ends the circuit, wherever it stands. EXTEND and EXTENDED are retired. */
const outOfTurn: Readonly<Record<Sender, ReadonlySet<number>>> = {
  client: new Set([relayCommand.extend, ...ofOthers]),
  relay: new Set([
    relayCommand.extended,
    ...ofOthers,
    relayCommand.introduce2,
    relayCommand.rendezvous2,
    relayCommand.introEstablished,
    relayCommand.rendezvousEstablished,
    relayCommand.introduceAck,
  ]),
};
const payment = [relayCommand.redeem, relayCommand.receipt];
/** What ends the circuit where it breaks the rules above. */
const neverMisplaced: Readonly<Record<Sender, ReadonlySet<number>>> = {
  client: new Set(payment),
  relay: new Set([...payment, relayCommand.extended2, relayCommand.truncated]),
};

export type CommandVerdict = 'legal' | 'idle' | 'illegal';

/** `illegal` ends the circuit, `idle` is paid for and passed over. */
export function checkCommand(from: Sender, command: number, streamId: number): CommandVerdict {
  if (outOfTurn[from].has(command)) return 'illegal';
  const rule = rules.get(command);
  if (rule === undefined) return 'idle';
  const fromRight = rule.origin === 'both' || rule.origin === from;
  const onRight = rule.stream === 'any' || (rule.stream === 'zero') === (streamId === 0);
  if (fromRight && onRight) return 'legal';
  return neverMisplaced[from].has(command) ? 'illegal' : 'idle';
}

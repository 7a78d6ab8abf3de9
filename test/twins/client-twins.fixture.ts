import { concatBytes, utf8 } from '../../src/base/bytes.ts';
import { cellCommand, relayCommand } from '../../src/cell/commands.ts';
import { cellPayloadBytes } from '../../src/cell/link-codec.ts';
import { encodeDestroy } from '../../src/cell/link-messages.ts';
import { writeRelayCell } from '../../src/cell/relay-cell.ts';
import type { ControlledClient } from '../interop/c-tor.fixture.ts';
import { type ClientTwin, judgeBuilding, judgeClient, type MadeTwin } from './client-verdict.fixture.ts';
import type { FalseCircuit } from './false-circuit.fixture.ts';
import type { FalseNetwork, FalseStream } from './false-network.fixture.ts';
import type { Verdict } from './verdict.fixture.ts';

/** What relays of a circuit may say to its client, right and wrong. */

export interface ClientCase {
  /** Also the verdict's place in the captured ones. */
  readonly name: string;
  judge(network: FalseNetwork, client: ControlledClient): Promise<Verdict>;
}

const none = new Uint8Array(0);
const bytesOf = (length: number, value = 0) => new Uint8Array(length).fill(value);
const [guard, exit] = [0, 1];
/** A stream that nobody has opened. */
const unknownStream = 0x4321;
const ttl = bytesOf(4, 1);
const ipv4 = Uint8Array.of(93, 184, 216, 34);
const ipv6 = concatBytes(Uint8Array.of(0x2a, 0), bytesOf(13), Uint8Array.of(1));

type Say = (stream: FalseStream) => void;

/** Of the exit, on the stream. */
const cell =
  (command: number, body: Uint8Array = none): Say =>
  ({ circuit, id }) =>
    circuit.say(exit, command, body, id);
/** Of the exit, on stream 0 or another. */
const cellOn =
  (streamId: number, command: number, body: Uint8Array = none): Say =>
  ({ circuit }) =>
    circuit.say(exit, command, body, streamId);
const linkCell =
  (command: number, payload: Uint8Array = none): Say =>
  ({ circuit }) =>
    circuit.sendCell(command, payload);
const repeated =
  (count: number, say: Say): Say =>
  stream => {
    for (let done = 0; done < count; done++) say(stream);
  };

type Options = Partial<Pick<ClientTwin, 'exit' | 'asks' | 'dataCells'>>;

function twinOf(name: string, options: Options, ...said: readonly Say[]): ClientTwin {
  const say: Say = stream => {
    for (const each of said) each(stream);
  };
  return { name, exit: 'falseexit', asks: 'connect', dataCells: 0, ...options, say };
}

const connected = cell(relayCommand.connected);
/** Once the stream is open. */
const open = (name: string, ...said: readonly Say[]) => twinOf(name, {}, connected, ...said);
/** In answer to BEGIN. */
const begun = (name: string, ...said: readonly Say[]) => twinOf(name, {}, ...said);

const connectedTwins: readonly ClientTwin[] = (
  [
    ['of nothing', none],
    ['of 3 bytes', ipv4.subarray(1)],
    ['of an IPv4 address without a lifetime', ipv4],
    ['of an IPv4 address with a byte of lifetime', concatBytes(ipv4, ttl.subarray(3))],
    ['of an IPv4 address with 3 bytes of lifetime', concatBytes(ipv4, ttl.subarray(1))],
    ['of an IPv4 address', concatBytes(ipv4, ttl)],
    ['of an IPv4 address with bytes behind it', concatBytes(ipv4, ttl, bytesOf(9, 9))],
    ['of 0.0.0.0', bytesOf(4)],
    ['of 0.0.0.0 with a lifetime', concatBytes(bytesOf(4), ttl)],
    ['of 127.0.0.1', concatBytes(Uint8Array.of(127, 0, 0, 1), ttl)],
    ['of an IPv6 address', concatBytes(bytesOf(4), Uint8Array.of(6), ipv6, ttl)],
    ['of an IPv6 address without a lifetime', concatBytes(bytesOf(4), Uint8Array.of(6), ipv6)],
    ['of half an IPv6 address', concatBytes(bytesOf(4), Uint8Array.of(6), ipv6.subarray(8))],
    ['of an IPv6 address of type 4', concatBytes(bytesOf(4), Uint8Array.of(4), ipv6, ttl)],
    ['of an IPv6 address with bytes behind it', concatBytes(bytesOf(4), Uint8Array.of(6), ipv6, ttl, ttl)],
    ['of 498 bytes', bytesOf(498, 1)],
  ] as const
).map(([name, body]) => begun(`CONNECTED ${name}`, cell(relayCommand.connected, body)));

const endTwins: readonly ClientTwin[] = (
  [
    ['without a reason', none],
    ['of misc', Uint8Array.of(1)],
    ['of done', Uint8Array.of(6)],
    ['of reason 0', Uint8Array.of(0)],
    ['of reason 99', Uint8Array.of(99)],
    ['of exit policy', Uint8Array.of(4)],
    ['of exit policy with 3 bytes of address', concatBytes(Uint8Array.of(4), ipv4.subarray(1))],
    ['of exit policy with an IPv4 address', concatBytes(Uint8Array.of(4), ipv4, ttl)],
    ['of exit policy with 0.0.0.0', concatBytes(Uint8Array.of(4), bytesOf(4), ttl)],
    ['of exit policy with half an IPv6 address', concatBytes(Uint8Array.of(4), ipv6.subarray(8), ttl)],
    ['of exit policy with an IPv6 address', concatBytes(Uint8Array.of(4), ipv6, ttl)],
    ['with bytes behind it', bytesOf(498, 6)],
  ] as const
).flatMap(([name, body]) => [
  open(`END ${name}`, cell(relayCommand.end, body)),
  ...(body.length === 0 ? [begun(`END ${name}, to BEGIN`, cell(relayCommand.end, body))] : []),
]);

const answer = (type: number, value: Uint8Array, lifetime: Uint8Array = ttl, length = value.length) =>
  concatBytes(Uint8Array.of(type, length), value, lifetime);
const ip = answer(4, ipv4);
const resolvedTwins: readonly ClientTwin[] = (
  [
    ['of an IPv4 address', ip],
    ['of an IPv4 address without a lifetime', answer(4, ipv4, none)],
    ['of an IPv4 address with half a lifetime', answer(4, ipv4, ttl.subarray(2))],
    ['of an IPv4 address of 3 bytes', answer(4, ipv4.subarray(1))],
    ['of an IPv4 address of 5 bytes', answer(4, bytesOf(5, 9))],
    ['of an IPv4 address beyond its end', answer(4, ipv4, ttl, 200)],
    ['of an IPv4 address with bytes behind it', concatBytes(ip, bytesOf(2, 9))],
    ['of two IPv4 addresses', concatBytes(ip, answer(4, Uint8Array.of(1, 2, 3, 4)))],
    ['of 0.0.0.0', answer(4, bytesOf(4))],
    ['of an IPv6 address of 15 bytes', answer(6, ipv6.subarray(1))],
    ['of an IPv6 and an IPv4 address', concatBytes(answer(6, ipv6), ip)],
    ['of nothing', none],
    ['of a type alone', Uint8Array.of(4)],
    ['of an unknown type', answer(77, ipv4)],
    ['of an unknown type, then an IPv4 address', concatBytes(answer(77, ipv4), ip)],
    ['of a transient error', answer(0xf0, none)],
    ['of an error for good', answer(0xf1, utf8('no'))],
    ['of an error, then an IPv4 address', concatBytes(answer(0xf1, none), ip)],
    ['of an IPv4 address, then an error', concatBytes(ip, answer(0xf1, none))],
    ['of a name', answer(0, utf8('a.example'))],
    ['of a name of nothing', answer(0, none)],
  ] as const
)
  .map(([name, body]) => twinOf(`RESOLVED ${name}`, { asks: 'resolve' }, cell(relayCommand.resolved, body)))
  .concat([
    twinOf('RESOLVED twice', { asks: 'resolve' }, ...bothTimes(cell(relayCommand.resolved, ip))),
    twinOf('CONNECTED to RESOLVE', { asks: 'resolve' }, connected, cell(relayCommand.resolved, ip)),
    twinOf(
      'DATA to RESOLVE',
      { asks: 'resolve' },
      cell(relayCommand.data, ttl),
      cell(relayCommand.resolved, ip),
    ),
    twinOf('END to RESOLVE', { asks: 'resolve' }, cell(relayCommand.end, Uint8Array.of(2))),
    twinOf('END without a reason to RESOLVE', { asks: 'resolve' }, cell(relayCommand.end)),
    begun('RESOLVED to BEGIN', cell(relayCommand.resolved, ip), connected),
  ]);

function bothTimes<T>(value: T): readonly [T, T] {
  return [value, value];
}

const digestOf = ({ circuit }: FalseStream) => circuit.digest;
const sendme = (version: number, digest: Uint8Array, length = digest.length) =>
  concatBytes(Uint8Array.of(version, length >> 8, length & 0xff), digest);
const { sendme: sendmeCommand } = relayCommand;

/** In answer to 100 DATA cells. */
const sendmeTwins: readonly ClientTwin[] = (
  [
    ['as it should be', stream => sendme(1, digestOf(stream))],
    ['of nothing', () => none],
    ['of version 0', () => Uint8Array.of(0, 0, 0)],
    ['of version 2', stream => sendme(2, digestOf(stream))],
    ['of version 1 alone', () => Uint8Array.of(1)],
    ['with bytes behind it', stream => concatBytes(sendme(1, digestOf(stream)), bytesOf(9, 9))],
    ['with another digest', () => sendme(1, bytesOf(20, 9))],
    ['with a digest of 19 bytes', stream => sendme(1, digestOf(stream).subarray(0, 19))],
    ['with a digest of 21 bytes', stream => sendme(1, concatBytes(digestOf(stream), ttl.subarray(3)))],
    ['with a digest of 4 bytes', stream => sendme(1, digestOf(stream).subarray(0, 4))],
    ['with a digest of no bytes', () => sendme(1, none)],
    ['with a digest beyond its end', stream => sendme(1, digestOf(stream), 300)],
  ] as readonly (readonly [string, (stream: FalseStream) => Uint8Array])[]
).map(([name, body]) =>
  twinOf(`SENDME ${name}`, { exit: 'falsewindows', dataCells: 100 }, stream =>
    stream.circuit.say(exit, sendmeCommand, body(stream)),
  ),
);

const windows = (name: string, ...said: readonly Say[]) =>
  twinOf(`${name}, with fixed windows`, { exit: 'falsewindows' }, connected, ...said);
const rate = (version: number) => Uint8Array.of(version, 0, 0, 0, 9);

const flowTwins: readonly ClientTwin[] = [
  ...sendmeTwins,
  ...[open, windows].flatMap(made => [
    made('SENDME that nothing was sent for', cellOn(0, sendmeCommand, sendme(1, bytesOf(20)))),
    made('SENDME of nothing that nothing was sent for', cellOn(0, sendmeCommand)),
    made('SENDME of the stream that nothing was sent for', cell(sendmeCommand)),
    made('SENDME of an unknown stream', cellOn(unknownStream, sendmeCommand)),
    made('XOFF', cell(relayCommand.xoff, Uint8Array.of(0))),
    made('XON', cell(relayCommand.xon, rate(0))),
    made('XOFF, then XON', cell(relayCommand.xoff, Uint8Array.of(0)), cell(relayCommand.xon, rate(0))),
  ]),
  open('XOFF of version 1', cell(relayCommand.xoff, Uint8Array.of(1))),
  open('XOFF of nothing', cell(relayCommand.xoff)),
  open('XOFF with bytes behind it', cell(relayCommand.xoff, bytesOf(9))),
  open('XOFF twice', ...bothTimes(cell(relayCommand.xoff, Uint8Array.of(0)))),
  open('XOFF on stream 0', cellOn(0, relayCommand.xoff, Uint8Array.of(0))),
  open('XOFF of an unknown stream', cellOn(unknownStream, relayCommand.xoff, Uint8Array.of(0))),
  open('XON of version 1', cell(relayCommand.xon, rate(1))),
  open('XON of nothing', cell(relayCommand.xon)),
  open('XON of half a rate', cell(relayCommand.xon, rate(0).subarray(0, 3))),
  open('XON with bytes behind it', cell(relayCommand.xon, concatBytes(rate(0), ttl))),
  open('XON on stream 0', cellOn(0, relayCommand.xon, rate(0))),
  open('XON of an unknown stream', cellOn(unknownStream, relayCommand.xon, rate(0))),
];

const { data } = relayCommand;
const streamTwins: readonly ClientTwin[] = [
  open('DATA', cell(data, ttl)),
  open('DATA of nothing', cell(data)),
  open('100 DATA of nothing', repeated(100, cell(data))),
  open('DATA on stream 0', cellOn(0, data, ttl)),
  open('DATA of nothing on stream 0', cellOn(0, data)),
  open('DATA of an unknown stream', cellOn(unknownStream, data, ttl)),
  open('DATA of the middle', ({ circuit, id }) => circuit.say(guard, data, ttl, id)),
  begun('DATA before CONNECTED', cell(data, ttl), connected),
  open('CONNECTED twice', connected),
  open('CONNECTED of an unknown stream', cellOn(unknownStream, relayCommand.connected)),
  open('CONNECTED on stream 0', cellOn(0, relayCommand.connected)),
  open('CONNECTED of the middle', ({ circuit, id }) => circuit.say(guard, relayCommand.connected, none, id)),
  open('RESOLVED', cell(relayCommand.resolved, ip)),
  open('RESOLVED of an unknown stream', cellOn(unknownStream, relayCommand.resolved, ip)),
  open('END of an unknown stream', cellOn(unknownStream, relayCommand.end, Uint8Array.of(6))),
  open('END without a reason, of an unknown stream', cellOn(unknownStream, relayCommand.end)),
  open('END on stream 0', cellOn(0, relayCommand.end, Uint8Array.of(6))),
  open('END without a reason, on stream 0', cellOn(0, relayCommand.end)),
  open('END of the middle', ({ circuit, id }) => circuit.say(guard, relayCommand.end, Uint8Array.of(6), id)),
];

/** What a client alone may say, and what nobody does. */
const strangeCommands: readonly (readonly [string, number])[] = [
  ['BEGIN', relayCommand.begin],
  ['BEGIN_DIR', relayCommand.beginDir],
  ['RESOLVE', relayCommand.resolve],
  ['EXTEND', relayCommand.extend],
  ['EXTENDED', relayCommand.extended],
  ['EXTEND2', relayCommand.extend2],
  ['EXTENDED2', relayCommand.extended2],
  ['TRUNCATE', relayCommand.truncate],
  ['DROP', relayCommand.drop],
  ['CONFLUX_LINK', relayCommand.confluxLink],
  ['CONFLUX_LINKED', relayCommand.confluxLinked],
  ['CONFLUX_LINKED_ACK', relayCommand.confluxLinkedAck],
  ['CONFLUX_SWITCH', relayCommand.confluxSwitch],
  ['ESTABLISH_INTRO', relayCommand.establishIntro],
  ['ESTABLISH_RENDEZVOUS', relayCommand.establishRendezvous],
  ['INTRODUCE1', relayCommand.introduce1],
  ['INTRODUCE2', relayCommand.introduce2],
  ['RENDEZVOUS1', relayCommand.rendezvous1],
  ['RENDEZVOUS2', relayCommand.rendezvous2],
  ['INTRO_ESTABLISHED', relayCommand.introEstablished],
  ['RENDEZVOUS_ESTABLISHED', relayCommand.rendezvousEstablished],
  ['INTRODUCE_ACK', relayCommand.introduceAck],
  ['PADDING_NEGOTIATE', 41],
  ['PADDING_NEGOTIATED', 42],
  ['relay command 0', 0],
  ['relay command 99', 99],
  ['relay command 255', 255],
];
const commandTwins: readonly ClientTwin[] = strangeCommands.flatMap(([name, command]) => [
  open(`${name} of nothing on the stream`, cell(command)),
  open(`${name} of nothing on stream 0`, cellOn(0, command)),
  open(`${name} of bytes on stream 0`, cellOn(0, command, bytesOf(40, 9))),
]);

/** A relay cell whose header is changed before it is sealed. */
const withHeader =
  (change: (bytes: Uint8Array) => void): Say =>
  ({ circuit, id }) => {
    const bytes = new Uint8Array(cellPayloadBytes);
    writeRelayCell(bytes, 0, data, id, ttl, circuit.link.entropy);
    change(bytes);
    circuit.saySealed(exit, bytes);
  };
const ofLength = (length: number) =>
  withHeader(bytes => {
    [bytes[9], bytes[10]] = [length >> 8, length & 0xff];
  });
const outside =
  (command: number, payload: Uint8Array = none, circuitId = 0): Say =>
  ({ circuit: { link } }) =>
    void link.write(link.fixed(command, payload, circuitId));
const variable =
  (command: number, payload: Uint8Array): Say =>
  ({ circuit: { link } }) =>
    void link.write(link.variable(command, payload));
const unknownCircuit = 0x8765_4321;

const cellTwins: readonly ClientTwin[] = [
  open('a length of 499', ofLength(499)),
  open('a length of 65,535', ofLength(65_535)),
  open('a cell that no hop made', linkCell(cellCommand.relay, bytesOf(509, 9))),
  open('RELAY_EARLY', ({ circuit, id }) => {
    const bytes = new Uint8Array(cellPayloadBytes);
    writeRelayCell(bytes, 0, data, id, ttl, circuit.link.entropy);
    circuit.saySealed(exit, bytes, cellCommand.relayEarly);
  }),
  ...[0, 1, 3, 5, 8, 9, 11, 12, 99].map(reason =>
    open(`DESTROY ${reason}`, linkCell(cellCommand.destroy, encodeDestroy(reason))),
  ),
  open('TRUNCATED of the exit', cellOn(0, relayCommand.truncated, Uint8Array.of(1))),
  open('TRUNCATED of the exit without a reason', cellOn(0, relayCommand.truncated)),
  open('TRUNCATED on the stream', cell(relayCommand.truncated, Uint8Array.of(1))),
  open('TRUNCATED of the guard', ({ circuit }) =>
    circuit.say(guard, relayCommand.truncated, Uint8Array.of(8)),
  ),
  open('TRUNCATED of the guard without a reason', ({ circuit }) =>
    circuit.say(guard, relayCommand.truncated, none),
  ),
  ...(
    [
      ['PADDING', cellCommand.padding],
      ['CREATE_FAST', cellCommand.createFast],
      ['CREATED_FAST', cellCommand.createdFast],
      ['CREATE2', cellCommand.create2],
      ['CREATED2', cellCommand.created2],
      ['NETINFO', cellCommand.netinfo],
      ['PADDING_NEGOTIATE', cellCommand.paddingNegotiate],
      ['cell command 77', 77],
    ] as const
  ).flatMap(([name, command]) => [
    open(`${name} on the circuit`, linkCell(command)),
    open(`${name} on no circuit`, outside(command)),
  ]),
  open('RELAY of an unknown circuit', outside(cellCommand.relay, bytesOf(509, 9), unknownCircuit)),
  open('DESTROY of an unknown circuit', outside(cellCommand.destroy, bytesOf(1), unknownCircuit)),
  open('VERSIONS again', variable(cellCommand.versions, Uint8Array.of(0, 4))),
  open('VPADDING', variable(cellCommand.vpadding, bytesOf(9))),
  open('CERTS again', variable(cellCommand.certs, Uint8Array.of(0))),
  open('AUTH_CHALLENGE again', variable(cellCommand.authChallenge, bytesOf(36))),
  open('AUTHENTICATE', variable(cellCommand.authenticate, bytesOf(36))),
  open('an unknown variable cell', variable(200, bytesOf(9))),
];

const clientTwins: readonly ClientTwin[] = [
  begun('CONNECTED', connected),
  ...connectedTwins,
  ...endTwins,
  ...resolvedTwins,
  ...streamTwins,
  ...flowTwins,
  ...commandTwins,
  ...cellTwins,
];

// Building

type Reply = (reply: Uint8Array) => Uint8Array;

const replies: readonly (readonly [string, Reply])[] = [
  ['as it should be', reply => reply],
  ['of nothing', () => none],
  ['of zeros', reply => bytesOf(reply.length)],
  ['a byte short', reply => reply.subarray(0, -1)],
  ['a byte long', reply => concatBytes(reply, ttl.subarray(3))],
  ['with a wrong proof', reply => reply.with(reply.length - 1, reply[reply.length - 1] ^ 1)],
];
const says =
  (hop: 0 | 1, message: (reply: Uint8Array) => Uint8Array) => (circuit: FalseCircuit, reply: Uint8Array) => {
    if (hop === 0) circuit.sendCell(cellCommand.created2, message(reply));
    else circuit.say(guard, relayCommand.extended2, message(reply));
  };
/** Of CREATED2 and of EXTENDED2. */
const encode = (reply: Uint8Array) => lengthSaid(reply.length, reply);
const lengthSaid = (length: number, body: Uint8Array) =>
  concatBytes(Uint8Array.of(length >> 8, length & 0xff), body);

const madeTwins: readonly MadeTwin[] = ([0, 1] as const).flatMap(hop => {
  const name = hop === 0 ? 'CREATED2' : 'EXTENDED2';
  const right = says(hop, encode);
  const made = (what: string, say: MadeTwin['say']) => ({ name: `${name} ${what}`, hop, say });
  return [
    ...replies.map(([what, change]) =>
      made(
        what,
        says(hop, reply => encode(change(reply))),
      ),
    ),
    made(
      'without a length',
      says(hop, () => none),
    ),
    made(
      'with bytes behind it',
      says(hop, reply => concatBytes(encode(reply), bytesOf(9, 9))),
    ),
    made(
      'with a length beyond the cell',
      says(hop, reply => lengthSaid(65_535, reply)),
    ),
    made(
      'with a length of 507',
      says(hop, reply => lengthSaid(507, reply)),
    ),
    made(
      'with a length of 508',
      says(hop, reply => lengthSaid(508, reply)),
    ),
    made(
      'with a length of 496',
      says(hop, reply => lengthSaid(496, reply)),
    ),
    made(
      'with a length of 497',
      says(hop, reply => lengthSaid(497, reply)),
    ),
    made('twice', (circuit, reply) => {
      right(circuit, reply);
      right(circuit, reply);
    }),
    made('never, but DESTROY', circuit => circuit.sendCell(cellCommand.destroy, encodeDestroy(1))),
    made('never, but RELAY_EARLY', circuit => circuit.sendCell(cellCommand.relayEarly, bytesOf(509, 9))),
    made('never, but CREATED_FAST', circuit => circuit.sendCell(cellCommand.createdFast, bytesOf(40))),
    made('never, but a cell that no hop made', circuit =>
      circuit.sendCell(cellCommand.relay, bytesOf(509, 9)),
    ),
    made('after PADDING', (circuit, reply) => {
      circuit.sendCell(cellCommand.padding, none);
      right(circuit, reply);
    }),
  ];
});

/** On a circuit of one hop, so far, with a second under way. */
const extendingTwins: readonly MadeTwin[] = (
  [
    ['TRUNCATED', relayCommand.truncated, Uint8Array.of(6)],
    ['TRUNCATED without a reason', relayCommand.truncated, none],
    ['EXTENDED', relayCommand.extended, bytesOf(40)],
    ['DROP', relayCommand.drop, none],
    ['relay command 99', 99, none],
    ['SENDME', sendmeCommand, none],
    ['END', relayCommand.end, Uint8Array.of(6)],
    ['DATA', data, ttl],
    ['CONNECTED', relayCommand.connected, none],
    ['BEGIN', relayCommand.begin, none],
  ] as const
).map(([name, command, body]) => ({
  name: `${name}, then EXTENDED2`,
  hop: 1,
  say: (circuit, reply) => {
    circuit.say(guard, command, body);
    circuit.say(guard, relayCommand.extended2, encode(reply));
  },
}));

/** Everything of this file, each to be said to a client of the false network. */
export const clientCases: readonly ClientCase[] = [
  ...clientTwins.map(twin => ({
    name: twin.name,
    judge: (network: FalseNetwork, client: ControlledClient) => judgeClient(network, client, twin),
  })),
  ...[...madeTwins, ...extendingTwins].map(twin => ({
    name: twin.name,
    judge: (network: FalseNetwork, client: ControlledClient) => judgeBuilding(network, client, twin),
  })),
];

import { concatBytes, utf8 } from '../../src/base/bytes.ts';
import { cellCommand, handshakeType, relayCommand } from '../../src/cell/commands.ts';
import { cellPayloadBytes } from '../../src/cell/link-codec.ts';
import { encodeCreate2 } from '../../src/cell/link-messages.ts';
import { writeRelayCell } from '../../src/cell/relay-cell.ts';
import { encodeExtend2, encodeSendme } from '../../src/cell/relay-messages.ts';
import { startCreateFast } from '../../src/circuit/extend.ts';
import type { LinkProtocol } from '../../src/link/link-faults.ts';
import type { DishonestCircuit } from '../dishonest-circuit.fixture.ts';
import { netinfo, shakeHands } from './handshake-twins.fixture.ts';
import type { RawLink } from './raw-link.fixture.ts';
import { spoken, type Twin } from './verdict.fixture.ts';

/** What a client may say on an open link and on a circuit of one hop, right and wrong. */

const none = new Uint8Array(0);
const bytesOf = (length: number, value = 0) => new Uint8Array(length).fill(value);

// On an open link

type OnLink = (link: RawLink) => Uint8Array;

function onLink(name: string, ...said: readonly OnLink[]): Twin {
  return onLinkOf(5, name, ...said);
}

function onLinkOf(protocol: LinkProtocol, name: string, ...said: readonly OnLink[]): Twin {
  const say = async (link: RawLink) => {
    await shakeHands(link);
    for (const part of said) await link.write(part(link));
    return undefined;
  };
  return spoken(name, say, protocol);
}

const fixed =
  (command: number, payload: Uint8Array = none, circuit = 0): OnLink =>
  link =>
    link.fixed(command, payload, circuit);
const variable =
  (command: number, payload: Uint8Array = none, circuit = 0): OnLink =>
  link =>
    link.variable(command, payload, circuit);

/** An id of a circuit that is not there. */
const absent = 0x8765_4321;

/** A head that says more bytes than fit any handshake, and so many bytes. */
const longVpadding: OnLink = () =>
  concatBytes(Uint8Array.of(0, 0, 0, 0, cellCommand.vpadding, 255, 255), bytesOf(65_535));

const linkTwins: readonly Twin[] = [
  onLink('PADDING', fixed(cellCommand.padding)),
  onLink('PADDING on a circuit', fixed(cellCommand.padding, none, absent)),
  onLink('VPADDING of nothing', variable(cellCommand.vpadding)),
  onLink('VPADDING of 16,000 bytes', variable(cellCommand.vpadding, bytesOf(16_000))),
  onLink('VPADDING of 65,535 bytes', longVpadding),
  onLink('an unknown fixed command', fixed(77)),
  onLink('an unknown fixed command on a circuit', fixed(127, none, absent)),
  onLink('an unknown variable command', variable(200, bytesOf(30))),
  onLink('VERSIONS on an open link', variable(cellCommand.versions, Uint8Array.of(0, 5))),
  onLink('NETINFO on an open link', fixed(cellCommand.netinfo, netinfo)),
  onLink('CERTS on an open link', variable(cellCommand.certs, Uint8Array.of(0))),
  onLink('AUTH_CHALLENGE on an open link', variable(cellCommand.authChallenge, bytesOf(38))),
  onLink('AUTHENTICATE on an open link', variable(cellCommand.authenticate, bytesOf(356))),
  onLink('AUTHORIZE on an open link', variable(132, bytesOf(9))),
  onLink('PADDING_NEGOTIATE', fixed(cellCommand.paddingNegotiate, Uint8Array.of(0, 2, 0, 0, 0, 0))),
  onLink('PADDING_NEGOTIATE of another version', fixed(cellCommand.paddingNegotiate, Uint8Array.of(9, 2))),
  onLink(
    'PADDING_NEGOTIATE with an unknown order',
    fixed(cellCommand.paddingNegotiate, Uint8Array.of(0, 99)),
  ),
  onLinkOf(4, 'PADDING_NEGOTIATE in version 4', fixed(cellCommand.paddingNegotiate, Uint8Array.of(0, 2))),
  onLink('RELAY on no circuit', fixed(cellCommand.relay, bytesOf(509, 5), absent)),
  onLink('RELAY on circuit 0', fixed(cellCommand.relay)),
  onLink('RELAY_EARLY on no circuit', fixed(cellCommand.relayEarly, bytesOf(509, 5), absent)),
  onLink('DESTROY on no circuit', fixed(cellCommand.destroy, Uint8Array.of(1), absent)),
  onLink('DESTROY on circuit 0', fixed(cellCommand.destroy, Uint8Array.of(1))),
  onLink('CREATED_FAST on no circuit', fixed(cellCommand.createdFast, none, absent)),
  onLink('CREATED2 on no circuit', fixed(cellCommand.created2, Uint8Array.of(0, 64), absent)),
  onLink('CREATED on no circuit', fixed(2, none, absent)),
];

// In place of CREATE_FAST

/** A first cell on a circuit of that id. */
function creating(
  name: string,
  command: number,
  payload: (link: RawLink) => Uint8Array,
  id?: number,
  protocol?: LinkProtocol,
): Twin {
  const say = async (link: RawLink) => {
    await shakeHands(link);
    const circuit = link.circuit(id);
    circuit.sendCell(command, payload(link));
    return circuit;
  };
  return spoken(name, say, protocol);
}

const padded = (body: Uint8Array): Uint8Array => concatBytes(body, bytesOf(cellPayloadBytes - body.length));
const fast = (link: RawLink) => startCreateFast(link.entropy).message;

const createTwins: readonly Twin[] = [
  creating('CREATE_FAST', cellCommand.createFast, fast),
  creating('CREATE_FAST on circuit 0', cellCommand.createFast, fast, 0),
  creating('CREATE_FAST with an id of the responder', cellCommand.createFast, fast, 0x1234),
  creating('CREATE_FAST with an id of the responder in version 4', cellCommand.createFast, fast, 0x1234, 4),
  creating('CREATE_FAST with a low id in version 3', cellCommand.createFast, fast, 0x1234, 3),
  creating('CREATE_FAST on circuit 0 in version 3', cellCommand.createFast, fast, 0, 3),
  creating('CREATE', 1, link => padded(link.entropy.bytes(186))),
  creating('CREATE that says ntor', 1, link =>
    padded(concatBytes(utf8('ntorNTORntorNTOR'), link.entropy.bytes(84))),
  ),
  creating('CREATE2 of TAP', cellCommand.create2, link =>
    encodeCreate2(handshakeType.tap, link.entropy.bytes(186)),
  ),
  creating('CREATE2 of TAP cut short', cellCommand.create2, link =>
    encodeCreate2(handshakeType.tap, link.entropy.bytes(20)),
  ),
  creating('CREATE2 of CREATE_FAST', cellCommand.create2, link => encodeCreate2(1, link.entropy.bytes(20))),
  creating('CREATE2 for another relay', cellCommand.create2, link =>
    encodeCreate2(handshakeType.ntor, link.entropy.bytes(84)),
  ),
  creating('CREATE2 of ntor cut short', cellCommand.create2, link =>
    encodeCreate2(handshakeType.ntor, link.entropy.bytes(83)),
  ),
  creating('CREATE2 of ntor a byte long', cellCommand.create2, link =>
    encodeCreate2(handshakeType.ntor, link.entropy.bytes(85)),
  ),
  creating('CREATE2 of ntor-v3 for another relay', cellCommand.create2, link =>
    encodeCreate2(handshakeType.ntorV3, link.entropy.bytes(130)),
  ),
  creating('CREATE2 of ntor-v3 cut short', cellCommand.create2, link =>
    encodeCreate2(handshakeType.ntorV3, link.entropy.bytes(40)),
  ),
  creating('CREATE2 of an unknown kind', cellCommand.create2, link =>
    encodeCreate2(9, link.entropy.bytes(84)),
  ),
  creating('CREATE2 of kind 65,535', cellCommand.create2, link =>
    encodeCreate2(65_535, link.entropy.bytes(84)),
  ),
  creating('CREATE2 of nothing', cellCommand.create2, () => bytesOf(cellPayloadBytes)),
  creating('CREATE2 with a length beyond its end', cellCommand.create2, () =>
    padded(Uint8Array.of(0, 2, 1, 250)),
  ),
  creating('CREATE2 of 65,535 bytes', cellCommand.create2, () => padded(Uint8Array.of(0, 2, 255, 255))),
];

// On a circuit

/** What is said on a circuit that stands. */
type Said = (circuit: DishonestCircuit, link: RawLink) => void;

function onCircuit(name: string, ...said: readonly Said[]): Twin {
  return spoken(name, async link => {
    await shakeHands(link);
    const circuit = link.circuit();
    await circuit.create();
    for (const each of said) each(circuit, link);
    return circuit;
  });
}

const say =
  (command: number, body: Uint8Array = none, streamId = 0): Said =>
  circuit =>
    circuit.send(0, command, body, streamId);
const sayEarly =
  (command: number, body: Uint8Array = none, streamId = 0): Said =>
  circuit =>
    circuit.sendEarly(0, command, body, streamId);

/** A relay cell whose header is changed before it is sealed. */
function withHeader(command: number, change: (cell: Uint8Array) => void, streamId = 0): Said {
  return (circuit, link) => {
    const cell = new Uint8Array(cellPayloadBytes);
    writeRelayCell(cell, 0, command, streamId, none, link.entropy);
    change(cell);
    circuit.sendSealed(0, cell);
  };
}
const withLength = (length: number, command: number = relayCommand.drop, streamId = 0): Said =>
  withHeader(command, cell => cell.set([length >> 8, length & 0xff], 9), streamId);
const unreadable: Said = (circuit, link) =>
  circuit.sendCell(cellCommand.relay, link.entropy.bytes(cellPayloadBytes));
const cell =
  (command: number, payload: (link: RawLink) => Uint8Array): Said =>
  (circuit, link) =>
    circuit.sendCell(command, payload(link));

const relayTwins: readonly Twin[] = [
  onCircuit('DROP', say(relayCommand.drop)),
  onCircuit('DROP on a stream', say(relayCommand.drop, none, 9)),
  onCircuit('a body of 498 bytes', say(relayCommand.drop, bytesOf(498))),
  onCircuit('a body of 499 bytes', withLength(499)),
  onCircuit('a body of 65,535 bytes', withLength(65_535)),
  onCircuit('a body that is said to be longer than it is', withLength(300)),
  onCircuit('recognised not zero', unreadable),
  onCircuit('nothing but zeros', circuit => circuit.sendCell(cellCommand.relay, bytesOf(cellPayloadBytes))),
  onCircuit('an unknown relay command', say(99)),
  onCircuit('relay command 0', say(0)),
  onCircuit('relay command 255', say(255)),
  onCircuit('an unknown relay command on a stream', say(99, none, 5)),
  onCircuit('eight RELAY_EARLY', ...Array<Said>(8).fill(sayEarly(relayCommand.drop))),
  onCircuit('nine RELAY_EARLY', ...Array<Said>(9).fill(sayEarly(relayCommand.drop))),
  onCircuit('CREATE_FAST again', cell(cellCommand.createFast, fast)),
  onCircuit(
    'CREATE2 again',
    cell(cellCommand.create2, link => encodeCreate2(2, link.entropy.bytes(84))),
  ),
  onCircuit(
    'CREATED_FAST of a client',
    cell(cellCommand.createdFast, () => bytesOf(509)),
  ),
  onCircuit(
    'CREATED2 of a client',
    cell(cellCommand.created2, () => padded(Uint8Array.of(0, 64))),
  ),
  onCircuit(
    'CREATED2 of a client of 65,535 bytes',
    cell(cellCommand.created2, () => padded(Uint8Array.of(255, 255))),
  ),
  onCircuit(
    'CREATED of a client',
    cell(2, () => bytesOf(509)),
  ),
  onCircuit(
    'an unknown fixed cell on the circuit',
    cell(99, () => bytesOf(509)),
  ),
];

const streamTwins: readonly Twin[] = [
  onCircuit('BEGIN_DIR', say(relayCommand.beginDir, none, 1)),
  onCircuit('BEGIN_DIR with a body', say(relayCommand.beginDir, bytesOf(99, 1), 1)),
  onCircuit('BEGIN_DIR on no stream', say(relayCommand.beginDir)),
  onCircuit(
    'BEGIN_DIR twice on a stream',
    say(relayCommand.beginDir, none, 1),
    say(relayCommand.beginDir, none, 1),
  ),
  onCircuit(
    'BEGIN_DIR after END',
    say(relayCommand.beginDir, none, 1),
    say(relayCommand.end, Uint8Array.of(6), 1),
    say(relayCommand.beginDir, none, 1),
  ),
  onCircuit('BEGIN on no stream', say(relayCommand.begin, utf8('127.0.0.1:80\0'))),
  onCircuit('BEGIN without its end', say(relayCommand.begin, utf8('127.0.0.1:80'), 1)),
  onCircuit('BEGIN of nothing', say(relayCommand.begin, none, 1)),
  onCircuit('BEGIN of an end alone', say(relayCommand.begin, Uint8Array.of(0), 1)),
  onCircuit('BEGIN without a port', say(relayCommand.begin, utf8('127.0.0.1\0'), 1)),
  onCircuit('BEGIN without a host', say(relayCommand.begin, utf8(':80\0'), 1)),
  onCircuit('BEGIN at port 0', say(relayCommand.begin, utf8('127.0.0.1:0\0'), 1)),
  onCircuit('BEGIN at port 65,536', say(relayCommand.begin, utf8('127.0.0.1:65536\0'), 1)),
  onCircuit('BEGIN at a port of letters', say(relayCommand.begin, utf8('127.0.0.1:http\0'), 1)),
  onCircuit('BEGIN with an open bracket', say(relayCommand.begin, utf8('[::1:80\0'), 1)),
  onCircuit(
    'BEGIN with a flag cut short',
    say(relayCommand.begin, concatBytes(utf8('127.0.0.1\0'), bytesOf(3)), 1),
  ),
  onCircuit(
    'BEGIN_DIR, then BEGIN on its stream',
    say(relayCommand.beginDir, none, 1),
    say(relayCommand.begin, utf8('127.0.0.1:80\0'), 1),
  ),
  onCircuit('RESOLVE on no stream', say(relayCommand.resolve, utf8('example.com\0'))),
  onCircuit('RESOLVE of nothing', say(relayCommand.resolve, none, 1)),
  onCircuit('RESOLVE without its end', say(relayCommand.resolve, utf8('example.com'), 1)),
  onCircuit('DATA on no stream', say(relayCommand.data)),
  onCircuit('DATA on a stream that is not there', say(relayCommand.data, bytesOf(9), 7)),
  onCircuit(
    'DATA of nothing on a stream',
    say(relayCommand.beginDir, none, 1),
    say(relayCommand.data, none, 1),
  ),
  onCircuit('END on no stream', say(relayCommand.end, Uint8Array.of(6))),
  onCircuit('END on a stream that is not there', say(relayCommand.end, Uint8Array.of(6), 7)),
  onCircuit('END without a reason on a stream that is not there', say(relayCommand.end, none, 7)),
  onCircuit('END without a reason', say(relayCommand.beginDir, none, 1), say(relayCommand.end, none, 1)),
  onCircuit(
    'END twice',
    say(relayCommand.beginDir, none, 1),
    say(relayCommand.end, Uint8Array.of(6), 1),
    say(relayCommand.end, Uint8Array.of(6), 1),
  ),
  onCircuit(
    'END of an unknown reason',
    say(relayCommand.beginDir, none, 1),
    say(relayCommand.end, Uint8Array.of(99), 1),
  ),
  onCircuit('CONNECTED of a client', say(relayCommand.connected, none, 1)),
  onCircuit(
    'CONNECTED of a client on its stream',
    say(relayCommand.beginDir, none, 1),
    say(relayCommand.connected, none, 1),
  ),
  onCircuit('RESOLVED of a client', say(relayCommand.resolved, none, 1)),
  onCircuit(
    'RESOLVED of a client on its stream',
    say(relayCommand.beginDir, none, 1),
    say(relayCommand.resolved, bytesOf(9), 1),
  ),
];

/** To a port at which nobody listens. */
const extend2 = encodeExtend2({
  target: {
    ipv4: { host: '127.0.0.1', port: 1 },
    ipv6: undefined,
    rsaId: bytesOf(20, 7),
    ed25519: bytesOf(32, 7),
  },
  handshakeType: handshakeType.ntor,
  handshake: bytesOf(84, 7),
});

const circuitControlTwins: readonly Twin[] = [
  onCircuit('SENDME without a body', say(relayCommand.sendme)),
  onCircuit('SENDME that nothing was sent for', say(relayCommand.sendme, encodeSendme(bytesOf(20)))),
  onCircuit('SENDME of version 0', say(relayCommand.sendme, Uint8Array.of(0, 0, 0))),
  onCircuit(
    'SENDME of version 2',
    say(relayCommand.sendme, concatBytes(Uint8Array.of(2, 0, 20), bytesOf(20))),
  ),
  onCircuit(
    'SENDME with a digest cut short',
    say(relayCommand.sendme, concatBytes(Uint8Array.of(1, 0, 20), bytesOf(9))),
  ),
  onCircuit(
    'SENDME with a length beyond its end',
    say(relayCommand.sendme, concatBytes(Uint8Array.of(1, 255, 255), bytesOf(20))),
  ),
  onCircuit('SENDME on a stream that is not there', say(relayCommand.sendme, none, 7)),
  onCircuit(
    'SENDME on a stream that nothing was sent on',
    say(relayCommand.beginDir, none, 1),
    say(relayCommand.sendme, none, 1),
  ),
  onCircuit('XOFF on no stream', say(relayCommand.xoff, bytesOf(1))),
  onCircuit('XOFF on a stream that is not there', say(relayCommand.xoff, bytesOf(1), 7)),
  onCircuit(
    'XOFF on a stream without congestion control',
    say(relayCommand.beginDir, none, 1),
    say(relayCommand.xoff, bytesOf(1), 1),
  ),
  onCircuit(
    'XON on a stream without congestion control',
    say(relayCommand.beginDir, none, 1),
    say(relayCommand.xon, bytesOf(5), 1),
  ),
  onCircuit('TRUNCATE', say(relayCommand.truncate, Uint8Array.of(0))),
  onCircuit('TRUNCATE without a reason', say(relayCommand.truncate)),
  onCircuit('TRUNCATE on a stream', say(relayCommand.truncate, Uint8Array.of(0), 7)),
  onCircuit('TRUNCATED of a client', say(relayCommand.truncated, Uint8Array.of(0))),
  onCircuit('TRUNCATED of a client without a reason', say(relayCommand.truncated)),
  onCircuit('EXTENDED of a client', say(7, bytesOf(200))),
  onCircuit(
    'EXTENDED2 of a client',
    say(relayCommand.extended2, concatBytes(Uint8Array.of(0, 64), bytesOf(64))),
  ),
  onCircuit('EXTEND2 in RELAY', say(relayCommand.extend2, extend2)),
  onCircuit('EXTEND2 on a stream', sayEarly(relayCommand.extend2, extend2, 5)),
  onCircuit('EXTEND', sayEarly(6, bytesOf(200))),
  ...[
    ['LINK', 19],
    ['LINKED', 20],
    ['LINKED_ACK', 21],
    ['SWITCH', 22],
  ].flatMap(([name, command]) => [
    onCircuit(`CONFLUX_${name}`, say(Number(command), bytesOf(50))),
    onCircuit(
      `CONFLUX_${name} after BEGIN_DIR`,
      say(relayCommand.beginDir, none, 1),
      say(Number(command), bytesOf(50)),
    ),
  ]),
  onCircuit('PADDING_NEGOTIATE on the circuit', say(41, bytesOf(8))),
  onCircuit('PADDING_NEGOTIATED of a client', say(42, bytesOf(8))),
  onCircuit('ESTABLISH_INTRO of nothing', say(32)),
  onCircuit('INTRODUCE1 of nothing', say(34)),
  onCircuit('RENDEZVOUS1 of nothing', say(36)),
  onCircuit('ESTABLISH_RENDEZVOUS of nothing', say(33)),
  onCircuit('INTRODUCE2 of a client', say(35, bytesOf(40))),
  onCircuit('INTRO_ESTABLISHED of a client', say(38)),
];

/** Everything of this file. */
export const circuitTwins: readonly Twin[] = [
  ...linkTwins,
  ...createTwins,
  ...relayTwins,
  ...streamTwins,
  ...circuitControlTwins,
];

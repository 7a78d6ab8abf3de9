import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { splitAddress } from '../scripts/network-ports.ts';
import { concatBytes, utf8 } from '../src/base/bytes.ts';
import { linkHandshakeMsMax } from '../src/base/limits.ts';
import { cellCommand, destroyReason, relayCommand } from '../src/cell/commands.ts';
import { cellPayloadBytes, encodeVariable, encodeVersionsCell } from '../src/cell/link-codec.ts';
import { encodeCreate2, encodeVersions } from '../src/cell/link-messages.ts';
import { writeRelayCell } from '../src/cell/relay-cell.ts';
import { encodeSendme } from '../src/cell/relay-messages.ts';
import type { Endpoint } from '../src/ports.ts';
import { SeededEntropy } from '../src/sim/seeded-entropy.ts';
import type { DishonestCircuit } from './dishonest-circuit.fixture.ts';
import { DishonestClient } from './dishonest-client.fixture.ts';
import { servesHonestClient } from './honest-client.fixture.ts';
import { type LabNetwork, startLabNetwork } from './lab-network.fixture.ts';

/** What no program of ours would send, over real TLS to a relay and to an authority. They drop it and live. */
const network = `
relays:
  - {count: 1, flags: [guard]}
  - {count: 1, flags: [middle]}
  - {count: 1, exit: true}
`;
const nodes = ['guard1', 'auth1'] as const;
let lab: LabNetwork;
let client: DishonestClient;

beforeAll(async () => {
  lab = await startLabNetwork(network);
  client = await DishonestClient.start(lab);
}, 120_000);
afterAll(async () => {
  await client?.stop();
  await lab?.stop();
}, 60_000);

function orPort(node: string): Endpoint {
  const [host, port] = splitAddress(lab.node(node).listens.or);
  return { host, port };
}

function toOrPort(node: string): { host: string; port: number; rejectUnauthorized: boolean } {
  return { ...orPort(node), rejectUnauthorized: false };
}

/** Less than the time that nodes give a handshake, so that it is for what was sent that they end a connection. */
const beforeTimeout = linkHandshakeMsMax * 0.8;

/** Sends bytes once the connection is up; resolves when the other end has closed it. */
async function breaksOff(socket: Socket, up: 'connect' | 'secureConnect', bytes: Uint8Array): Promise<void> {
  await once(socket, up);
  // A reset is as good an end as any.
  socket.on('error', () => {}).resume();
  socket.write(bytes);
  await once(socket, 'close');
}

const versions = encodeVersionsCell(encodeVersions([3]));
const createFast = concatBytes(
  Uint8Array.of(128, 1, cellCommand.createFast),
  new Uint8Array(cellPayloadBytes),
);
/** The head of a cell of 65,535 bytes. */
const tooLong = Uint8Array.of(0, 0, 255, 255, 255);

/** A cell of the link itself, with so many zeros in it. */
function onLink(command: number, bytes: number): Uint8Array {
  return encodeVariable(2, 0, command, new Uint8Array(bytes));
}

/** A circuit of one hop, made without any key, as one may with an authority. */
async function circuitTo(node: string): Promise<DishonestCircuit> {
  const circuit = client.circuitOn(await client.link(orPort(node)));
  await circuit.create();
  return circuit;
}

const headBytes = 11;

/** A relay cell that claims a body of that length. */
function cellOf(command: number, streamId: number, length: number): Uint8Array {
  const cell = new Uint8Array(cellPayloadBytes);
  writeRelayCell(cell, 0, command, streamId, new Uint8Array(0), client.entropy);
  cell[9] = length >> 8;
  cell[10] = length & 0xff;
  return cell;
}

/** What a test says on a circuit. */
type Said = (circuit: DishonestCircuit) => void;
const none = new Uint8Array(0);

function say(command: number, body: Uint8Array = none, streamId = 0): Said {
  return circuit => circuit.send(0, command, body, streamId);
}

function sayEarly(command: number, body: Uint8Array = none): Said {
  return circuit => circuit.sendEarly(0, command, body);
}

describe.each(nodes)('%s', node => {
  const random = new SeededEntropy(`malformed cells to ${node}`);

  describe('ends a connection that sends, in place of a handshake,', () => {
    test.each<[what: string, bytes: () => Uint8Array]>([
      ['a web request', () => utf8(`GET / HTTP/1.1\r\nHost: relay\r\n\r\n${' '.repeat(600)}`)],
      ['versions that nobody has', () => encodeVersionsCell(encodeVersions([1, 2, 9]))],
      ['half a version', () => encodeVersionsCell(Uint8Array.of(0, 3, 0))],
      ['CERTS without certificates', () => concatBytes(versions, onLink(cellCommand.certs, 9))],
      ['AUTHENTICATE before CERTS', () => concatBytes(versions, onLink(cellCommand.authenticate, 400))],
      ['a circuit before NETINFO', () => concatBytes(versions, createFast)],
      ['a cell too long', () => concatBytes(versions, tooLong)],
    ])(
      '%s',
      (_what, bytes) => breaksOff(connectTls(toOrPort(node)), 'secureConnect', bytes()),
      beforeTimeout,
    );

    test(
      'noise',
      async () => {
        for (let round = 0; round < 20; round++)
          await breaksOff(connectTls(toOrPort(node)), 'secureConnect', random.bytes(64_000));
      },
      beforeTimeout,
    );

    test(
      'noise without TLS',
      () => breaksOff(connectTcp(orPort(node)), 'connect', random.bytes(64_000)),
      beforeTimeout,
    );
  });

  describe('ends an open link that brings', () => {
    test.each<[what: string, bytes: () => Uint8Array]>([
      ['CERTS', () => onLink(cellCommand.certs, 300)],
      ['AUTHENTICATE', () => onLink(cellCommand.authenticate, 400)],
      ['a cell too long', () => tooLong],
      ['noise', () => random.bytes(256_000)],
    ])('%s', async (_what, bytes) => {
      const link = await client.link(orPort(node));
      client.write(link, bytes());
      await client.lost(link);
    });
  });

  describe('ends a circuit, and no other on its link, for', () => {
    const unreadable: Said = circuit => circuit.sendCell(cellCommand.relay, random.bytes(cellPayloadBytes));
    test.each<[what: string, ...said: Said[]]>([
      ['a cell that nobody can read', unreadable],
      ['a body longer than its cell', circuit => circuit.sendSealed(0, cellOf(relayCommand.drop, 0, 499))],
      ['a body as long as can be', circuit => circuit.sendSealed(0, cellOf(relayCommand.drop, 0, 65_535))],
      ['END without a reason', say(relayCommand.end, none, 7)],
      ['RECEIPT', say(relayCommand.receipt, new Uint8Array(40))],
      ['REDEEM on a stream', say(relayCommand.redeem, none, 1)],
      ['SENDME that nobody asked for', say(relayCommand.sendme, encodeSendme(new Uint8Array(20)))],
      ['SENDME without a digest', say(relayCommand.sendme)],
      ['EXTEND2 to nowhere', sayEarly(relayCommand.extend2, Uint8Array.of(0, 0, 2, 0, 0))],
      ['EXTEND2 cut short', sayEarly(relayCommand.extend2, Uint8Array.of(4, 0, 6, 127))],
      ['a ninth RELAY_EARLY', ...Array<Said>(9).fill(sayEarly(relayCommand.drop))],
    ])('%s', async (_what, ...said) => {
      const circuit = await circuitTo(node);
      const other = client.circuitOn(circuit.link);
      await other.create();
      for (const each of said) each(circuit);
      expect(await circuit.ended()).toBe(destroyReason.protocol);
      await client.roundTrip(circuit.link);
      expect(other.destroyed).toBeUndefined();
    });

    test.each<[what: string, payload: () => Uint8Array]>([
      ['CREATE2 with a handshake of another kind', () => encodeCreate2(65_535, random.bytes(84))],
      ['CREATE2 for another relay', () => encodeCreate2(2, random.bytes(84))],
      ['CREATE2 cut short', () => encodeCreate2(2, random.bytes(3))],
      ['noise in CREATE2', () => random.bytes(cellPayloadBytes)],
    ])('%s', async (_what, payload) => {
      const circuit = client.circuitOn(await client.link(orPort(node)));
      circuit.sendCell(cellCommand.create2, payload());
      expect(await circuit.ended()).toBe(destroyReason.protocol);
      await client.roundTrip(circuit.link);
    });
  });

  test('lives through circuits of noise that it can read', async () => {
    const link = await client.link(orPort(node));
    const known = Object.values(relayCommand);
    for (let round = 0; round < 200; round++) {
      const circuit = client.circuitOn(link);
      await circuit.create();
      for (let cell = 0; cell < 12; cell++) {
        const command = random.chance(0.9) ? random.pick(known) : random.below(256);
        const length = random.chance(0.9) ? random.below(499) : random.below(65_536);
        const early = random.chance(0.2) ? cellCommand.relayEarly : cellCommand.relay;
        const payload = cellOf(command, random.chance(0.3) ? 0 : 1 + random.below(4), length);
        payload.set(random.bytes(cellPayloadBytes - headBytes), headBytes);
        circuit.sendSealed(0, payload, early);
      }
    }
    await client.roundTrip(link);
  });

  test('lives through cells of circuits that are not there', async () => {
    const link = await client.link(orPort(node));
    for (let cell = 0; cell < 500; cell++) {
      const command = random.below(128);
      if (command === cellCommand.versions) continue;
      client.write(
        link,
        concatBytes(random.bytes(2), Uint8Array.of(command), random.bytes(cellPayloadBytes)),
      );
    }
    await client.roundTrip(link);
  });
});

describe('after all that', () => {
  test('no process has ended', () => {
    expect(lab.state.nodes.filter(({ end }) => end !== undefined)).toEqual([]);
  });

  test('the authority still tells who is there', async () => {
    const asked = await DishonestClient.start(lab);
    expect([...asked.relays.keys()].sort()).toEqual(['exit1', 'guard1', 'middle1']);
    await asked.stop();
  });

  test('an honest client is served', async () => {
    expect(await servesHonestClient(lab, ['guard1', 'middle1', 'exit1'])).toBe(true);
  });
});

import { concatBytes } from '../../src/base/bytes.ts';
import { handshakeType, relayCommand } from '../../src/cell/commands.ts';
import { type HopTarget, startExtend2 } from '../../src/circuit/extend.ts';
import type { DishonestCircuit } from '../dishonest-circuit.fixture.ts';
import { type NextHop, nextHopTwin as twin } from './next-hop.fixture.ts';
import type { RawLink } from './raw-link.fixture.ts';
import type { Twin } from './verdict.fixture.ts';

/** How a client may ask for the next hop, right and wrong. */

const none = new Uint8Array(0);
const bytesOf = (length: number, value = 0) => new Uint8Array(length).fill(value);

type Specifier = readonly [type: number, value: Uint8Array, length?: number];

function extendBody(
  specifiers: readonly Specifier[],
  handshake: Uint8Array,
  count = specifiers.length,
): Uint8Array {
  return concatBytes(
    Uint8Array.of(count),
    ...specifiers.map(([type, value, length = value.length]) =>
      concatBytes(Uint8Array.of(type, length), value),
    ),
    handshake,
  );
}

/** The handshake part of an EXTEND2 with ntor for that relay. */
function ntorPart(link: RawLink, target: HopTarget): Uint8Array {
  const { message } = startExtend2(link.entropy, target);
  return message.subarray(message.length - 88);
}

type Change = (parts: {
  readonly ip: Specifier;
  readonly rsa: Specifier;
  readonly ed: Specifier;
  readonly ntor: Uint8Array;
  readonly target: HopTarget;
  readonly link: RawLink;
}) => Uint8Array;

const other32 = bytesOf(32, 7);
const other20 = bytesOf(20, 7);
/** A port at which nobody listens. */
const nowhere = Uint8Array.of(127, 0, 0, 1, 0, 1);
const kind = (type: number, handshake: Uint8Array) =>
  concatBytes(
    Uint8Array.of(type >> 8, type & 0xff, handshake.length >> 8, handshake.length & 0xff),
    handshake,
  );

const extendBodies: readonly (readonly [string, Change])[] = [
  ['as it should be', ({ ip, rsa, ed, ntor }) => extendBody([ip, rsa, ed], ntor)],
  ['in another order', ({ ip, rsa, ed, ntor }) => extendBody([ed, rsa, ip], ntor)],
  ['without the Ed25519 identity', ({ ip, rsa, ntor }) => extendBody([ip, rsa], ntor)],
  ['without the RSA identity', ({ ip, ed, ntor }) => extendBody([ip, ed], ntor)],
  ['without an address', ({ rsa, ed, ntor }) => extendBody([rsa, ed], ntor)],
  ['of no specifier', ({ ntor }) => extendBody([], ntor)],
  ['of nothing', () => none],
  ['of a count alone', () => Uint8Array.of(3)],
  ['cut short in a specifier', ({ ip, rsa }) => extendBody([ip, rsa], none).subarray(0, 20)],
  ['without a handshake', ({ ip, rsa, ed }) => extendBody([ip, rsa, ed], none)],
  [
    'with bytes behind it',
    ({ ip, rsa, ed, ntor }) => extendBody([ip, rsa, ed], concatBytes(ntor, bytesOf(20, 1))),
  ],
  ['with a handshake cut short', ({ ip, rsa, ed, ntor }) => extendBody([ip, rsa, ed], ntor.subarray(0, 50))],
  [
    'with a handshake of 65,535 bytes',
    ({ ip, rsa, ed }) => extendBody([ip, rsa, ed], Uint8Array.of(0, 2, 255, 255, 1)),
  ],
  [
    'of ntor with 83 bytes',
    ({ ip, rsa, ed, link }) => extendBody([ip, rsa, ed], kind(handshakeType.ntor, link.entropy.bytes(83))),
  ],
  ['with a count one too high', ({ ip, rsa, ed, ntor }) => extendBody([ip, rsa, ed], ntor, 4)],
  ['with a count one too low', ({ ip, rsa, ed, ntor }) => extendBody([ip, rsa, ed], ntor, 2)],
  ['with an unknown specifier', ({ ip, rsa, ed, ntor }) => extendBody([[77, bytesOf(9)], ip, rsa, ed], ntor)],
  [
    'with an unknown specifier of nothing',
    ({ ip, rsa, ed, ntor }) => extendBody([ip, rsa, ed, [99, none]], ntor),
  ],
  [
    'with a specifier beyond its end',
    ({ ip, rsa, ed, ntor }) => extendBody([ip, rsa, [3, ed[1], 255]], ntor),
  ],
  ['with the RSA identity twice', ({ ip, rsa, ed, ntor }) => extendBody([ip, rsa, rsa, ed], ntor)],
  ['with the Ed25519 identity twice', ({ ip, rsa, ed, ntor }) => extendBody([ip, rsa, ed, ed], ntor)],
  [
    'with another RSA identity besides',
    ({ ip, rsa, ed, ntor }) => extendBody([ip, rsa, [2, other20], ed], ntor),
  ],
  ['with two addresses', ({ ip, rsa, ed, ntor }) => extendBody([ip, [0, nowhere], rsa, ed], ntor)],
  [
    'with an IPv4 address of 5 bytes',
    ({ ip, rsa, ed, ntor }) => extendBody([[0, ip[1].subarray(1)], rsa, ed], ntor),
  ],
  [
    'with an IPv4 address of 7 bytes',
    ({ ip, rsa, ed, ntor }) => extendBody([[0, concatBytes(ip[1], Uint8Array.of(0))], rsa, ed], ntor),
  ],
  ['with an IPv6 address of 6 bytes', ({ ip, rsa, ed, ntor }) => extendBody([ip, [1, ip[1]], rsa, ed], ntor)],
  [
    'with an RSA identity of 19 bytes',
    ({ ip, rsa, ed, ntor }) => extendBody([ip, [2, rsa[1].subarray(1)], ed], ntor),
  ],
  [
    'with an Ed25519 identity of 31 bytes',
    ({ ip, rsa, ed, ntor }) => extendBody([ip, rsa, [3, ed[1].subarray(1)]], ntor),
  ],
  ['with the Ed25519 identity of another', ({ ip, rsa, ntor }) => extendBody([ip, rsa, [3, other32]], ntor)],
  ['with the RSA identity of another', ({ ip, ed, ntor }) => extendBody([ip, [2, other20], ed], ntor)],
  ['with an RSA identity of zeros', ({ ip, ed, ntor }) => extendBody([ip, [2, bytesOf(20)], ed], ntor)],
  ['with an Ed25519 identity of zeros', ({ ip, rsa, ntor }) => extendBody([ip, rsa, [3, bytesOf(32)]], ntor)],
  ['to port 0', ({ rsa, ed, ntor }) => extendBody([[0, Uint8Array.of(127, 0, 0, 1, 0, 0)], rsa, ed], ntor)],
  [
    'to 0.0.0.0',
    ({ rsa, ed, ntor, ip }) => extendBody([[0, concatBytes(bytesOf(4), ip[1].subarray(4))], rsa, ed], ntor),
  ],
  ['to nobody', ({ rsa, ed, ntor }) => extendBody([[0, nowhere], rsa, ed], ntor)],
  [
    'of TAP',
    ({ ip, rsa, ed, link }) => extendBody([ip, rsa, ed], kind(handshakeType.tap, link.entropy.bytes(186))),
  ],
  ['of CREATE_FAST', ({ ip, rsa, ed, link }) => extendBody([ip, rsa, ed], kind(1, link.entropy.bytes(20)))],
];

function extending(
  say: (circuit: DishonestCircuit, body: Uint8Array) => void,
  body: Change,
): NextHop['extend'] {
  return (circuit, target, link) => {
    const { host, port } = target.address;
    const ip: Specifier = [0, Uint8Array.from([...host.split('.').map(Number), port >> 8, port & 0xff])];
    say(
      circuit,
      body({
        ip,
        rsa: [2, target.rsaId],
        ed: [3, target.ed25519],
        ntor: ntorPart(link, target),
        target,
        link,
      }),
    );
  };
}
const early = (circuit: DishonestCircuit, body: Uint8Array) =>
  circuit.sendEarly(0, relayCommand.extend2, body);
const [[, rightBody]] = extendBodies;

export const extendTwins: readonly Twin[] = [
  ...extendBodies.map(([what, body]) => twin(`EXTEND2 ${what}`, { extend: extending(early, body) })),
  twin('EXTEND2 twice', {
    extend: extending((circuit, body) => {
      early(circuit, body);
      early(circuit, body);
    }, rightBody),
  }),
];

import { concatBytes, utf8 } from '../../src/base/bytes.ts';
import { cellCommand, isVariableCommand } from '../../src/cell/commands.ts';
import { encodeVersionsCell } from '../../src/cell/link-codec.ts';
import { authenticateMessage, encodeNetinfo, encodeVersions } from '../../src/cell/link-messages.ts';
import { Ed25519Key } from '../../src/crypto/ed25519.ts';
import type { NodeKeys } from '../../src/crypto/node-keys.ts';
import { sha256 } from '../../src/crypto/sha.ts';
import { authMethod, exportedKey, makeAuthentication } from '../../src/link/authenticate.ts';
import { rsaIdSha256, verifyLinkCertificates } from '../../src/link/link-certificates.ts';
import type { LinkProtocol } from '../../src/link/link-faults.ts';
import type { LinkFacts } from '../../src/ports.ts';
import { certsTwins, type Holder, rightCerts } from './link-certs.fixture.ts';
import type { RawLink } from './raw-link.fixture.ts';
import { spoken, type Twin } from './verdict.fixture.ts';

/** What an initiator may say until its link is open, right and wrong. */

type Said = (link: RawLink) => Uint8Array | Promise<Uint8Array>;

const none = new Uint8Array(0);
export const netinfo = encodeNetinfo({ time: 0, other: '127.0.0.1', own: [] });

export function versionsCell(...versions: readonly number[]): Uint8Array {
  return encodeVersionsCell(encodeVersions(versions));
}

const versions: Said = link => versionsCell(link.protocol);
const fixed =
  (command: number, payload: Uint8Array = none, circuit = 0): Said =>
  link =>
    link.fixed(command, payload, circuit);
const variable =
  (command: number, payload: Uint8Array = none, circuit = 0): Said =>
  link =>
    link.variable(command, payload, circuit);
const tellNetinfo = fixed(cellCommand.netinfo, netinfo);

/** Opens the link as a client does. */
export async function shakeHands(link: RawLink): Promise<void> {
  for (const part of [versions, tellNetinfo]) await link.write(await part(link));
}

function twin(name: string, ...said: readonly Said[]): Twin {
  return twinOf(5, name, ...said);
}

function twinOf(protocol: LinkProtocol, name: string, ...said: readonly Said[]): Twin {
  const say = async (link: RawLink) => {
    for (const part of said) await link.write(await part(link));
    return undefined;
  };
  return spoken(name, say, protocol);
}

/** A payload of NETINFO: time, then addresses as they are given. */
function netinfoOf(...parts: readonly (readonly number[])[]): Uint8Array {
  return Uint8Array.from([0, 0, 0, 0, ...parts.flat()]);
}
const ipv4 = [4, 4, 127, 0, 0, 1];

const versionsTwins: readonly Twin[] = [
  twin('a client', versions, tellNetinfo),
  twinOf(3, 'a client of version 3', versions, tellNetinfo),
  twinOf(4, 'a client of version 4', versions, tellNetinfo),
  twin('VERSIONS that nobody has besides', link => versionsCell(1, link.protocol, 9, 65_535), tellNetinfo),
  twin('VERSIONS with a version twice', link => versionsCell(link.protocol, link.protocol), tellNetinfo),
  twin('VERSIONS that nobody has', () => versionsCell(1, 2, 9), tellNetinfo),
  twin('VERSIONS with half a version', () => encodeVersionsCell(Uint8Array.of(0, 5, 0)), tellNetinfo),
  twin('VERSIONS with none', () => encodeVersionsCell(none), tellNetinfo),
  twin('VERSIONS on a circuit', () => Uint8Array.of(0, 1, 7, 0, 2, 0, 5), tellNetinfo),
  twin('VERSIONS in the frame of version 4', () => Uint8Array.of(0, 0, 0, 0, 7, 0, 2, 0, 5), tellNetinfo),
  twin('VERSIONS twice', versions, variable(cellCommand.versions, Uint8Array.of(0, 5)), tellNetinfo),
  twin('a web request', () => utf8(`GET / HTTP/1.1\r\nHost: relay\r\n\r\n${' '.repeat(600)}`)),
];

/** Cells before a version is agreed are framed as those of version 3. */
const beforeVersions: readonly Twin[] = [
  ['NETINFO', cellCommand.netinfo],
  ['PADDING', cellCommand.padding],
  ['CREATE_FAST', cellCommand.createFast],
  ['VPADDING', cellCommand.vpadding],
  ['CERTS', cellCommand.certs],
  ['AUTHENTICATE', cellCommand.authenticate],
].map(([name, command]) => {
  const early = isVariableCommand(Number(command))
    ? variable(Number(command), new Uint8Array(4))
    : fixed(Number(command));
  return twinOf(3, `${name} before VERSIONS`, early, versions, tellNetinfo);
});

const beforeNetinfo: readonly Twin[] = [
  twin('PADDING before NETINFO', versions, fixed(cellCommand.padding), tellNetinfo),
  twin('VPADDING before NETINFO', versions, variable(cellCommand.vpadding, new Uint8Array(9)), tellNetinfo),
  twin(
    'VPADDING on a circuit before NETINFO',
    versions,
    variable(cellCommand.vpadding, none, 3),
    tellNetinfo,
  ),
  twin('CREATE_FAST before NETINFO', versions, fixed(cellCommand.createFast, none, 0x8000_0001), tellNetinfo),
  twin('RELAY before NETINFO', versions, fixed(cellCommand.relay, none, 0x8000_0001), tellNetinfo),
  twin('DESTROY before NETINFO', versions, fixed(cellCommand.destroy, none, 0x8000_0001), tellNetinfo),
  twin('PADDING_NEGOTIATE before NETINFO', versions, fixed(cellCommand.paddingNegotiate), tellNetinfo),
  twin('an unknown cell before NETINFO', versions, fixed(77), tellNetinfo),
  twin('an unknown variable cell before NETINFO', versions, variable(200, none), tellNetinfo),
  twin('AUTHORIZE before NETINFO', versions, variable(132, none), tellNetinfo),
  twin(
    'AUTH_CHALLENGE of an initiator',
    versions,
    variable(cellCommand.authChallenge, new Uint8Array(38)),
    tellNetinfo,
  ),
  twin(
    'AUTHENTICATE before CERTS',
    versions,
    variable(cellCommand.authenticate, new Uint8Array(356)),
    tellNetinfo,
  ),
];

/** Payloads of NETINFO and the circuit id that they come with; the same for both sides of a link. */
export const netinfoTwins: readonly (readonly [what: string, payload: Uint8Array, circuit: number])[] = [
  ['of zeros', none, 0],
  ['on a circuit', netinfo, 0x8000_0001],
  [
    'from an hour ahead',
    encodeNetinfo({ time: Math.floor(Date.now() / 1000) + 3_600, other: '127.0.0.1', own: ['127.0.0.1'] }),
    0,
  ],
  ['with an address of an unknown type', netinfoOf([99, 4, 1, 2, 3, 4], [0]), 0],
  ['with an IPv4 address of 5 bytes', netinfoOf([4, 5, 127, 0, 0, 1, 0], [0]), 0],
  ['with an IPv6 address of 4 bytes', netinfoOf([6, 4, 127, 0, 0, 1], [0]), 0],
  ['with own addresses of unknown types', netinfoOf(ipv4, [2], [99, 2, 1, 2], [77, 0]), 0],
  ['with an own IPv4 address of 16 bytes', netinfoOf(ipv4, [1], [4, 16, ...new Array(16).fill(1)]), 0],
  ['with own addresses beyond its end', netinfoOf(ipv4, [255], ...new Array(40).fill([99, 250])), 0],
  ['with 200 own addresses of nothing', netinfoOf(ipv4, [200]), 0],
];

function holderOf(keys: NodeKeys): Holder {
  return { keys, side: 'initiator', tlsCertificate: none };
}

type Change = (authentication: Uint8Array) => Uint8Array;

/** AUTHENTICATE that proves the keys on this link, once the responder has said its part. */
async function authentication(
  link: RawLink,
  keys: NodeKeys,
  clog: Uint8Array,
  change: Change,
): Promise<Uint8Array> {
  await link.cell(cellCommand.netinfo);
  const tlsCertificate = new Uint8Array(link.socket.getPeerX509Certificate()?.raw ?? none);
  const flight = link.cells.slice(
    0,
    link.cells.findIndex(cell => cell.command === cellCommand.authChallenge) + 1,
  );
  const certs = flight.find(cell => cell.command === cellCommand.certs)?.payload ?? none;
  const responder = verifyLinkCertificates(certs, 'responder', tlsCertificate, Date.now());
  if (!responder.ok) throw new Error(`${responder.fault.code} ${responder.fault.detail}`);
  const initiatorRsa = rsaIdSha256(keys.rsaIdentity.publicDer);
  const exporter: LinkFacts['exporter'] = (label, context) =>
    new Uint8Array(link.socket.exportKeyingMaterial(32, label, Buffer.from(context)));
  const made = makeAuthentication(
    {
      initiatorRsa,
      responderRsa: rsaIdSha256(responder.value.rsaPublicDer),
      initiatorEd25519: keys.identity.publicKey,
      responderEd25519: responder.value.ed25519,
      responderLog: sha256(concatBytes(...flight.map(cell => cell.bytes))),
      initiatorLog: sha256(clog),
      tlsCertificate,
      exported: exportedKey({ exporter }, initiatorRsa) ?? none,
    },
    link.entropy.bytes(24),
    keys.linkAuth,
  );
  return change(made);
}

/** A relay's part: VERSIONS, CERTS, AUTHENTICATE, NETINFO, with what is changed of it. */
function relayTwin(
  name: string,
  keys: NodeKeys,
  change: {
    readonly certs?: (holder: Holder) => Uint8Array;
    /** On the bytes that are signed and their signature. */
    readonly authentication?: Change;
    /** On the whole body. */
    readonly body?: Change;
    readonly signer?: NodeKeys;
    /** Of the cells from CERTS to NETINFO. */
    readonly order?: (
      certs: Uint8Array,
      authenticate: Uint8Array,
      netinfo: Uint8Array,
    ) => readonly Uint8Array[];
  } = {},
): Twin {
  const { order = (...cells) => cells, body = same } = change;
  return spoken(name, async link => {
    const said = versionsCell(link.protocol);
    const certs = link.variable(cellCommand.certs, (change.certs ?? rightCerts)(holderOf(keys)));
    await link.write(said);
    const proof = await authentication(
      link,
      change.signer ?? keys,
      concatBytes(said, certs),
      change.authentication ?? same,
    );
    const message = authenticateMessage.encode({ method: authMethod, authentication: proof });
    const authenticate = link.variable(cellCommand.authenticate, body(message));
    for (const cell of order(certs, authenticate, link.fixed(cellCommand.netinfo, netinfo)))
      await link.write(cell);
    return undefined;
  });
}
const same: Change = bytes => bytes;
const flip =
  (at: number): Change =>
  bytes => {
    const changed = bytes.slice();
    changed[at] ^= 1;
    return changed;
  };

/** What AUTHENTICATE binds, by where it stands. spec: tor-spec/negotiating-channels */
const boundParts: readonly (readonly [string, number])[] = [
  ['type', 0],
  ['initiator', 8],
  ['responder', 40],
  ['Ed25519 initiator', 72],
  ['Ed25519 responder', 104],
  ['responder log', 136],
  ['initiator log', 168],
  ['TLS certificate', 200],
  ['TLS secrets', 232],
  ['random bytes', 264],
  ['signature', 351],
];

function authenticateTwins(keys: NodeKeys): readonly Twin[] {
  const other = { ...keys, linkAuth: new Ed25519Key(new Uint8Array(32).fill(9)) };
  return [
    relayTwin('a relay', keys),
    ...boundParts.map(([name, at]) =>
      relayTwin(`AUTHENTICATE with another ${name}`, keys, { authentication: flip(at) }),
    ),
    relayTwin('AUTHENTICATE of another key', keys, { signer: other }),
    relayTwin('AUTHENTICATE a byte short', keys, { authentication: bytes => bytes.subarray(0, -1) }),
    relayTwin('AUTHENTICATE a byte long', keys, {
      authentication: bytes => concatBytes(bytes, Uint8Array.of(0)),
    }),
    relayTwin('AUTHENTICATE with a byte behind it', keys, {
      body: bytes => concatBytes(bytes, Uint8Array.of(0)),
    }),
    relayTwin('AUTHENTICATE with a length beyond its end', keys, { body: flip(2) }),
    relayTwin('AUTHENTICATE of method 1', keys, {
      body: bytes => concatBytes(Uint8Array.of(0, 1), bytes.subarray(2)),
    }),
    relayTwin('AUTHENTICATE of an unknown method', keys, {
      body: bytes => concatBytes(Uint8Array.of(0, 9), bytes.subarray(2)),
    }),
    relayTwin('AUTHENTICATE without a body', keys, { body: () => none }),
    relayTwin('AUTHENTICATE twice', keys, { order: (certs, auth, last) => [certs, auth, auth, last] }),
    relayTwin('AUTHENTICATE after NETINFO', keys, { order: (certs, auth, last) => [certs, last, auth] }),
    relayTwin('CERTS twice', keys, { order: (certs, auth, last) => [certs, certs, auth, last] }),
    relayTwin('CERTS after AUTHENTICATE', keys, { order: (certs, auth, last) => [auth, certs, last] }),
    relayTwin('CERTS without AUTHENTICATE', keys, { order: (certs, _auth, last) => [certs, last] }),
    relayTwin('CERTS after NETINFO', keys, { order: (certs, auth, last) => [last, certs, auth] }),
  ];
}

/** Everything of this file. */
export function handshakeTwins(keys: NodeKeys): readonly Twin[] {
  return [
    ...versionsTwins,
    ...beforeVersions,
    ...beforeNetinfo,
    twin('NETINFO twice', versions, tellNetinfo, tellNetinfo),
    ...netinfoTwins.map(([what, payload, circuit]) =>
      twin(`NETINFO ${what}`, versions, fixed(cellCommand.netinfo, payload, circuit)),
    ),
    ...authenticateTwins(keys),
    ...certsTwins.map(([what, body]) => relayTwin(`CERTS of an initiator: ${what}`, keys, { certs: body })),
  ];
}

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { splitAddress } from '../scripts/network-ports.ts';
import { fromHex, toHex } from '../src/base/bytes.ts';
import { cellPayloadBytes, LinkCodec } from '../src/cell/link-codec.ts';
import {
  authChallengeMessage,
  authenticateMessage,
  certsMessage,
  decodeCreate2,
  decodeNetinfo,
  decodeVersions,
  encodeNetinfo,
} from '../src/cell/link-messages.ts';
import { rsaIdSha256, verifyLinkCertificates } from '../src/link/link-certificates.ts';
import { type LabNetwork, startLabNetwork } from './lab-network.fixture.ts';
import {
  type CapturedCell,
  type CapturedCells,
  type CapturedVerdicts,
  cellTwins,
  expectedOfOurs,
  readVector,
} from './twins/captured.fixture.ts';

const cells = readVector<CapturedCells>('cells');
const wallMs = Date.parse(cells.date);

function bytes(hex: string): Uint8Array {
  return fromHex(hex) ?? new Uint8Array(0);
}

/** The payload of a captured cell, found by the codec as on a link of that version. */
function payloadOf(captured: readonly CapturedCell[], name: string, protocol: 4 | 5): Uint8Array {
  const [found] = captured.filter(({ cell, from }) => cell === name && from === 'tor');
  const codec = new LinkCodec();
  if (name !== 'VERSIONS') codec.useProtocol(protocol);
  let payload: Uint8Array | undefined;
  // Zeros at the end were left out.
  codec.push(new Uint8Array([...bytes(found.hex), ...new Uint8Array(514)]), {
    onFixed: (_circuit, _command, from, at) => {
      payload ??= from.slice(at, at + cellPayloadBytes);
    },
    onRun: (_circuit, from, at) => {
      payload ??= from.slice(at, at + cellPayloadBytes);
    },
    onVariable: (_circuit, _command, body) => {
      payload ??= body.slice();
    },
  });
  return payload ?? new Uint8Array(0);
}
const responder = (name: string) => payloadOf(cells.asResponder, name, 5);
const initiator = (name: string) => payloadOf(cells.asInitiator, name, 4);

describe(`cells of ${cells.tor}`, () => {
  it('are read: VERSIONS, AUTH_CHALLENGE, NETINFO, CREATE2', () => {
    expect(decodeVersions(responder('VERSIONS'))).toEqual([3, 4, 5]);
    expect(authChallengeMessage.decode(responder('AUTH_CHALLENGE'))?.methods).toEqual([3]);
    const netinfo = decodeNetinfo(responder('NETINFO'));
    expect(netinfo).toMatchObject({ other: '127.0.0.1', own: [] });
    expect(netinfo && encodeNetinfo(netinfo)).toEqual(responder('NETINFO'));
    expect(decodeCreate2(initiator('CREATE2'), 0)).toMatchObject({ handshakeType: 2 });
  });

  it('are read: CERTS of a responder, of its TLS certificate alone', () => {
    const certs = responder('CERTS');
    const decoded = certsMessage.decode(certs);
    expect(decoded?.certificates.map(({ type }) => type)).toEqual([1, 2, 4, 5, 7]);
    expect(decoded && certsMessage.encode(decoded)).toEqual(certs);
    const tls = bytes(cells.tlsCertificate);
    expect(verifyLinkCertificates(certs, 'responder', tls, wallMs)).toMatchObject({ ok: true });
    const other = verifyLinkCertificates(certs, 'responder', tls.slice(1), wallMs);
    expect(other).toMatchObject({ fault: { code: 'LINK_BAD_CERTIFICATE' } });
    const later = verifyLinkCertificates(certs, 'responder', tls, wallMs + 400 * 86_400_000);
    expect(later).toMatchObject({ fault: { code: 'LINK_BAD_CERTIFICATE' } });
  });

  it('are read: CERTS of an initiator, whose identities AUTHENTICATE repeats', () => {
    const proven = verifyLinkCertificates(initiator('CERTS'), 'initiator', new Uint8Array(0), wallMs);
    if (!proven.ok) throw new Error(proven.fault.detail);
    const message = authenticateMessage.decode(initiator('AUTHENTICATE'));
    expect(message).toMatchObject({ method: 3 });
    const body = toHex(message?.authentication ?? new Uint8Array(0));
    expect(body.slice(0, 16)).toBe(toHex(Buffer.from('AUTH0003')));
    expect(body.slice(16, 80)).toBe(toHex(rsaIdSha256(proven.value.rsaPublicDer)));
    expect(body.slice(144, 208)).toBe(toHex(proven.value.ed25519));
  });

  it('are verified: no bit of CERTS can be changed unnoticed', () => {
    const tls = bytes(cells.tlsCertificate);
    const right = responder('CERTS');
    // The first certificate, of type 1, proves nothing and is not looked at; its head is two lengths and a type.
    const start = 1 + 3 + ((right[2] << 8) | right[3]);
    for (let at = start; at < right.length; at += 7) {
      const changed = right.slice();
      changed[at] ^= 1 << (at % 8);
      expect([at, verifyLinkCertificates(changed, 'responder', tls, wallMs).ok]).toEqual([at, false]);
    }
  });
});

describe('what C tor closes, drops and keeps, so does our relay:', () => {
  const { verdicts } = readVector<CapturedVerdicts>('cell-verdicts');
  const twins = cellTwins();
  let lab: LabNetwork;

  beforeAll(async () => {
    const relays = '[{count: 2, price: 0 msat/cell}, {exit: true, price: 0 msat/cell}]';
    lab = await startLabNetwork(`relays: ${relays}\nlink_protocols: 3-5\n`);
  }, 120_000);
  afterAll(() => lab?.stop(), 60_000);

  it('every twin has a verdict, and every verdict a twin', () => {
    expect(twins.map(({ name }) => name).sort()).toEqual(Object.keys(verdicts).sort());
  });

  it.each(twins.map(twin => [twin.name, twin] as const))('%s', async (name, twin) => {
    const [host, port] = splitAddress(lab.node('middle1').listens.or);
    expect(await twin.judge({ orPort: { host, port } })).toBe(expectedOfOurs(name, verdicts[name]));
  });

  it('and no process has ended', () => {
    expect(lab.state.nodes.filter(({ end }) => end !== undefined)).toEqual([]);
  });
});

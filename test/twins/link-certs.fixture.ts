import { ByteWriter, concatBytes } from '../../src/base/bytes.ts';
import { certsMessage } from '../../src/cell/link-messages.ts';
import { Ed25519Key } from '../../src/crypto/ed25519.ts';
import { certType, encodeRsaCrossCert } from '../../src/crypto/ed25519-cert.ts';
import type { NodeKeys } from '../../src/crypto/node-keys.ts';
import { generateRsaKey, type RsaKey } from '../../src/crypto/rsa.ts';
import { sha256 } from '../../src/crypto/sha.ts';
import { selfSignedCertificate } from '../../src/crypto/x509.ts';

/** CERTS as a node would show it, and every way that we know to get it wrong. */

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** Whose certificates they are. */
export interface Holder {
  readonly keys: NodeKeys;
  readonly side: 'initiator' | 'responder';
  /** Of the TLS connection, DER: the responder's. */
  readonly tlsCertificate: Uint8Array;
}

interface Cert {
  readonly type: number;
  readonly certificate: Uint8Array;
}

interface EdCert {
  readonly version?: number;
  readonly type: number;
  readonly expiresMs?: number;
  readonly keyType?: number;
  readonly certified: Uint8Array;
  readonly signer: Ed25519Key;
  /** Kind, flags and data of each. */
  readonly extensions?: readonly (readonly [kind: number, flags: number, data: Uint8Array])[];
}

/** Any Ed25519 certificate, sensible or not, rightly signed. spec: cert-spec */
function edCert(cert: EdCert): Uint8Array {
  const { extensions = [] } = cert;
  const hours = Math.ceil((cert.expiresMs ?? Date.now() + dayMs) / hourMs);
  const writer = new ByteWriter()
    .u8(cert.version ?? 1)
    .u8(cert.type)
    .u32(hours)
    .u8(cert.keyType ?? 1);
  writer.bytes(cert.certified).u8(extensions.length);
  for (const [kind, flags, data] of extensions) writer.u16(data.length).u8(kind).u8(flags).bytes(data);
  const signed = writer.finish();
  return concatBytes(signed, cert.signer.sign(signed));
}

function rsaIdentity(rsa: RsaKey, notAfterMs = Date.now() + dayMs): Cert {
  const notBeforeMs = Math.min(Date.now(), notAfterMs) - 2 * dayMs;
  const serial = Uint8Array.of(1, 2, 3, 4);
  const order = { key: rsa, commonName: 'www.example.com', notBeforeMs, notAfterMs, serial };
  return { type: certType.rsaIdentity, certificate: selfSignedCertificate(order) };
}

function signing(holder: Holder, change: Partial<EdCert> = {}): Cert {
  const { identity, signing } = holder.keys;
  const signer = change.signer ?? identity;
  const extensions = [[4, 0, signer.publicKey]] as const;
  const type = certType.identityToSigning;
  return { type, certificate: edCert({ type, certified: signing.publicKey, signer, extensions, ...change }) };
}

/** What the signing key vouches for: the TLS certificate, or the key of AUTHENTICATE. */
function own(holder: Holder, change: Partial<EdCert> = {}): Cert {
  const { keys, side, tlsCertificate } = holder;
  const type = side === 'responder' ? certType.signingToTls : certType.signingToLinkAuth;
  const certified = side === 'responder' ? sha256(tlsCertificate) : keys.linkAuth.publicKey;
  const keyType = side === 'responder' ? 3 : 1;
  return { type, certificate: edCert({ type, certified, keyType, signer: keys.signing, ...change }) };
}

function cross({ keys }: Holder, expiresMs = Date.now() + dayMs): Cert {
  const certificate = encodeRsaCrossCert(keys.rsaIdentity, keys.identity.publicKey, expiresMs);
  return { type: certType.rsaToIdentity, certificate };
}

function certsOf(holder: Holder): Cert[] {
  return [rsaIdentity(holder.keys.rsaIdentity), signing(holder), own(holder), cross(holder)];
}

function encode(certificates: readonly Cert[]): Uint8Array {
  return certsMessage.encode({ certificates });
}

/** The body of CERTS as it should be. */
export function rightCerts(holder: Holder): Uint8Array {
  return encode(certsOf(holder));
}

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const changed = bytes.slice();
  changed[at < 0 ? bytes.length + at : at] ^= 1;
  return changed;
}

function withCount(body: Uint8Array, more: number): Uint8Array {
  const changed = body.slice();
  changed[0] += more;
  return changed;
}

/** The four with one of them, by its place, put through `change`. */
function changed(holder: Holder, place: number, change: (bytes: Uint8Array) => Uint8Array): Uint8Array {
  return encode(
    certsOf(holder).map((cert, at) =>
      at === place ? { ...cert, certificate: change(cert.certificate) } : cert,
    ),
  );
}

/** The four with one of them, by its place, made otherwise. */
function replaced(holder: Holder, place: number, made: Cert): Uint8Array {
  return encode(certsOf(holder).map((cert, at) => (at === place ? made : cert)));
}

const pastMs = Date.now() - 3 * dayMs;
const [rsaPlace, signingPlace, ownPlace, crossPlace] = [0, 1, 2, 3];
const places = ['RSA identity', 'signing key', 'own certificate', 'RSA to Ed25519'];
const garbage = new Uint8Array(40).fill(0xa5);
const otherKey = new Ed25519Key(new Uint8Array(32).fill(7));

export type CertsTwin = readonly [what: string, body: (holder: Holder) => Uint8Array];

const rsaTwins: readonly (readonly [what: string, made: (holder: Holder) => Cert])[] = [
  ['expired', ({ keys }) => rsaIdentity(keys.rsaIdentity, pastMs)],
  ['of 2048 bits', () => rsaIdentity(generateRsaKey(2048))],
  ['of another', () => rsaIdentity(generateRsaKey(1024))],
];

type Change = readonly [what: string, change: (holder: Holder) => Partial<EdCert>];

const signer = ({ keys }: Holder, from = 0) => [4, 0, keys.identity.publicKey.subarray(from)] as const;
const signingTwins: readonly Change[] = [
  ['expired', () => ({ expiresMs: pastMs })],
  ['of version 2', () => ({ version: 2 })],
  ['without its signer', () => ({ extensions: [] })],
  ['with its signer twice', holder => ({ extensions: [signer(holder), signer(holder)] })],
  ['with a short signer', holder => ({ extensions: [signer(holder, 1)] })],
  ['of another identity', () => ({ signer: otherKey })],
  ['of key type 2', () => ({ keyType: 2 })],
  ['with an extension unknown', holder => ({ extensions: [signer(holder), [77, 0, garbage]] })],
  ['with an extension unknown that matters', holder => ({ extensions: [signer(holder), [77, 1, garbage]] })],
];
const ownTwins: readonly Change[] = [
  ['expired', () => ({ expiresMs: pastMs })],
  ['of another signing key', () => ({ signer: otherKey })],
  ['with its signer', ({ keys }) => ({ extensions: [[4, 0, keys.signing.publicKey]] })],
  ['with another signer', () => ({ extensions: [[4, 0, otherKey.publicKey]] })],
  ['of key type 2', () => ({ keyType: 2 })],
  ['of another key', () => ({ certified: otherKey.publicKey })],
];

/** Bodies of CERTS, by what is wrong with them; each is the same for both sides of a link. */
export const certsTwins: readonly CertsTwin[] = [
  ['nothing wrong', rightCerts],
  ['bytes behind the last one', holder => concatBytes(rightCerts(holder), garbage)],
  ['in reverse order', holder => encode(certsOf(holder).reverse())],
  ['none', () => encode([])],
  ['no body', () => new Uint8Array(0)],
  ['a count one too high', holder => withCount(rightCerts(holder), 1)],
  ['a count one too low', holder => withCount(rightCerts(holder), -1)],
  ['a last byte missing', holder => rightCerts(holder).subarray(0, -1)],
  [
    'a length beyond the end',
    holder => concatBytes(withCount(rightCerts(holder), 1), Uint8Array.of(9, 255, 255)),
  ],
  ...places.flatMap((place, at): CertsTwin[] => [
    [`no ${place}`, holder => encode(certsOf(holder).filter((_, index) => index !== at))],
    [`${place} twice`, holder => encode([...certsOf(holder), certsOf(holder)[at]])],
    [
      `${place} with a byte behind it`,
      holder => changed(holder, at, bytes => concatBytes(bytes, garbage.subarray(0, 1))),
    ],
    [`${place} a byte short`, holder => changed(holder, at, bytes => bytes.subarray(0, -1))],
    [`${place} with a wrong signature`, holder => changed(holder, at, bytes => flipped(bytes, -1))],
    [`${place} empty`, holder => changed(holder, at, () => new Uint8Array(0))],
  ]),
  ['an unknown type besides', holder => encode([...certsOf(holder), { type: 99, certificate: garbage }])],
  [
    'an unknown type twice',
    holder =>
      encode([...certsOf(holder), { type: 99, certificate: garbage }, { type: 99, certificate: garbage }]),
  ],
  [
    'an unreadable certificate of type 1',
    holder => encode([...certsOf(holder), { type: 1, certificate: garbage }]),
  ],
  [
    'an unreadable certificate of type 3',
    holder => encode([...certsOf(holder), { type: 3, certificate: garbage }]),
  ],
  ...rsaTwins.map(
    ([what, made]): CertsTwin => [`RSA identity ${what}`, holder => replaced(holder, rsaPlace, made(holder))],
  ),
  ...signingTwins.map(
    ([what, change]): CertsTwin => [
      `signing key ${what}`,
      holder => replaced(holder, signingPlace, signing(holder, change(holder))),
    ],
  ),
  [
    'signing key of an inner type 5',
    holder =>
      replaced(holder, signingPlace, { ...signing(holder, { type: 5 }), type: certType.identityToSigning }),
  ],
  ...ownTwins.map(
    ([what, change]): CertsTwin => [
      `own certificate ${what}`,
      holder => replaced(holder, ownPlace, own(holder, change(holder))),
    ],
  ),
  ['RSA to Ed25519 expired', holder => replaced(holder, crossPlace, cross(holder, pastMs))],
  [
    'RSA to Ed25519 with a length beyond its end',
    holder =>
      changed(holder, crossPlace, bytes => {
        const lies = bytes.slice();
        lies[36] += 1;
        return lies;
      }),
  ],
];

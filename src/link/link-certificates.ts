import { concatBytes, equalBytes } from '../base/bytes.ts';
import { fail, ok, type Result } from '../base/fault.ts';
import { certsMessage } from '../cell/link-messages.ts';
import {
  certType,
  encodeEd25519Cert,
  encodeRsaCrossCert,
  verifyEd25519Cert,
  verifyRsaCrossCert,
} from '../crypto/ed25519-cert.ts';
import type { NodeKeys } from '../crypto/node-keys.ts';
import { rsaModulus } from '../crypto/rsa.ts';
import { sha1, sha256 } from '../crypto/sha.ts';
import { parseRsaCertificate, selfSignedCertificate } from '../crypto/x509.ts';

const dayMs = 86_400_000;
const certificateMs = 180 * dayMs;
const clockSkewMs = dayMs;
/** Certificates are made anew when the time of day has moved so far from that of making them: it passes, and clocks are set. */
const renewMs = dayMs;

/** What a relay shows of itself in CERTS, made for all its links. spec: tor-spec/negotiating-channels (CERTS) */
export interface LinkIdentity {
  readonly keys: NodeKeys;
  /** Body of the CERTS cell of a responder whose TLS certificate is `tlsCertificate`. */
  responderCerts(tlsCertificate: Uint8Array): Uint8Array;
  /** Body of the CERTS cell of an initiator. */
  readonly initiatorCerts: Uint8Array;
}

type LinkCertificates = Omit<LinkIdentity, 'keys'>;

export function makeLinkIdentity(keys: NodeKeys, wallMs: () => number): LinkIdentity {
  let madeMs = wallMs();
  let made = certificatesAt(keys, madeMs);
  const current = (): LinkCertificates => {
    const nowMs = wallMs();
    if (Math.abs(nowMs - madeMs) > renewMs) {
      madeMs = nowMs;
      made = certificatesAt(keys, nowMs);
    }
    return made;
  };
  return {
    keys,
    responderCerts: tlsCertificate => current().responderCerts(tlsCertificate),
    get initiatorCerts() {
      return current().initiatorCerts;
    },
  };
}

function certificatesAt(keys: NodeKeys, wallMs: number): LinkCertificates {
  const expiresMs = wallMs + certificateMs;
  const rsaIdentity = selfSignedCertificate({
    key: keys.rsaIdentity,
    commonName: 'www.example.net',
    notBeforeMs: wallMs - clockSkewMs,
    notAfterMs: expiresMs,
    serial: sha1(keys.rsaIdentity.publicDer).subarray(0, 8),
  });
  const order = { signer: keys.signing, expiresMs, embedSigner: false };
  const signing = encodeEd25519Cert({
    type: certType.identityToSigning,
    certified: keys.signing.publicKey,
    signer: keys.identity,
    expiresMs,
    embedSigner: true,
  });
  const cross = encodeRsaCrossCert(keys.rsaIdentity, keys.identity.publicKey, expiresMs);
  const certs = (own: { type: number; certificate: Uint8Array }) =>
    certsMessage.encode({
      certificates: [
        { type: certType.rsaIdentity, certificate: rsaIdentity },
        { type: certType.identityToSigning, certificate: signing },
        own,
        { type: certType.rsaToIdentity, certificate: cross },
      ],
    });
  const certify = (type: number, certified: Uint8Array) =>
    certs({ type, certificate: encodeEd25519Cert({ ...order, type, certified }) });
  let shown: { readonly tlsCertificate: Uint8Array; readonly body: Uint8Array } | undefined;
  return {
    responderCerts: tlsCertificate => {
      if (shown === undefined || !equalBytes(shown.tlsCertificate, tlsCertificate))
        shown = {
          tlsCertificate: tlsCertificate.slice(),
          body: certify(certType.signingToTls, sha256(tlsCertificate)),
        };
      return shown.body;
    },
    initiatorCerts: certify(certType.signingToLinkAuth, keys.linkAuth.publicKey),
  };
}

/** The TLS certificate of a node: Tor peers look at nothing in it but its digest. */
export function makeTlsCertificate(keys: NodeKeys, wallMs: number): Uint8Array {
  return selfSignedCertificate({
    key: keys.tls,
    commonName: 'www.example.org',
    notBeforeMs: wallMs - clockSkewMs,
    notAfterMs: wallMs + 2 * certificateMs,
    serial: sha1(keys.tls.publicDer).subarray(0, 8),
  });
}

/** What verified certificates prove. */
export interface ProvenIdentity {
  readonly rsaId: Uint8Array;
  readonly rsaPublicDer: Uint8Array;
  readonly ed25519: Uint8Array;
  /** The key of AUTHENTICATE; of an initiator alone. */
  readonly linkAuth: Uint8Array | undefined;
}

/**
 * Verifies the certificates of one side.
 * @param side what the peer is on this link. @param tlsCertificate the responder's, which it must vouch for.
 * spec: tor-spec/negotiating-channels (CERTS), cert-spec
 */
export function verifyLinkCertificates(
  body: Uint8Array,
  side: 'responder' | 'initiator',
  tlsCertificate: Uint8Array,
  wallMs: number,
): Result<ProvenIdentity, { code: 'LINK_MALFORMED' | 'LINK_BAD_CERTIFICATE'; detail?: string }> {
  const decoded = certsMessage.decodePadded(body);
  if (decoded === undefined) return fail('LINK_MALFORMED', 'CERTS');
  const byType = new Map<number, Uint8Array>();
  for (const { type, certificate } of decoded.certificates) {
    // Types that are not known say nothing, however many there are.
    if (type > certType.rsaToIdentity) continue;
    if (byType.has(type)) return fail('LINK_BAD_CERTIFICATE', `two of type ${type}`);
    byType.set(type, certificate);
  }
  const get = (type: number) => byType.get(type) ?? new Uint8Array(0);
  const rsa = parseRsaCertificate(get(certType.rsaIdentity));
  if (rsa === undefined || !rsa.selfSigned || rsaModulus(rsa.publicDer)?.bits !== 1024)
    return fail('LINK_BAD_CERTIFICATE', 'RSA identity');
  if (wallMs < rsa.notBeforeMs - clockSkewMs || wallMs > rsa.notAfterMs)
    return fail('LINK_BAD_CERTIFICATE', 'RSA identity expired');
  const signing = verifyEd25519Cert(get(certType.identityToSigning), {
    type: certType.identityToSigning,
    wallMs,
  });
  if (!signing.ok) return fail('LINK_BAD_CERTIFICATE', `signing key: ${signing.fault.code}`);
  const { signer: ed25519, certifiedKey: signingKey } = signing.value;
  const cross = verifyRsaCrossCert(get(certType.rsaToIdentity), rsa.publicDer, wallMs);
  if (ed25519 === undefined || !cross.ok || !equalBytes(cross.value, ed25519))
    return fail('LINK_BAD_CERTIFICATE', 'RSA to Ed25519');
  const ownType = side === 'responder' ? certType.signingToTls : certType.signingToLinkAuth;
  const own = verifyEd25519Cert(get(ownType), { type: ownType, signer: signingKey, wallMs });
  if (!own.ok) return fail('LINK_BAD_CERTIFICATE', `type ${ownType}: ${own.fault.code}`);
  if (side === 'responder' && !equalBytes(own.value.certifiedKey, sha256(tlsCertificate)))
    return fail('LINK_BAD_CERTIFICATE', 'not of this TLS connection');
  return ok({
    rsaId: sha1(rsa.publicDer),
    rsaPublicDer: rsa.publicDer,
    ed25519,
    linkAuth: side === 'initiator' ? own.value.certifiedKey : undefined,
  });
}

/** SHA-256 of a PKCS#1 RSA key, as AUTHENTICATE names identities. */
export function rsaIdSha256(publicDer: Uint8Array): Uint8Array {
  return sha256(concatBytes(publicDer));
}

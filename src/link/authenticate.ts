import { concatBytes, equalBytes, utf8 } from '../base/bytes.ts';
import { type Ed25519Key, ed25519Verify } from '../crypto/ed25519.ts';
import { sha256 } from '../crypto/sha.ts';
import type { LinkFacts } from '../ports.ts';

/** Authentication method Ed25519-SHA256-RFC5705, the only one. spec: tor-spec/negotiating-channels (AUTHENTICATE) */
export const authMethod = 3;
const exporterLabel = 'EXPORTER FOR TOR TLS CLIENT BINDING AUTH0003';
const bodyBytes = 352;
const signatureBytes = 64;
const randomBytes = 24;

/** What both sides know of the link and AUTHENTICATE binds together. */
export interface AuthenticationFacts {
  /** SHA-256 of the PKCS#1 RSA identities. */
  readonly initiatorRsa: Uint8Array;
  readonly responderRsa: Uint8Array;
  readonly initiatorEd25519: Uint8Array;
  readonly responderEd25519: Uint8Array;
  /** SHA-256 over the cells each side sent: the responder's up to AUTH_CHALLENGE, the initiator's up to CERTS. */
  readonly responderLog: Uint8Array;
  readonly initiatorLog: Uint8Array;
  /** The responder's, DER. */
  readonly tlsCertificate: Uint8Array;
  /** What `exportedKey` gives of the connection. */
  readonly exported: Uint8Array;
}

/** Of the connection, for AUTHENTICATE. Undefined: it has ended. @param initiatorRsa as in AuthenticationFacts. */
export function exportedKey(
  link: Pick<LinkFacts, 'exporter'>,
  initiatorRsa: Uint8Array,
): Uint8Array | undefined {
  return link.exporter(exporterLabel, initiatorRsa);
}

function boundPart(facts: AuthenticationFacts): Uint8Array {
  return concatBytes(
    utf8('AUTH0003'),
    facts.initiatorRsa,
    facts.responderRsa,
    facts.initiatorEd25519,
    facts.responderEd25519,
    facts.responderLog,
    facts.initiatorLog,
    sha256(facts.tlsCertificate),
    facts.exported,
  );
}

/** The 352 bytes that prove the initiator's identity on this very TLS connection. */
export function makeAuthentication(
  facts: AuthenticationFacts,
  random: Uint8Array,
  linkAuth: Ed25519Key,
): Uint8Array {
  const signed = concatBytes(boundPart(facts), random.subarray(0, randomBytes));
  return concatBytes(signed, linkAuth.sign(signed));
}

/** @param linkAuth the key that the initiator's certificate of type 6 vouches for. */
export function verifyAuthentication(
  body: Uint8Array,
  facts: AuthenticationFacts,
  linkAuth: Uint8Array,
): boolean {
  if (body.length !== bodyBytes) return false;
  const signed = body.subarray(0, bodyBytes - signatureBytes);
  const bound = boundPart(facts);
  return (
    equalBytes(signed.subarray(0, bound.length), bound) &&
    ed25519Verify(linkAuth, signed, body.subarray(signed.length))
  );
}

import { fail, ok, type Result } from '../src/base/fault.ts';
import {
  decodeNodeKeys,
  encodeNodeKeys,
  generateNodeRsaKeys,
  makeNodeKeys,
  type NodeKeys,
} from '../src/crypto/node-keys.ts';
import { generateRsaKey, RsaKey } from '../src/crypto/rsa.ts';
import {
  type AuthorityCertificate,
  buildAuthorityCertificate,
  parseAuthorityCertificate,
} from '../src/directory/authority-certificate.ts';
import type { Entropy } from '../src/ports.ts';

/** All keys of an authority: those of its links, and those that make it one. */
export interface AuthorityKeys {
  readonly node: NodeKeys;
  /** Its SHA-1 is the v3ident that others trust. */
  readonly identity: RsaKey;
  /** Signs consensuses. */
  readonly signing: RsaKey;
  readonly certificate: AuthorityCertificate;
}

/** spec: dir-spec/creating-key-certificates: signing keys live for months */
const certificateMs = 365 * 86_400_000;
/** A certificate is made anew, over the same keys, when less than this is left of it. */
const renewMs = 60 * 86_400_000;

/** Keys and certificate of a new authority; takes seconds. @param lab keys that are quick to make. */
export function generateAuthorityKeys(entropy: Entropy, wallMs: number, lab: boolean): AuthorityKeys {
  const identity = generateRsaKey(lab ? 2048 : 3072);
  const signing = generateRsaKey(2048);
  return withCertificate(makeNodeKeys(entropy, generateNodeRsaKeys()), identity, signing, wallMs);
}

export function withCertificate(
  node: NodeKeys,
  identity: RsaKey,
  signing: RsaKey,
  wallMs: number,
): AuthorityKeys {
  const text = buildAuthorityCertificate(identity, signing, {
    publishedMs: wallMs,
    expiresMs: wallMs + certificateMs,
  });
  const parsed = parseAuthorityCertificate(text);
  if (!parsed.ok) throw new Error(`our own certificate: ${parsed.fault.code}`);
  return { node, identity, signing, certificate: parsed.value };
}

/** Text for a key file; holds every secret of the authority. */
export function encodeAuthorityKeys(keys: AuthorityKeys): string {
  const fields = {
    node: encodeNodeKeys(keys.node),
    identity: keys.identity.pem,
    signing: keys.signing.pem,
    certificate: keys.certificate.text,
  };
  return `${JSON.stringify(fields, null, 2)}\n`;
}

/** A fault names the field that is missing or broken, never its value. */
export function decodeAuthorityKeys(
  text: string,
  wallMs: number,
): Result<AuthorityKeys, { code: 'KEYS_MALFORMED'; detail?: string }> {
  let fields: Map<string, unknown>;
  try {
    fields = new Map(Object.entries(JSON.parse(text)));
  } catch {
    return fail('KEYS_MALFORMED', 'not JSON');
  }
  const field = (name: string): string => String(fields.get(name) ?? '');
  const node = decodeNodeKeys(field('node'));
  if (!node.ok) return fail('KEYS_MALFORMED', node.fault.detail);
  const identity = rsaOf(field('identity'));
  const signing = rsaOf(field('signing'));
  if (identity === undefined || signing === undefined) return fail('KEYS_MALFORMED', 'identity or signing');
  const certificate = parseAuthorityCertificate(field('certificate'));
  if (!certificate.ok) return fail('KEYS_MALFORMED', 'certificate');
  return ok(renewed({ node: node.value, identity, signing, certificate: certificate.value }, wallMs));
}

/** The same keys, under a certificate that holds for a while yet. */
export function renewed(keys: AuthorityKeys, wallMs: number): AuthorityKeys {
  const { node, identity, signing, certificate } = keys;
  return certificate.expiresMs - wallMs < renewMs ? withCertificate(node, identity, signing, wallMs) : keys;
}

function rsaOf(pem: string): RsaKey | undefined {
  try {
    return new RsaKey(pem);
  } catch {
    return undefined;
  }
}

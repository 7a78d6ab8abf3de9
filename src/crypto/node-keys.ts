import { fromBase64, toBase64 } from '../base/bytes.ts';
import { fail, ok, type Result } from '../base/fault.ts';
import type { Entropy } from '../ports.ts';
import { Ed25519Key } from './ed25519.ts';
import { generateRsaKey, RsaKey } from './rsa.ts';
import { X25519KeyPair } from './x25519.ts';

/** All long-lived keys of a relay or authority. */
export interface NodeKeys {
  /** RSA-1024; its fingerprint is the node's older identity. */
  readonly rsaIdentity: RsaKey;
  readonly identity: Ed25519Key;
  /** Medium-term, certified by the identity; signs descriptors, the TLS certificate and the link authentication key. */
  readonly signing: Ed25519Key;
  readonly linkAuth: Ed25519Key;
  /** RSA-2048 of the TLS certificate: other key types make C tor's OpenSSL complain. */
  readonly tls: RsaKey;
  readonly ntor: X25519KeyPair;
  /** RSA-1024 of the retired TAP handshake, which authorities still ask for in descriptors. */
  readonly tap: RsaKey;
}

/** The RSA keys of a node, which cannot be seeded. */
export type NodeRsaKeys = Pick<NodeKeys, 'rsaIdentity' | 'tls' | 'tap'>;

/** Takes a second or so: RSA keys cannot be drawn from an Entropy. */
export function generateNodeRsaKeys(): NodeRsaKeys {
  return { rsaIdentity: generateRsaKey(1024), tls: generateRsaKey(2048), tap: generateRsaKey(1024) };
}

/** A node's keys, new but for RSA. @param rsa fresh ones from generateNodeRsaKeys, or fixtures in a simulated world. */
export function makeNodeKeys(entropy: Entropy, rsa: NodeRsaKeys): NodeKeys {
  return {
    ...rsa,
    identity: new Ed25519Key(entropy.bytes(32)),
    signing: new Ed25519Key(entropy.bytes(32)),
    linkAuth: new Ed25519Key(entropy.bytes(32)),
    ntor: new X25519KeyPair(entropy.bytes(32)),
  };
}

/** Text for a key file; holds every secret of the node. */
export function encodeNodeKeys(keys: NodeKeys): string {
  return `${JSON.stringify(
    {
      rsaIdentity: keys.rsaIdentity.pem,
      tls: keys.tls.pem,
      tap: keys.tap.pem,
      identity: toBase64(keys.identity.seed),
      signing: toBase64(keys.signing.seed),
      linkAuth: toBase64(keys.linkAuth.seed),
      ntor: toBase64(keys.ntor.secret),
    },
    null,
    2,
  )}\n`;
}

/** A fault names the field that is missing or broken, never its value. */
export function decodeNodeKeys(text: string): Result<NodeKeys, { code: 'KEYS_MALFORMED'; detail?: string }> {
  let fields: Map<string, unknown>;
  try {
    fields = new Map(Object.entries(JSON.parse(text)));
  } catch {
    return fail('KEYS_MALFORMED', 'not JSON');
  }
  let broken: string | undefined;
  const read = <T>(name: string, make: (text: string) => T): T => {
    const value = fields.get(name);
    try {
      if (typeof value === 'string') return make(value);
    } catch {}
    broken ??= name;
    return undefined as T;
  };
  const rsa = (name: string) => read(name, pem => new RsaKey(pem));
  const seed = (name: string) =>
    read(name, base64 => new Ed25519Key(fromBase64(base64) ?? new Uint8Array(0)));
  const keys: NodeKeys = {
    rsaIdentity: rsa('rsaIdentity'),
    tls: rsa('tls'),
    tap: rsa('tap'),
    identity: seed('identity'),
    signing: seed('signing'),
    linkAuth: seed('linkAuth'),
    ntor: read('ntor', base64 => new X25519KeyPair(fromBase64(base64) ?? new Uint8Array(0))),
  };
  return broken === undefined ? ok(keys) : fail('KEYS_MALFORMED', broken);
}

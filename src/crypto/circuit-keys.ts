import { concatBytes } from '../base/bytes.ts';
import { sha1 } from './sha.ts';

/** The keys of one hop. spec: tor-spec/setting-circuit-keys */
export interface CircuitKeys {
  /** 20 bytes each: seeds of the running digests. */
  readonly forwardDigest: Uint8Array;
  readonly backwardDigest: Uint8Array;
  /** 16 bytes each: AES-128 keys. */
  readonly forwardKey: Uint8Array;
  readonly backwardKey: Uint8Array;
}

/** Bytes of key material that circuitKeysOf takes. */
export const circuitKeyBytes = 72;

export function circuitKeysOf(material: Uint8Array): CircuitKeys {
  return {
    forwardDigest: material.slice(0, 20),
    backwardDigest: material.slice(20, 40),
    forwardKey: material.slice(40, 56),
    backwardKey: material.slice(56, 72),
  };
}

/**
 * CREATE_FAST: keys from both sides' 20 random bytes, without a public key, since TLS protects the first hop.
 * `verify` is KH, by which the relay shows that it has the same keys. spec: tor-spec/setting-circuit-keys (KDF-TOR)
 */
export function createFastKeys(
  x: Uint8Array,
  y: Uint8Array,
): { readonly keys: CircuitKeys; readonly verify: Uint8Array } {
  const secret = concatBytes(x, y);
  const blocks: Uint8Array[] = [];
  for (let i = 0; i < 5; i++) blocks.push(sha1(secret, Uint8Array.of(i)));
  const material = concatBytes(...blocks);
  return { keys: circuitKeysOf(material.subarray(20, 20 + circuitKeyBytes)), verify: material.slice(0, 20) };
}

import { concatBytes, equalBytes, utf8 } from '../base/bytes.ts';
import { fail, ok, type Result } from '../base/fault.ts';
import type { Entropy } from '../ports.ts';
import { type CircuitKeys, circuitKeyBytes, circuitKeysOf } from './circuit-keys.ts';
import { equalSecrets } from './constant-time.ts';
import { HmacSha256, hkdfSha256 } from './sha.ts';
import { generateX25519, type X25519KeyPair, x25519Peer } from './x25519.ts';

/** The ntor handshake. spec: tor-spec/create-created-cells (ntor) */
const protoid = utf8('ntor-curve25519-sha256-1');
const macOf = new HmacSha256(utf8('ntor-curve25519-sha256-1:mac'));
const extraction = new HmacSha256(utf8('ntor-curve25519-sha256-1:key_extract'));
const verifyOf = new HmacSha256(utf8('ntor-curve25519-sha256-1:verify'));
const mExpand = utf8('ntor-curve25519-sha256-1:key_expand');
const server = utf8('Server');

export const ntorRequestBytes = 84;
export const ntorReplyBytes = 64;

/** What a client keeps between its request and the reply. */
export interface NtorClientState {
  readonly ephemeral: X25519KeyPair;
  /** The relay's RSA fingerprint, 20 bytes. */
  readonly relayId: Uint8Array;
  /** The relay's onion key, 32 bytes. */
  readonly onionKey: Uint8Array;
}

export function ntorClientStart(
  entropy: Entropy,
  relayId: Uint8Array,
  onionKey: Uint8Array,
): NtorClientState {
  return { ephemeral: generateX25519(entropy), relayId, onionKey };
}

/** The 84 bytes of a CREATE2 with handshake type 2. */
export function ntorClientRequest(state: NtorClientState): Uint8Array {
  return concatBytes(state.relayId, state.onionKey, state.ephemeral.publicKey);
}

/** @param reply 64 bytes of CREATED2. */
export function ntorClientFinish(state: NtorClientState, reply: Uint8Array): Result<CircuitKeys> {
  if (reply.length !== ntorReplyBytes) return fail('NTOR_BAD_LENGTH');
  const relayEphemeral = reply.subarray(0, 32);
  const xy = state.ephemeral.shared(x25519Peer(relayEphemeral));
  const xb = state.ephemeral.shared(x25519Peer(state.onionKey));
  if (xy === undefined || xb === undefined) return fail('NTOR_BAD_POINT');
  const { auth, keys } = derive(
    xy,
    xb,
    state.relayId,
    state.onionKey,
    state.ephemeral.publicKey,
    relayEphemeral,
  );
  return equalSecrets(auth, reply.subarray(32)) ? ok(keys) : fail('NTOR_BAD_AUTH');
}

/**
 * Answers a client. `onionKeys` are the relay's current onion key and those it still honours.
 * @param request 84 bytes of CREATE2.
 */
export function ntorServer(
  entropy: Entropy,
  relayId: Uint8Array,
  onionKeys: readonly X25519KeyPair[],
  request: Uint8Array,
): Result<{ readonly reply: Uint8Array; readonly keys: CircuitKeys }> {
  if (request.length !== ntorRequestBytes) return fail('NTOR_BAD_LENGTH');
  const onionKey = onionKeys.find(pair => equalBytes(pair.publicKey, request.subarray(20, 52)));
  if (onionKey === undefined || !equalBytes(request.subarray(0, 20), relayId))
    return fail('NTOR_NOT_OUR_KEY');
  const clientPublic = request.subarray(52, 84);
  const ephemeral = generateX25519(entropy);
  const peer = x25519Peer(clientPublic);
  const xy = ephemeral.shared(peer);
  const xb = onionKey.shared(peer);
  if (xy === undefined || xb === undefined) return fail('NTOR_BAD_POINT');
  const { auth, keys } = derive(xy, xb, relayId, onionKey.publicKey, clientPublic, ephemeral.publicKey);
  return ok({ reply: concatBytes(ephemeral.publicKey, auth), keys });
}

/** Key material beyond circuitKeyBytes is not used: KH belongs to hidden services. */
function derive(
  xy: Uint8Array,
  xb: Uint8Array,
  relayId: Uint8Array,
  onionKey: Uint8Array,
  clientPublic: Uint8Array,
  relayPublic: Uint8Array,
): { auth: Uint8Array; keys: CircuitKeys } {
  const secret = concatBytes(xy, xb, relayId, onionKey, clientPublic, relayPublic, protoid);
  const verify = verifyOf.digest(secret);
  const auth = macOf.digest(verify, relayId, onionKey, relayPublic, clientPublic, protoid, server);
  const material = hkdfSha256(extraction, secret, mExpand, circuitKeyBytes);
  return { auth, keys: circuitKeysOf(material) };
}

import { createCipheriv, createHash } from 'node:crypto';
import { ByteWriter, concatBytes, equalBytes, utf8 } from '../base/bytes.ts';
import { fail, ok, type Result } from '../base/fault.ts';
import type { Entropy } from '../ports.ts';
import { type CircuitKeys, circuitKeyBytes, circuitKeysOf } from './circuit-keys.ts';
import { equalSecrets } from './constant-time.ts';
import { generateX25519, type X25519KeyPair, x25519Peer } from './x25519.ts';

/**
 * The ntor handshake, version 3: each side sends the other a message with it, sealed, and both must name the same use of
 * it (`verification`). The client's message has no forward secrecy. spec: tor-spec/create-created-cells (ntor-v3)
 */
const protoid = utf8('ntor3-curve25519-sha3_256-1');
const tweak = (use: string): Uint8Array => encapsulated(utf8(`ntor3-curve25519-sha3_256-1:${use}`));
const tweaks = {
  messageKeys: tweak('kdf_phase1'),
  messageMac: tweak('msg_mac'),
  keySeed: tweak('key_seed'),
  verify: tweak('verify'),
  final: tweak('kdf_final'),
  auth: tweak('auth_final'),
};
const server = utf8('Server');
const keyBytes = 32;
const macBytes = 32;

/** A request without its message: the relay's identity and key, the client's key, the MAC. */
const requestBytesMin = 32 + 32 + 32 + macBytes;
/** A reply without its message: the relay's key and its proof. */
const replyBytesMin = 32 + macBytes;

/** What the handshake is for in CREATE2 and EXTEND2. */
export const circuitVerification = utf8('circuit extend');

/** A relay as both sides name it in the handshake. */
export interface NtorV3Relay {
  /** Its Ed25519 identity, 32 bytes. */
  readonly identity: Uint8Array;
  /** Its onion key, 32 bytes. */
  readonly onionKey: Uint8Array;
}

/** What a client keeps between its request and the reply. */
export interface NtorV3ClientState {
  /** What goes into CREATE2 or EXTEND2 with handshake type 3. */
  readonly request: Uint8Array;
  readonly relay: NtorV3Relay;
  readonly verification: Uint8Array;
  readonly ephemeral: X25519KeyPair;
  readonly requestMac: Uint8Array;
  /** The secret that is shared with the relay's onion key. */
  readonly onionSecret: Uint8Array;
}

/** Keys for the circuit, and what the other side said with the handshake. */
export interface NtorV3Agreed {
  readonly keys: CircuitKeys;
  readonly message: Uint8Array;
}

/** @param message to the relay, sealed with the request. A fault: the relay's onion key is no key. */
export function ntorV3ClientStart(
  entropy: Entropy,
  relay: NtorV3Relay,
  message: Uint8Array,
  verification: Uint8Array = circuitVerification,
): Result<NtorV3ClientState> {
  const ephemeral = generateX25519(entropy);
  const onionSecret = ephemeral.shared(x25519Peer(relay.onionKey));
  if (onionSecret === undefined) return fail('NTOR_BAD_POINT');
  const keys = messageKeys(onionSecret, relay, ephemeral.publicKey, verification);
  const sealed = xorAes256(keys.encryption, message);
  const requestMac = messageMac(keys.mac, relay, ephemeral.publicKey, sealed);
  const request = concatBytes(relay.identity, relay.onionKey, ephemeral.publicKey, sealed, requestMac);
  return ok({ request, relay, verification, ephemeral, requestMac, onionSecret });
}

/** @param reply of CREATED2 or EXTENDED2. */
export function ntorV3ClientFinish(state: NtorV3ClientState, reply: Uint8Array): Result<NtorV3Agreed> {
  if (reply.length < replyBytesMin) return fail('NTOR_BAD_LENGTH');
  const relayKey = reply.subarray(0, 32);
  const shared = state.ephemeral.shared(x25519Peer(relayKey));
  if (shared === undefined) return fail('NTOR_BAD_POINT');
  const sealed = reply.subarray(replyBytesMin);
  const agreed = agree(state, shared, state.ephemeral.publicKey, relayKey);
  if (!equalSecrets(agreed.auth(sealed), reply.subarray(32, replyBytesMin))) return fail('NTOR_BAD_AUTH');
  return ok({ keys: agreed.keys, message: xorAes256(agreed.encryption, sealed) });
}

/** A relay, with its current onion key and those it still honours. */
export interface NtorV3Server {
  readonly identity: Uint8Array;
  readonly onionKeys: readonly X25519KeyPair[];
}

/**
 * Answers a client.
 * @param request of CREATE2. @param answer what to say to the client's message; a fault ends the handshake.
 */
export function ntorV3Server(
  entropy: Entropy,
  { identity, onionKeys }: NtorV3Server,
  request: Uint8Array,
  answer: (message: Uint8Array) => Result<Uint8Array>,
  verification: Uint8Array = circuitVerification,
): Result<{ readonly reply: Uint8Array; readonly keys: CircuitKeys }> {
  if (request.length < requestBytesMin) return fail('NTOR_BAD_LENGTH');
  const onionKey = onionKeys.find(pair => equalBytes(pair.publicKey, request.subarray(32, 64)));
  if (onionKey === undefined || !equalBytes(request.subarray(0, 32), identity))
    return fail('NTOR_NOT_OUR_KEY');
  const relay = { identity, onionKey: onionKey.publicKey };
  const clientKey = request.subarray(64, 96);
  const peer = x25519Peer(clientKey);
  const onionSecret = onionKey.shared(peer);
  if (onionSecret === undefined) return fail('NTOR_BAD_POINT');
  const sealed = request.subarray(96, request.length - macBytes);
  const requestMac = request.subarray(request.length - macBytes);
  const keys = messageKeys(onionSecret, relay, clientKey, verification);
  if (!equalSecrets(messageMac(keys.mac, relay, clientKey, sealed), requestMac)) return fail('NTOR_BAD_MAC');

  const said = answer(xorAes256(keys.encryption, sealed));
  if (!said.ok) return said;
  const ephemeral = generateX25519(entropy);
  const shared = ephemeral.shared(peer);
  if (shared === undefined) return fail('NTOR_BAD_POINT');
  const agreed = agree(
    { relay, verification, requestMac, onionSecret },
    shared,
    clientKey,
    ephemeral.publicKey,
  );
  const sealedAnswer = xorAes256(agreed.encryption, said.value);
  const reply = concatBytes(ephemeral.publicKey, agreed.auth(sealedAnswer), sealedAnswer);
  return ok({ reply, keys: agreed.keys });
}

/** Keys for the client's message, before the relay has answered. */
function messageKeys(
  onionSecret: Uint8Array,
  relay: NtorV3Relay,
  clientKey: Uint8Array,
  verification: Uint8Array,
): { readonly encryption: Uint8Array; readonly mac: Uint8Array } {
  const material = shake256(
    2 * keyBytes,
    tweaks.messageKeys,
    onionSecret,
    relay.identity,
    clientKey,
    relay.onionKey,
    protoid,
    encapsulated(verification),
  );
  return { encryption: material.subarray(0, keyBytes), mac: material.subarray(keyBytes) };
}

function messageMac(
  key: Uint8Array,
  relay: NtorV3Relay,
  clientKey: Uint8Array,
  sealed: Uint8Array,
): Uint8Array {
  return sha3(tweaks.messageMac, encapsulated(key), relay.identity, relay.onionKey, clientKey, sealed);
}

/** What both sides know once both ephemeral keys are there. */
function agree(
  asked: Pick<NtorV3ClientState, 'relay' | 'verification' | 'requestMac' | 'onionSecret'>,
  shared: Uint8Array,
  clientKey: Uint8Array,
  relayKey: Uint8Array,
): {
  readonly encryption: Uint8Array;
  readonly keys: CircuitKeys;
  auth(sealed: Uint8Array): Uint8Array;
} {
  const { identity, onionKey } = asked.relay;
  const secret = concatBytes(
    shared,
    asked.onionSecret,
    identity,
    onionKey,
    clientKey,
    relayKey,
    protoid,
    encapsulated(asked.verification),
  );
  const material = shake256(keyBytes + circuitKeyBytes, tweaks.final, sha3(tweaks.keySeed, secret));
  const verify = sha3(tweaks.verify, secret);
  return {
    encryption: material.subarray(0, keyBytes),
    keys: circuitKeysOf(material.subarray(keyBytes)),
    auth: sealed =>
      sha3(
        tweaks.auth,
        verify,
        identity,
        onionKey,
        relayKey,
        clientKey,
        asked.requestMac,
        encapsulated(sealed),
        protoid,
        server,
      ),
  };
}

/** The bytes behind their length of 8 bytes. */
function encapsulated(bytes: Uint8Array): Uint8Array {
  return new ByteWriter().u64(BigInt(bytes.length)).bytes(bytes).finish();
}

function sha3(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(
    createHash('sha3-256')
      .update(concatBytes(...parts))
      .digest(),
  );
}

function shake256(outputLength: number, ...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(
    createHash('shake256', { outputLength })
      .update(concatBytes(...parts))
      .digest(),
  );
}

/** AES-256 in counter mode from zero, for one message: seals and opens. */
function xorAes256(key: Uint8Array, message: Uint8Array): Uint8Array {
  return new Uint8Array(createCipheriv('aes-256-ctr', key, new Uint8Array(16)).update(message));
}
